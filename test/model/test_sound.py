"""Chunks of sound with stamps become one timeline, whatever the microphone does."""

import numpy as np
import pytest

from perreactor_model.streaming.sound import AudioTimeline, mono

MS = 1_000_000
SECOND = 1000 * MS
CELL = 40 * MS
START = 1_700_000_000 * SECOND + 12_345_678


def tone(count: int, rate: int, first: int = 0) -> np.ndarray:
    """A quiet ramp-and-tone in which every sample of a second differs from its neighbours."""
    place = np.arange(first, first + count)
    return (0.4 * np.sin(2 * np.pi * 200.0 * place / rate) + 1e-5 * (place % 1000)).astype(
        np.float32
    )


def filled(chunks, rate=16000, tolerance=0.02) -> AudioTimeline:
    timeline = AudioTimeline(16000, tolerance)
    for samples, stamp in chunks:
        timeline.push(samples, stamp, rate)
    return timeline


def chunks_of(sound: np.ndarray, size: int, rate: int = 16000):
    for first in range(0, len(sound), size):
        yield sound[first : first + size], START + round(first * SECOND / rate)


def cell(timeline: AudioTimeline, number: int):
    return timeline.cut(START + number * CELL, START + (number + 1) * CELL)


def test_the_bundles_own_rate_passes_through_unchanged():
    sound = tone(16000, 16000)
    timeline = filled(chunks_of(sound, 160))
    for number in range(25):
        assert np.array_equal(cell(timeline, number), sound[number * 640 : (number + 1) * 640])


@pytest.mark.parametrize("rate", [8000, 11025, 12345, 22050, 44100, 48000])
def test_any_rate_is_brought_to_the_bundles_rate(rate):
    timeline = filled(chunks_of(tone(rate, rate), rate // 50, rate), rate)
    expected = 0.4 * np.sin(2 * np.pi * 200.0 * np.arange(16000) / 16000)
    for number in range(1, 24):
        voice = cell(timeline, number)
        assert voice.shape == (640,) and voice.dtype == np.float32
        inner = slice(20, -20)
        wanted = expected[number * 640 : (number + 1) * 640][inner]
        # Where rate/25 is no whole number a cell may begin a sample beside its place.
        assert np.abs(voice[inner] - wanted).max() < 0.06


@pytest.mark.parametrize("rate", [8000, 12345, 44100])
def test_how_the_sound_was_cut_into_chunks_changes_no_byte(rate):
    sound = tone(rate, rate)
    whole = filled([(sound, START)], rate)
    for size in (1, 7, 441, 5000):
        cut = filled(chunks_of(sound, size, rate), rate)
        assert all(
            cell(cut, number).tobytes() == cell(whole, number).tobytes() for number in range(25)
        )


def test_stereo_is_averaged_and_integers_are_refused_with_the_cure():
    left, right = tone(640, 16000), -tone(640, 16000) / 2
    assert np.allclose(mono(np.stack([left, right], axis=1)), (left + right) / 2)
    assert np.array_equal(mono(left[:, None]), left)
    with pytest.raises(ValueError, match="divide 16-bit samples by 32768"):
        mono(np.zeros(10, np.int16))
    with pytest.raises(ValueError, match=r"\(n, channels\)"):
        mono(np.zeros((2, 640), np.float32))


def test_a_rate_outside_what_microphones_have_is_refused():
    with pytest.raises(ValueError, match="8000 to 48000"):
        AudioTimeline().push(tone(10, 16000), START, 4000)
    with pytest.raises(ValueError, match="multiple of 25"):
        AudioTimeline(12345)


def test_jitter_of_the_stamps_does_not_tear_the_sound():
    sound = tone(32000, 16000)
    shake = np.random.default_rng(0).integers(-8 * MS, 8 * MS, 200)
    shake[0] = 0
    jittered = [
        (samples, stamp + int(shake[place]))
        for place, (samples, stamp) in enumerate(chunks_of(sound, 160))
    ]
    timeline = filled(jittered)
    for number in range(50):
        assert np.array_equal(cell(timeline, number), sound[number * 640 : (number + 1) * 640])
    assert timeline.counters["audio_gaps"] == timeline.counters["audio_moves"] == 0


@pytest.mark.parametrize("parts_per_million", [-1000, 1000])
@pytest.mark.parametrize("size", [16, 400])
def test_drift_between_the_clocks_does_not_build_up(parts_per_million, size):
    rate, seconds = 8000, 400
    timeline = AudioTimeline(rate)
    samples = np.full(size, 0.1, np.float32)
    worst = 0
    size_ns = size * SECOND / rate * (1 + parts_per_million * 1e-6)
    for place in range(seconds * rate // size // (10 if size == 16 else 1)):
        stamp = START + round(place * size_ns)
        timeline.push(samples, stamp, rate)
        worst = max(worst, abs(timeline.end_ns - stamp - size * SECOND // rate))
        timeline.forget(stamp - SECOND)
    assert worst < 10 * MS
    assert timeline.counters["audio_moves"] > 5
    assert timeline.counters["audio_gaps"] == 0


def test_the_seam_of_a_moved_count_has_no_hole():
    samples = np.full(160, 0.25, np.float32)
    timeline = filled([(samples, START + round(place * 10.05 * MS)) for place in range(400)])
    assert timeline.counters["audio_moves"] >= 2
    assert all((cell(timeline, number) == 0.25).all() for number in range(99))


def test_a_lost_chunk_leaves_a_gap_of_silence_and_the_rest_stays_in_place():
    sound = tone(16000, 16000)
    chunks = list(chunks_of(sound, 320))
    del chunks[10]
    timeline = filled(chunks)
    expected = sound.copy()
    expected[3200:3520] = 0
    for number in range(25):
        assert np.array_equal(cell(timeline, number), expected[number * 640 : (number + 1) * 640])
    assert timeline.counters["audio_gaps"] == 1
    assert timeline.counters["missing_samples"] == 320


def test_the_voice_is_absent_where_less_than_half_of_a_cell_is_known():
    sound = tone(640 * 3, 16000)
    timeline = filled([(sound[:959], START), (sound[1600:], START + 100 * MS)])
    assert cell(timeline, 0) is not None
    assert cell(timeline, 1) is None
    assert cell(timeline, 2) is not None
    assert cell(timeline, 5) is None


def test_a_chunk_that_comes_late_fills_the_gap_it_left():
    sound = tone(16000, 16000)
    chunks = list(chunks_of(sound, 480))
    chunks[4], chunks[5] = chunks[5], chunks[4]
    timeline = filled(chunks)
    for number in range(25):
        assert np.array_equal(cell(timeline, number), sound[number * 640 : (number + 1) * 640])


def test_a_repeated_chunk_changes_nothing_and_is_counted():
    sound = tone(16000, 16000)
    chunks = list(chunks_of(sound, 640))
    timeline = filled([*chunks[:5], chunks[4], *chunks[5:]])
    for number in range(25):
        assert np.array_equal(cell(timeline, number), sound[number * 640 : (number + 1) * 640])
    assert timeline.counters["duplicate_samples"] == 640


def test_broken_samples_are_silence_and_counted():
    sound = tone(1280, 16000)
    broken = sound.copy()
    broken[10:20] = np.nan
    broken[30] = np.inf
    broken[640:] = np.nan
    timeline = filled([(broken, START)])
    expected = sound[:640].copy()
    expected[10:20] = expected[30] = 0
    assert np.array_equal(cell(timeline, 0), expected)
    assert cell(timeline, 1) is None
    assert timeline.counters["broken_samples"] == 651


def test_samples_beyond_full_scale_are_clipped():
    timeline = filled([(np.full(640, 7.0, np.float32), START)])
    assert (cell(timeline, 0) == 1.0).all()


def test_the_rate_may_change_in_mid_stream_and_inside_a_cell():
    timeline = AudioTimeline(16000)
    timeline.push(tone(16160, 16000), START, 16000)
    change = START + 1010 * MS
    timeline.push(tone(48000, 48000, 48480), change, 48000)
    expected = 0.4 * np.sin(2 * np.pi * 200.0 * np.arange(32000) / 16000)
    for number in range(1, 50):
        voice = cell(timeline, number)
        wanted = expected[number * 640 : (number + 1) * 640]
        assert np.abs(voice - wanted)[20:-20].mean() < 0.02
    assert timeline.counters["rate_changes"] == 1


def test_two_microphones_on_one_topic_are_survived():
    timeline = AudioTimeline(16000)
    for place in range(200):
        rate = (8000, 11025, 16000, 22050, 44100, 48000)[place % 6]
        timeline.push(tone(rate // 50, rate), START + place * 20 * MS, rate)
        timeline.forget(START + place * 20 * MS - 100 * MS)
    assert len(timeline._stores) <= 4
    assert timeline.counters["rate_changes"] == 199


def test_memory_stays_bounded_while_sound_is_forgotten():
    timeline = AudioTimeline(16000)
    for place in range(3000):
        timeline.push(tone(640, 16000), START + place * CELL, 16000)
        timeline.forget(START + (place - 5) * CELL)
    assert sum(store._values.size for store in timeline._stores.values()) < 3 * 16000
    assert cell(timeline, 2999) is not None
    assert cell(timeline, 100) is None


def test_sound_for_a_forgotten_time_is_late_and_dropped():
    timeline = filled(chunks_of(tone(1600, 16000), 1600))
    timeline.forget(START + 200 * MS)
    timeline.push(tone(1600, 16000), START + 150 * MS, 16000)
    assert timeline.counters["late_samples"] == 800
    assert timeline.reaches(START + 250 * MS)


def test_sound_comes_back_after_a_long_pause_in_which_time_went_on():
    timeline = filled(chunks_of(tone(1600, 16000), 160))
    for number in range(0, 25 * 600, 25):
        timeline.forget(START + number * CELL)
    back = START + 600 * SECOND
    timeline.push(tone(1600, 16000), back, 16000)
    assert np.array_equal(timeline.cut(back, back + CELL), tone(640, 16000))
