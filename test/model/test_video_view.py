"""A live view shows what fits together and records it with its sound."""

import numpy as np
import pytest

from perreactor_model.media.video import read_pictures, read_sound
from perreactor_model.media.view_recorder import ViewRecorder, free_path
from perreactor_model.media.view_timeline import ViewTimeline

MS = 1_000_000
FRAME = 40 * MS
RATE = 16000


def test_the_picture_shown_is_the_one_that_the_reactions_answer():
    timeline = ViewTimeline(("a", "b"))
    for k in range(10):
        timeline.push_image(k * FRAME, f"picture {k}")
        if k >= 2:
            timeline.push_reaction("a", (k - 2) * FRAME, f"a {k - 2}")
        if k >= 3:
            timeline.push_reaction("b", (k - 3) * FRAME, f"b {k - 3}")
    shown = timeline.pick()
    assert shown.image == "picture 6"
    assert shown.reactions == {"a": "a 6", "b": "b 6"}


def test_before_any_reaction_the_newest_picture_is_shown():
    timeline = ViewTimeline(("a",))
    assert timeline.pick() is None
    timeline.push_image(0, "first")
    timeline.push_image(FRAME, "second")
    assert timeline.pick().image == "second"
    assert timeline.pick().reactions == {"a": None}


def test_a_silent_robot_holds_nobody_back():
    timeline = ViewTimeline(("a", "b"))
    timeline.push_reaction("a", 0, "old")
    for k in range(100):
        timeline.push_image(k * FRAME, k)
        timeline.push_reaction("b", k * FRAME, k)
    shown = timeline.pick()
    assert shown.image == 99
    assert shown.reactions == {"a": None, "b": 99}


def test_reactions_without_pictures_are_shown_too():
    timeline = ViewTimeline(("a",))
    timeline.push_reaction("a", 5 * FRAME, "face")
    assert timeline.pick().image is None
    assert timeline.pick().reactions == {"a": "face"}


def test_late_pictures_change_nothing_and_a_clock_set_back_starts_afresh():
    timeline = ViewTimeline(())
    timeline.push_image(100 * FRAME, "new")
    timeline.push_image(99 * FRAME, "late")
    assert timeline.pick().image == "new"
    timeline.push_image(0, "after the jump")
    assert timeline.pick().image == "after the jump"


def picture(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def levels_of(path) -> list[float]:
    return [frame.image.mean() for frame in read_pictures(path, frame_rate=25)]


def test_a_recording_has_pictures_and_sound_in_step(tmp_path):
    """Pictures turn bright when the click is heard, though both are shown 200 ms late."""
    recorder = ViewRecorder(tmp_path / "view.mp4")
    chunk = RATE // 25
    begin = 7_000_000_000
    for k in range(75):
        stamp = begin + k * FRAME
        sound = np.zeros(chunk, np.float32)
        if k == 50:
            sound[:80] = 0.9
        recorder.write_sound(sound, RATE, stamp)
        if k >= 5:
            recorder.write(picture(220 if k - 5 >= 50 else 30), stamp, stamp - 5 * FRAME)
    for k in range(75, 90):
        stamp = begin + k * FRAME
        recorder.write(picture(220), stamp, stamp - 5 * FRAME)
    recorder.close()
    levels = levels_of(recorder.path)
    bright = int(np.argmax(np.array(levels) > 120)) / 25
    samples = np.concatenate([block.samples for block in read_sound(recorder.path)])
    click = int(np.argmax(np.abs(samples) > 0.3)) / RATE
    assert bright == pytest.approx(2.0, abs=0.05)
    assert click == pytest.approx(bright, abs=0.05)


def test_missing_views_leave_the_picture_before_on_screen(tmp_path):
    recorder = ViewRecorder(tmp_path / "view.mp4", sound=False)
    for k in (0, 1, 2, 20, 21):
        recorder.write(picture(10 * k + 20), k * FRAME, k * FRAME)
    recorder.close()
    levels = levels_of(recorder.path)
    assert len(levels) == 22
    assert levels[19] == pytest.approx(40, abs=4)
    assert levels[20] == pytest.approx(220, abs=4)


def test_a_clock_that_jumps_neither_stretches_nor_ends_the_recording(tmp_path):
    recorder = ViewRecorder(tmp_path / "view.mp4", sound=False)
    times = [k * FRAME for k in range(10)]
    times += [3_600_000_000_000 + k * FRAME for k in range(10)]
    times += [1_000_000_000 + k * FRAME for k in range(10)]
    for time_ns in times:
        recorder.write(picture(100), time_ns, time_ns)
    recorder.close()
    assert 26 <= len(levels_of(recorder.path)) <= 30


def test_a_recording_without_sound_to_hear_begins_after_a_second(tmp_path):
    recorder = ViewRecorder(tmp_path / "view.mp4")
    for k in range(60):
        recorder.write(picture(100), k * FRAME, k * FRAME)
    recorder.close()
    assert len(levels_of(recorder.path)) == 35


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "view.mp4"
    assert free_path(path) == path
    path.touch()
    assert free_path(path) == tmp_path / "view_2.mp4"
