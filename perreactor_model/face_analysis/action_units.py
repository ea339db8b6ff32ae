"""From measurements and a person's neutral face to 15 action-unit intensities.

Each unit is a weighted sum of what its action moves, as deviation from neutral (mean of both sides
of the face), less what other actions that move the same landmarks explain. It is 0 inside a dead
zone, where noise lives, and 1 where the action is full. One side alone therefore counts half.

What the units are: P. Ekman, W. V. Friesen, J. C. Hager: "Facial Action Coding System", 2002. The
weights are ours; `perreactor bench actions` and docs/analyzer.md say how far each can be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.face_analysis.blinks import BlinkGuard
from perreactor_model.face_analysis.measurements import STEMS, both_sides
from perreactor_model.face_analysis.neutral import NeutralFace
from perreactor_model.face_analysis.observation import Knowledge
from perreactor_model.face_analysis.smoothing import OneEuro, OneEuroSettings

NOISE_FACTOR = 3.0
"""A dead zone is at least this many standard deviations of the noise at rest."""

TURN_FREE = 0.12
"""Radians that the head may turn or nod before dead zones grow."""

SPEECH_SECONDS = 0.3
"""Parted lips keep AU14 at 0 this long after they close; in as much time again it comes back."""


@dataclass(frozen=True)
class _Unit:
    """Sums of deviations, in eye-corner distances. `+name` and `-name` take only a rise or fall."""

    name: str
    terms: Mapping[str, float]
    dead: float
    """Sums below this are rest."""
    full: float
    """The sum of a full action. 0 where geometry cannot tell the unit: always unknown."""
    turned: float = 0.03
    """How much the dead zone grows for a radian of turning or nodding."""


_UNITS = (
    _Unit("AU1", {"brow_inner": 1.0, "-eye_opening": -0.35}, 0.014, 0.055),
    _Unit("AU2", {"brow_outer": 1.0, "-eye_opening": -0.35}, 0.018, 0.050),
    _Unit("AU4", {"brow_inner": -1.0, "-eye_opening": -0.6}, 0.007, 0.030),
    _Unit("AU6", {"cheek": 1.0, "lower_lid": 0.5, "-eye_opening": 0.1}, 0.008, 0.030),
    _Unit("AU7", {"lower_lid": 1.0, "-eye_opening": 0.5, "+corner_up": -0.2}, 0.009, 0.032),
    _Unit("AU9", {"nose_wing": 1.0, "brow_inner": -0.3, "+corner_up": -0.15}, 0.012, 0.030),
    _Unit("AU10", {"upper_lip": 1.0, "corner_up": -0.45, "+chin_drop": -0.35}, 0.009, 0.030),
    _Unit("AU12", {"corner_up": 1.0, "upper_lip": -0.4, "corner_out": 0.4}, 0.015, 0.090),
    _Unit("AU14", {"corner_out": 1.0, "+corner_up": -1.3, "+upper_lip": -0.5}, 0.012, 0.040, 0.05),
    _Unit("AU15", {"corner_up": -1.0, "+lip_gap": -0.2}, 0.014, 0.045, 0.05),
    _Unit("AU17", {"lower_lip_drop": -1.0, "+philtrum": -1.0, "+corner_up": -0.4}, 0.015, 0.040),
    _Unit("AU23", {"corner_out": -1.0}, 1.0, 0.0),
    _Unit("AU24", {"philtrum": 2.0, "lower_lip_drop": -0.5}, 0.014, 0.045, 0.05),
    _Unit("AU25", {"lip_gap": 1.0}, 0.014, 0.080, 0.05),
    _Unit("AU26", {"jaw_drop": 0.5, "chin_drop": 0.5}, 0.020, 0.095),
)
assert tuple(unit.name for unit in _UNITS) == ACTION_UNITS


@dataclass(frozen=True)
class ActionUnitReading:
    """Intensities float32 (15,), NaN where unknown, and knowledge uint8 (15,)."""

    intensities: np.ndarray
    knowledge: np.ndarray


def intensities(
    measurements: np.ndarray, neutral: NeutralFace, rotation: np.ndarray | None = None
) -> np.ndarray:
    """Intensities float32 (15,) of one frame (n,) by itself; NaN where a unit cannot be told.

    `rotation` (3,) is the head's, in radians: the more it is turned, the wider the dead zones.
    """
    deviation = both_sides(measurements - neutral.value)
    parts = np.concatenate([deviation, np.maximum(deviation, 0.0), np.minimum(deviation, 0.0)])
    lost = np.isnan(parts)
    sums = np.where(lost, 0.0, parts) @ _WEIGHTS
    sums[lost.astype(np.float32) @ (_WEIGHTS != 0) > 0] = np.nan
    dead = np.maximum(_DEAD, NOISE_FACTOR * _noise(neutral)) + _TURNED * _turn(rotation)
    values = np.clip((sums - dead) / (_FULL - _DEAD), 0.0, 1.0)
    values[_FULL == 0.0] = np.nan
    values[_AU17] *= 1.0 - np.nan_to_num(values[_AU24])  # pressed lips also lift the lower lip
    return values.astype(np.float32)


class ActionUnitReader:
    """Reads the units of one person frame by frame: smoothed, and blinks kept out of the lids."""

    def __init__(self, smoothing: OneEuroSettings | None = None) -> None:
        self._filter = OneEuro(smoothing)
        self._blinks = BlinkGuard()
        self._spoke = 0.0
        self._last_ns: int | None = None

    def reset(self) -> None:
        """Another person, or the same after a while."""
        self._filter.reset()
        self._blinks.reset()
        self._spoke, self._last_ns = 0.0, None

    def read(
        self,
        measurements: np.ndarray,
        neutral: NeutralFace,
        stamp_ns: int,
        rotation: np.ndarray | None = None,
    ) -> ActionUnitReading:
        """One frame's measurements (n,), NaN where hidden, in the order of their stamps."""
        guarded = self._blinks.guard(measurements, neutral.value, stamp_ns)
        values = intensities(self._filter.filter(guarded, stamp_ns), neutral, rotation)
        values[_AU14] *= 1.0 - self._speech(values[_AU25], stamp_ns)
        known = np.where(np.isfinite(values), Knowledge.MEASURED, Knowledge.UNKNOWN)
        return ActionUnitReading(values, known.astype(np.uint8))

    def _speech(self, parted: float, stamp_ns: int) -> float:
        """0..1: whether lips part or have just parted. Speech also pulls the corners outwards."""
        step = 0.0 if self._last_ns is None else max(0.0, (stamp_ns - self._last_ns) / 1e9)
        self._last_ns = stamp_ns
        now = min(2.0, 4.0 * float(np.nan_to_num(parted)))
        self._spoke = max(self._spoke - step / SPEECH_SECONDS, now)
        return min(1.0, self._spoke)


def _noise(neutral: NeutralFace) -> np.ndarray:
    """Standard deviation of each unit's sum at rest, float32 (15,)."""
    noise = both_sides(neutral.noise)
    stems = len(STEMS)
    weights = np.abs(_WEIGHTS).reshape(3, stems, -1).max(axis=0)
    return np.sqrt(np.nan_to_num(noise) ** 2 @ weights**2)


def _turn(rotation: np.ndarray | None) -> float:
    """Radians of turning and nodding beyond what is free. Tilting does no harm."""
    if rotation is None or not np.isfinite(rotation).all():
        return 0.0
    return max(0.0, float(np.hypot(rotation[0], rotation[1])) - TURN_FREE)


def _weights() -> np.ndarray:
    """float32 (3 m, 15): weights of deviations, of rises and of falls."""
    weights = np.zeros((3, len(STEMS), len(_UNITS)), np.float32)
    for number, unit in enumerate(_UNITS):
        for term, weight in unit.terms.items():
            kind = "+-".find(term[0]) + 1
            # A term "-x" counts how far x falls, so its weight is that of -min(x, 0).
            signed = -weight if kind == 2 else weight
            weights[kind, STEMS.index(term.lstrip("+-")), number] = signed
    return weights.reshape(-1, len(_UNITS))


_WEIGHTS = _weights()
_DEAD = np.array([unit.dead for unit in _UNITS], np.float32)
_FULL = np.array([unit.full for unit in _UNITS], np.float32)
_TURNED = np.array([unit.turned for unit in _UNITS], np.float32)
_AU14, _AU17, _AU24, _AU25 = (ACTION_UNITS.index(name) for name in ("AU14", "AU17", "AU24", "AU25"))
