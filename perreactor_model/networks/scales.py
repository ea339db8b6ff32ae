"""Rough spread of each value of a face, so that radians, probabilities and intensities weigh alike.

Fixed numbers, not measured in a corpus: a network trained on one keeps its meaning on another.
"""

import torch
from torch import Tensor

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    FACE_EXPRESSION_SLICE,
    ROTATION_SLICE,
    SPEAKER_VECTOR_COUNT,
    TRANSLATION_SLICE,
)


def face_scale() -> Tensor:
    """Spread of 25 attributes and 58 coefficients, (83,)."""
    scale = torch.full((SPEAKER_VECTOR_COUNT,), 0.25)
    coefficients = scale[ATTRIBUTE_COUNT:]
    coefficients[FACE_EXPRESSION_SLICE] = 0.2
    coefficients[ROTATION_SLICE] = 0.15
    coefficients[TRANSLATION_SLICE] = 0.2
    return scale


def observed_scale() -> Tensor:
    """Spread of what a face analyzer sees in a frame: 25 attributes and the head's pose, (31,)."""
    scale = face_scale()
    return torch.cat([scale[:ATTRIBUTE_COUNT], scale[ATTRIBUTE_COUNT + ROTATION_SLICE.start :]])
