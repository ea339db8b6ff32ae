"""Seam smoothness of streamed reactions: do the joints between two steps show?

A reactor that computes several frames a step joins a new piece to the last one every `step` frames.
The measure is the largest second difference at those joints over the largest one elsewhere: 1 or
less when the joints cannot be told from the rest, at most 1.2 is good.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

import numpy as np

GOOD_RATIO = 1.2
"""Joints up to this much rougher than the rest are not seen."""


class Seams(TypedDict):
    """What `seam_smoothness` gives."""

    ratio: float | None
    """Largest second difference at seams over the largest elsewhere; 0 and up, lower is better."""
    at_seams: float
    """The largest second difference at seams, in units of the attribute."""
    elsewhere: float
    reason: str | None
    """Why there is no ratio, if there is none."""


def seam_smoothness(sequences: Iterable[np.ndarray], step: int) -> Seams:
    """The measure over all `sequences` (T, C), cut at frames step, 2 step, ...

    A second difference x[t-1] - 2 x[t] + x[t+1] is at a seam if its three frames are not of one
    piece; that takes two of them a seam, so `step` must be 3 or more for any to be elsewhere.
    Raises ValueError for a step below 1.
    """
    if step < 1:
        raise ValueError(f"step must be at least 1 frame, not {step}")
    at_seams = elsewhere = 0.0
    for sequence in sequences:
        bends = np.abs(np.diff(np.asarray(sequence, np.float64), n=2, axis=0)).max(axis=1)
        first = np.arange(len(bends))
        crossing = first // step != (first + 2) // step
        at_seams = max(at_seams, float(bends[crossing].max(initial=0.0)))
        elsewhere = max(elsewhere, float(bends[~crossing].max(initial=0.0)))
    ratio = at_seams / elsewhere if elsewhere > 0 and step >= 3 else None
    return {
        "ratio": ratio,
        "at_seams": at_seams,
        "elsewhere": elsewhere,
        "reason": _reason(step, at_seams) if ratio is None else None,
    }


def _reason(step: int, at_seams: float) -> str:
    if step < 3:
        return f"with a step of {step}, every second difference lies at a seam"
    if at_seams > 0:
        return "the reactions bend at seams only, which is worse than any ratio"
    return "no reaction bends anywhere"
