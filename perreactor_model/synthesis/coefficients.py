"""58 coefficients of a simulated face: a fixed linear code of what it does, no 3D model.

The 52 expression coefficients are the action units, the lids and the gaze in other coordinates, the
same for everybody, with a little tremble. They let tools run; they are not FaceVerse's.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    COEFFICIENT_COUNT,
    FACE_EXPRESSION_SLICE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.synthesis.listening import Face
from perreactor_model.synthesis.motion import wander
from perreactor_model.synthesis.seeds import stream

_CODE_SEED = 20240517
_TREMBLE = 0.01
_SOURCES = len(ACTION_UNITS) + 3


def _code() -> np.ndarray:
    """(18, 52): of 15 units, lids, gaze yaw and pitch; each coefficient follows two or three."""
    generator = stream(_CODE_SEED)
    count = FACE_EXPRESSION_SLICE.stop
    code = np.zeros((_SOURCES, count))
    for column in range(count):
        chosen = generator.choice(_SOURCES, 1 + int(generator.integers(1, 3)), replace=False)
        code[chosen, column] = generator.normal(0.0, 0.45, len(chosen))
    return code


_CODE = _code()


def coefficients_of(face: Face, generator: np.random.Generator) -> np.ndarray:
    """Deviation from a neutral face, float32 (T, 58)."""
    sources = np.concatenate([face.units, face.lids[:, None], 2.0 * face.gaze], axis=1)
    coefficients = np.zeros((len(sources), COEFFICIENT_COUNT))
    tremble = _TREMBLE * wander(generator, len(sources), FACE_EXPRESSION_SLICE.stop, 0.3)
    coefficients[:, FACE_EXPRESSION_SLICE] = sources @ _CODE + tremble
    coefficients[:, ROTATION_SLICE] = face.head[:, :3]
    coefficients[:, TRANSLATION_SLICE] = face.head[:, 3:]
    return coefficients.astype(np.float32)
