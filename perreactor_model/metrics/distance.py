"""FRDist: how far a reaction is from the nearest appropriate one, exact and without waste.

The field's distance of two reactions is a weighted sum of three warping distances, one for the
action units (1/15), one for valence and arousal (1) and one for the expressions (1/8). FRDist takes
the smallest over the appropriate real reactions ("neighbours") of a clip. Only that smallest one
must be known exactly, so most of the work is showing that a neighbour is not the nearest:

1. neighbours are visited in the order of an estimate, the same distance between means over
   ESTIMATE_FRAMES frames. It only guides: no result depends on it;
2. a neighbour whose lower bounds (bounds.py) exceed the smallest distance so far is passed;
3. the groups are warped one after the other, the one with the fewest channels first. What the
   others cost at least is taken off the smallest distance so far: that leaves a limit for this
   group, and the warping is given up when no path can stay within it.

A neighbour is passed only when it is farther by more than rounding could explain, and a distance
that is not passed comes out bit for bit the same in any order, so neither the order of neighbours
nor what was computed before changes a digit. Of equally near neighbours the smallest index wins.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from perreactor_model.contract import ACTION_UNIT_SLICE, AFFECT_SLICE, EXPRESSION_SLICE
from perreactor_model.metrics.bounds import columns_outside, rows_outside
from perreactor_model.metrics.warping import PAD, backward_layout, forward_layout, warp, work_size

Groups = Sequence[tuple[Sequence[int] | np.ndarray, float]]
"""Channels that are warped together, and the weight of their distance."""


def _group(channels: slice, weight: float) -> tuple[np.ndarray, float]:
    return np.arange(channels.start, channels.stop), weight


GROUPS: Groups = (
    _group(ACTION_UNIT_SLICE, 1 / 15),
    _group(AFFECT_SLICE, 1.0),
    _group(EXPRESSION_SLICE, 1 / 8),
)
"""The field's groups and weights."""

ESTIMATE_FRAMES = 16
"""Frames of which the estimate that orders neighbours takes the mean."""

_SLACK = 4e-6
"""Relative. Above what rounding in float32 costs and bounds can explain (1e-6, see warping.py)."""


@dataclass
class Statistics:
    """What a search for nearest neighbours had to do."""

    pairs: int = 0
    """Pairs of a sample and a neighbour that were asked for."""
    bounded: int = 0
    """Passed by their lower bounds alone."""
    abandoned: list[int] = field(default_factory=list)
    """Given up while this group was warped: no path could be short enough any more."""
    finished: int = 0
    """Warped to the end in all groups."""
    cells: int = 0
    """Cells of the grids of all pairs and groups."""
    computed: int = 0
    """Cells that were computed, those of tiles that reach over the rim included."""


@dataclass(frozen=True)
class Shortcuts:
    """What a search may do to save work. Its results are the same, bit for bit, without them."""

    order: bool = True
    """Visit neighbours in the order of the estimate, not in the order they are given in."""
    bounds: bool = True
    """Use the lower bounds of bounds.py."""
    limits: bool = True
    """Give a warping up when it cannot end below the smallest distance so far."""


@dataclass(frozen=True)
class _Sequence:
    """Frames in the layout of rows or of columns, their box, and a coarse copy in that layout."""

    frames: int
    layout: np.ndarray
    low: np.ndarray
    high: np.ndarray
    coarse_frames: int
    coarse: np.ndarray


@dataclass(frozen=True)
class _Group:
    """A range of channels of a layout."""

    first: int
    channels: int
    weight: float


class FacialDistance:
    """The field's distance (FRDist) from samples to their nearest among given listeners.

    listeners: N real reactions (T_j, C), T_j >= 1, any float (taken as float32). A listener is
    prepared when first needed and kept, 4 bytes a value. groups: which channels are warped together
    and the weight of their distance; a group without channels is left out. Not for several threads.
    """

    def __init__(
        self,
        listeners: Sequence[np.ndarray],
        groups: Groups = GROUPS,
        shortcuts: Shortcuts = Shortcuts(),
    ) -> None:
        self._shortcuts = shortcuts
        self._listeners = listeners
        self._prepared: dict[int, _Sequence] = {}
        self._groups: list[_Group] = []
        channels: list[int] = []
        for members, weight in groups:
            if len(members):
                self._groups.append(_Group(len(channels), len(members), float(weight)))
                channels.extend(int(channel) for channel in members)
        if not channels:
            raise ValueError("FRDist has no channel to compare: give at least one group a channel")
        self._channels = np.array(channels)
        # The cheapest grid first: what it excludes need not be warped in the dearer ones.
        self._order = sorted(range(len(self._groups)), key=lambda g: self._groups[g].channels)
        self._work = _Work(1, 1, len(self._groups))
        self.statistics = Statistics(abandoned=[0] * len(self._groups))

    def nearest(
        self, samples: np.ndarray, rows: np.ndarray, at_most: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distance to the nearest of the listeners `rows`, and which one that is.

        samples (M, T, C); rows (K,) indices of listeners. Returns distance (M,) float64, exact to
        1e-6 relative of arithmetic in float64, and row (M,) int64, an entry of `rows`.

        at_most (M,): distances that are known to be reached elsewhere, from this class's own hand.
        Where no row is nearer, the known distance comes back with row -1. Without `at_most` and
        without rows: infinity and -1.
        """
        count = len(samples)
        known = np.full(count, np.inf) if at_most is None else np.asarray(at_most, np.float64)
        neighbours = [(int(row), self._listener(int(row))) for row in rows]
        distance, nearest = np.empty(count), np.empty(count, np.int64)
        copies = count > 1 and samples.strides[0] == 0  # one sample M times (np.broadcast_to)
        for index in range(count):
            if copies and index and known[index] == known[0]:
                distance[index], nearest[index] = distance[0], nearest[0]
                continue
            sample = self._lay_out(samples[index], forward_layout)
            distance[index], nearest[index] = self._search(sample, neighbours, known[index])
        return distance, nearest

    def within(self, sample: np.ndarray, rows: np.ndarray, limit: float) -> np.ndarray:
        """Distances (K,) of a sample (T, C) to the listeners `rows`; infinity above `limit`."""
        sequence, neighbours = self._prepare(sample, rows)
        found = np.array([self._within(sequence, each, limit) for _, each in neighbours])
        return np.where(found <= limit, found, np.inf)

    def closest(self, sample: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """Which `count` of the listeners `rows` are nearest to a sample (T, C), nearest first."""
        sequence, neighbours = self._prepare(sample, rows)
        neighbours.sort(key=lambda each: self._estimate(sequence, each[1]))
        best: list[tuple[float, int]] = []
        for row, neighbour in neighbours:
            limit = best[-1][0] if len(best) == count else np.inf
            bisect.insort(best, (self._within(sequence, neighbour, limit), row))
            del best[count:]
        return np.array([row for _, row in best], np.int64)

    def _prepare(
        self, sample: np.ndarray, rows: np.ndarray
    ) -> tuple[_Sequence, list[tuple[int, _Sequence]]]:
        sequence = self._lay_out(sample, forward_layout)
        neighbours = [(int(row), self._listener(int(row))) for row in rows]
        longest = max((neighbour.frames for _, neighbour in neighbours), default=1)
        self._work = self._work.for_frames(sequence.frames, longest)
        return sequence, neighbours

    def _listener(self, row: int) -> _Sequence:
        if row not in self._prepared:
            self._prepared[row] = self._lay_out(self._listeners[row], backward_layout)
        return self._prepared[row]

    def _lay_out(
        self, sequence: np.ndarray, layout: Callable[[np.ndarray], np.ndarray]
    ) -> _Sequence:
        values = np.asarray(sequence, np.float32)[:, self._channels]
        starts = np.arange(0, len(values), ESTIMATE_FRAMES)
        sizes = np.diff(np.append(starts, len(values))).astype(np.float32)
        means = np.add.reduceat(values, starts, axis=0) / sizes[:, None]
        return _Sequence(
            frames=len(values),
            layout=layout(values),
            low=values.min(0),
            high=values.max(0),
            coarse_frames=len(means),
            coarse=layout(means),
        )

    def _search(
        self, sample: _Sequence, neighbours: list[tuple[int, _Sequence]], known: float
    ) -> tuple[float, int]:
        longest = max((neighbour.frames for _, neighbour in neighbours), default=1)
        self._work = self._work.for_frames(sample.frames, longest)
        if self._shortcuts.order:
            estimates = [self._estimate(sample, neighbour) for _, neighbour in neighbours]
            order = sorted(range(len(neighbours)), key=estimates.__getitem__)
            neighbours = [neighbours[place] for place in order]
        best, nearest = known, -1
        for row, neighbour in neighbours:
            distance = self._within(sample, neighbour, best)
            if distance < best or (distance == best and 0 <= row < nearest):
                best, nearest = distance, row
        return float(best), nearest

    def _estimate(self, sample: _Sequence, neighbour: _Sequence) -> float:
        """The distance of the coarse copies, to order neighbours by; in units of its own."""
        work, total = self._work, 0.0
        for group in self._groups:
            squared, _ = warp(
                sample.coarse,
                sample.coarse_frames,
                neighbour.coarse,
                neighbour.coarse_frames,
                group.first,
                group.channels,
                work.nothing,
                work.nothing,
                np.inf,
                work.sums,
            )
            total += group.weight * math.sqrt(squared)
        return total

    def _within(self, sample: _Sequence, neighbour: _Sequence, best: float) -> float:
        """The distance where it is at most `best`; where it is larger, possibly infinity."""
        counts, work = self.statistics, self._work
        counts.pairs += 1
        counts.cells += sample.frames * neighbour.frames * len(self._groups)
        parts = [
            group.weight * math.sqrt(self._bound(number, sample, neighbour))
            for number, group in enumerate(self._groups)
        ]
        allowed = best * (1 + _SLACK) if self._shortcuts.limits else np.inf
        if sum(parts) > best * (1 + _SLACK):
            counts.bounded += 1
            return np.inf
        for number in self._order:
            group = self._groups[number]
            left = max(allowed - (sum(parts) - parts[number]), 0.0) / group.weight
            squared, cells = warp(
                sample.layout,
                sample.frames,
                neighbour.layout,
                neighbour.frames,
                group.first,
                group.channels,
                work.rows_left[number],
                work.columns_left[number],
                left * left * (1 + _SLACK),
                work.sums,
            )
            counts.computed += cells
            if squared == np.inf:
                counts.abandoned[number] += 1
                return np.inf
            parts[number] = group.weight * math.sqrt(squared)
        counts.finished += 1
        return sum(parts)

    def _bound(self, number: int, sample: _Sequence, neighbour: _Sequence) -> float:
        """What the group costs at least, squared; what is left at each frame goes to the work."""
        group, work = self._groups[number], self._work
        rows_left, columns_left = work.rows_left[number], work.columns_left[number]
        if not self._shortcuts.bounds:
            rows_left[:] = columns_left[:] = 0.0
            return 0.0
        part = (group.first, group.channels, work.costs)
        rows_outside(sample.layout, sample.frames, neighbour.low, neighbour.high, *part, rows_left)
        columns_outside(
            neighbour.layout, PAD, neighbour.frames, sample.low, sample.high, *part, columns_left
        )
        return max(rows_left[0], columns_left[0])


class _Work:
    """Arrays that a search writes to, made once and grown when a longer sequence comes."""

    def __init__(self, rows: int, columns: int, groups: int) -> None:
        self._size = (rows, columns, groups)
        self.sums = np.empty(work_size(rows))
        self.costs = np.empty(max(rows, columns), np.float32)
        self.nothing = np.zeros(max(rows, columns) + 1)
        self.rows_left = [np.empty(rows + 1) for _ in range(groups)]
        self.columns_left = [np.empty(columns + 1) for _ in range(groups)]

    def for_frames(self, rows: int, columns: int) -> _Work:
        """These arrays where they are large enough, larger ones where they are not."""
        if rows <= self._size[0] and columns <= self._size[1]:
            return self
        return _Work(max(rows, self._size[0]), max(columns, self._size[1]), self._size[2])
