"""Each attribute of a reaction in numbers: where it lies, how it moves, how it fits a real one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, ATTRIBUTES, FRAME_RATE, ROTATION_SLICE
from perreactor_model.metrics.correlation import ConcordanceIndex
from perreactor_model.report.channels import POSES
from perreactor_model.report.contents import ReactionTrack
from perreactor_model.report.timeline import joined_to_next

AttributeNumbers = dict[str, float]
"""`mean`, `spread` (standard deviation), `movement` (mean change a second); with a real reaction
also `real_mean`, `real_spread`, `concordance`. NaN where undefined."""


def attribute_numbers(
    track: ReactionTrack, real: np.ndarray | None = None
) -> dict[str, AttributeNumbers]:
    """Name -> numbers, for the 25 attributes and the head's three angles (in degrees).

    `real` (T, 25) is the real reaction laid frame by frame beside the track, NaN where unknown; the
    concordance correlation is FRCorr's, of one attribute over the frames where both are known.
    """
    joined = joined_to_next(track.stamp_ns, track.epoch)
    numbers = {}
    for index, name in enumerate(ATTRIBUTES):
        values = np.asarray(track.attributes[:, index], np.float64)
        numbers[name] = _moments(values, joined)
        if real is not None:
            numbers[name] |= _beside_real(values, real[:, index])
    for offset, name in enumerate(POSES):
        angle = np.degrees(np.asarray(track.coefficients[:, ROTATION_SLICE.start + offset], float))
        numbers[name] = _moments(angle, joined)
    return numbers


def _moments(values: np.ndarray, joined: np.ndarray) -> AttributeNumbers:
    changes = np.abs(np.diff(values))[joined]
    return {
        "mean": _of(np.mean, values),
        "spread": _of(np.std, values),
        "movement": _of(np.mean, changes) * FRAME_RATE,
    }


def _beside_real(values: np.ndarray, real: np.ndarray) -> AttributeNumbers:
    both = np.isfinite(values) & np.isfinite(real)
    return {
        "real_mean": _of(np.mean, real),
        "real_spread": _of(np.std, real),
        "concordance": _concordance(values[both], real[both]),
    }


def _concordance(values: np.ndarray, real: np.ndarray) -> float:
    """Of one attribute, as FRCorr's core has it: it is laid alone into its first column."""
    if len(values) < 2:
        return float("nan")
    pair = np.zeros((2, len(values), ATTRIBUTE_COUNT), np.float32)
    pair[0, :, 0], pair[1, :, 0] = values, real
    only = np.arange(ATTRIBUTE_COUNT) == 0
    index = ConcordanceIndex([pair[1]], only)
    return float(index.scores(pair[:1], np.array([0]))[0, 0])


def _of(measure: Callable[[np.ndarray], np.floating], values: np.ndarray) -> float:
    finite = values[np.isfinite(values)].astype(np.float64)
    return float(measure(finite)) if len(finite) else float("nan")
