"""What is measured on a face: named distances between landmarks of the frontal mesh.

Input is mediapipe's 478-point mesh, turned to face the camera (x to the right of the picture, y
down, z away from the camera) and scaled so that the outer corners of the eyes are 1 apart. That is
about 9 cm on an adult, so 0.01 is about a millimetre. Every measurement is a difference between the
mean coordinates of two groups of landmarks: linear, so noise adds up simply, and a turned head of
which only one side is seen loses only that side's measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

MESH_POINTS = 478


class FaceRegion(IntEnum):
    """Parts of the face that are seen or hidden on their own. Sides are those of the person."""

    BROW_RIGHT = 0
    BROW_LEFT = 1
    EYE_RIGHT = 2
    EYE_LEFT = 3
    NOSE_RIGHT = 4
    NOSE_LEFT = 5
    MOUTH_RIGHT = 6
    MOUTH_LEFT = 7


REGION_COUNT = len(FaceRegion)

LEFT_OF = {
    33: 263, 133: 362, 159: 386, 158: 385, 160: 387, 145: 374, 153: 380, 144: 373, 46: 276,
    53: 283, 70: 300, 63: 293, 52: 282, 105: 334, 55: 285, 107: 336, 65: 295, 66: 296, 48: 278,
    64: 294, 98: 327, 102: 331, 129: 358, 50: 280, 101: 330, 118: 347, 117: 346, 205: 425,
    36: 266, 119: 348, 100: 329, 61: 291, 78: 308, 76: 306, 62: 292, 37: 267, 39: 269, 40: 270,
    82: 312, 81: 311, 87: 317, 178: 402, 84: 314, 181: 405, 91: 321, 208: 428, 148: 377,
    176: 400, 185: 409, 80: 310, 88: 318,
}  # fmt: skip
"""The landmark on the person's left for one on the right."""

_BRIDGE = (168, 6)
_NOSE_BASE = (2, 94)
_X, _Y, _Z = 0, 1, 2

Group = tuple[int, ...]


@dataclass(frozen=True)
class _Sided:
    """A measurement on either side: mean of `plus` less mean of `minus` along an axis."""

    name: str
    axis: int
    plus: Group
    minus: Group
    needs: tuple[str, ...]
    mirrored_sign: float = 1.0
    """-1 where the left side runs the other way (along x)."""


@dataclass(frozen=True)
class _Central:
    """A measurement of both sides together."""

    name: str
    axis: int
    plus: Group
    minus: Group
    needs: tuple[str, ...]


_SIDED = (
    # Heights above the eye's corners: raised brows are positive.
    _Sided("brow_inner", _Y, (33, 133), (55, 107, 65, 66), ("BROW", "EYE")),
    _Sided("brow_outer", _Y, (33, 133), (46, 53, 70, 63), ("BROW", "EYE")),
    _Sided("brow_middle", _Y, (33, 133), (52, 105), ("BROW", "EYE")),
    # Distance of the brow's head from the middle of the face.
    _Sided("brow_apart", _X, _BRIDGE, (55, 107), ("BROW",), -1.0),
    _Sided("eye_opening", _Y, (145, 153, 144), (159, 158, 160), ("EYE",)),
    _Sided("upper_lid", _Y, (33, 133), (159, 158, 160), ("EYE",)),
    _Sided("lower_lid", _Y, (33, 133), (145, 153, 144), ("EYE",)),
    _Sided("cheek", _Y, (33, 133), (50, 101, 118, 117, 36, 119), ("EYE", "NOSE")),
    _Sided("cheek_depth", _Z, (33, 133), (50, 101, 118, 117, 36, 119), ("EYE", "NOSE")),
    _Sided("nose_wing", _Y, (33, 133), (48, 64, 98, 102), ("NOSE", "EYE")),
    _Sided("nose_wing_base", _Y, _NOSE_BASE, (48, 64, 98, 102), ("NOSE",)),
    _Sided("upper_lip", _Y, _NOSE_BASE, (37, 39, 40), ("NOSE", "MOUTH")),
    _Sided("corner_up", _Y, _NOSE_BASE, (61, 78, 76, 62), ("NOSE", "MOUTH")),
    _Sided("corner_out", _X, _NOSE_BASE, (61, 78, 76, 62), ("NOSE", "MOUTH"), -1.0),
    _Sided("corner_back", _Z, (61, 78, 76, 62), _NOSE_BASE, ("NOSE", "MOUTH")),
)

_CENTRAL = (
    _Central("philtrum", _Y, (0, 37, 267), _NOSE_BASE, ("NOSE", "MOUTH")),
    _Central("lip_gap", _Y, (14, 87, 317), (13, 82, 312), ("MOUTH",)),
    _Central("upper_lip_height", _Y, (13, 82, 312), (0, 37, 267), ("MOUTH",)),
    _Central("lower_lip_height", _Y, (17, 84, 314), (14, 87, 317), ("MOUTH",)),
    _Central("lower_lip_drop", _Y, (17, 84, 314), _NOSE_BASE, ("NOSE", "MOUTH")),
    _Central("lips_height", _Y, (17, 84, 314), (0, 37, 267), ("MOUTH",)),
    _Central("lip_forward", _Z, _NOSE_BASE, (0, 17, 13, 14), ("NOSE", "MOUTH")),
    _Central("chin_lip", _Y, (199, 208, 428), (17, 84, 314), ("MOUTH",)),
    _Central("chin_drop", _Y, (199, 208, 428), _NOSE_BASE, ("NOSE", "MOUTH")),
    _Central("jaw_drop", _Y, (152, 148, 377, 176, 400), _NOSE_BASE, ("NOSE", "MOUTH")),
)

SIDES = ("right", "left")

MEASUREMENTS = (
    *(f"{one.name}_{side}" for one in _SIDED for side in SIDES),
    *(one.name for one in _CENTRAL),
)
"""Names, in the order of the vector."""

STEMS = (*(one.name for one in _SIDED), *(one.name for one in _CENTRAL))
"""Names without sides, in the order of `both_sides`."""

MEASUREMENT_COUNT = len(MEASUREMENTS)


def measure(points: np.ndarray) -> np.ndarray:
    """Measure frontal meshes (..., 478, 3), outer eye corners 1 apart: float32 (..., n)."""
    flat = points.reshape(*points.shape[:-2], MESH_POINTS * 3)
    return (flat @ _WEIGHTS).astype(np.float32)


def without_hidden(measurements: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Measurements (..., n) with NaN where a region they need is not in `visible` (..., 8) bool."""
    hidden = ~np.asarray(visible, bool)
    lost = (hidden[..., None, :] & REGIONS_NEEDED).any(axis=-1)
    return np.where(lost, np.float32(np.nan), measurements)


def both_sides(measurements: np.ndarray) -> np.ndarray:
    """Measurements (n,) by stem, float32 (m,): the mean of both sides, or the side that is known.

    What turning the head does wrong to one side it does mostly the other way to the other.
    """
    sided = measurements[: 2 * len(_SIDED)].reshape(-1, 2)
    right, left = sided[:, 0], sided[:, 1]
    mean = np.where(np.isnan(right), left, np.where(np.isnan(left), right, 0.5 * (right + left)))
    return np.concatenate([mean, measurements[2 * len(_SIDED) :]]).astype(np.float32)


def _column(axis: int, plus: Group, minus: Group, sign: float = 1.0) -> np.ndarray:
    weights = np.zeros((MESH_POINTS, 3), np.float32)
    np.add.at(weights[:, axis], list(plus), sign / len(plus))
    np.add.at(weights[:, axis], list(minus), -sign / len(minus))
    return weights.ravel()


def _columns() -> np.ndarray:
    """float32 (1434, n): the measurements as weights of all coordinates."""
    columns = []
    for one in _SIDED:
        columns.append(_column(one.axis, one.plus, one.minus))
        plus = tuple(LEFT_OF.get(point, point) for point in one.plus)
        minus = tuple(LEFT_OF.get(point, point) for point in one.minus)
        columns.append(_column(one.axis, plus, minus, one.mirrored_sign))
    columns += [_column(one.axis, one.plus, one.minus) for one in _CENTRAL]
    return np.stack(columns, axis=1)


def _regions() -> np.ndarray:
    """bool (n, 8): the regions that each measurement needs."""
    rows = []
    for one in _SIDED:
        for side in SIDES:
            rows.append({FaceRegion[f"{part}_{side.upper()}"] for part in one.needs})
    for central in _CENTRAL:
        rows.append(
            {FaceRegion[f"{part}_{side.upper()}"] for part in central.needs for side in SIDES}
        )
    return np.array([[region in row for region in FaceRegion] for row in rows])


_WEIGHTS = _columns()
REGIONS_NEEDED = _regions()
"""bool (n, 8): which regions each measurement needs."""
