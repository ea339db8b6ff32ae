"""Which values a report draws over time, and what they are called for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    COEFFICIENT_COUNT,
    ROTATION_SLICE,
    attribute_ranges,
)

UNIT_NAMES = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU9": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU25": "lips part",
    "AU26": "jaw drop",
}
"""What the action units are called in the Facial Action Coding System."""


@dataclass(frozen=True)
class Channel:
    """One curve: the mean of some attributes, or one coefficient of the head's pose."""

    key: str
    name: str
    attributes: tuple[int, ...] = ()
    coefficient: int | None = None
    least_span: float = 0.2
    """The axis shows at least so much, so that a still face looks still."""

    def of(self, attributes: np.ndarray, coefficients: np.ndarray | None = None) -> np.ndarray:
        """(T,) float64 from attributes (T, 25) and coefficients (T, 58); NaN where unknown.

        A pose is in degrees; without coefficients it is NaN.
        """
        if self.coefficient is None:
            return np.asarray(attributes[:, list(self.attributes)], np.float64).mean(axis=1)
        if coefficients is None:
            return np.full(len(attributes), np.nan)
        return np.degrees(np.asarray(coefficients[:, self.coefficient], np.float64))

    @property
    def limits(self) -> tuple[float, float]:
        """What the contract allows."""
        if self.coefficient is not None:
            return -180.0, 180.0
        low, high = attribute_ranges()
        return float(low[self.attributes[0]]), float(high[self.attributes[0]])


def _index(*names: str) -> tuple[int, ...]:
    return tuple(ATTRIBUTES.index(name) for name in names)


CURVES = (
    Channel("AU12", "Smile (AU12, lip corner puller)", _index("AU12")),
    Channel("AU1_AU2", "Brows raised (AU1 and AU2, mean)", _index("AU1", "AU2")),
    Channel("AU4", "Brows lowered (AU4)", _index("AU4")),
    Channel("AU25", "Lips part (AU25)", _index("AU25")),
    Channel("valence", "Valence (unpleasant to pleasant)", _index("valence")),
    Channel("arousal", "Arousal (calm to excited)", _index("arousal")),
    Channel("pitch", "Head pitch, degrees (down is positive)", (), ROTATION_SLICE.start, 6.0),
    Channel("yaw", "Head yaw, degrees (own left is positive)", (), ROTATION_SLICE.start + 1, 6.0),
)
"""What tells most of a listening face: smile, brows, mouth, affect, nods and turns."""

POSES = ("pitch", "yaw", "roll")

assert len(UNIT_NAMES) + 10 == ATTRIBUTE_COUNT
assert COEFFICIENT_COUNT > ROTATION_SLICE.stop
