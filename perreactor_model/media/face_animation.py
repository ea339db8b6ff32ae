"""A portrait that moves: landmarks are displaced, the picture follows by a triangle mesh.

The head turns in three dimensions (each landmark has a depth), lips, lids and brows move on it. The
inside of the mouth, which no single photograph shows, is painted: dark cavity, the portrait's own
teeth, tongue.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from perreactor_model.media.portrait import LANDMARKS, STILL_POINTS

VIEW = (76.0, 0.0, 300.0, 225.0)
"""The part of the portrait that is shown: left, top, width, height in portrait pixels."""

_MOUTH_CENTRE_X = 224.0
_MOUTH_HALF_WIDTH = 20.5
_NECK_PIVOT = np.array([224.0, 165.0, 62.0], np.float32)


@dataclass
class FaceControls:
    """What the face does in one frame. 0 everywhere is a calm face with closed lips.

    `mouth_open`, `smile`, `blink` and `frown` run 0..1; `mouth_width` -1 (rounded) .. 1 (spread);
    `brow_left` and `brow_right` -1 (lowered) .. 1 (raised); `yaw`, `pitch`, `roll` are radians as
    in the contract (positive: to the person's left, nodding down, towards the right shoulder);
    `sway` is a sideways shift in portrait pixels.
    """

    mouth_open: float = 0.0
    mouth_width: float = 0.0
    smile: float = 0.0
    blink: float = 0.0
    frown: float = 0.0
    brow_left: float = 0.0
    brow_right: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    sway: float = 0.0


class FaceAnimator:
    """Draws the portrait with given controls. Pictures are RGB uint8 (height, width, 3)."""

    def __init__(self, portrait: np.ndarray, size: tuple[int, int] = (640, 480)) -> None:
        self._portrait = portrait
        self._size = size
        self._scale = size[0] / VIEW[2]
        self._groups: dict[str, slice] = {}
        points: list[Any] = []
        for name, group in LANDMARKS.items():
            self._groups[name] = slice(len(points), len(points) + len(group))
            points += group
        self._landmark_count = len(points)
        still = [(x, y, 0.0) for x, y in STILL_POINTS]
        self._rest = np.array(points + still, np.float32)
        self._triangles = _delaunay(self._rest[:, :2])
        self._teeth_mask = self._mask_of_teeth()

    def draw(self, controls: FaceControls) -> np.ndarray:
        """One picture of the face with these controls."""
        moved = self._turned(self._expressed(controls), controls)
        image = self._warped(moved)
        self._paint_mouth(image, moved, controls)
        self._paint_lashes(image, moved, controls)
        return image

    def _expressed(self, controls: FaceControls) -> np.ndarray:
        """Landmarks with the expression, before the head turns."""
        points = self._rest.copy()
        self._move_mouth(points, controls)
        self._move_eyes(points, controls)
        self._move_brows(points, controls)
        return points

    def _move_mouth(self, points: np.ndarray, controls: FaceControls) -> None:
        """The portrait smiles broadly: a calm mouth is narrower, lower at its corners, closed."""
        calm = 1.0 - controls.smile
        opening = 15.0 * controls.mouth_open

        def place(name: str) -> tuple[np.ndarray, np.ndarray]:
            rest = self._rest[self._groups[name]]
            across = np.clip((rest[:, 0] - _MOUTH_CENTRE_X) / _MOUTH_HALF_WIDTH, -1, 1)
            narrow = 5.0 * calm - 3.0 * controls.mouth_width + 1.5 * controls.mouth_open
            x = rest[:, 0] - across * narrow
            seam = 143.2 + 1.6 * calm - 2.6 * controls.smile * across**2 + 0.6 * calm * across**2
            return x, seam

        def gape(x: np.ndarray, name: str) -> np.ndarray:
            across = (self._rest[self._groups[name], 0] - _MOUTH_CENTRE_X) / _MOUTH_HALF_WIDTH
            return np.clip(1 - across**2, 0, 1) ** 0.6

        for name, share in (("upper_lip_inner", -0.18), ("lower_lip_inner", 0.82)):
            x, seam = place(name)
            here = points[self._groups[name]]
            here[:, 0], here[:, 1] = x, seam + share * opening * gape(x, name)
        for name, inner, share, thickness in (
            ("upper_lip_outer", "upper_lip_inner", -0.18, -1.0),
            ("lower_lip_outer", "lower_lip_inner", 0.82, 1.0),
        ):
            x, seam = place(name)
            here = points[self._groups[name]]
            lip = np.abs(self._rest[self._groups[name], 1] - self._rest[self._groups[inner], 1])
            full = lip * (1.0 + 0.3 * calm - 0.15 * controls.mouth_width)
            here[:, 0] = x
            here[:, 1] = seam + share * opening * gape(x, name) + thickness * full
        drop = 0.62 * opening - 1.5 * calm
        points[self._groups["chin"], 1] += drop
        outline = points[self._groups["face_outline"]]
        outline[:, 1] += drop * np.clip((outline[:, 1] - 150.0) / 25.0, 0, 1)
        cheeks = points[self._groups["cheeks"]]
        cheeks[:, 1] += 2.4 * calm
        cheeks[:, 0] -= np.sign(cheeks[:, 0] - _MOUTH_CENTRE_X) * 1.2 * calm

    def _move_eyes(self, points: np.ndarray, controls: FaceControls) -> None:
        calm = 1.0 - controls.smile
        for side in ("right", "left"):
            upper = points[self._groups[f"{side}_upper_lid"]]
            lower = points[self._groups[f"{side}_lower_lid"]]
            upper[1:-1, 1] -= 0.7 * calm + 0.5 * max(controls.brow_left, controls.brow_right, 0.0)
            lower[:, 1] += 0.5 * calm - 0.8 * controls.smile
            order = np.argsort(lower[:, 0])
            meet = np.interp(upper[1:-1, 0], lower[order, 0], lower[order, 1]) - 0.2
            upper[1:-1, 1] += controls.blink * (meet - upper[1:-1, 1])

    def _move_brows(self, points: np.ndarray, controls: FaceControls) -> None:
        for side, raised in (("right", controls.brow_right), ("left", controls.brow_left)):
            brow = points[self._groups[f"{side}_brow"]]
            inner = 1 - np.abs(brow[:, 0] - _MOUTH_CENTRE_X) / 42.0
            brow[:, 1] -= 5.0 * raised
            brow[:, 1] += controls.frown * 7.0 * inner
            brow[:, 0] -= np.sign(brow[:, 0] - _MOUTH_CENTRE_X) * 3.2 * controls.frown
        raised = 0.5 * (controls.brow_left + controls.brow_right)
        points[self._groups["forehead"], 1] -= 1.5 * raised

    def _turned(self, points: np.ndarray, controls: FaceControls) -> np.ndarray:
        """Head rotation about the neck, weak perspective; the neck follows half way."""
        head = points[: self._landmark_count] - _NECK_PIVOT
        rotation = _rotation(controls.pitch, controls.yaw, controls.roll)
        turned = head @ rotation.T
        # Weak perspective: what comes nearer grows a little.
        turned[:, :2] *= (1 - (turned[:, 2:] - head[:, 2:]) / 600.0) ** 1.0
        turned[:, 0] += controls.sway
        weight = np.ones((self._landmark_count, 1), np.float32)
        weight[self._groups["neck"]] = 0.35
        moved = points.copy()
        moved[: self._landmark_count] += weight * (turned - head)
        return moved[:, :2]

    def _warped(self, moved: np.ndarray) -> np.ndarray:
        """The portrait pulled along with its landmarks.

        Small triangles are filled first: the flat ones of a closed eye or mouth then vanish under
        their neighbours.
        """
        width, height = self._size
        shown = self._to_view(moved)
        labels = np.full((height, width), -1, np.int32)
        edges = shown[self._triangles]
        one, other = edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0]
        area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
        for index in np.argsort(area):
            triangle = self._triangles[index]
            cv2.fillConvexPoly(
                labels, np.round(shown[triangle] * 16).astype(np.int32), int(index), 8, 4
            )
        target = np.concatenate(
            [shown[self._triangles], np.ones((len(self._triangles), 3, 1), np.float32)], axis=2
        ).astype(np.float64)
        # A closed eye or mouth makes flat triangles; a hair of thickness keeps them solvable.
        target += np.array([[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0]])
        affine = np.linalg.solve(target, self._rest[self._triangles, :2].astype(np.float64))
        affine = affine.astype(np.float32)
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        chosen = affine[np.maximum(labels, 0)]
        source = (
            columns[..., None] * chosen[..., 0, :]
            + rows[..., None] * chosen[..., 1, :]
            + chosen[..., 2, :]
        )
        source = cv2.blur(source, (5, 5))
        return cv2.remap(
            self._portrait, source[..., 0], source[..., 1], cv2.INTER_LANCZOS4, None,
            cv2.BORDER_REPLICATE,
        )  # fmt: skip

    def _paint_mouth(self, image: np.ndarray, moved: np.ndarray, controls: FaceControls) -> None:
        shown = self._to_view(moved)
        upper = shown[self._groups["upper_lip_inner"]]
        lower = shown[self._groups["lower_lip_inner"]]
        outline = _smooth_closed(np.concatenate([upper, lower[::-1]]))
        inside = _soft_polygon(outline, self._size)
        if controls.mouth_open < 0.02:
            seam = _smooth_open(upper)
            _dark_line(image, seam, 2, 0.35)
            return
        left, right = outline[:, 0].min(), outline[:, 0].max()
        top, bottom = outline[:, 1].min(), outline[:, 1].max()
        pad = 6
        box = (
            slice(max(0, int(top) - pad), int(bottom) + pad),
            slice(max(0, int(left) - pad), int(right) + pad),
        )
        rows, columns = np.mgrid[box].astype(np.float32)
        depth = np.clip((rows - top) / max(bottom - top, 1.0), 0, 1)[..., None]
        paint = np.array([52, 18, 18], np.float32) * (1 - 0.3 * depth) + 10
        tongue_y = bottom + (0.55 - 0.35 * controls.mouth_open) * (bottom - top)
        middle = 0.5 * (left + right)
        tongue = 1 - ((columns - middle) / (0.36 * (right - left) + 1)) ** 2
        tongue = tongue - ((rows - tongue_y) / (0.62 * (bottom - top) + 1)) ** 2
        tongue = np.clip(3.0 * tongue, 0, 1)[..., None] * 0.85
        paint = paint * (1 - tongue) + np.array([168, 84, 82], np.float32) * tongue
        paint = self._with_teeth(paint, box, upper)
        alpha = inside[box][..., None]
        image[box] = (image[box] * (1 - alpha) + paint * alpha).astype(np.uint8)

    def _with_teeth(
        self, paint: np.ndarray, box: tuple[slice, slice], upper: np.ndarray
    ) -> np.ndarray:
        """The portrait's own upper teeth, hanging from the moved upper lip."""
        rest = np.ascontiguousarray(self._rest[self._groups["upper_lip_inner"], :2][2:7])
        there = np.ascontiguousarray(upper[2:7])
        affine, _ = cv2.estimateAffinePartial2D(rest, there, method=cv2.LMEDS)
        if affine is None:
            return paint
        width, height = self._size
        teeth = cv2.warpAffine(self._portrait, affine, (width, height), flags=cv2.INTER_CUBIC)[box]
        mask = cv2.warpAffine(self._teeth_mask, affine, (width, height))[box][..., None]
        return paint * (1 - mask) + teeth * mask * 0.93

    def _paint_lashes(self, image: np.ndarray, moved: np.ndarray, controls: FaceControls) -> None:
        if controls.blink < 0.35:
            return
        shown = self._to_view(moved)
        for side in ("right", "left"):
            lid = shown[self._groups[f"{side}_upper_lid"]]
            _dark_line(image, _smooth_open(lid), 2, 0.55 * controls.blink)

    def _mask_of_teeth(self) -> np.ndarray:
        """Where the portrait shows upper teeth, float32, feathered."""
        upper = self._rest[self._groups["upper_lip_inner"], :2]
        lower = self._rest[self._groups["lower_lip_inner"], :2]
        outline = np.concatenate([upper + [0, -0.6], (lower + [0, -0.5])[::-1]])
        mask = np.zeros(self._portrait.shape[:2], np.float32)
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
        return cv2.GaussianBlur(mask, (0, 0), 0.6)

    def _to_view(self, points: np.ndarray) -> np.ndarray:
        return ((points - np.array(VIEW[:2], np.float32)) * self._scale).astype(np.float32)


def _rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Matrix for picture axes: x to the right, y down, depth away from the camera."""
    sine, cosine = np.sin([pitch, yaw, roll]), np.cos([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cosine[0], -sine[0]], [0, sine[0], cosine[0]]])
    about_y = np.array([[cosine[1], 0, -sine[1]], [0, 1, 0], [sine[1], 0, cosine[1]]])
    about_z = np.array([[cosine[2], sine[2], 0], [-sine[2], cosine[2], 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def _delaunay(points: np.ndarray) -> np.ndarray:
    """Triangles over points as index triples (count, 3)."""
    low, high = points.min(0) - 10, points.max(0) + 10
    rectangle = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    division = cv2.Subdiv2D(rectangle)
    for point in points:
        division.insert((float(point[0]), float(point[1])))
    corners = np.array(division.getTriangleList(), np.float32).reshape(-1, 3, 2)
    distance = np.linalg.norm(corners[:, :, None] - points[None, None], axis=3)
    known = distance.min(axis=2).max(axis=1) < 0.05
    return distance.argmin(axis=2)[known]


def _smooth_closed(points: np.ndarray, repeat: int = 2) -> np.ndarray:
    """Corner cutting (Chaikin) of a closed outline."""
    for _ in range(repeat):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1)
        points = points.reshape(-1, 2)
    return points


def _smooth_open(points: np.ndarray, repeat: int = 2) -> np.ndarray:
    for _ in range(repeat):
        ahead, behind = points[1:], points[:-1]
        cut = np.stack([0.75 * behind + 0.25 * ahead, 0.25 * behind + 0.75 * ahead], 1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


def _soft_polygon(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), 1.0).astype(np.float32) / 255


def _dark_line(image: np.ndarray, points: np.ndarray, width: int, strength: float) -> None:
    mask = np.zeros(image.shape[:2], np.uint8)
    line = np.round(points * 16).astype(np.int32)
    cv2.polylines(mask, [line], False, 255, width, cv2.LINE_AA, 4)
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)[..., None] / 255 * strength
    image[:] = (image * (1 - alpha) + np.array([70, 35, 30]) * alpha).astype(np.uint8)
