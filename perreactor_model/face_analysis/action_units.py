"""From measurements and a person's neutral face to 15 action-unit intensities.

Each unit is a weighted sum of what its action moves, as deviation from neutral; less what another
action that moves the same landmarks already explains. The sum is 0 inside a dead zone, where noise
lives, and 1 where the action is full. Units that exist on either side take the stronger side, as
FACS scores a one-sided action by its own strength (P. Ekman, W. V. Friesen, J. C. Hager: "Facial
Action Coding System", 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.face_analysis.measurements import MEASUREMENT_COUNT, MEASUREMENTS
from perreactor_model.face_analysis.neutral import NeutralFace
from perreactor_model.face_analysis.observation import Knowledge
from perreactor_model.face_analysis.smoothing import OneEuro, OneEuroSettings

NOISE_FACTOR = 3.0
"""A dead zone is at least this many standard deviations of the noise at rest."""


@dataclass(frozen=True)
class _Unit:
    """Weights of measurements (stems of sided names are read on both sides)."""

    name: str
    terms: Mapping[str, float]
    full: float
    """The sum of a full action, in eye-corner distances."""
    dead: float
    """Sums below this are rest."""


_UNITS = (
    _Unit("AU1", {"brow_inner": 1.0}, 0.060, 0.010),
    _Unit("AU2", {"brow_outer": 1.0}, 0.055, 0.012),
    _Unit("AU4", {"brow_inner": -1.0, "brow_apart": -0.5}, 0.035, 0.008),
    _Unit("AU6", {"cheek": 1.0, "lower_lid": 1.0}, 0.040, 0.010),
    _Unit("AU7", {"eye_opening": -0.5, "lower_lid": 1.0}, 0.030, 0.008),
    _Unit("AU9", {"nose_wing": 1.0, "brow_inner": -0.3}, 0.050, 0.012),
    _Unit("AU10", {"upper_lip": 1.0, "corner_up": -0.6}, 0.040, 0.010),
    _Unit("AU12", {"corner_up": 0.7, "corner_out": 0.7}, 0.090, 0.012),
    _Unit("AU14", {"corner_out": 0.7, "corner_up": -0.7, "corner_back": 0.5}, 0.050, 0.012),
    _Unit("AU15", {"corner_up": -1.0, "lower_lip_drop": -0.3}, 0.050, 0.012),
    _Unit("AU17", {"chin_lip": -0.6, "lower_lip_drop": -0.6}, 0.050, 0.012),
    _Unit("AU23", {"corner_out": -0.6, "lower_lip_height": -1.0}, 0.040, 0.010),
    _Unit("AU24", {"upper_lip_height": -1.0, "lower_lip_height": -1.0}, 0.050, 0.015),
    _Unit("AU25", {"lip_gap": 1.0}, 0.080, 0.012),
    _Unit("AU26", {"jaw_drop": 1.0}, 0.110, 0.012),
)
assert tuple(unit.name for unit in _UNITS) == ACTION_UNITS


@dataclass(frozen=True)
class ActionUnitReading:
    """Intensities float32 (15,), NaN where unknown, and knowledge uint8 (15,)."""

    intensities: np.ndarray
    knowledge: np.ndarray


def intensities(measurements: np.ndarray, neutral: NeutralFace) -> np.ndarray:
    """Intensities float32 (15,) of one frame (n,) by itself; NaN where a unit cannot be told."""
    deviation = measurements - neutral.value
    sides = deviation @ _WEIGHTS_OF_SIDES if np.isfinite(deviation).all() else _partly(deviation)
    noise = np.sqrt(np.nan_to_num(neutral.noise) ** 2 @ _WEIGHTS_OF_SIDES**2)
    dead = np.maximum(_DEAD[:, None], NOISE_FACTOR * noise.reshape(-1, 2))
    full = np.maximum(_FULL[:, None], dead + 0.5 * _FULL[:, None])
    values = np.clip((sides.reshape(-1, 2) - dead) / (full - dead), 0.0, 1.0)
    return np.fmax(values[:, 0], values[:, 1]).astype(np.float32)


class ActionUnitReader:
    """Reads the units of one person frame by frame: smoothed, and blinks kept out of the lids."""

    def __init__(self, smoothing: OneEuroSettings | None = None) -> None:
        self._filter = OneEuro(smoothing)

    def reset(self) -> None:
        """Another person, or the same after a while."""
        self._filter.reset()

    def read(
        self, measurements: np.ndarray, neutral: NeutralFace, stamp_ns: int
    ) -> ActionUnitReading:
        """One frame's measurements (n,), NaN where hidden, in the order of their stamps."""
        values = intensities(self._filter.filter(measurements, stamp_ns), neutral)
        known = np.where(np.isfinite(values), Knowledge.MEASURED, Knowledge.UNKNOWN)
        return ActionUnitReading(values, known.astype(np.uint8))


def _partly(deviation: np.ndarray) -> np.ndarray:
    """Sums with NaN where a term is missing: NaN times a weight of 0 must not count."""
    sums = np.nan_to_num(deviation) @ _WEIGHTS_OF_SIDES
    lost = np.isnan(deviation).astype(np.float32) @ (_WEIGHTS_OF_SIDES != 0) > 0
    return np.where(lost, np.nan, sums)


def _weights_of_sides() -> np.ndarray:
    """float32 (n, 30): right and left of each unit."""
    weights = np.zeros((MEASUREMENT_COUNT, len(_UNITS), 2), np.float32)
    for number, unit in enumerate(_UNITS):
        for stem, weight in unit.terms.items():
            for side, suffix in enumerate(("_right", "_left")):
                name = stem if stem in MEASUREMENTS else stem + suffix
                weights[MEASUREMENTS.index(name), number, side] = weight
    return weights.reshape(MEASUREMENT_COUNT, -1)


_WEIGHTS_OF_SIDES = _weights_of_sides()
_FULL = np.array([unit.full for unit in _UNITS], np.float32)
_DEAD = np.array([unit.dead for unit in _UNITS], np.float32)
