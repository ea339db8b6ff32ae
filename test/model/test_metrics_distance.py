"""FRDist: warping, its lower bounds, and the search for the nearest neighbour."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.bounds import columns_outside, rows_outside
from perreactor_model.metrics.distance import GROUPS, FacialDistance, Shortcuts
from perreactor_model.metrics.warping import PAD, backward_layout, forward_layout, warp, work_size

EXACT = 1e-6
few = settings(max_examples=60, deadline=None)
frames = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)


def plain_warp(first: np.ndarray, second: np.ndarray) -> float:
    """The textbook recursion in float64, cell by cell."""
    cost = ((first[:, None].astype(float) - second[None].astype(float)) ** 2).sum(2)
    total = np.full((len(first) + 1, len(second) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(first)):
        for j in range(len(second)):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = cost[i, j] + before
    return float(total[-1, -1])


def fast_warp(first: np.ndarray, second: np.ndarray, limit: float = np.inf) -> float:
    nothing = np.zeros(max(len(first), len(second)) + 1)
    squared, _ = warp(
        forward_layout(first),
        len(first),
        backward_layout(second),
        len(second),
        0,
        first.shape[1],
        nothing,
        nothing,
        limit,
        np.empty(work_size(len(first))),
    )
    return float(squared)


def plain_distance(sample: np.ndarray, listener: np.ndarray, groups=GROUPS) -> float:  # type: ignore[no-untyped-def]
    return sum(
        weight * np.sqrt(plain_warp(sample[:, channels], listener[:, channels]))
        for channels, weight in groups
        if len(channels)
    )


def walk(seed: int, count: int, channels: int = 25) -> np.ndarray:
    """A smooth random reaction, long stretches of it exactly constant."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(0, 0.05, (count, channels)) * (generator.random((count, 1)) < 0.6)
    return np.cumsum(steps, axis=0).astype(np.float32)


@few
@given(frames, frames, st.integers(1, 25), seeds)
def test_warping_agrees_with_the_textbook(n: int, m: int, channels: int, seed: int) -> None:
    first, second = walk(seed, n, channels), walk(seed + 1, m, channels)
    expected = plain_warp(first, second)
    assert np.sqrt(fast_warp(first, second)) == pytest.approx(np.sqrt(expected), rel=EXACT)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 300), (300, 1), (16, 16), (150, 97), (257, 256)])
def test_warping_holds_at_the_rims_of_tiles(n: int, m: int) -> None:
    generator = np.random.default_rng(n * 1000 + m)
    first = generator.random((n, 15), np.float32)
    second = generator.random((m, 15), np.float32)
    expected = np.sqrt(plain_warp(first, second))
    assert np.sqrt(fast_warp(first, second)) == pytest.approx(expected, rel=EXACT)


def test_small_differences_far_from_zero_keep_their_digits() -> None:
    first, second = 1000 + walk(1, 120, 15), 1000 + walk(2, 130, 15)
    expected = np.sqrt(plain_warp(first, second))
    assert np.sqrt(fast_warp(first, second)) == pytest.approx(expected, rel=EXACT)


def test_a_sequence_is_at_distance_zero_of_itself_to_the_last_bit() -> None:
    sequence = np.random.default_rng(0).normal(0, 100, (123, 25)).astype(np.float32)
    assert fast_warp(sequence, sequence) == 0.0


def test_repeating_frames_costs_nothing() -> None:
    sequence = walk(3, 40, 2)
    assert fast_warp(sequence, np.repeat(sequence, 3, axis=0)) == 0.0


@few
@given(frames, frames, seeds, st.floats(0, 2))
def test_a_limit_changes_no_bit_of_what_lies_within_it(
    n: int, m: int, seed: int, share: float
) -> None:
    first, second = walk(seed, n, 3), walk(seed + 1, m, 3)
    free = fast_warp(first, second)
    limit = share * free
    assert fast_warp(first, second, limit) == (free if free <= limit else np.inf)


@few
@given(frames, frames, st.integers(1, 25), seeds)
def test_bounds_lie_below_the_warping_from_every_frame_on(
    n: int, m: int, channels: int, seed: int
) -> None:
    first, second = walk(seed, n, channels), walk(seed + 1, m, channels)
    work = np.empty(max(n, m), np.float32)
    rows_left, columns_left = np.empty(n + 1), np.empty(m + 1)
    box = second.min(0), second.max(0)
    rows_outside(forward_layout(first), n, *box, 0, channels, work, rows_left)
    box = first.min(0), first.max(0)
    columns_outside(backward_layout(second), PAD, m, *box, 0, channels, work, columns_left)
    assert rows_left[n] == columns_left[m] == 0
    assert (np.diff(rows_left) <= 0).all() and (np.diff(columns_left) <= 0).all()
    for start in {0, n // 2, n - 1}:
        later = plain_warp(first[start:], second)
        assert rows_left[start] <= later * (1 + EXACT)
    for start in {0, m // 2, m - 1}:
        later = plain_warp(first, second[start:])
        assert columns_left[start] <= later * (1 + EXACT)


def test_bounds_see_frames_outside_the_others_box() -> None:
    """By hand: channel 0 lies in the box 0..1 except for 3 (2 outside) and -1 (1 outside)."""
    first = np.array([[0.5, 0], [3, 0], [-1, 0]], np.float32)
    left, work = np.empty(4), np.empty(3, np.float32)
    low, high = np.array([0, 0], np.float32), np.array([1, 0], np.float32)
    rows_outside(forward_layout(first), 3, low, high, 0, 2, work, left)
    assert left.tolist() == [5, 5, 1, 0]
    columns_outside(backward_layout(first), PAD, 3, low, high, 0, 2, work, left)
    assert left.tolist() == [5, 5, 1, 0]


def a_clip(seed: int, samples: int, neighbours: int) -> tuple[np.ndarray, list[np.ndarray]]:
    generator = np.random.default_rng(seed)
    predictions = np.stack([walk(seed + index, 40) for index in range(samples)])
    lengths = generator.integers(1, 60, neighbours)
    return predictions, [walk(seed + 100 + index, int(n)) for index, n in enumerate(lengths)]


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 6))
def test_the_nearest_neighbour_is_what_comparing_all_of_them_gives(
    seed: int, samples: int, neighbours: int
) -> None:
    predictions, listeners = a_clip(seed, samples, neighbours)
    distance, row = FacialDistance(listeners).nearest(predictions, np.arange(neighbours))
    expected = np.array([[plain_distance(p, real) for real in listeners] for p in predictions])
    assert distance == pytest.approx(expected.min(1), rel=EXACT)
    assert (row == expected.argmin(1)).all()


def test_ground_truth_is_at_distance_zero() -> None:
    _, listeners = a_clip(5, 1, 6)
    metric = FacialDistance(listeners)
    for index, listener in enumerate(listeners):
        distance, row = metric.nearest(listener[None], np.arange(6))
        assert distance[0] == 0.0 and row[0] == index


def test_the_order_of_neighbours_changes_no_bit() -> None:
    predictions, listeners = a_clip(7, 3, 30)
    rows = np.arange(30)
    distance, row = FacialDistance(listeners).nearest(predictions, rows)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(rows)
        again, row_again = FacialDistance(listeners).nearest(predictions, order)
        assert (again == distance).all() and (row_again == row).all()


@pytest.mark.parametrize("left_out", ["order", "bounds", "limits"])
def test_no_shortcut_changes_a_bit(left_out: str) -> None:
    predictions, listeners = a_clip(41, 3, 30)
    distance, row = FacialDistance(listeners).nearest(predictions, np.arange(30))
    without = FacialDistance(listeners, shortcuts=Shortcuts(**{left_out: False}))
    again, row_again = without.nearest(predictions, np.arange(30))
    assert (again == distance).all() and (row_again == row).all()


def test_parts_with_what_is_known_give_the_same_as_the_whole() -> None:
    predictions, listeners = a_clip(11, 3, 30)
    whole, row = FacialDistance(listeners).nearest(predictions, np.arange(30))
    metric = FacialDistance(listeners)
    first, first_row = metric.nearest(predictions, np.arange(0, 30, 3))
    rest = np.array([index for index in range(30) if index % 3])
    second, second_row = metric.nearest(predictions, rest, at_most=first)
    assert (second == whole).all()
    assert (np.where(second_row < 0, first_row, second_row) == row).all()


def test_what_is_known_comes_back_where_nothing_is_nearer() -> None:
    predictions, listeners = a_clip(13, 2, 4)
    distance, row = FacialDistance(listeners).nearest(
        predictions, np.arange(4), at_most=np.array([0.0, np.inf])
    )
    assert distance[0] == 0.0 and row[0] == -1
    assert np.isfinite(distance[1]) and row[1] >= 0


def test_of_equally_near_neighbours_the_first_index_wins_in_any_order() -> None:
    predictions, listeners = a_clip(17, 1, 3)
    metric = FacialDistance([*listeners, *listeners])
    _, row = metric.nearest(predictions, np.array([5, 4, 3, 2, 1, 0]))
    _, again = metric.nearest(predictions, np.arange(6))
    assert row[0] == again[0] < 3


def test_copies_of_one_sample_are_searched_once() -> None:
    predictions, listeners = a_clip(19, 1, 5)
    metric = FacialDistance(listeners)
    copies = np.broadcast_to(predictions[0], (10, *predictions[0].shape))
    distance, row = metric.nearest(copies, np.arange(5))
    once, once_row = FacialDistance(listeners).nearest(predictions, np.arange(5))
    assert (distance == once[0]).all() and (row == once_row[0]).all()
    assert metric.statistics.pairs == 5


def test_channels_that_nobody_knows_are_left_out() -> None:
    predictions, listeners = a_clip(23, 2, 4)
    known = ((np.array([3, 7]), 1 / 2), (np.array([], int), 1.0), (np.array([17, 20]), 0.5))
    for clip in (predictions, *listeners):
        clip[..., [0, 15, 16, 18]] = np.nan
    distance, _ = FacialDistance(listeners, known).nearest(predictions, np.arange(4))
    expected = [min(plain_distance(p, real, known) for real in listeners) for p in predictions]
    assert distance == pytest.approx(np.array(expected), rel=EXACT)


def test_no_channel_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one group"):
        FacialDistance([walk(0, 5)], ((np.array([], int), 1.0),))


def test_any_float_is_taken_as_float32() -> None:
    predictions, listeners = a_clip(29, 2, 4)
    expected, _ = FacialDistance(listeners).nearest(predictions, np.arange(4))
    doubles = [listener.astype(float) for listener in listeners]
    distance, _ = FacialDistance(doubles).nearest(predictions.astype(float), np.arange(4))
    assert (distance == expected).all()


def test_statistics_account_for_every_pair_and_show_work_saved() -> None:
    listeners = [walk(0, 90) + np.float32(0.3 * index) for index in range(12)]
    metric = FacialDistance(listeners)
    metric.nearest(walk(1, 90)[None], np.arange(12))
    counts = metric.statistics
    assert counts.pairs == 12
    assert counts.bounded + sum(counts.abandoned) + counts.finished == counts.pairs
    assert counts.bounded > 0
    assert counts.computed < counts.cells / 2


@pytest.mark.slow
def test_numba_warps_as_tslearn_does() -> None:
    tslearn = pytest.importorskip("tslearn.metrics", reason="compared where tslearn is installed")
    first, second = walk(31, 150), walk(37, 140)
    for channels, _ in GROUPS:
        expected = tslearn.dtw(first[:, channels], second[:, channels])
        mine = np.sqrt(fast_warp(first[:, channels], second[:, channels]))
        assert mine == pytest.approx(expected, rel=EXACT)
