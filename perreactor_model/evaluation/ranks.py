"""What order says: rank correlation, and how often the right one of two comes first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Places from 1 on, float64; equal values share the mean of their places."""
    array = np.asarray(values, np.float64)
    _, index, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[index])


def spearman(
    one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray
) -> float | None:
    """Spearman's rank correlation of two equally long lists; None where one is all the same."""
    a, b = ranks(one), ranks(other)
    assert len(a) == len(b), (len(a), len(b))
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def area_under_curve(
    higher: Sequence[float] | np.ndarray, lower: Sequence[float] | np.ndarray
) -> float:
    """Chance that one of `higher` is above one of `lower`; ties count half (Mann-Whitney).

    1: always above, 0.5: no difference.
    """
    a = np.asarray(higher, np.float64)
    placed = ranks(np.concatenate([a, np.asarray(lower, np.float64)]))
    count, rest = len(a), len(placed) - len(a)
    assert count and rest, "both sides need values"
    return float((placed[:count].sum() - count * (count + 1) / 2) / (count * rest))
