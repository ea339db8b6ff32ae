"""How the field computes FRDist, FRCorr and FRSyn, in our own words: what `bench metrics` races.

The steps are those of the published code: one warping (tslearn) per pair and group, one covariance
per pair and channel, one correlation coefficient per lag and channel. Nothing else uses this.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.metrics.distance import GROUPS

EPSILON = 1e-8
LAGS = range(-49, 50)


def distance(sample: np.ndarray, listener: np.ndarray) -> float:
    """FRDist of one pair of (T, 25) float32: three warpings, weighted."""
    from tslearn.metrics import dtw

    return sum(weight * dtw(sample[:, group], listener[:, group]) for group, weight in GROUPS)


def nearest(samples: np.ndarray, listeners: list[np.ndarray]) -> np.ndarray:
    """FRDist of each of samples (M, T, 25): all pairs, then the smallest. (M,)."""
    return np.array([min(distance(sample, real) for real in listeners) for sample in samples])


def concordance(sample: np.ndarray, listener: np.ndarray) -> float:
    """FRCorr of one pair of (T, 25): the mean concordance correlation of the channels."""
    values = []
    for mine, theirs in zip(sample.T, listener.T, strict=True):
        covariance = np.cov(theirs, mine)
        deviations = np.sqrt(np.diag(covariance))
        correlation = np.nan_to_num(covariance / deviations[:, None] / deviations[None, :])
        rho = np.clip(correlation, -1, 1)[0, 1]
        shared = 2 * rho * np.std(theirs) * np.std(mine)
        spread = np.var(theirs) + np.var(mine) + (np.mean(theirs) - np.mean(mine)) ** 2
        values.append(shared / (spread + EPSILON))
    return float(np.mean(values))


def concordances(samples: np.ndarray, listeners: list[np.ndarray]) -> np.ndarray:
    """FRCorr of every pair, (M, K)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([[concordance(sample, real) for real in listeners] for sample in samples])


def lag(reaction: np.ndarray, speaker: np.ndarray) -> int:
    """FRSyn's offset of one reaction (T, 25): all lags and channels, the first highest mean wins.

    Coefficients are float32 before they are averaged, and an undefined one makes its lag the peak.
    """
    means = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for shift in LAGS:
            first = reaction[max(shift, 0) : len(reaction) + min(shift, 0)]
            second = speaker[max(-shift, 0) : len(speaker) - max(shift, 0)]
            pairs = zip(first.T, second.T, strict=True)
            coefficients = [np.corrcoef(mine, theirs)[0, 1] for mine, theirs in pairs]
            means.append(np.array(coefficients, np.float32).mean())
    # The published code asks torch, which takes the first NaN for the largest, as numpy does.
    return len(means) // 2 - int(np.argmax(means))


def lags(reactions: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """FRSyn's offsets of reactions (M, T, 25). (M,)."""
    return np.array([lag(reaction, speaker) for reaction in reactions])
