"""Where moments lie on a report's axis, and which stretch of a recording is worth a closer look.

A clock that jumps by hours must not squeeze minutes of conversation into a line: the axis runs on
and such jumps are cut out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import FRAME_NS
from perreactor_model.report.contents import ReactionTrack, ReportContents

SECOND_NS = 1_000_000_000

JUMP_S = 60.0
"""A stretch without any stamp that is longer than this, and than twice all the rest, is cut out."""

CUT_S = 2.0
"""What remains of it on the axis."""

HOLE_NS = 5 * FRAME_NS
"""Neighbouring reactions further apart than this are not joined by a line."""

EXCERPT_S = 30.0
"""Length of the closer look and of the video in the page."""


@dataclass(frozen=True)
class Timeline:
    """Maps stamps to seconds on the axis: piecewise linear, with jumps cut out."""

    knots_ns: np.ndarray
    """(K,) int64, ascending: begin, end, and both sides of each jump."""
    knots_s: np.ndarray
    """(K,) float64: where they lie on the axis; the first is 0."""
    is_cut: np.ndarray
    """(K-1,) bool: which pieces between knots are jumps."""

    @classmethod
    def of(cls, contents: ReportContents) -> Timeline:
        """Of everything that bears a stamp."""
        parts = [np.array([contents.begin_ns, contents.end_ns], np.int64)]
        parts += [track.stamp_ns for track in contents.reactions if track.sample == 0]
        parts += [track.stamp_ns for track in (contents.speaker, contents.real) if track]
        stamps = np.unique(np.concatenate(parts))
        steps_s = np.diff(stamps) / SECOND_NS
        long = steps_s > JUMP_S
        rest_s = float(steps_s[~long].sum())
        places = np.flatnonzero(long & (steps_s > 2 * rest_s))
        chosen = np.unique(np.concatenate([[0], places, places + 1, [len(stamps) - 1]]))
        knots = stamps[chosen]
        spans = np.diff(knots) / SECOND_NS
        cut = np.isin(chosen[:-1], places)
        shown = np.where(cut, CUT_S, spans)
        return cls(knots, np.concatenate([[0.0], np.cumsum(shown)]), cut)

    @property
    def length_s(self) -> float:
        """From end to end of the axis."""
        return float(self.knots_s[-1])

    @property
    def jumps_s(self) -> list[float]:
        """How long each stretch was that is cut out."""
        return (np.diff(self.knots_ns)[self.is_cut] / SECOND_NS).tolist()

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """(begin, end) on the axis of what lies between jumps, in order."""
        edges = np.concatenate([[True], self.is_cut, [True]])
        begins, ends = self.knots_s[edges[:-1]], self.knots_s[edges[1:]]
        return list(zip(begins.tolist(), ends.tolist(), strict=True))

    def seconds(self, stamps_ns: np.ndarray) -> np.ndarray:
        """Where stamps (T,) lie on the axis: (T,) float64, seconds."""
        stamps = np.asarray(stamps_ns, np.int64)
        if len(self.knots_ns) == 1:
            return (stamps - self.knots_ns[0]) / SECOND_NS
        piece = np.clip(np.searchsorted(self.knots_ns, stamps, "right") - 1, 0, None)
        piece = np.minimum(piece, len(self.knots_ns) - 2)
        # Integers are subtracted before they become floats, which have 53 bits only.
        inside = (stamps - self.knots_ns[piece]) / SECOND_NS
        spans_s = np.diff(self.knots_ns) / SECOND_NS
        stretch = np.diff(self.knots_s) / np.where(spans_s > 0, spans_s, 1.0)
        return self.knots_s[piece] + inside * stretch[piece]

    def stamp(self, seconds: float) -> int:
        """The stamp, in ns, at a place on the axis."""
        piece = int(np.clip(np.searchsorted(self.knots_s, seconds, "right") - 1, 0, None))
        piece = min(piece, max(len(self.knots_ns) - 2, 0))
        inside = seconds - float(self.knots_s[piece])
        return int(self.knots_ns[piece]) + round(inside * SECOND_NS)


@dataclass(frozen=True)
class Excerpt:
    """A stretch of the recording; `why` says in plain words how it was chosen."""

    begin_ns: int
    end_ns: int
    begin_s: float
    end_s: float
    why: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.begin_ns) / SECOND_NS


def choose_excerpt(
    timeline: Timeline, reactions: Sequence[ReactionTrack], length_s: float = EXCERPT_S
) -> Excerpt:
    """All of a short recording, else the `length_s` in which the reactions move most.

    Movement is the distance of neighbouring faces in attribute space, summed over the robots and a
    whole second; of equal stretches the first is taken. It never runs over a jump of the clock.
    """
    stretches = timeline.stretches
    if len(stretches) == 1 and timeline.length_s <= length_s:
        return _cut(timeline, 0.0, timeline.length_s, "the whole recording")
    sums = np.concatenate([[0.0], np.cumsum(_movement(timeline, reactions))])
    best = (-1.0, 0.0, 0.0)
    for begin_s, end_s in stretches:
        latest = max(end_s - length_s, begin_s)
        for first_s in (*np.arange(begin_s, latest), latest):
            last_s = min(first_s + length_s, end_s)
            total = float(np.interp(last_s, np.arange(len(sums)), sums))
            total -= float(np.interp(first_s, np.arange(len(sums)), sums))
            if total > best[0] + 1e-9:
                best = (total, float(first_s), float(last_s))
    why = "where the reactions move most" if best[0] > 0 else "its beginning"
    return _cut(timeline, best[1], best[2], why)


def _movement(timeline: Timeline, reactions: Sequence[ReactionTrack]) -> np.ndarray:
    """How much all faces moved in each second of the axis."""
    seconds = np.zeros(int(np.ceil(timeline.length_s)) + 1)
    for track in reactions:
        moved, joined = steps(track)
        where = timeline.seconds(track.stamp_ns[1:])[joined].astype(np.int64)
        np.add.at(seconds, np.clip(where, 0, len(seconds) - 1), moved[joined])
    return seconds


def _cut(timeline: Timeline, begin_s: float, end_s: float, why: str) -> Excerpt:
    begin_ns = timeline.stamp(begin_s)
    return Excerpt(begin_ns, begin_ns + round((end_s - begin_s) * SECOND_NS), begin_s, end_s, why)


def steps(track: ReactionTrack, chunk: int = 8192) -> tuple[np.ndarray, np.ndarray]:
    """How far the face moves from each frame to the next, and whether the two belong together.

    Two arrays (T-1,): Euclidean distance of the 25 attributes; False over holes and new epochs.
    """
    count = max(len(track.stamp_ns) - 1, 0)
    moved = np.zeros(count)
    for begin in range(0, count, chunk):
        piece = np.asarray(track.attributes[begin : begin + chunk + 1], np.float64)
        moved[begin : begin + chunk] = np.linalg.norm(np.diff(piece, axis=0), axis=1)
    return np.nan_to_num(moved), joined_to_next(track.stamp_ns, track.epoch)


def joined_to_next(stamp_ns: np.ndarray, epoch: np.ndarray | None = None) -> np.ndarray:
    """(T-1,) bool: whether a frame and the next one are neighbours in time and epoch."""
    gaps = np.diff(stamp_ns)
    joined = (gaps > 0) & (gaps <= HOLE_NS)
    return joined if epoch is None else joined & (np.diff(epoch) == 0)
