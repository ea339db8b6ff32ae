"""Where faces are in one image: OpenCV's bundled Haar cascade, which needs no download.

Two searches: `everywhere` costs some 15 ms on one core and is for when no face is known; `near`
looks only around a known face and at its size, for about 1 ms. Neither remembers anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

_CASCADE = "haarcascade_frontalface_alt2.xml"
_DISTRIBUTION_DIRECTORIES = (
    Path("/usr/share/opencv4/haarcascades"),
    Path("/usr/share/opencv/haarcascades"),
)

_SEARCH_SIZE = 320
"""Longest side in pixels of the image that is searched everywhere."""
_SMALLEST_FACE = 20
"""Smallest face searched everywhere, in pixels of that image; from about 24 on it is found."""
_CANDIDATES = 6
"""At most this many places that look like a face are looked at closely."""
_LOCAL_FACE = 40
"""The side to which a known face is scaled: smaller boxes jitter, larger ones cost more."""
_LOCAL_REACH = 1.1
"""How far around a known face `near` looks, in sides of the face."""
_LOCAL_SIZES = (0.7, 1.4)
"""How much a known face may shrink or grow between two looks."""


@dataclass(frozen=True)
class FaceBox:
    """A square around a face from the brows to the chin: centre and side in pixels."""

    x: float
    y: float
    side: float

    def distance(self, other: FaceBox) -> float:
        """How far away another face is, in sides of this one."""
        return math.hypot(other.x - self.x, other.y - self.y) / self.side


class FaceDetector:
    """Finds upright faces that look towards the camera. Not to be shared between threads."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(_cascade_path()))
        assert not self._cascade.empty(), f"{_CASCADE} cannot be read"

    def everywhere(self, rgb: np.ndarray) -> list[FaceBox]:
        """All faces of an RGB uint8 (height, width, 3) image, largest first."""
        factor = min(1.0, _SEARCH_SIZE / max(rgb.shape[:2]))
        grey, factor_x, factor_y = _scaled_grey(rgb, factor)
        # Few agreeing hits are asked for, so that small faces are found; the close look that
        # follows rejects what is none, and sees the box finer.
        found = self._cascade.detectMultiScale(
            grey, 1.2, 2, minSize=(_SMALLEST_FACE, _SMALLEST_FACE)
        )
        candidates = _largest_first(_box(row, 0, 0, factor_x, factor_y) for row in found)
        confirmed = {self.near(rgb, face) for face in candidates[:_CANDIDATES]}
        return _largest_first(face for face in confirmed if face is not None)

    def near(self, rgb: np.ndarray, face: FaceBox) -> FaceBox | None:
        """The face that is nearest to where `face` was and about as large, if there is one."""
        reach = _LOCAL_REACH * face.side
        left, top = max(0, int(face.x - reach)), max(0, int(face.y - reach))
        part = rgb[top : max(0, int(face.y + reach)), left : max(0, int(face.x + reach))]
        if min(part.shape[:2]) < face.side / 2:
            return None
        grey, factor_x, factor_y = _scaled_grey(part, _LOCAL_FACE / face.side)
        smallest, largest = (int(_LOCAL_FACE * size) for size in _LOCAL_SIZES)
        found = self._cascade.detectMultiScale(
            grey, 1.1, 3, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        boxes = [_box(row, left, top, factor_x, factor_y) for row in found]
        return min(boxes, key=lambda box: (face.distance(box), box.x, box.y), default=None)


def _largest_first(faces: Iterable[FaceBox]) -> list[FaceBox]:
    return sorted(faces, key=lambda face: (-face.side, face.x, face.y))


def _scaled_grey(rgb: np.ndarray, factor: float) -> tuple[np.ndarray, float, float]:
    """A grey copy scaled by about `factor`, with the factors that rounding left in x and y."""
    height, width = rgb.shape[:2]
    scaled = (max(1, round(width * factor)), max(1, round(height * factor)))
    interpolation = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(rgb, scaled, interpolation=interpolation)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), scaled[0] / width, scaled[1] / height


def _box(row: Sequence[int], left: int, top: int, factor_x: float, factor_y: float) -> FaceBox:
    x, y, width, height = (float(value) for value in row)
    return FaceBox(
        left + (x + width / 2) / factor_x,
        top + (y + height / 2) / factor_y,
        (width / factor_x + height / factor_y) / 2,
    )


def _cascade_path() -> Path:
    """OpenCV's wheels bring the cascades along; distributions keep them in their own folder."""
    bundled = getattr(cv2, "data", None)
    directories = [Path(bundled.haarcascades)] if bundled is not None else []
    for directory in [*directories, *_DISTRIBUTION_DIRECTORIES]:
        if (directory / _CASCADE).is_file():
            return directory / _CASCADE
    raise FileNotFoundError(
        f"{_CASCADE} is missing: install opencv-python-headless below version 5, "
        "or your distribution's OpenCV data (opencv-data)"
    )
