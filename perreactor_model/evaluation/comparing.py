"""Is one method better than another, or was it luck? Paired bootstrap over the same clips.

Listeners are drawn again with all their clips, for clips of one person resemble each other: drawing
clips would make the interval too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.metrics.judging import Job, Judge, Question
from perreactor_model.metrics.predictions import Predictions

DRAWS = 4000
LEVEL = 0.95


class ComparisonError(ValueError):
    """Methods that cannot be compared. The message says why."""


@dataclass(frozen=True)
class Ratio:
    """Mean of one method's scores divided by the other's, with its confidence interval.

    `high` is infinite where the other's mean reaches 0 within the interval; `groups` were drawn.
    """

    ratio: float
    low: float
    high: float
    level: float
    groups: int


def following(predictions: Predictions, personal: bool) -> np.ndarray:
    """Corrected FRCorr of each clip, (N,), mean of its samples; NaN where undefined.

    `personal`: against what the pair's own listener did (PMAFRG), else against anybody's (MAFRG).
    """
    judge = Judge(predictions, Question(("corrected",), ("FRCorr",)))
    means = np.full(predictions.clips, np.nan)
    for clip in range(predictions.clips):
        scores = judge(Job(None, clip))
        table = scores.personal_concordance if personal else scores.concordance
        if table is None:
            raise ComparisonError("PMAFRG needs to know who the listeners are (array identity)")
        samples = table["corrected"]
        if np.isfinite(samples).any():
            means[clip] = float(np.nanmean(samples))
    return means


def ratio_interval(
    one: np.ndarray, other: np.ndarray, groups: np.ndarray, seed: int = 0, draws: int = DRAWS
) -> Ratio:
    """Ratio of the means of `one` and `other` (N,) over the clips on which both are defined.

    `groups` (N,): clips of one group are drawn together. Raises ComparisonError.
    """
    if not len(one) == len(other) == len(groups):
        raise ComparisonError(
            f"methods answer {len(one)} and {len(other)} clips: they must be the same ones"
        )
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        raise ComparisonError("there is no clip on which both methods have a score")
    names, which = np.unique(np.asarray(groups)[both], return_inverse=True)
    sums = np.stack([np.bincount(which, values[both]) for values in (one, other)])
    below = float(sums[1].sum())
    if below <= 0:
        raise ComparisonError("the score to divide by is 0 or less: a ratio to it says nothing")
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, len(names)], np.uint64)))
    drawn = generator.integers(0, len(names), (draws, len(names)))
    top, bottom = sums[:, drawn].sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(bottom > 0, top / bottom, np.inf)
    low, high = np.quantile(ratios, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), method="nearest")
    return Ratio(float(sums[0].sum()) / below, float(low), float(high), LEVEL, len(names))
