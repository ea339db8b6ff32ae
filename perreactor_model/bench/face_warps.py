"""Portraits with one action of the face at a time, of known strength.

Where lips part or lids close, the picture needs what the photograph does not show: those come from
`media.face_animation`. All other units are warps of the calm portrait: landmarks are displaced as
FACS describes the unit (Ekman, Friesen, Hager 2002), skin between them follows smoothly (radial
basis functions), eyes' corners, forehead, temples and jaw stay. Displacements are in distances
between the outer corners of the eyes, about 9 cm: 0.01 is a millimetre.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from perreactor_model.face_analysis.measurements import LEFT_OF
from perreactor_model.media.face_animation import FaceAnimator, FaceControls

Move = tuple[tuple[int, ...], float, float]
"""Landmarks of the person's right side (or the middle), outwards, upwards."""

_OUTLINE = {
    67: 297, 54: 284, 21: 251, 162: 389, 127: 356, 234: 454, 93: 323, 58: 288, 172: 397, 136: 365,
    150: 379,
}  # fmt: skip
_LEFT_OF = {**LEFT_OF, **_OUTLINE}
_STILL = (33, 133, 168, 10, 176, 152, 1, 4, *_OUTLINE)
_LIDS = (159, 158, 160, 145, 153, 144)
_INNER_BROW, _BROW, _OUTER_BROW = (55, 107, 65, 66), (52, 105), (46, 53, 70, 63)
_CHEEK = (50, 101, 118, 117, 36, 119)
_WING = (48, 64, 98, 102, 129)
_CORNER = (61, 78)
_UPPER_RIM, _UPPER_SEAM = (0, 37, 39, 40, 185), (13, 82, 81, 80)
_LOWER_SEAM, _LOWER_RIM = (14, 87, 178, 88), (17, 84, 181, 91)
_CHIN = (199, 200, 208, 175)


@dataclass(frozen=True)
class KnownAction:
    """One action: `units` are those that should be read, first the one it is made of.

    Either `controls` of the animation at full strength, or `moves` of landmarks. `hold` are
    landmarks that keep their place although others nearby move.
    """

    name: str
    units: tuple[str, ...]
    controls: Mapping[str, float] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    hold: tuple[int, ...] = ()


ACTIONS = (
    KnownAction(
        "inner brows raised", ("AU1",),
        moves=((_INNER_BROW, 0.0, 0.08), (_BROW, 0.0, 0.03), (_OUTER_BROW, 0.0, 0.0)),
        hold=_LIDS,
    ),
    KnownAction(
        "outer brows raised", ("AU2",),
        moves=((_INNER_BROW, 0.0, 0.0), (_BROW, 0.0, 0.05), (_OUTER_BROW, 0.0, 0.08)),
        hold=_LIDS,
    ),
    KnownAction("brows raised", ("AU1", "AU2"), {"brow_left": 1.0, "brow_right": 1.0}),
    KnownAction(
        "brows lowered", ("AU4",),
        moves=((_INNER_BROW, -0.03, -0.05), (_BROW, -0.02, -0.04), (_OUTER_BROW, 0.0, -0.015)),
        hold=_LIDS,
    ),
    KnownAction("frown (animated)", ("AU4",), {"frown": 1.0}),
    KnownAction(
        "cheeks raised", ("AU6",),
        moves=(
            (_CHEEK, 0.0, 0.05), ((145, 153, 144), 0.0, 0.02), ((159, 158, 160), 0.0, -0.006),
        ),
        hold=_CORNER + _WING,
    ),
    KnownAction(
        "lids tightened", ("AU7",),
        moves=(((145, 153, 144), 0.0, 0.022), ((159, 158, 160), 0.0, -0.016)),
        hold=_INNER_BROW + _BROW + _OUTER_BROW + _CHEEK,
    ),
    KnownAction(
        "nose wrinkled", ("AU9",),
        moves=(
            (_WING, 0.005, 0.04), (_INNER_BROW, -0.01, -0.03), ((145, 153), 0.0, 0.008),
            (_UPPER_RIM, 0.0, 0.02), (_UPPER_SEAM, 0.0, 0.01), (_CORNER, 0.0, 0.0),
        ),
        hold=_LOWER_RIM,
    ),
    KnownAction(
        "upper lip raised", ("AU10",),
        moves=((_UPPER_RIM, 0.0, 0.05), (_UPPER_SEAM, 0.0, 0.04), (_WING, 0.003, 0.012)),
        hold=_CORNER + _LOWER_SEAM + _LOWER_RIM,
    ),
    KnownAction("smile", ("AU12",), {"smile": 1.0, "mouth_open": 0.35}),
    KnownAction(
        "lip corners pulled", ("AU12",),
        moves=(
            (_CORNER, 0.08, 0.09), ((40, 185, 80), 0.05, 0.05), ((91, 88), 0.05, 0.05),
            (_CHEEK, 0.005, 0.02),
        ),
        hold=(0, 17, 13, 14),
    ),
    KnownAction(
        "dimples", ("AU14",),
        moves=((_CORNER, 0.045, 0.0), ((40, 185, 80, 91, 88), 0.02, 0.0)),
        hold=(0, 17, 13, 14) + _CHEEK,
    ),
    KnownAction(
        "lip corners lowered", ("AU15",),
        moves=((_CORNER, 0.01, -0.055), ((40, 185, 80), 0.0, -0.02), ((91, 88), 0.0, -0.03)),
        hold=(0, 17, 13, 14) + _CHIN,
    ),
    KnownAction(
        "chin raised", ("AU17",),
        moves=(
            (_CHIN, 0.0, 0.05), (_LOWER_RIM, 0.0, 0.04), (_LOWER_SEAM, 0.0, 0.015),
            (_UPPER_RIM, 0.0, 0.006),
        ),
        hold=_CORNER,
    ),
    KnownAction(
        "lips tightened", ("AU23",),
        moves=(
            (_CORNER, -0.035, 0.0), (_UPPER_RIM, 0.0, -0.02), (_LOWER_RIM, 0.0, 0.025),
        ),
        hold=_UPPER_SEAM + _LOWER_SEAM + _CHIN,
    ),
    KnownAction(
        "lips pressed", ("AU24",),
        moves=((_UPPER_RIM, 0.0, -0.035), (_LOWER_RIM, 0.0, 0.04)),
        hold=_CORNER + _UPPER_SEAM + _LOWER_SEAM + _CHIN,
    ),
    KnownAction("lips parted", ("AU25",), {"mouth_open": 0.3}),
    KnownAction("jaw dropped", ("AU26", "AU25"), {"mouth_open": 1.0}),
)  # fmt: skip

NO_ACTIONS = (
    KnownAction("eyes closed", (), {"blink": 1.0}),
    KnownAction("turned left 25", (), {"yaw": 0.436}),
    KnownAction("turned right 25", (), {"yaw": -0.436}),
    KnownAction("nodded down 10", (), {"pitch": 0.175}),
    KnownAction("tilted 20", (), {"roll": 0.349}),
)
"""Nothing of the 15 units should be read."""


class ActingFace:
    """A portrait (RGB uint8 (512, 512, 3), the one `media.portrait` describes) that acts.

    `broader` other than 1 also mirrors it. `find` gives the 478 landmarks of a picture, float32
    (478, 2) in pixels; warps start from those of the picture without the action.
    """

    def __init__(
        self,
        portrait: np.ndarray,
        find: Callable[[np.ndarray], np.ndarray],
        broader: float = 1.0,
    ) -> None:
        self._animator = FaceAnimator(portrait)
        self._find = find
        self._broader = broader
        self._poses: dict[tuple[tuple[str, float], ...], tuple[np.ndarray, np.ndarray]] = {}

    def calm(self, **pose: float) -> np.ndarray:
        """RGB uint8 (480, 640, 3) of the face at rest, its head turned as in FaceControls."""
        return self._calm(pose)[0]

    def draw(self, action: KnownAction, strength: float, **pose: float) -> np.ndarray:
        """RGB uint8 (480, 640, 3) with the action at `strength` 0..1, its head turned."""
        if not action.moves:
            scaled = {name: strength * value for name, value in action.controls.items()}
            return self.drawn(**{**pose, **scaled})
        image, landmarks = self._calm(pose)
        frontal = self._calm({})[1]
        unit = float(np.linalg.norm(frontal[263] - frontal[33]))
        return warp(image, *displaced(landmarks, action, strength * unit))

    def _calm(self, pose: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        key = tuple(sorted(pose.items()))
        if key not in self._poses:
            image = self.drawn(**pose)
            self._poses[key] = image, self._find(image).astype(np.float64)
        return self._poses[key]

    def drawn(self, **controls: float) -> np.ndarray:
        """RGB uint8 (480, 640, 3) with these `FaceControls`."""
        image = self._animator.draw(FaceControls(**controls))
        if self._broader == 1.0:
            return image
        height, width = image.shape[:2]
        matrix = np.array([[-self._broader, 0, 0.5 * width * (1 + self._broader)], [0, 1, 0]])
        return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def displaced(
    landmarks: np.ndarray, action: KnownAction, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks that take part (k, 2) and how far each goes (k, 2), `unit` pixels per distance."""
    across = landmarks[263] - landmarks[33]
    outwards = across / np.linalg.norm(across)
    upwards = np.array([outwards[1], -outwards[0]])
    shift: dict[int, np.ndarray] = {}
    for index in (*_STILL, *action.hold):
        shift[index] = shift[_LEFT_OF.get(index, index)] = np.zeros(2)
    for indices, out, up in action.moves:
        for index in indices:
            shift[index] = (up * upwards - out * outwards) * unit
            if index in _LEFT_OF:
                shift[_LEFT_OF[index]] = (up * upwards + out * outwards) * unit
            else:
                shift[index] = up * upwards * unit
    chosen = sorted(shift)
    return landmarks[chosen], np.array([shift[index] for index in chosen])


def warp(image: np.ndarray, points: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Move `points` (k, 2) of an image by `shifts`; skin between follows, far away stays."""
    height, width = image.shape[:2]
    there = points + shifts
    border = np.array(
        [(x, y) for x in np.linspace(0, width, 5) for y in np.linspace(0, height, 5)
         if np.linalg.norm(there - (x, y), axis=1).min() > 60]
    )  # fmt: skip
    centres = np.concatenate([there, border])
    values = np.concatenate([-shifts, np.zeros_like(border)])
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    # |r|, the biharmonic spline of the plane's simplest kind, needs no width; a pixel of softness.
    weights = np.linalg.solve(_kernel(distance) + 1e-6 * np.eye(len(centres)), values)
    step = 4
    rows, columns = np.mgrid[0 : height + step : step, 0 : width + step : step].astype(np.float64)
    grid = np.stack([columns.ravel(), rows.ravel()], axis=1)
    moved = _kernel(np.linalg.norm(grid[:, None] - centres[None], axis=2)) @ weights
    coarse = moved.reshape(*rows.shape, 2).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shift = cv2.remap(coarse, x / step, y / step, cv2.INTER_LINEAR)
    return cv2.remap(
        image, x + shift[..., 0], y + shift[..., 1], cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE
    )


def _kernel(distance: np.ndarray) -> np.ndarray:
    return np.asarray(-np.sqrt(distance**2 + 1.0))
