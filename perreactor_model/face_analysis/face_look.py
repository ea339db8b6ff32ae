"""What the parts of a face look like, whatever the light: to know a person again, and what hides.

The mesh says where a part of the face should be even if a hand is there, and is as sure as ever. So
the picture itself is looked at, at the landmarks of each part, and compared with what this person
looked like before: the pattern of light and dark (without shading: a plane is taken out of the
logarithm of the brightness) and the colour (ratios of the channels). Both are carried by the mesh,
so they hardly change when the face moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from perreactor_model.face_analysis.measurements import REGION_COUNT, FaceRegion
from perreactor_model.face_analysis.mesh_model import region_around

_SIZE = 128
"""Side in pixels of the square around the face in which it is looked at."""
_BLUR = 1.5
_DARK = 8.0
"""Added to channels (0..255) before logarithms: dark pixels are mostly noise."""

_REGION_POINTS: dict[FaceRegion, tuple[int, ...]] = {
    FaceRegion.BROW_RIGHT: (
        27, 28, 29, 46, 52, 53, 55, 63, 65, 66, 68, 105, 107, 222, 223, 224,
    ),
    FaceRegion.BROW_LEFT: (
        257, 258, 259, 276, 282, 283, 285, 293, 295, 296, 298, 334, 336, 442, 443, 444,
    ),
    FaceRegion.EYE_RIGHT: (
        7, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 46, 55, 56, 110, 112, 113, 121, 128,
        130, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 189, 190, 221,
        225, 226, 228, 229, 230, 231, 232, 233, 243, 244, 246, 247,
    ),
    FaceRegion.EYE_LEFT: (
        249, 252, 253, 254, 255, 256, 257, 258, 259, 260, 261, 263, 276, 285, 286, 339, 341,
        342, 350, 357, 359, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398,
        413, 414, 441, 445, 446, 448, 449, 450, 451, 452, 453, 463, 464, 466, 467,
    ),
    FaceRegion.NOSE_RIGHT: (
        1, 2, 3, 4, 5, 19, 20, 36, 44, 45, 47, 48, 49, 51, 59, 60, 64, 75, 79, 94, 97, 98,
        99, 100, 101, 102, 115, 119, 120, 125, 126, 129, 131, 134, 141, 142, 164, 165, 166,
        167, 174, 195, 198, 203, 206, 209, 217, 218, 219, 220, 235, 236, 237, 238, 239, 240,
        241, 242,
    ),
    FaceRegion.NOSE_LEFT: (
        1, 2, 4, 5, 19, 94, 164, 195, 248, 250, 266, 274, 275, 277, 278, 279, 281, 289, 290,
        294, 305, 309, 326, 327, 328, 329, 330, 331, 344, 348, 349, 354, 355, 358, 360, 363,
        370, 371, 391, 392, 393, 399, 420, 423, 426, 429, 437, 438, 439, 440, 455, 456, 457,
        458, 459, 460, 461, 462,
    ),
    FaceRegion.MOUTH_RIGHT: (
        0, 11, 12, 15, 16, 17, 18, 32, 37, 38, 39, 40, 41, 42, 43, 57, 61, 62, 72, 73, 74,
        76, 77, 83, 84, 85, 86, 89, 90, 91, 96, 106, 140, 146, 149, 170, 179, 180, 181, 182,
        183, 184, 185, 186, 194, 199, 200, 201, 202, 204, 208, 211,
    ),
    FaceRegion.MOUTH_LEFT: (
        0, 11, 12, 15, 16, 17, 18, 199, 200, 262, 267, 268, 269, 270, 271, 272, 273, 287,
        291, 292, 302, 303, 304, 306, 307, 313, 314, 315, 316, 319, 320, 321, 325, 335, 369,
        375, 378, 395, 403, 404, 405, 406, 407, 408, 409, 410, 418, 421, 422, 424, 428, 431,
    ),
}  # fmt: skip
"""Landmarks in and around each part; of the mouth those outside its opening, which speech changes.
"""
_LIPS_RIGHT = frozenset((
    61, 185, 40, 39, 37, 0, 17, 84, 181, 91, 146, 76, 184, 74, 73, 72, 11, 16, 85, 180, 90, 77,
    62, 183, 42, 41, 38, 12, 15, 86, 179, 89, 96,
))  # fmt: skip
_LIPS_LEFT = frozenset((
    0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 11, 302, 303, 304, 408, 306, 307, 320,
    404, 315, 16, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15,
))  # fmt: skip

_POINTS = np.concatenate([_REGION_POINTS[region] for region in FaceRegion])
_SIZES = np.array([len(_REGION_POINTS[region]) for region in FaceRegion])
_STARTS = np.concatenate([[0], np.cumsum(_SIZES)[:-1]])
_REGION_OF = np.repeat(np.arange(REGION_COUNT), _SIZES)

_MOST_DIFFERENT = 0.4
"""Colours further apart than this count as this far: one landmark must not speak for many."""
_NO_COLOUR = 0.04
_FULL = 243.0
"""Channels above this (of 255) are cut off, or nearly."""
_LEAST_REDNESS = 0.015
_LEAST_CONTRAST, _LEAST_MOUTH_CONTRAST = 0.02, 0.05
_MOUTH = np.array([FaceRegion.MOUTH_RIGHT, FaceRegion.MOUTH_LEFT])
_LEARNT_LOOKS = 25
_FOLLOW_LOOKS = 750


@dataclass(frozen=True)
class FaceLook:
    """One picture's look of a face at k landmarks, those of the 8 regions one after the other.

    `pattern` float32 (k,): light and dark, of length 1 in each region. `contrast` float32 (8,): its
    standard deviation in natural logarithms. `colour` float32 (k, 2): logarithms of red and of blue
    over green; `blinded` bool (k,) where there was too much light to tell. `redness` float32 (2,):
    how much redder the right and the left half of the lips are than the skin around them.
    `sharpness`: fine detail as a share of coarse detail; about 0.45 where each pixel counts, below
    0.25 where the picture is blurred.
    """

    pattern: np.ndarray
    contrast: np.ndarray
    colour: np.ndarray
    blinded: np.ndarray
    redness: np.ndarray
    sharpness: float

    @property
    def plausible(self) -> np.ndarray:
        """bool (8,): what may be a part of a face, whoever's it is.

        Each has some contrast, and lips are redder than the skin around them (in a picture that
        has colour at all): a hand's are not.
        """
        plausible = self.contrasted
        if np.abs(self.colour).max() > _NO_COLOUR:
            plausible[_MOUTH] &= self.redness > _LEAST_REDNESS
        return plausible

    @property
    def contrasted(self) -> np.ndarray:
        """bool (8,): what has the contrast of a part of a face; a plain cover has none."""
        contrasted = self.contrast > _LEAST_CONTRAST
        contrasted[_MOUTH] = self.contrast[_MOUTH] > _LEAST_MOUTH_CONTRAST
        return contrasted


def points_outside(points: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    """Share of each region's landmarks beyond the edges of a picture (height, width, ...): (8,)."""
    height, width = picture[:2]
    places = points[_POINTS, :2]
    outside = ((places < 0) | (places > (width - 1, height - 1))).any(axis=1)
    return np.add.reduceat(outside.astype(np.float64), _STARTS) / _SIZES


def look_at(rgb: np.ndarray, points: np.ndarray) -> FaceLook:
    """The look of the face with mesh `points` (478, 3) in RGB uint8 (height, width, 3)."""
    region = region_around(points)
    crop = region.cut(rgb, _SIZE).astype(np.float32)
    into = cv2.invertAffineTransform(region.to_picture(_SIZE))
    places = (points[_POINTS, :2] @ into[:, :2].T + into[:, 2]).astype(np.float32)
    seen = cv2.remap(
        cv2.GaussianBlur(crop, (0, 0), _BLUR), places[:, 0], places[:, 1], cv2.INTER_LINEAR
    )[:, 0]
    red, green, blue = np.log(seen + _DARK).T
    light = np.log(seen.mean(axis=1) + _DARK)
    residue = _without_shading(light, places / _SIZE - 0.5)
    power = np.add.reduceat(residue**2, _STARTS)
    return FaceLook(
        pattern=residue / np.sqrt(power + 1e-6)[_REGION_OF],
        contrast=np.sqrt(power / _SIZES).astype(np.float32),
        colour=np.stack([red - green, blue - green], axis=1),
        blinded=seen.max(axis=1) > _FULL,
        redness=_redness(red - green),
        sharpness=_sharpness(crop),
    )


@dataclass(frozen=True)
class Likeness:
    """How a look compares with a person's own, for each of the 8 regions, float32 (8,).

    `pattern` is the correlation of light and dark (1 the same), `colour` the mean difference of the
    colours under the same light, `contrast` the ratio of the contrasts. `tint` is how much the
    colour of all of the face differs, be it the light or the skin. `learnt` bool (8,): the regions
    that could be compared; the others count as equal.
    """

    pattern: np.ndarray
    colour: np.ndarray
    contrast: np.ndarray
    tint: float
    learnt: np.ndarray

    @property
    def best_parts(self) -> float:
        """The third best correlation: of the same person even if half of the face is covered."""
        return float(np.sort(self.pattern)[-3])


class OwnLook:
    """What one person looks like: a mean over pictures, each region for itself."""

    def __init__(self) -> None:
        self._pattern = np.zeros(len(_POINTS), np.float32)
        self._colour = np.zeros((len(_POINTS), 2), np.float32)
        self._contrast = np.zeros(REGION_COUNT, np.float32)
        self._count = np.zeros(REGION_COUNT)

    @property
    def learnt(self) -> np.ndarray:
        """bool (8,): the regions of which enough was seen to compare with."""
        return self._count >= _LEARNT_LOOKS

    def learn(self, look: FaceLook, regions: np.ndarray) -> None:
        """Take in the regions (bool (8,)) of one picture; about 30 s are remembered."""
        self._count[regions] += 1
        share = np.where(regions, 1.0 / np.clip(self._count, 1, _FOLLOW_LOOKS), 0.0)
        share = share.astype(np.float32)
        of_point = share[_REGION_OF]
        self._pattern += of_point * (look.pattern - self._pattern)
        self._colour += of_point[:, None] * (look.colour - self._colour)
        self._contrast += share * (look.contrast - self._contrast)

    def forget(self, regions: np.ndarray) -> None:
        """Begin anew with some regions (bool (8,))."""
        self._count[regions] = 0

    def compare(self, look: FaceLook) -> Likeness:
        """Compare a picture with the person."""
        known = self.learnt
        product = np.add.reduceat(look.pattern * self._pattern, _STARTS)
        length = np.sqrt(np.add.reduceat(self._pattern**2, _STARTS))
        difference, tint = _colour_difference(look.colour - self._colour, known[_REGION_OF])
        difference[look.blinded] = 0.0
        colour = np.add.reduceat(difference, _STARTS) / _SIZES
        contrast = look.contrast / np.maximum(self._contrast, 1e-3)
        return Likeness(
            pattern=np.where(known, product / np.maximum(length, 1e-6), 1.0).astype(np.float32),
            colour=np.where(known, colour, 0.0).astype(np.float32),
            contrast=np.where(known, contrast, 1.0).astype(np.float32),
            tint=tint,
            learnt=known,
        )


def _colour_difference(change: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float]:
    """Size of each colour's change (k,) less what other light does to all of the face, and that."""
    if not known.any():
        return np.zeros(len(change)), 0.0
    light = np.median(change[known], axis=0)
    size, left = _bounded_size(change), _bounded_size(change - light)
    # A cup is not light: most of the face must agree on the change.
    agreed = left[known].sum() < 0.5 * size[known].sum()
    return (left if agreed else size), float(np.hypot(*light))


def _bounded_size(change: np.ndarray) -> np.ndarray:
    return np.minimum(np.hypot(change[:, 0], change[:, 1]), _MOST_DIFFERENT)


def _without_shading(light: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The logarithm of brightness (k,) less a plane through each region's landmarks (k, 2)."""
    design = np.concatenate([np.ones((len(light), 1)), places], axis=1)
    moments = np.add.reduceat(design[:, :, None] * design[:, None], _STARTS)
    moments += 1e-6 * np.eye(3)
    sums = np.add.reduceat(design * light[:, None], _STARTS)
    planes = np.linalg.solve(moments, sums[..., None])[..., 0]
    return (light - (design * planes[_REGION_OF]).sum(axis=1)).astype(np.float32)


def _redness(red: np.ndarray) -> np.ndarray:
    return np.array(
        [np.median(red[lips]) - np.median(red[skin]) for lips, skin in _LIPS_AND_SKIN], np.float32
    )


def _sharpness(crop: np.ndarray) -> float:
    middle = crop[24:-24, 24:-24].mean(axis=2)
    fine, coarse = cv2.GaussianBlur(middle, (0, 0), 1.0), cv2.GaussianBlur(middle, (0, 0), 3.0)
    return float(np.abs(middle - fine).mean() / (np.abs(fine - coarse).mean() + 1e-3))


def _lips_and_skin() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """For either side: where in a look the lips are, and the skin around them."""
    pairs = []
    for region, lips in (
        (FaceRegion.MOUTH_RIGHT, _LIPS_RIGHT),
        (FaceRegion.MOUTH_LEFT, _LIPS_LEFT),
    ):
        start, points = _STARTS[region], _REGION_POINTS[region]
        on_lips = np.array([point in lips for point in points])
        places = start + np.arange(len(points))
        pairs.append((places[on_lips], places[~on_lips]))
    return tuple(pairs)


_LIPS_AND_SKIN = _lips_and_skin()
