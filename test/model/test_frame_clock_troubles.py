"""Clock jumps, stray stamps, pauses and floods: each has a defined result."""

import numpy as np
import pytest

from perreactor_model.streaming.clock import FrameClock

MS = 1_000_000
SECOND = 1000 * MS
START = 1_700_000_000 * SECOND


def sound(count: int) -> np.ndarray:
    return np.full(count, 0.1, np.float32)


def play(clock: FrameClock, seconds: float, start: int, now: int | None = None) -> None:
    """25 images and 25 chunks a second, in the order of stamps; live where `now` is given."""
    for number in range(round(seconds * 25)):
        clock.push_image(("at", start + number * 40 * MS), start + number * 40 * MS)
        clock.push_audio(sound(640), start + number * 40 * MS, 16000)
        if now is not None:
            clock.advance(now + number * 40 * MS)


def numbered(frames) -> list[tuple[int, int]]:
    return [(frame.epoch, frame.index) for frame in frames]


@pytest.mark.parametrize("jump", [-1_000_000, -60, -2, 3, 60, 1_000_000])
@pytest.mark.parametrize("live", [False, True])
def test_a_clock_jump_begins_an_epoch_and_loses_at_most_a_moment(jump, live):
    clock = FrameClock()
    play(clock, 4.0, START, 0 if live else None)
    later = START + 4 * SECOND + jump * SECOND
    play(clock, 2.0, later, 4 * SECOND if live else None)
    clock.finish()
    frames = clock.take()
    assert numbered(frames) == [(0, n) for n in range(100)] + [(1, n) for n in range(50)]
    assert frames[100].stamp_ns == later
    assert all(frame.image == ("at", frame.stamp_ns) for frame in frames)
    assert all(frame.audio is not None for frame in frames)
    assert clock.counters["clock_jumps"] == 1
    assert clock.counters["stray_stamps"] == 0


def test_a_looping_recording_gives_the_same_frames_in_each_epoch():
    clock = FrameClock()
    for _ in range(3):
        play(clock, 2.0, START)
    clock.finish()
    assert numbered(clock.take()) == [(epoch, n) for epoch in range(3) for n in range(50)]


@pytest.mark.parametrize("stray", [0, START - 50 * SECOND, START + 50 * SECOND])
def test_one_stray_stamp_is_dropped_and_counted(stray):
    clock = FrameClock()
    play(clock, 2.0, START)
    clock.push_image("stray", stray)
    clock.push_audio(sound(640), stray, 16000)
    play(clock, 2.0, START + 2 * SECOND)
    clock.finish()
    frames = clock.take()
    assert numbered(frames) == [(0, n) for n in range(100)]
    assert all(frame.image == ("at", frame.stamp_ns) for frame in frames)
    assert clock.counters["stray_stamps"] == 2
    assert clock.counters["clock_jumps"] == 0


def test_a_driver_that_now_and_then_stamps_zero_does_no_harm():
    clock = FrameClock()
    for number in range(50):
        play(clock, 0.04, START + number * 40 * MS)
        if number % 5 == 4:
            clock.push_image("unstamped", 0)
            clock.push_image("unstamped", 0)
    clock.finish()
    assert numbered(clock.take()) == [(0, n) for n in range(50)]
    assert clock.counters["clock_jumps"] == 0


def test_a_first_stamp_that_was_wrong_is_corrected_by_the_next_two():
    clock = FrameClock()
    clock.push_image("unset clock", 0)
    play(clock, 2.0, START)
    clock.finish()
    frames = [frame for frame in clock.take() if frame.epoch == 1]
    assert [frame.index for frame in frames] == list(range(50))
    assert frames[0].stamp_ns == START


def test_a_pause_of_all_input_shorter_than_a_jump_gives_absent_frames():
    clock = FrameClock()
    play(clock, 1.0, START)
    play(clock, 1.0, START + 2520 * MS)
    clock.finish()
    frames = clock.take()
    assert len(frames) == 88 and {frame.epoch for frame in frames} == {0}
    paused = frames[30:62]
    assert all(frame.image is None and frame.audio is None for frame in paused)
    assert frames[63].image is not None and frames[63].audio is not None


@pytest.mark.parametrize("stream", ["image", "audio"])
def test_a_stream_that_pauses_while_the_other_goes_on_has_not_jumped(stream):
    clock = FrameClock()
    for number in range(25 * 20):
        stamp = START + number * 40 * MS
        pausing = 5 * 25 <= number < 15 * 25
        if not (pausing and stream == "image"):
            clock.push_image(number, stamp)
        if not (pausing and stream == "audio"):
            clock.push_audio(sound(640), stamp, 16000)
        clock.advance(number * 40 * MS)
    clock.finish()
    frames = clock.take()
    assert numbered(frames) == [(0, n) for n in range(500)]
    absent = [f.index for f in frames if (f.image if stream == "image" else f.audio) is None]
    assert absent == list(range(130 if stream == "image" else 125, 375))
    assert clock.counters["clock_jumps"] == 0


def test_input_that_comes_back_after_a_long_pause_of_everything_joins_the_running_grid():
    clock = FrameClock()
    play(clock, 1.0, START, 0)
    for tick in range(25, 25 * 30):
        clock.advance(tick * 40 * MS)
    play(clock, 2.0, START + 30 * SECOND, 30 * SECOND)
    frames = clock.take()
    assert clock.epoch == 0
    assert frames[-2].image == ("at", frames[-2].stamp_ns)
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_player_that_was_paused_and_goes_on_begins_an_epoch():
    clock = FrameClock()
    play(clock, 1.0, START, 0)
    for tick in range(25, 25 * 10):
        clock.advance(tick * 40 * MS)
    clock.take()
    play(clock, 1.0, START + SECOND, 10 * SECOND)
    frames = clock.take()
    assert clock.epoch == 1
    assert all(frame.image == ("at", frame.stamp_ns) for frame in frames if frame.epoch == 1)


def test_a_microphone_on_another_clock_never_makes_the_epochs_flutter():
    for offset in (-100 * SECOND, 100 * SECOND):
        clock = FrameClock()
        for number in range(500):
            stamp = START + number * 40 * MS
            clock.push_image(number, stamp)
            clock.push_audio(sound(640), stamp + offset, 16000)
            clock.advance(number * 40 * MS)
        assert clock.epoch <= 1
        assert clock.counters["frames"] > 400


def test_without_sound_pushing_waits_until_the_buffer_is_full_and_then_goes_on():
    clock = FrameClock(image_capacity=100)
    for number in range(1000):
        clock.push_image(number, START + number * 40 * MS)
        assert len(clock._items["image"]) <= 100
    frames = clock.take()
    assert [frame.image for frame in frames] == list(range(len(frames)))
    assert 890 <= len(frames) <= 910
    assert clock.counters["overflow_frames"] == len(frames)
    assert all(frame.audio is None for frame in frames)


def test_without_images_pushing_waits_for_buffer_seconds_and_then_goes_on():
    clock = FrameClock(buffer_seconds=10)
    for second in range(60):
        clock.push_audio(sound(16000), START + second * SECOND, 16000)
    frames = clock.take()
    assert len(frames) == 50 * 25
    assert all(frame.audio is not None and frame.image is None for frame in frames)


def test_one_chunk_longer_than_the_buffer_keeps_the_bound_and_loses_nothing():
    clock = FrameClock(buffer_seconds=5)
    clock.push_audio(np.arange(60 * 8000, dtype=np.float32) / 1e6, START, 8000)
    assert sum(store._values.nbytes for store in clock._sound._stores.values()) < 2_000_000
    clock.finish()
    frames = clock.take()
    assert len(frames) == 1500 and all(frame.audio is not None for frame in frames)


def test_frames_nobody_takes_are_dropped_oldest_first_and_counted():
    clock = FrameClock(frame_capacity=10)
    play(clock, 2.0, START)
    clock.finish()
    assert [frame.index for frame in clock.take()] == list(range(40, 50))
    assert clock.counters["dropped_frames"] == 40


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("camera", "microphone"), [(0, START), (START, 0), (START - 86_400 * SECOND, START)]
)
def test_streams_whose_clocks_are_years_apart_keep_nobody_waiting(camera, microphone, live):
    clock = FrameClock()
    frames = []
    for number in range(500):
        clock.push_image(number, camera + number * 40 * MS)
        clock.push_audio(sound(640), microphone + number * 40 * MS, 16000)
        if live:
            clock.advance(number * 40 * MS)
        frames += clock.take()
    assert len(frames) < 10_000
    assert clock.counters["frames"] == clock.counters["dropped_frames"] + len(frames)
    if live:
        newest = max(camera, microphone) + 499 * 40 * MS
        assert newest - frames[-1].stamp_ns < SECOND
        leading = [frame.audio is not None or frame.image is not None for frame in frames[-100:]]
        assert all(leading)


def test_passing_over_frames_that_would_be_dropped_gives_the_same_frames_as_making_them():
    def frames_of(capacity: int) -> list[tuple[int, int, bool, bool]]:
        clock = FrameClock(frame_capacity=capacity, buffer_seconds=5)
        for number in range(250):
            clock.push_audio(sound(640), START + number * 40 * MS, 16000)
            if number == 0:
                clock.push_image("slow clock", START - 100 * SECOND)
        clock.finish()
        return [
            (frame.index, frame.stamp_ns, frame.image is None, frame.audio is None)
            for frame in clock.take()
        ]

    everything = frames_of(100_000)
    assert len(everything) > 2700
    assert frames_of(50) == everything[-50:]


@pytest.mark.parametrize("stamp", [1.5, float("nan"), "1", None])
def test_a_stamp_that_is_no_whole_number_is_refused_by_value(stamp):
    clock = FrameClock()
    for push in (
        lambda: clock.push_image("image", stamp),
        lambda: clock.push_audio(sound(640), stamp, 16000),
        lambda: clock.advance(stamp),
    ):
        with pytest.raises(ValueError, match="whole nanoseconds"):
            push()


def test_a_flood_of_images_within_one_frame_stays_bounded():
    clock = FrameClock(image_capacity=50)
    for number in range(1000):
        clock.push_image(number, START + number)
    assert len(clock._items["image"]) <= 51


def test_counters_and_skew_tell_what_came():
    clock = FrameClock()
    assert clock.skew_ns is None
    play(clock, 1.0, START)
    assert clock.skew_ns == 40 * MS
    counters = clock.counters
    assert counters["images"] == counters["audio_chunks"] == 25
    assert all(isinstance(count, int) for count in counters.values())


@pytest.mark.parametrize("offset", [-START, 3600 * SECOND])
def test_moments_of_the_caller_are_found_on_a_camera_clock_of_its_own(offset):
    """What carries no stamp, as `robot_speaking`, must silence the right frames."""
    clock = FrameClock()
    play(clock, 1.0, START, START + offset)
    spoken = clock.data_time(START + SECOND + offset)
    assert abs(spoken - (START + SECOND)) <= 40 * MS
    clock.set_robot_speaking(True, spoken)
    play(clock, 1.0, START + SECOND, START + SECOND + offset)
    clock.finish()
    heard = [frame.audio is not None for frame in clock.take()]
    assert all(heard[:24])
    assert not any(heard[26:])


def test_a_small_difference_of_clocks_is_the_way_of_a_message():
    clock = FrameClock()
    assert clock.data_time(START) == START
    play(clock, 1.0, START, START + 100 * MS)
    assert clock.data_time(START + SECOND) == START + SECOND


def test_a_stamp_beyond_what_integers_hold_is_refused():
    with pytest.raises(ValueError, match="at most"):
        FrameClock().push_image("late", 2**70)
