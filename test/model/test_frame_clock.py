"""The frame clock's rules: the grid, which image serves a frame, how long a frame is waited for."""

import numpy as np
import pytest

from perreactor_model.streaming.clock import FrameClock

MS = 1_000_000
SECOND = 1000 * MS
START = 1_700_000_000 * SECOND + 7


def speech(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, count).astype(np.float32)


def recording(seconds: float, fps: float = 25.0, rate: int = 16000, start: int = START):
    """Images (their own number as content) and sound chunks of 20 ms, in the order of stamps."""
    sound = speech(round(seconds * rate))
    inputs = [
        (start + round(number * SECOND / fps), "image", number)
        for number in range(round(seconds * fps))
    ]
    size = rate // 50
    inputs += [
        (start + round(first * SECOND / rate), "audio", sound[first : first + size])
        for first in range(0, len(sound), size)
    ]
    return sorted(inputs, key=lambda each: (each[0], each[1])), sound


def feed(clock: FrameClock, inputs, rate: int = 16000) -> None:
    for stamp, kind, content in inputs:
        if kind == "image":
            clock.push_image(content, stamp)
        else:
            clock.push_audio(content, stamp, rate)


def played(inputs, rate: int = 16000, **settings):
    clock = FrameClock(**settings)
    feed(clock, inputs, rate)
    clock.finish()
    return clock.take()


def test_a_recording_gives_each_frame_its_image_and_its_piece_of_sound():
    inputs, sound = recording(2.0)
    frames = played(inputs)
    assert [frame.index for frame in frames] == list(range(50))
    assert [frame.image for frame in frames] == list(range(50))
    for number, frame in enumerate(frames):
        assert frame.stamp_ns == frame.image_stamp_ns == START + number * 40 * MS
        assert frame.epoch == 0
        assert np.array_equal(frame.audio, sound[number * 640 : (number + 1) * 640])


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (10, [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]),
        (15, [0, 0, 1, 2, 2, 3, 3, 4, 5, 5]),
        (30, [0, 1, 2, 4, 5, 6, 7, 8, 10, 11]),
        (60, [0, 2, 5, 7, 10, 12, 14, 17, 19, 22]),
    ],
)
def test_other_camera_rates_serve_each_frame_with_the_nearest_image(fps, expected):
    inputs, _ = recording(1.0, fps=fps)
    assert [frame.image for frame in played(inputs)][:10] == expected


def test_a_25_fps_camera_with_jittering_stamps_still_has_one_image_a_frame():
    inputs, _ = recording(4.0)
    shake = np.random.default_rng(1).integers(-9 * MS, 9 * MS, len(inputs))
    inputs = [
        (stamp + int(shake[place]) * (kind == "image" and place > 3), kind, content)
        for place, (stamp, kind, content) in enumerate(inputs)
    ]
    assert [frame.image for frame in played(inputs)] == list(range(100))


def test_the_grid_is_in_phase_with_the_camera_when_the_sound_began_earlier():
    inputs, sound = recording(1.0)
    inputs = [
        (stamp + 130 * MS if kind == "image" else stamp, kind, content)
        for stamp, kind, content in inputs
    ]
    frames = played(inputs)
    assert frames[0].stamp_ns == START + 10 * MS
    assert [frame.image for frame in frames[:5]] == [None, None, None, 0, 1]
    assert frames[3].image_stamp_ns == frames[3].stamp_ns
    assert np.array_equal(frames[0].audio, sound[160:800])


def test_an_image_is_held_for_200_ms_and_then_the_face_is_gone():
    inputs, _ = recording(1.0)
    inputs = [each for each in inputs if each[1] == "audio" or each[2] < 4 or each[2] > 20]
    images = [frame.image for frame in played(inputs)]
    assert images == [0, 1, 2, 3, 3, 3, 3, 3, 3] + [None] * 12 + [21, 22, 23, 24]


def test_pushing_alone_waits_for_a_stream_that_has_not_come():
    inputs, _ = recording(2.0)
    clock = FrameClock()
    feed(clock, [each for each in inputs if each[1] == "image"])
    assert clock.take() == []
    feed(clock, [each for each in inputs if each[1] == "audio"])
    assert len(clock.take()) == 49  # the 50th would wait for a later image


def test_a_frame_is_complete_as_soon_as_its_last_input_is_there():
    clock = FrameClock()
    clock.push_image("first", START)
    clock.push_image("second", START + 40 * MS)
    clock.push_audio(speech(639), START, 16000)
    assert clock.take() == []
    clock.push_audio(speech(1), START + round(639 * SECOND / 16000), 16000)
    assert [frame.image for frame in clock.take()] == ["first"]


def test_a_live_frame_does_not_wait_for_the_next_image():
    clock = FrameClock()
    clock.push_image("first", START)
    clock.push_audio(speech(640), START, 16000)
    clock.advance(5)
    assert [frame.image for frame in clock.take()] == ["first"]


@pytest.mark.parametrize("offset", [-START, 0, 3600 * SECOND])
def test_a_live_frame_waits_for_its_sound_for_max_wait_on_any_clock(offset):
    clock = FrameClock(max_wait=0.06)
    clock.push_image("first", START)
    clock.push_audio(speech(640), START, 16000)
    noticed = START + offset + 45 * MS
    clock.advance(noticed)
    clock.take()
    clock.push_image("second", START + 40 * MS)
    # The sound's end at 40 ms is what was noticed; the next frame ends at 80 ms and is waited for
    # until 140 ms.
    clock.advance(noticed + 99 * MS)
    assert clock.take() == []
    clock.advance(noticed + 100 * MS)
    (frame,) = clock.take()
    assert frame.image == "second" and frame.audio is None
    assert clock.counters["overdue_frames"] == 1


def test_a_live_frame_waits_for_its_image_for_image_wait_and_then_holds_the_last():
    clock = FrameClock(image_wait=0.01)
    clock.push_image("first", START)
    clock.push_audio(speech(1280), START, 16000)
    clock.advance(0)
    assert [frame.image for frame in clock.take()] == ["first"]
    clock.advance(9 * MS)
    assert clock.take() == []
    clock.advance(10 * MS)
    (frame,) = clock.take()
    assert frame.image == "first" and frame.audio is not None
    assert frame.image_stamp_ns == START


def test_when_all_input_stops_frames_go_on_without_face_and_voice():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    feed(clock, inputs)
    for tick in range(100):
        clock.advance(tick * 20 * MS)
    frames = clock.take()
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) == 73  # until 1 s + 1.98 s - max_wait
    assert all(frame.image is None and frame.audio is None for frame in frames[30:])


def test_a_caller_whose_clock_leaps_does_not_make_frames_of_the_leap():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    feed(clock, inputs)
    clock.advance(0)
    before = len(clock.take())
    clock.advance(3600 * SECOND)
    clock.advance(0)
    assert before >= 24 and len(clock.take()) <= 1


def test_a_late_image_is_counted_and_held_only_while_it_is_fresh():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    feed(clock, [each for each in inputs if each[1] == "audio"])
    clock.advance(0)
    clock.advance(500 * MS)
    clock.advance(700 * MS)
    frames = clock.take()
    assert len(frames) > 20 and all(frame.image is None for frame in frames)
    open_ns = frames[-1].stamp_ns + 40 * MS
    clock.push_image("too old", open_ns - 300 * MS)
    clock.push_image("fresh enough", open_ns - 100 * MS)
    clock.advance(900 * MS)  # the newer stamp is noticed now
    clock.advance(1200 * MS)
    images = [frame.image for frame in clock.take()]
    assert images[:3] == ["fresh enough"] * 3
    assert "too old" not in images
    assert clock.counters["late_images"] == 2


def test_images_out_of_order_and_twice_are_put_right_while_their_frame_is_open():
    inputs, _ = recording(1.0)
    audio = [each for each in inputs if each[1] == "audio"]
    images = [each for each in inputs if each[1] == "image"]
    images[5], images[6] = images[6], images[5]
    images.insert(9, images[8])
    clock = FrameClock()
    feed(clock, images)
    feed(clock, audio)
    clock.finish()
    assert [frame.image for frame in clock.take()] == list(range(25))
    assert clock.counters["duplicate_images"] == 1
    assert clock.counters["late_images"] == 0


def test_finish_never_gives_a_last_frame_that_sound_covers_in_part():
    clock = FrameClock(expects=("audio",))
    clock.push_audio(speech(640 * 3 + 639), START, 16000)
    clock.finish()
    assert len(clock.take()) == 3


def test_finish_gives_every_frame_with_an_image_though_the_sound_is_shorter():
    inputs, _ = recording(2.0)
    short = [each for each in inputs if each[1] == "image" or each[0] < START + 990 * MS]
    frames = played(short)
    assert [frame.image for frame in frames] == list(range(50))
    assert frames[24].audio is not None and frames[25].audio is None


def test_a_recording_without_sound_or_without_images_is_complete_at_finish():
    inputs, _ = recording(1.0)
    silent = played([each for each in inputs if each[1] == "image"])
    assert len(silent) == 25 and all(frame.audio is None for frame in silent)
    blind = played([each for each in inputs if each[1] == "audio"])
    assert len(blind) == 25 and all(frame.image is None for frame in blind)


def test_finish_on_nothing_gives_nothing():
    clock = FrameClock()
    clock.finish()
    clock.advance(0)
    assert clock.take() == []


def test_while_the_robot_speaks_the_voice_is_absent_in_every_cell_it_touches():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    clock.set_robot_speaking(True, START + 390 * MS)
    clock.set_robot_speaking(False, START + 481 * MS)
    feed(clock, inputs)
    clock.finish()
    absent = [frame.index for frame in clock.take() if frame.audio is None]
    assert absent == [9, 10, 11, 12]
    assert clock.counters["frames_robot_speaking"] == 4


def test_a_robot_that_is_speaking_at_a_reset_is_still_speaking_after_it():
    clock = FrameClock()
    clock.set_robot_speaking(True, START)
    clock.reset()
    inputs, _ = recording(1.0, start=START - 500 * SECOND)
    feed(clock, inputs)
    clock.set_robot_speaking(False, START - 500 * SECOND + 970 * MS)
    clock.finish()
    frames = clock.take()
    assert all(frame.audio is None for frame in frames[:24])


def test_attributes_are_attached_like_images():
    clock = FrameClock(expects=("attributes", "audio"))
    clock.push_audio(speech(640 * 10), START, 16000)
    clock.push_attributes(np.full(25, 0.5), None, START)
    clock.push_attributes(None, np.full(58, 0.25), START + 85 * MS)
    clock.push_attributes(np.full(25, 0.75), np.zeros(58), START + 160 * MS)
    frames = clock.take()
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert (frames[0].attributes == 0.5).all() and np.isnan(frames[0].coefficients).all()
    assert (frames[1].attributes == 0.5).all()
    assert np.isnan(frames[2].attributes).all() and (frames[2].coefficients == 0.25).all()
    assert all(frame.image is None for frame in frames)


def test_attributes_that_are_not_waited_for_are_still_attached():
    inputs, _ = recording(0.4)
    clock = FrameClock()
    clock.push_attributes(np.full(25, 0.5), None, START)
    feed(clock, inputs)
    assert (clock.take()[3].attributes == 0.5).all()


def test_reset_forgets_everything_and_counts_an_epoch():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    feed(clock, inputs)
    clock.reset()
    assert clock.take() == []
    feed(clock, recording(0.2, start=5)[0])
    frames = clock.take()
    assert [(frame.epoch, frame.index) for frame in frames] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert frames[0].stamp_ns == 5
    assert clock.counters["images"] == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 12345}, "multiple of 25"),
        ({"rate": 96000}, "8000 to 48000"),
        ({"max_wait": -1.0}, "max_wait"),
        ({"image_hold": 99.0}, "image_hold"),
        ({"expects": ("image", "smell")}, "image, audio, attributes"),
        ({"expects": ()}, "image, audio, attributes"),
        ({"image_capacity": 0}, "image_capacity"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        FrameClock(**settings)


def test_wrong_input_is_refused_and_leaves_the_clock_as_it_was():
    inputs, _ = recording(1.0)
    clock = FrameClock()
    feed(clock, inputs[:40])
    before = clock.counters
    with pytest.raises(ValueError, match="stamp must be 0 or more"):
        clock.push_image("early", -1)
    with pytest.raises(ValueError, match="floats in"):
        clock.push_audio(np.zeros(10, np.int16), START, 16000)
    with pytest.raises(ValueError, match="8000 to 48000"):
        clock.push_audio(speech(10), START, 4000)
    with pytest.raises(ValueError, match=r"attributes must have shape \(25,\)"):
        clock.push_attributes(np.zeros(24), None, START)
    assert clock.counters == before
    feed(clock, inputs[40:])
    clock.finish()
    assert [frame.image for frame in clock.take()] == list(range(25))


def test_stamps_may_begin_at_zero():
    frames = played(recording(0.4, start=0)[0])
    assert [frame.stamp_ns for frame in frames] == [number * 40 * MS for number in range(10)]
