"""A reaction drawn as a schematic face: brows, eyes, nose and mouth follow the action units.

The face is described in units of half its height, x to the picture's right, y down, depth away from
the viewer, then turned by the reaction's head rotation and drawn with OpenCV. Nothing here thinks:
the same vectors always give the same picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    AROUSAL,
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    COEFFICIENT_COUNT,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
    VALENCE,
)
from perreactor_model.media.face_style import ROBOT, Colour, FaceStyle, mixed

_SHIFT = 4
"""Fractional bits of the coordinates given to OpenCV: features move by sixteenths of a pixel."""

_PLEASED = np.array([255, 206, 150], np.float32)
_DISPLEASED = np.array([206, 204, 214], np.float32)
_EYE_REACH = 0.12
"""How far pupils go for a gaze of 0.5 rad, in units of the face."""


@dataclass(frozen=True)
class DrawingOptions:
    """`gain` lifts small action units so that they can be seen (1 = as they are); full stays full.

    `pose_gain` multiplies head rotation and translation.
    """

    gain: float = 2.0
    pose_gain: float = 1.0


def draw_face(
    attributes: np.ndarray,
    coefficients: np.ndarray,
    size: int = 240,
    *,
    blink: float = 0.0,
    gaze: tuple[float, float] = (0.0, 0.0),
    options: DrawingOptions | None = None,
    style: FaceStyle = ROBOT,
) -> np.ndarray:
    """One reaction as RGB uint8 (size, size, 3).

    `attributes` (25,) and `coefficients` (58,) are in the contract's order; NaN counts as 0.
    `blink` 0..1 closes the eyes and `gaze` turns them (yaw, pitch in rad, signs of the head's; no
    number of the contract does). `style` is whose face it is. Raises ValueError for other shapes.
    """
    attributes = _checked(attributes, ATTRIBUTE_COUNT, "attributes")
    coefficients = _checked(coefficients, COEFFICIENT_COUNT, "coefficients")
    options = options or DrawingOptions()
    units = 1 - (1 - np.clip(attributes[: len(ACTION_UNITS)], 0, 1)) ** options.gain
    face = _Face(size, coefficients * options.pose_gain, style)
    action = dict(zip(ACTION_UNITS, units.tolist(), strict=True))
    valence = float(np.clip(attributes[VALENCE], -1, 1))
    arousal = float(np.clip(attributes[AROUSAL], -1, 1))
    _draw_head(face, action, valence)
    for side in (-1.0, 1.0):
        _draw_eye(face, side, action, blink, arousal, gaze)
        _draw_brow(face, side, action)
    _draw_nose(face, action)
    _draw_mouth(face, action, valence)
    return face.image


def _checked(values: np.ndarray, count: int, name: str) -> np.ndarray:
    values = np.nan_to_num(np.asarray(values, np.float32))
    if values.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), not {values.shape}")
    return values


class _Face:
    """The picture and the head's pose: turns points of the face into pixels."""

    def __init__(self, size: int, coefficients: np.ndarray, style: FaceStyle) -> None:
        self.style = style
        self.image = np.empty((size, size, 3), np.uint8)
        self.image[:] = style.background
        self.unit = 0.40 * size * style.scale
        pitch, yaw, roll = np.clip(coefficients[ROTATION_SLICE], -0.6, 0.6)
        shift = np.tanh(coefficients[TRANSLATION_SLICE]) * [0.15, -0.15, 0.0]
        self._nearness = 1.0 + 0.12 * float(np.tanh(coefficients[TRANSLATION_SLICE][2]))
        self._centre = np.asarray(style.centre) * size + shift[:2] * self.unit
        self._rotation = _rotation(float(pitch), float(yaw), float(roll))

    def pixels(self, points: np.ndarray, depth: float | None = None) -> np.ndarray:
        """Points (n, 2) on the front of the face, or at a given depth, as pixels (n, 2)."""
        points = np.asarray(points, np.float64) * [self.style.width, 1.0]
        if depth is None:
            bulge = 1 - (points[:, 0] / 1.05) ** 2 - (points[:, 1] / 1.25) ** 2
            away = -0.55 * np.sqrt(np.clip(bulge, 0.02, None))
        else:
            away = np.full(len(points), depth)
        turned = np.column_stack([points, away]) @ self._rotation.T
        near = self._nearness / (1 + 0.12 * turned[:, 2:])
        return self._centre + turned[:, :2] * near * self.unit

    def fill(self, pixels: np.ndarray, colour: Colour) -> None:
        cv2.fillPoly(self.image, [_fixed(pixels)], colour, cv2.LINE_AA, _SHIFT)

    def line(self, pixels: np.ndarray, width: float, colour: Colour | None = None) -> None:
        """An open stroke; `width` in units of the face, `colour` the style's ink by default."""
        colour = self.style.ink if colour is None else colour
        thickness = max(1, round(width * self.unit))
        cv2.polylines(self.image, [_fixed(pixels)], False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def dot(self, pixel: np.ndarray, radius: float, colour: Colour) -> None:
        scaled = max(1, round(radius * self.unit * (1 << _SHIFT)))
        centre = tuple(_fixed(pixel[None])[0].tolist())
        cv2.circle(self.image, centre, scaled, colour, -1, cv2.LINE_AA, _SHIFT)


def _draw_head(face: _Face, action: dict[str, float], valence: float) -> None:
    skin = _skin_colour(face.style, valence)
    if face.style.hair is not None:
        _draw_hair_behind(face, face.style.hair)
    for side in (-1.0, 1.0):
        ear = face.pixels(np.array([[0.92 * side, -0.02]]), depth=0.12)[0]
        face.dot(ear, 0.15, face.style.ear)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    jaw = np.where(np.sin(angle) > 0, 1.0 + 0.10 * action["AU26"], 1.0)
    width = np.where(np.sin(angle) > 0, 0.90 - 0.08 * np.sin(angle) ** 2, 0.90)
    outline = np.column_stack([width * np.cos(angle), 1.02 * jaw * np.sin(angle)])
    head = face.pixels(outline, depth=0.0)
    face.fill(head, skin)
    face.line(np.vstack([head, head[:1]]), 0.025, _darker(skin, 0.72))
    blush = np.clip(0.15 + 0.7 * action["AU6"] + 0.3 * action["AU12"], 0, 1)
    cheek = mixed(skin, (244, 140, 124), 0.5 * blush)
    for side in (-1.0, 1.0):
        height = 0.30 - 0.07 * action["AU6"]
        face.dot(face.pixels(np.array([[0.50 * side, height]]))[0], 0.15, cheek)
    if action["AU17"] > 0.05:
        chin = np.column_stack([np.linspace(-0.14, 0.14, 7), 0.80 - 0.05 * _bow(7)])
        face.line(face.pixels(chin), 0.025, mixed(skin, face.style.ink, 0.6 * action["AU17"]))
    if face.style.hair is not None:
        _draw_fringe(face, face.style.hair)


def _draw_hair_behind(face: _Face, colour: Colour) -> None:
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    low = np.where(np.sin(angle) > 0, face.style.hair_length, 1.12)
    outline = np.column_stack([1.04 * np.cos(angle), low * np.sin(angle)])
    face.fill(face.pixels(outline, depth=0.2), colour)


def _draw_fringe(face: _Face, colour: Colour) -> None:
    """Hair over the forehead, down to the style's hairline."""
    angle = np.linspace(np.pi, 2 * np.pi, 20)
    above = np.column_stack([0.93 * np.cos(angle), 1.06 * np.sin(angle)])
    across = np.linspace(0.9, -0.9, 12)
    below = np.column_stack([across, face.style.hairline + 0.35 * across**2])
    face.fill(np.vstack([face.pixels(above, depth=0.0), face.pixels(below, depth=-0.1)]), colour)


def _draw_eye(
    face: _Face,
    side: float,
    action: dict[str, float],
    blink: float,
    arousal: float,
    gaze: tuple[float, float],
) -> None:
    raised = 0.5 * (action["AU1"] + action["AU2"])
    upper = 0.150 * (1 + 0.30 * raised + 0.12 * arousal) * (1 - 0.45 * action["AU7"])
    lower = 0.115 * (1 - 0.60 * action["AU6"]) * (1 - 0.45 * action["AU7"])
    closed = 1 - float(np.clip(blink, 0, 1))
    upper, lower = upper * closed - 0.03 * (1 - closed), lower * closed + 0.03 * (1 - closed)
    upper, lower = upper * face.style.eye_size, lower * face.style.eye_size
    across = np.linspace(-1, 1, 13)
    arch = np.sqrt(np.clip(1 - across**2, 0, 1))
    x = face.style.eye_place * side + 0.185 * face.style.eye_size * across
    y = np.full(13, -0.16)
    lid, under = np.column_stack([x, y - upper * arch]), np.column_stack([x, y + lower * arch])
    lid_pixels, under_pixels = face.pixels(lid), face.pixels(under)
    opening = np.vstack([lid_pixels, under_pixels[::-1]])
    face.fill(opening, (255, 255, 255))
    if upper + lower > 0.05:
        _draw_pupil(face, side, opening, gaze)
    face.line(lid_pixels, 0.035)
    face.line(under_pixels, 0.014)


def _draw_pupil(face: _Face, side: float, opening: np.ndarray, gaze: tuple[float, float]) -> None:
    """Iris, pupil and a light, clipped by the lids."""
    yaw, pitch = np.clip(gaze, -0.5, 0.5) / 0.5 * _EYE_REACH
    centre = face.pixels(np.array([[face.style.eye_place * side + yaw, -0.165 + 0.6 * pitch]]))[0]
    reach = 0.15 * face.unit
    low = np.maximum(np.floor(np.minimum(opening.min(0), centre - reach)).astype(int), 0)
    high = np.ceil(np.maximum(opening.max(0), centre + reach)).astype(int) + 1
    high = np.minimum(high, len(face.image))
    if np.any(high - low < 2):
        return
    box = (slice(low[1], high[1]), slice(low[0], high[0]))
    before = face.image[box].copy()
    face.dot(centre, 0.112, face.style.iris)
    face.dot(centre, 0.062, (24, 24, 30))
    face.dot(centre + np.array([0.035, -0.04]) * face.unit, 0.026, (255, 255, 255))
    mask = np.zeros(before.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(opening - low)], 255, cv2.LINE_AA, _SHIFT)
    cv2.copyTo(before, cv2.bitwise_not(cv2.threshold(mask, 127, 255, 0)[1]), face.image[box])


def _draw_brow(face: _Face, side: float, action: dict[str, float]) -> None:
    along = np.linspace(0, 1, 9)  # 0 at the nose, 1 at the temple
    inner, outer = (1 - along) ** 1.3, along**1.3
    x = 0.17 + 0.41 * along - 0.06 * action["AU4"] * (1 - along)
    y = -0.47 - 0.06 * np.sin(np.pi * along**0.8)
    y = y - 0.17 * action["AU1"] * inner - 0.17 * action["AU2"] * outer
    y = y + action["AU4"] * (0.15 * inner + 0.04) + face.style.brow_drop
    colour = face.style.brow or face.style.ink
    face.line(face.pixels(np.column_stack([side * x, y])), face.style.brow_width, colour)


def _draw_nose(face: _Face, action: dict[str, float]) -> None:
    wrinkle = action["AU9"]
    lift = 0.05 * wrinkle + 0.02 * action["AU10"]
    half = 0.085 + 0.025 * wrinkle
    wing = np.array([[-half, 0.16], [-0.05, 0.205], [0, 0.215], [0.05, 0.205], [half, 0.16]])
    wing = wing * [face.style.nose_width, 1.0] - [0.0, lift]
    face.line(face.pixels(wing), 0.03)
    if wrinkle > 0.03:
        for step in range(3):
            y = -0.19 + 0.07 * step
            fold = np.array([[-0.07, y], [0.0, y - 0.03], [0.07, y]])
            face.line(face.pixels(fold), 0.018, face.style.shade(wrinkle))


def _draw_mouth(face: _Face, action: dict[str, float], valence: float) -> None:
    half = 0.27 + 0.11 * action["AU12"] + 0.05 * action["AU14"] + 0.03 * action["AU15"]
    half -= 0.09 * action["AU23"]
    corner = -0.17 * action["AU12"] + 0.13 * action["AU15"] - 0.035 * valence
    gape = 0.09 * action["AU25"] + 0.26 * action["AU26"]
    full = 0.050 * (1 - 0.75 * action["AU24"]) * (1 - 0.35 * action["AU23"])
    half *= face.style.mouth_width
    full *= face.style.lip_size
    across = np.linspace(-1, 1, 17)
    arch = 1 - across**2
    seam = 0.50 + corner * (1 - arch) - 0.35 * corner * arch - 0.05 * action["AU17"] * arch
    top = seam - (0.15 * gape + 0.075 * action["AU10"]) * arch
    bottom = seam + (0.85 * gape + 0.02 * action["AU10"]) * arch
    x = half * across
    bow = arch**0.7
    upper, lower = np.column_stack([x, top]), np.column_stack([x, bottom])
    lips = np.vstack(
        [
            np.column_stack([x, top - full * bow]),
            np.column_stack([x, bottom + 1.2 * full * bow])[::-1],
        ]
    )
    face.fill(face.pixels(lips), face.style.lips)
    inside = np.vstack([face.pixels(upper), face.pixels(lower)[::-1]])
    if np.max(bottom - top) > 0.015:
        face.fill(inside, (92, 30, 36))
        teeth = np.minimum(top + 0.055 * arch, bottom)
        face.fill(
            np.vstack([face.pixels(upper), face.pixels(np.column_stack([x, teeth]))[::-1]]),
            (250, 248, 244),
        )
    else:
        face.line(face.pixels(upper), 0.028, (110, 40, 46))
    if action["AU14"] > 0.03:
        _draw_dimples(face, half, 0.50 + corner, action["AU14"])


def _draw_dimples(face: _Face, half: float, height: float, strength: float) -> None:
    colour = face.style.shade(0.8 * strength)
    for side in (-1.0, 1.0):
        x = side * (half + 0.06 + 0.02 * _bow(5))
        mark = np.column_stack([x, height + np.linspace(-0.07, 0.07, 5)])
        face.line(face.pixels(mark), 0.025, colour)


def _bow(count: int) -> np.ndarray:
    """0 at both ends, 1 in the middle."""
    return 1 - np.linspace(-1, 1, count) ** 2


def _fixed(pixels: np.ndarray) -> np.ndarray:
    return np.round(pixels * (1 << _SHIFT)).astype(np.int32)


def _rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """The contract's head rotation for picture axes (x right, y down, depth away)."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([pitch, yaw, roll]), np.cos([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _skin_colour(style: FaceStyle, valence: float) -> Colour:
    target = _PLEASED if valence > 0 else _DISPLEASED
    return mixed(style.skin, target, style.tint * abs(valence))


def _darker(colour: Colour, share: float) -> Colour:
    return mixed((0, 0, 0), colour, share)


def strongest_action_units(attributes: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
    """The `count` highest action units with their values, highest first."""
    units = np.asarray(attributes, np.float32)[: len(ACTION_UNITS)]
    order = np.argsort(-units, kind="stable")[:count]
    return [(ATTRIBUTES[index], float(units[index])) for index in order]
