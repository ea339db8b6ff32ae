"""Where a head looks, from its mesh, and the mesh turned to face the camera.

Points that no expression moves (forehead, temples, bridge of the nose, corners of the eyes) are
fitted to a reference head by a rotation, a scale and a shift (Umeyama 1991, without noise model).
What is left after undoing them is the face as if it looked into the camera from one distance.

Axes are the picture's: x to the right (the person's own left), y down, z away from the camera.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_RIGHT_AND_MIDDLE: dict[int, tuple[float, float, float]] = {
    33: (-0.500, 0.000, 0.000), 133: (-0.190, 0.029, -0.056),  # corners of the eye
    127: (-0.762, 0.016, 0.540), 234: (-0.757, 0.168, 0.612), 162: (-0.752, -0.142, 0.405),
    21: (-0.721, -0.266, 0.246), 54: (-0.662, -0.380, 0.098),  # temple
    103: (-0.560, -0.473, -0.050), 67: (-0.396, -0.533, -0.180), 109: (-0.215, -0.562, -0.255),
    10: (0.0, -0.566, -0.275), 151: (0.0, -0.394, -0.286), 9: (0.0, -0.214, -0.289),  # forehead
    8: (0.0, -0.121, -0.263), 168: (0.0, -0.036, -0.252), 6: (0.0, 0.054, -0.292),
    197: (0.0, 0.139, -0.338), 195: (0.0, 0.216, -0.390), 5: (0.0, 0.301, -0.444),  # nose
    94: (0.0, 0.517, -0.294),
}  # fmt: skip
"""A head that faces the camera, the outer corners of its eyes 1 apart and their middle at 0.

Measured with the mesh model on the public-domain portrait of scikit-image and its mirror image,
then made symmetrical.
"""
_LEFT_OF = {
    33: 263, 133: 362, 127: 356, 234: 454, 162: 389, 21: 251, 54: 284, 103: 332, 67: 297, 109: 338,
}  # fmt: skip

RIGID = (*_RIGHT_AND_MIDDLE, *_LEFT_OF.values())
"""Landmarks that no expression moves."""
REFERENCE = np.array(
    [
        *_RIGHT_AND_MIDDLE.values(),
        *((-x, y, z) for x, y, z in (_RIGHT_AND_MIDDLE[index] for index in _LEFT_OF)),
    ]
)
"""Where they are on the reference head, float64 (n, 3)."""

_MIDDLE_ROWS = ((168, 6, 197, 195), (2, 94, 164), (0, 13, 14, 17), (199, 152, 175))
"""Landmarks in the middle of the face, from above: bridge and base of the nose, lips, chin."""

_EYE_WIDTH_UNITS = 0.9
"""Outer eye corners are about 9 cm apart, and a FaceVerse unit is about a decimetre."""


@dataclass(frozen=True)
class HeadPlace:
    """Where a head is in a picture: the middle of its outer eye corners and their distance, px."""

    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class FrontalFace:
    """A mesh without head pose.

    `points` float32 (478, 3): outer eye corners about 1 apart, their middle near 0. `rotation`
    float32 (3,): pitch, yaw, roll in radians with the contract's signs. `error` is how badly the
    rigid points fit, in the unit of `points` (root mean square).
    """

    points: np.ndarray
    rotation: np.ndarray
    place: HeadPlace
    error: float


def frontal_face(mesh: np.ndarray) -> FrontalFace:
    """Take the head pose out of a mesh (478, 3): pixels, z away from the camera."""
    points = mesh.astype(np.float64)
    scale, rotation, shift = _similarity(REFERENCE, points[list(RIGID)])
    frontal = (points - shift) @ rotation / scale
    _straighten(frontal)
    error = math.sqrt(float(((frontal[list(RIGID)] - REFERENCE) ** 2).sum(axis=1).mean()))
    return FrontalFace(
        points=frontal.astype(np.float32),
        rotation=np.array(_angles(rotation), np.float32),
        place=HeadPlace(float(shift[0]), float(shift[1]), scale),
        error=error,
    )


def _straighten(frontal: np.ndarray) -> None:
    """Put the middle of the nose, the lips and the chin on the middle of the face, in place.

    A depth that is a little wrong moves all of the mouth sideways on a turned head, which would
    make one corner smile. What is lost is a jaw pushed sideways, which no attribute speaks of.
    """
    heights = [frontal[list(row), 1].mean() for row in _MIDDLE_ROWS]
    aside = [0.0, *(frontal[list(row), 0].mean() for row in _MIDDLE_ROWS[1:])]
    frontal[:, 0] -= np.interp(frontal[:, 1], heights, aside)


def translation(place: HeadPlace, neutral: HeadPlace, picture_width: int) -> np.ndarray:
    """How far a head has moved from its neutral place, float32 (3,), in FaceVerse units.

    x to the right of the picture, y up, z towards the camera. No camera calibration is asked for:
    the eyes are taken to be 9 cm apart and the camera to see 60 degrees across, so x and y are
    good to the width of people's faces and z to some 20 % more than that.
    """
    unit = _EYE_WIDTH_UNITS / place.scale
    focal = picture_width / (2.0 * math.tan(math.radians(30.0)))
    nearer = focal * _EYE_WIDTH_UNITS * (1.0 / neutral.scale - 1.0 / place.scale)
    return np.array(
        [(place.x - neutral.x) * unit, (neutral.y - place.y) * unit, nearer], np.float32
    )


def usual_place(places: Sequence[HeadPlace]) -> HeadPlace | None:
    """Where a head mostly is: the median of its places, None of none."""
    if not places:
        return None
    rows = np.array([(place.x, place.y, place.scale) for place in places])
    return HeadPlace(*(float(value) for value in np.median(rows, axis=0)))


def _similarity(model: np.ndarray, seen: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and shift (3,) that lay `model` (n, 3) over `seen` (n, 3) best."""
    model_middle, seen_middle = model.mean(axis=0), seen.mean(axis=0)
    centred = model - model_middle
    u, stretch, v = np.linalg.svd((seen - seen_middle).T @ centred)
    upright = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation = (u * upright) @ v
    scale = float((stretch * upright).sum() / (centred**2).sum())
    scale = max(scale, 1e-6)
    return scale, rotation, seen_middle - scale * rotation @ model_middle


def _angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Pitch, yaw and roll of a matrix that turns about x first, then y, then z."""
    pitch = math.atan2(rotation[2, 1], rotation[2, 2])
    yaw = math.asin(min(1.0, max(-1.0, rotation[2, 0])))
    roll = math.atan2(-rotation[1, 0], rotation[0, 0])
    return pitch, yaw, roll
