"""The video: speaker and faces side by side, in time with each other, streamed."""

from collections.abc import Iterator

import numpy as np
import pytest

from perreactor_model.contract import FRAME_NS
from perreactor_model.media.face_panels import view_size
from perreactor_model.media.video import SoundBlock, VideoError, probe, read_pictures, read_sound
from perreactor_model.report import folder as report_folder
from perreactor_model.report.contents import RealTrack, StripMaterial
from perreactor_model.report.folder import write_report
from perreactor_model.report.strip import write_strip

SECOND = 1_000_000_000


def greys(begin_ns: int, frames: int):
    """Pictures that grow brighter, one a frame from `begin_ns`, as the material of a strip."""

    def pictures(first_ns: int, last_ns: int) -> Iterator[tuple[int, np.ndarray]]:
        for index in range(frames):
            stamp_ns = begin_ns + index * FRAME_NS
            if first_ns <= stamp_ns < last_ns:
                yield stamp_ns, np.full((48, 64, 3), 2 * index, np.uint8)

    return pictures


def tone(begin_ns: int, seconds: float, rate: int = 16000):
    def sound(first_ns: int, last_ns: int) -> Iterator[SoundBlock]:
        for start in range(0, round(seconds * rate), rate // 50):
            samples = 0.5 * np.sin(np.arange(start, start + rate // 50) * 2 * np.pi * 440 / rate)
            block = SoundBlock(begin_ns + start * SECOND // rate, samples.astype(np.float32), rate)
            if block.complete_ns > first_ns and block.stamp_ns < last_ns:
                yield block

    return sound


def test_speaker_and_faces_are_side_by_side_for_as_long_as_the_recording(
    contents, reaction, tmp_path
):
    tracks = [reaction("robot_a"), reaction("robot_b")]
    begin_ns = int(tracks[0].stamp_ns[0])
    whole = contents(
        reactions=tracks, strip=StripMaterial(greys(begin_ns, 100), tone(begin_ns, 4.0))
    )
    strip = write_strip(tmp_path / "strip.mp4", whole, tracks, begin_ns, begin_ns + 4 * SECOND)
    info = probe(tmp_path / "strip.mp4")
    assert (info.width, info.height) == view_size(2)
    assert info.duration == pytest.approx(4.0, abs=0.1)
    assert (strip.has_pictures, strip.has_sound, strip.faces) == (True, True, 2)


def test_a_picture_stands_beside_the_reaction_that_answers_it(contents, reaction, tmp_path):
    track = reaction()
    begin_ns = int(track.stamp_ns[0])
    whole = contents(reactions=[track], strip=StripMaterial(greys(begin_ns, 100)))
    write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + 4 * SECOND, quality=10)
    middles = [frame.image[240, 320].mean() for frame in read_pictures(tmp_path / "strip.mp4")]
    np.testing.assert_allclose(middles, 2 * np.arange(100), atol=6)


def test_sound_begins_where_it_was_heard(contents, reaction, tmp_path):
    track = reaction()
    begin_ns = int(track.stamp_ns[0])
    material = StripMaterial(greys(begin_ns, 100), tone(begin_ns + SECOND, 2.0))
    whole = contents(reactions=[track], strip=material)
    write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + 4 * SECOND)
    samples = np.concatenate([block.samples for block in read_sound(tmp_path / "strip.mp4")])
    loud = np.flatnonzero(np.abs(samples) > 0.2) / 16000
    assert loud[0] == pytest.approx(1.0, abs=0.1)
    assert loud[-1] == pytest.approx(3.0, abs=0.1)


def test_a_rate_that_mp4_does_not_know_is_brought_to_one_that_it_does(contents, reaction, tmp_path):
    track = reaction(frames=50)
    begin_ns = int(track.stamp_ns[0])
    material = StripMaterial(None, tone(begin_ns, 2.0, rate=15000))
    whole = contents(reactions=[track], strip=material)
    write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + 2 * SECOND)
    assert probe(tmp_path / "strip.mp4").audio_rate == 16000


def test_the_same_material_gives_the_same_video(contents, reaction, tmp_path):
    track = reaction(frames=25)
    begin_ns = int(track.stamp_ns[0])
    material = StripMaterial(greys(begin_ns, 25), tone(begin_ns, 1.0))
    whole = contents(reactions=[track], strip=material)
    for name in ("one.mp4", "two.mp4"):
        write_strip(tmp_path / name, whole, [track], begin_ns, begin_ns + SECOND)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_without_pictures_there_are_faces_alone(contents, reaction, tmp_path):
    track = reaction(frames=25)
    begin_ns = int(track.stamp_ns[0])
    whole = contents(reactions=[track], strip=StripMaterial())
    strip = write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + SECOND)
    assert strip.poster.shape[:2] == (480, view_size(1)[0] - view_size(0)[0])
    assert not strip.has_pictures


def test_the_real_listener_has_a_face_too(contents, reaction, tmp_path):
    track = reaction(frames=25)
    begin_ns = int(track.stamp_ns[0])
    attributes = track.attributes.copy()
    attributes[:, 15:] = np.nan
    real = RealTrack("/listener", track.stamp_ns, attributes)
    whole = contents(reactions=[track], real=real, strip=StripMaterial())
    strip = write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + SECOND)
    assert strip.faces == 2


def test_where_there_is_nothing_to_see_there_is_no_video(contents, tmp_path, read_page):
    write_report(contents(strip=StripMaterial()), tmp_path)
    assert not (tmp_path / "strip.mp4").exists()
    assert "nothing to show" in read_page(tmp_path).text


def test_pictures_are_let_go_as_soon_as_they_are_shown(contents, reaction, tmp_path):
    track = reaction(frames=75)
    begin_ns = int(track.stamp_ns[0])
    alive, most = set(), 0

    class Picture(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def pictures(first_ns: int, last_ns: int) -> Iterator[tuple[int, np.ndarray]]:
        nonlocal most
        for index in range(75):
            picture = np.zeros((8, 8, 3), np.uint8).view(Picture)
            alive.add(id(picture))
            most = max(most, len(alive))
            yield begin_ns + index * FRAME_NS, picture
            del picture

    whole = contents(reactions=[track], strip=StripMaterial(pictures))
    write_strip(tmp_path / "strip.mp4", whole, [track], begin_ns, begin_ns + 3 * SECOND)
    assert 1 <= most < 20


def test_the_page_of_a_short_recording_holds_the_whole_video(
    contents, reaction, tmp_path, read_page
):
    track = reaction()
    begin_ns = int(track.stamp_ns[0])
    material = StripMaterial(greys(begin_ns, 100))
    write_report(contents(reactions=[track], strip=material), tmp_path)
    page = read_page(tmp_path)
    assert page.all("source")[0]["src"].startswith("data:video/mp4;base64,")
    assert page.all("video")[0]["poster"].startswith("data:image/jpeg;base64,")
    assert "pass it on only to whom" in page.text
    assert not (tmp_path / "strip_excerpt.mp4").exists()


@pytest.mark.slow
def test_the_page_of_a_longer_recording_holds_the_liveliest_part_and_links_to_the_rest(
    contents, reaction, tmp_path, read_page
):
    frames = 35 * 25
    attributes = np.full((frames, 25), 0.5)
    attributes[-25::2] = 0.9
    track = reaction(frames=frames, attributes=attributes)
    end_ns = int(track.stamp_ns[-1])
    material = StripMaterial(longest_s=2.0)
    write_report(contents(reactions=[track], strip=material, end_ns=end_ns), tmp_path)
    page = read_page(tmp_path)
    assert probe(tmp_path / "strip.mp4").duration == pytest.approx(2.0, abs=0.1)
    assert probe(tmp_path / "strip_excerpt.mp4").duration == pytest.approx(30.0, abs=0.1)
    assert {"href": "strip.mp4"} in page.all("a")
    assert "where the reactions move most" in page.text and "The first 2.0 s" in page.text


def test_a_machine_that_cannot_write_mp4_still_gives_a_report(
    contents, reaction, tmp_path, read_page, monkeypatch
):
    def refuse(*_args, **_more):
        raise VideoError("no encoder")

    monkeypatch.setattr(report_folder, "write_strip", refuse)
    write_report(contents(reactions=[reaction()], strip=StripMaterial()), tmp_path)
    assert "No video could be written: no encoder." in read_page(tmp_path).text
