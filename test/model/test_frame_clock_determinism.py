"""Pushing a recording in any chunks and any interleaving gives the same frames, byte for byte."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perreactor_model.streaming.clock import FrameClock

MS = 1_000_000
SECOND = 1000 * MS


def fingerprint(frames) -> str:
    """A hash over everything that the frames hold."""
    digest = hashlib.sha256()
    for frame in frames:
        head = (frame.index, frame.epoch, frame.stamp_ns, frame.image, frame.image_stamp_ns)
        digest.update(repr(head).encode())
        digest.update(b"none" if frame.audio is None else frame.audio.tobytes())
    return digest.hexdigest()


def chunked(sound: np.ndarray, start: int, rate: int, sizes: list[int]):
    """Cut the sound into chunks of these sizes, over and over, each with its own stamp."""
    first, turn = 0, 0
    while first < len(sound):
        size = sizes[turn % len(sizes)]
        yield (start + round(first * SECOND / rate), sound[first : first + size])
        first, turn = first + size, turn + 1


def frames_of(images, chunks, rate, order) -> list:
    """Push both streams; `order` says, again and again, how many of which stream come next."""
    clock = FrameClock()
    waiting = {"image": list(images)[::-1], "audio": list(chunks)[::-1]}
    taken, turn = [], 0
    while any(waiting.values()):
        stream, count = order[turn % len(order)]
        turn += 1
        if not waiting[stream]:
            stream = "audio" if stream == "image" else "image"
        for _ in range(min(count, len(waiting[stream]))):
            stamp, content = waiting[stream].pop()
            if stream == "image":
                clock.push_image(content, stamp)
            else:
                clock.push_audio(content, stamp, rate)
        if turn % 3 == 0:
            taken += clock.take()
    clock.finish()
    return taken + clock.take()


recordings = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1000),
        "rate": st.sampled_from([8000, 11025, 12345, 16000, 22050, 44100, 48000]),
        "fps": st.sampled_from([10, 15, 25, 30, 60]),
        "jitter_ms": st.integers(0, 15),
        "offset_ms": st.integers(0, 700),
        "start": st.sampled_from([SECOND, 1_700_000_000_123_456_789]),
    }
)
orders = st.lists(
    st.tuples(st.sampled_from(["image", "audio"]), st.integers(1, 60)), min_size=1, max_size=6
)
chunk_sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=5)


def images_and_sound(case):
    generator = np.random.default_rng(case["seed"])
    sound = generator.uniform(-0.4, 0.4, round(1.3 * case["rate"])).astype(np.float32)
    sound[2000:2300] = np.nan
    stamps = case["start"] + np.arange(round(1.3 * case["fps"])) * SECOND // case["fps"]
    stamps = stamps + generator.integers(0, case["jitter_ms"] * MS + 1, len(stamps))
    images = [(int(stamp), number) for number, stamp in enumerate(np.sort(stamps))]
    return images, sound, case["start"] + case["offset_ms"] * MS


@settings(max_examples=40, deadline=None)
@given(case=recordings, order=orders, sizes=chunk_sizes)
def test_chunking_and_interleaving_change_no_byte(case, order, sizes):
    images, sound, sound_start = images_and_sound(case)
    rate = case["rate"]
    whole = frames_of(images, [(sound_start, sound)], rate, [("image", 10_000), ("audio", 1)])
    cut = frames_of(images, chunked(sound, sound_start, rate, sizes), rate, order)
    assert len(whole) > 25
    assert len(cut) == len(whole)
    assert fingerprint(cut) == fingerprint(whole)


def test_sample_by_sample_is_the_same_as_all_at_once():
    case = {"seed": 3, "rate": 11025, "fps": 30, "jitter_ms": 5, "offset_ms": 13, "start": SECOND}
    images, sound, start = images_and_sound(case)
    whole = frames_of(images, [(start, sound)], 11025, [("audio", 1)])
    single = frames_of(images, chunked(sound, start, 11025, [1]), 11025, [("image", 1)])
    assert fingerprint(single) == fingerprint(whole)


@settings(max_examples=30, deadline=None)
@given(
    case=recordings,
    order=orders,
    sizes=chunk_sizes,
    gap=st.tuples(st.integers(0, 8000), st.integers(800, 6000)),
)
def test_a_gap_in_the_sound_is_the_same_gap_in_any_chunking(case, order, sizes, gap):
    images, sound, start = images_and_sound(case)
    rate = case["rate"]
    first, last = gap[0], gap[0] + max(gap[1], rate // 25)
    after = start + round(last * SECOND / rate)
    parts = [(start, sound[:first]), (after, sound[last:])]
    whole = frames_of(images, parts, rate, [("image", 10_000), ("audio", 1)])
    pieces = [piece for at, part in parts for piece in chunked(part, at, rate, sizes)]
    cut = frames_of(images, pieces, rate, order)
    assert fingerprint(cut) == fingerprint(whole)


def test_all_images_first_is_the_same_up_to_the_capacity_for_images():
    generator = np.random.default_rng(0)
    sound = generator.uniform(-0.4, 0.4, 10 * 16000).astype(np.float32)
    images = [(SECOND + number * 40 * MS, number) for number in range(250)]
    chunks = list(chunked(sound, SECOND, 16000, [640]))
    in_step = frames_of(images, chunks, 16000, [("image", 1), ("audio", 1)])
    images_first = frames_of(images, chunks, 16000, [("image", 250), ("audio", 250)])
    sound_first = frames_of(images, chunks, 16000, [("audio", 250), ("image", 250)])
    assert fingerprint(in_step) == fingerprint(images_first) == fingerprint(sound_first)
    assert len(in_step) == 250
