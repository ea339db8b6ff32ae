"""A history without holes: what the pattern encoder is given.

The fill policy, for each attribute and each value of the head's pose:

- frames without a face are cut out, unless the gap is short (`SHORT_GAP`): then they are bridged by
  straight lines between the last and the next known value;
- what is unknown while the face is seen (a hand over the mouth) is bridged too if short, and else
  the person's own median;
- what is known in less than `KNOWN_SHARE` of the frames with a face is neutral throughout: no
  action unit, no valence, the expression `neutral`, the head straight;
- expression probabilities are made to sum to 1 again.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    EXPRESSION_SLICE,
    FRAME_RATE,
    attribute_ranges,
    neutral_attributes,
)
from perreactor_model.profiles.history import HISTORY_COLUMNS, ListenerHistory
from perreactor_model.profiles.quality import KNOWN_SHARE

SHORT_GAP = FRAME_RATE // 2
"""Frames (0.5 s): blinks of a tracker, not a head that turned away."""


def filled_rows(history: ListenerHistory) -> np.ndarray:
    """The frames that show the face, without NaN: float32 (N, 31), in the contract's ranges."""
    kept = _kept(history.visible)
    rows = history.rows[kept].astype(np.float64)
    seen = history.visible[kept]
    neutral = np.zeros(HISTORY_COLUMNS)
    neutral[:ATTRIBUTE_COUNT] = neutral_attributes()
    for column in range(HISTORY_COLUMNS):
        rows[:, column] = _filled(rows[:, column], seen, neutral[column])
    low, high = attribute_ranges()
    rows[:, :ATTRIBUTE_COUNT] = np.clip(rows[:, :ATTRIBUTE_COUNT], low, high)
    _normalise(rows[:, EXPRESSION_SLICE])
    return rows.astype(np.float32)


def _kept(visible: np.ndarray) -> np.ndarray:
    """(T,) bool: frames with a face, and short gaps between them."""
    kept = visible.copy()
    seen = np.flatnonzero(visible)
    for before, after in zip(seen[:-1], seen[1:], strict=True):
        if 1 < after - before <= SHORT_GAP + 1:
            kept[before:after] = True
    return kept


def _filled(values: np.ndarray, seen: np.ndarray, neutral: float) -> np.ndarray:
    known = np.isfinite(values)
    if not known.any() or known[seen].mean() < KNOWN_SHARE:
        return np.full(len(values), neutral)
    places = np.flatnonzero(known)
    bridged = np.interp(np.arange(len(values)), places, values[places])
    long = ~_kept(known)
    bridged[long] = np.median(values[known])
    return bridged


def _normalise(expressions: np.ndarray) -> None:
    """In place: rows sum to 1; one without any expression is neutral."""
    total = expressions.sum(axis=1)
    expressions[total <= 0.0, 0] = 1.0
    expressions /= expressions.sum(axis=1, keepdims=True)
