"""A person as the face analyzer would see them: docs/analyzer.md, "Trust" and "Noise and lag".

Readings of each unit at quarter, half, three quarters and full strength, which units read as
others, their noise and delay, and what is unknown, are those measured there. Faces are lost for a
moment now and then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    ATTRIBUTE_COUNT,
    FRAME_RATE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.face_analysis.affect import derive_many
from perreactor_model.synthesis.motion import smooth, wander
from perreactor_model.synthesis.seeds import Seed, stream

if TYPE_CHECKING:
    from perreactor_model.synthesis.dyad import Behaviour

OBSERVED_COLUMNS = ATTRIBUTE_COUNT + 6
"""25 attributes, rotation (rad), translation."""

CALIBRATION = 4.0
"""Seconds in which a live analyzer learns a new face and knows no attribute."""

_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_READ = {
    "AU1": (0.0, 0.0, 0.25, 0.66, 0.99),
    "AU2": (0.0, 0.0, 0.22, 0.60, 0.97),
    "AU4": (0.0, 0.08, 0.35, 0.50, 0.55),
    "AU6": (0.0, 0.05, 0.25, 0.45, 0.59),
    "AU7": (0.0, 0.0, 0.15, 0.42, 0.67),
    "AU9": (0.0, 0.0, 0.0, 0.06, 0.29),
    "AU10": (0.0, 0.0, 0.09, 0.22, 0.44),
    "AU12": (0.0, 0.07, 0.50, 0.71, 1.0),
    "AU14": (0.0, 0.0, 0.0, 0.09, 0.24),
    "AU15": (0.0, 0.0, 0.09, 0.37, 0.67),
    "AU17": (0.0, 0.0, 0.0, 0.16, 0.32),
    "AU24": (0.0, 0.02, 0.07, 0.40, 0.75),
    "AU25": (0.0, 0.05, 0.20, 0.50, 0.80),
    "AU26": (0.0, 0.07, 0.44, 0.80, 0.96),
}
"""Strength of an action -> reading, at each of `_STRENGTHS`."""

_ALSO_READ = (("AU10", "AU25", 0.5), ("AU9", "AU4", 0.22), ("AU23", "AU17", 0.46))
_HELD = {
    "AU1": 0.016, "AU2": 0.007, "AU4": 0.027, "AU6": 0.012, "AU7": 0.007, "AU10": 0.019,
    "AU12": 0.003, "AU14": 0.008, "AU15": 0.015, "AU17": 0.014, "AU24": 0.025, "AU25": 0.009,
    "AU26": 0.007,
}  # fmt: skip
"""Standard deviation of the reading while a unit is held."""

_SETTLING = {"AU6": 0.3, "AU9": 0.15, "AU7": 0.06}
"""Seconds that a reading takes to settle, where it takes longer than a frame."""

_RESTING_QUANTILE = 0.2
"""Of a unit's strength: the analyzer takes such a quantile of its measurements for rest."""

_AT_REST = {
    "AU4": (0.17, 1.0),
    "AU14": (0.2, 2.0),
    "AU15": (0.2, 2.0),
    "AU24": (0.45, 1.7),
    "AU25": (0.1, 2.0),
}
"""Unit -> size and threshold: size * max(0, noise - threshold) leaves the dead zone at rest."""

_ROTATION_NOISE = np.radians(0.15)
_TRANSLATION_NOISE = 0.01
_LOSSES_A_MINUTE = 1.0
_INDEX = {name: index for index, name in enumerate(ACTION_UNITS)}
_UNKNOWN_IN_BLINKS = ("AU6", "AU7")
_LIDS_SEEN_CLOSED = 0.35


def observe(behaviour: Behaviour, seed: Seed, calibrate: bool = False) -> np.ndarray:
    """float32 (T, 31) with NaN for unknown: AU23 always, AU6 and AU7 in blinks, all when lost.

    `calibrate`: as live, no attribute is known in the first 4 s.
    """
    generator = stream(seed)
    frames = len(behaviour.attributes)
    units = _readings(behaviour.intensities, generator)
    for name in _UNKNOWN_IN_BLINKS:
        units[behaviour.lids > _LIDS_SEEN_CLOSED, _INDEX[name]] = np.nan
    rows = np.empty((frames, OBSERVED_COLUMNS))
    rows[:, : len(ACTION_UNITS)] = units
    rows[:, len(ACTION_UNITS) : ATTRIBUTE_COUNT] = derive_many(units)
    noise = generator.standard_normal((frames, 6))
    pose = behaviour.coefficients[:, ROTATION_SLICE.start : TRANSLATION_SLICE.stop]
    rows[:, ATTRIBUTE_COUNT:] = pose + noise * ([_ROTATION_NOISE] * 3 + [_TRANSLATION_NOISE] * 3)
    if calibrate:
        rows[: round(CALIBRATION * FRAME_RATE), :ATTRIBUTE_COUNT] = np.nan
    rows[_lost(frames, generator)] = np.nan
    return rows.astype(np.float32)


def _readings(true: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Units (T, 15) as they are read."""
    # What somebody mostly does is taken for their neutral face.
    neutral = np.quantile(true, _RESTING_QUANTILE, axis=0)
    true = np.clip((true - neutral) / np.maximum(1.0 - neutral, 0.1), 0.0, 1.0)
    read = np.full(true.shape, np.nan)
    for name, curve in _READ.items():
        read[:, _INDEX[name]] = np.interp(true[:, _INDEX[name]], _STRENGTHS, curve)
    for source, target, share in _ALSO_READ:
        read[:, _INDEX[target]] = np.maximum(
            read[:, _INDEX[target]], share * true[:, _INDEX[source]]
        )
    jaw = read[:, _INDEX["AU26"]]
    read[:, _INDEX["AU25"]] = np.maximum(read[:, _INDEX["AU25"]], jaw)
    read[:, _INDEX["AU14"]][true[:, _INDEX["AU25"]] > 0.15] = 0.0
    for name, seconds in _SETTLING.items():
        read[:, _INDEX[name]] = smooth(read[:, _INDEX[name]], seconds)
    for name, deviation in _HELD.items():
        column = read[:, _INDEX[name]]
        # At rest noise stays in the dead zone: only what is on trembles.
        column += (column > 0.02) * deviation * generator.standard_normal(len(column))
    noise = wander(generator, len(true), len(_AT_REST), 0.12)
    for column, (name, (size, threshold)) in zip(noise.T, _AT_REST.items(), strict=True):
        read[:, _INDEX[name]] += size * np.maximum(0.0, column - threshold)
    return np.clip(read, 0.0, 1.0)


def _lost(frames: int, generator: np.random.Generator) -> np.ndarray:
    """(T,) bool: frames without a face."""
    lost = np.zeros(frames, bool)
    for _ in range(int(generator.poisson(_LOSSES_A_MINUTE * frames / FRAME_RATE / 60.0))):
        first = int(generator.integers(frames))
        lost[first : first + int(generator.uniform(0.2, 1.0) * FRAME_RATE)] = True
    return lost
