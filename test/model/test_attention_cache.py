"""The ring of keys and values keeps the newest frames and remembers which they are."""

import numpy as np

from perreactor_model.networks.config import EMPTY_FRAME
from perreactor_model.streaming.window import AttentionCache


def filled(frames: range, slots: int = 4) -> AttentionCache:
    cache = AttentionCache(["0"], heads=2, size=3, slots=slots)
    cache.add_row()
    for frame in frames:
        key = np.full((1, 2, 3, 1), frame, np.float32)
        value = np.full((1, 2, 1, 3), -frame, np.float32)
        cache.write(np.array([frame]), {"0": key}, {"0": value})
    return cache


def test_the_newest_frames_stay() -> None:
    cache = filled(range(10))
    assert sorted(cache.frames[0]) == [6, 7, 8, 9]
    for slot, frame in enumerate(cache.frames[0]):
        assert (cache.keys["0"][0, :, :, slot] == frame).all()
        assert (cache.values["0"][0, :, slot] == -frame).all()


def test_a_chunk_is_the_same_as_its_frames_one_by_one() -> None:
    cache = AttentionCache(["0"], heads=2, size=3, slots=4)
    cache.add_row()
    frames = np.arange(3)
    keys = np.broadcast_to(frames.astype(np.float32), (1, 2, 3, 3))
    values = -np.broadcast_to(frames.astype(np.float32)[:, None], (1, 2, 3, 3))
    cache.write(frames, {"0": keys}, {"0": values})
    one_by_one = filled(range(3))
    assert np.array_equal(cache.frames, one_by_one.frames)
    assert np.array_equal(cache.keys["0"], one_by_one.keys["0"])
    assert np.array_equal(cache.values["0"], one_by_one.values["0"])


def test_a_new_row_is_empty_and_a_removed_row_takes_nothing_with_it() -> None:
    cache = filled(range(4))
    before = cache.keys["0"][0].copy()
    cache.add_row()
    assert (cache.frames[1] == EMPTY_FRAME).all()
    cache.remove_row(1)
    assert np.array_equal(cache.keys["0"][0], before)


def test_clearing_empties_every_slot() -> None:
    cache = filled(range(4))
    cache.clear()
    assert (cache.frames == EMPTY_FRAME).all()
