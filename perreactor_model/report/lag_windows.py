"""How long reactions trail the speaker or a real listener, window by window.

One number for a whole conversation would hide whether there is a lag at all: each stretch of 10 s
is asked by itself, with the lag that `metrics.synchrony` finds, and the spread of the answers shows
how firm it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.metrics.synchrony import MAX_LAG, lags
from perreactor_model.report.contents import ReactionTrack
from perreactor_model.report.timeline import joined_to_next

WINDOW = 10 * FRAME_RATE
"""Frames that a window holds."""

MOST_WINDOWS = 360
"""Of a longer recording so many are taken, evenly spread."""

LONGEST_LAG_S = MAX_LAG / FRAME_RATE


@dataclass(frozen=True)
class LagWindows:
    """Lags in seconds, positive where the reaction trails; NaN where nothing moves together."""

    overall: np.ndarray
    """(windows,): of all known attributes together."""
    by_attribute: np.ndarray
    """(windows, 25): of each by itself."""

    @property
    def windows(self) -> int:
        """In how many a lag could be told."""
        return int(np.isfinite(self.overall).sum())

    @property
    def median_s(self) -> float:
        """NaN where there is no window."""
        return median(self.overall)

    def attribute_medians(self) -> np.ndarray:
        """(25,): NaN where an attribute is unknown or still."""
        return np.array([median(column) for column in self.by_attribute.T])


def lag_windows(track: ReactionTrack, reference: np.ndarray) -> LagWindows:
    """Lags of a reaction behind `reference` (T, 25), which lies frame by frame beside it.

    Windows lie end to end within stretches in which both faces are known without a hole.
    An attribute that is unknown anywhere in a window does not count there.
    """
    overall, single = [], []
    for begin in _window_begins(track, reference):
        ours = np.asarray(track.attributes[begin : begin + WINDOW], np.float32)
        theirs = np.asarray(reference[begin : begin + WINDOW], np.float32)
        known = np.asarray((np.isfinite(ours) & np.isfinite(theirs)).all(axis=0))
        ours, theirs = np.where(known, ours, 0), np.where(known, theirs, 0)
        if known.any():
            overall.append(_lag(ours, theirs, known))
        else:
            overall.append(np.nan)
        single.append(_lag_of_each(ours, theirs, known))
    return LagWindows(np.array(overall), np.array(single).reshape(-1, ATTRIBUTE_COUNT))


def median(values: np.ndarray) -> float:
    """The median of what is finite, or NaN."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _lag(ours: np.ndarray, theirs: np.ndarray, channels: np.ndarray) -> float:
    return float(lags(ours[None], theirs, "corrected", channels=channels)[0])


def _lag_of_each(ours: np.ndarray, theirs: np.ndarray, known: np.ndarray) -> np.ndarray:
    result = np.full(ATTRIBUTE_COUNT, np.nan)
    for index in np.flatnonzero(known):
        result[index] = _lag(ours, theirs, np.arange(ATTRIBUTE_COUNT) == index)
    return result


def _window_begins(track: ReactionTrack, reference: np.ndarray) -> list[int]:
    known = np.isfinite(reference).any(axis=1)
    whole = joined_to_next(track.stamp_ns, track.epoch) & (known[1:] == known[:-1])
    edges = [0, *(np.flatnonzero(~whole) + 1).tolist(), len(track.stamp_ns)]
    begins = [
        begin
        for first, last in zip(edges[:-1], edges[1:], strict=True)
        if first < last and known[first]
        for begin in range(first, last - WINDOW + 1, WINDOW)
    ]
    if len(begins) <= MOST_WINDOWS:
        return begins
    places = np.linspace(0, len(begins) - 1, MOST_WINDOWS).round().astype(int)
    return [begins[place] for place in places]
