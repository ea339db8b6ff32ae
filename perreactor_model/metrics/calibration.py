"""Calibration: do real reactions fall inside the distribution that was generated?

M samples cut the values of a channel at a moment into M + 1 bins. If the samples were drawn as real
reactions come, a real value would fall into each bin equally often. Counted here is into which bin
the values of the real appropriate reactions fall, over all appropriate listeners of a clip, one
frame a second (neighbouring frames say the same again).

A real value equal to E of the samples lies on E + 1 bins at once and counts 1 / (E + 1) in each,
what breaking the tie by lot would give on average. A channel that never moves in a real reaction is
left out for that reaction.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.metrics.predictions import Predictions, single


class Interval(TypedDict):
    """A central interval between two samples: the i-th lowest and the i-th highest."""

    nominal: float
    """Share of real values that it should hold."""
    observed: float
    """Share that it holds."""


class Calibration(TypedDict):
    """What `calibration` gives. None where undefined."""

    error: float | None
    """Mean over channels of the mean |observed - nominal| of the M lower tails: 0 to 0.5, lower is
    better; 0.25 where the real values lie as often below all samples as above all."""
    histogram: list[float] | None
    """Share of the real values in each of the M + 1 bins, lowest first, mean over channels."""
    coverage: list[Interval] | None
    """From the narrowest interval to that between the lowest and the highest sample."""
    channels: int
    """Attributes that count."""
    reason: str | None
    """Why there is no value, if there is none."""


def calibration(predictions: Predictions) -> Calibration:
    """Every clip counts alike, and so does every channel."""
    samples = predictions.samples
    if samples < 2:
        return _undefined("one sample a clip is no distribution: M must be at least 2")
    moving = [_moves(clip) & predictions.channels for clip in predictions.listener]
    totals = np.zeros((ATTRIBUTE_COUNT, samples + 1))
    for clip in range(predictions.clips):
        bins = _clip_bins(predictions, clip, moving)
        counted = bins.sum(axis=1, keepdims=True)
        totals += np.divide(bins, counted, out=np.zeros_like(bins), where=counted > 0)
    told = totals.sum(axis=1) > 0
    if not told.any():
        return _undefined("no known channel of any real reaction moves")
    shares = totals[told] / totals[told].sum(axis=1, keepdims=True)
    histogram = shares.mean(axis=0)
    return {
        "error": _tail_error(shares),
        "histogram": histogram.tolist(),
        "coverage": _coverage(histogram),
        "channels": int(told.sum()),
        "reason": None,
    }


def bins_of(samples: np.ndarray, real: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Where real values lie among samples: (C, M + 1), summed over frames and listeners.

    `samples` (M, F, C), `real` (K, F, C), `counted` (K, C) bool.
    """
    count, _, channels = samples.shape
    place = np.zeros(real.shape, np.intp)
    equal = np.zeros(real.shape, np.intp)
    for sample in samples:
        place += sample < real
        equal += sample == real
    weight = counted[:, None] / (equal + 1)
    # A tie reaches from its first bin to its last: up by the weight here, down by it behind.
    first = np.arange(channels) * (count + 2) + place
    size = channels * (count + 2)
    rise = np.bincount(first.ravel(), weight.ravel(), size)
    fall = np.bincount((first + equal + 1).ravel(), weight.ravel(), size)
    steps = (rise - fall).reshape(channels, count + 2)
    return np.maximum(steps.cumsum(axis=1)[:, :-1], 0.0)


def _clip_bins(predictions: Predictions, clip: int, moving: list[np.ndarray]) -> np.ndarray:
    samples = single(predictions.prediction[clip])
    rows = predictions.neighbours(clip)
    lengths = np.array([min(samples.shape[1], predictions.listener[row].shape[0]) for row in rows])
    bins = np.zeros((ATTRIBUTE_COUNT, len(samples) + 1))
    for length in np.unique(lengths):
        alike = rows[lengths == length]
        frames = _frames(int(length))
        real = np.stack([single(predictions.listener[row][frames]) for row in alike])
        bins += bins_of(samples[:, frames], real, np.stack([moving[row] for row in alike]))
    return bins


def _frames(length: int) -> np.ndarray:
    """One frame a second, from the middle of the first second."""
    return np.arange(min(FRAME_RATE // 2, length // 2), length, FRAME_RATE)


def _moves(sequence: np.ndarray) -> np.ndarray:
    return np.any(sequence != sequence[0], axis=0)


def _tail_error(shares: np.ndarray) -> float:
    bins = shares.shape[1]
    observed = shares.cumsum(axis=1)[:, :-1]
    nominal = np.arange(1, bins) / bins
    return float(np.abs(observed - nominal).mean())


def _coverage(histogram: np.ndarray) -> list[Interval]:
    bins = len(histogram)
    return [
        {
            "nominal": (bins - 2 * outer) / bins,
            "observed": float(histogram[outer : bins - outer].sum()),
        }
        for outer in range((bins - 1) // 2, 0, -1)
    ]


def _undefined(reason: str) -> Calibration:
    return {"error": None, "histogram": None, "coverage": None, "channels": 0, "reason": reason}
