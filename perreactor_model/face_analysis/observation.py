"""What an analyzer says of one picture of a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.vision.detector import FaceBox


class Knowledge(IntEnum):
    """Where a value comes from."""

    UNKNOWN = 0
    """It could not be told: the value is NaN."""
    MEASURED = 1
    """From the picture itself."""
    DERIVED = 2
    """From measured values, by a published mapping."""


def _unknown(size: int) -> np.ndarray:
    return np.full(size, np.nan, np.float32)


@dataclass(frozen=True)
class FaceObservation:
    """One picture's face.

    `box` is None without a face. `person` counts the people seen since the analyzer was opened or
    reset (1, 2, ...; 0 without a face): each has a calibration of their own. `attributes` is
    float32 (25,) in the contract's order, action units as intensities, NaN where unknown;
    `knowledge` uint8 (25,) holds a `Knowledge` each. `rotation` (3,) is in radians with the
    contract's signs, 0 facing the camera; `translation` (3,) in FaceVerse units as deviation from
    where the person's neutral face was; both NaN where unknown. `calibration` runs from 0 to 1
    while the person's neutral face is learnt; attributes are unknown before 1. `landmarks` float32
    (n, 2) are pixels of the picture, for drawing.
    """

    stamp_ns: int
    box: FaceBox | None = None
    person: int = 0
    attributes: np.ndarray = field(default_factory=lambda: _unknown(ATTRIBUTE_COUNT))
    knowledge: np.ndarray = field(default_factory=lambda: np.zeros(ATTRIBUTE_COUNT, np.uint8))
    rotation: np.ndarray = field(default_factory=lambda: _unknown(3))
    translation: np.ndarray = field(default_factory=lambda: _unknown(3))
    calibration: float = 0.0
    landmarks: np.ndarray | None = None

    @property
    def face_present(self) -> bool:
        """Whether there is a face in the picture."""
        return self.box is not None

    @property
    def coefficients(self) -> np.ndarray:
        """The 58 coefficients, float32: head pose where known, the expression unknown (NaN)."""
        coefficients = _unknown(COEFFICIENT_COUNT)
        coefficients[ROTATION_SLICE] = self.rotation
        coefficients[TRANSLATION_SLICE] = self.translation
        return coefficients


class FaceAnalyzer(Protocol):
    """Anything that looks at one speaker's pictures, in the order of their stamps.

    Not thread-safe; made and used by one thread.
    """

    @property
    def counters(self) -> Mapping[str, int]:
        """What was seen and what became of it."""
        ...

    def analyze(self, rgb: np.ndarray, stamp_ns: int) -> FaceObservation:
        """Look at RGB uint8 (height, width, 3). Never fails because of what a picture shows."""
        ...

    def reset(self) -> None:
        """Forget whom it saw, and their calibration."""
        ...

    def close(self) -> None:
        """Free what the analyzer holds. Closing twice is harmless."""
        ...
