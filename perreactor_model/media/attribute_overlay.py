"""A video with what was measured of the face in it, so that anybody can look.

Left the picture with the face's box, landmarks and head axes, right a panel with the 25 attributes.
Blue is measured, amber derived from what was measured, hatched grey unknown: unknown is never drawn
as 0. docs/attributes.md has the legend.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import cos, degrees, sin
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    AFFECT_SLICE,
    AROUSAL,
    EXPRESSION_SLICE,
    EXPRESSIONS,
    FRAME_RATE,
    VALENCE,
)
from perreactor_model.face_analysis.observation import FaceObservation, Knowledge
from perreactor_model.face_analysis.recording import frames_of
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import (
    SECOND_NS,
    SoundBlock,
    VideoError,
    probe,
    read_pictures,
    read_sound,
)

PICTURE_SIZE = (640, 480)
PANEL_WIDTH = 360
OVERLAY_SIZE = (PICTURE_SIZE[0] + PANEL_WIDTH, PICTURE_SIZE[1])
"""(width, height) of the pictures drawn."""

MEANINGS = {
    "AU1": "inner brow up", "AU2": "outer brow up", "AU4": "brow down", "AU6": "cheek up",
    "AU7": "lids tight", "AU9": "nose wrinkled", "AU10": "upper lip up", "AU12": "smile",
    "AU14": "dimple", "AU15": "corners down", "AU17": "chin up", "AU23": "lips tight",
    "AU24": "lips pressed", "AU25": "lips apart", "AU26": "jaw drop",
}  # fmt: skip
"""Each action unit in a word or two, after FACS."""

Colour = tuple[int, int, int]
_BACK: Colour = (24, 27, 34)
_TRACK: Colour = (46, 51, 62)
_HATCH: Colour = (84, 90, 102)
_TEXT: Colour = (228, 231, 238)
_MUTED: Colour = (150, 157, 170)
_COLOURS: dict[int, Colour] = {
    Knowledge.MEASURED: (88, 170, 250),
    Knowledge.DERIVED: (245, 184, 92),
}
_BOX: Colour = (88, 170, 250)
_AXES: tuple[Colour, ...] = ((240, 110, 100), (120, 220, 120), (255, 235, 120))
_SMALL_FACE = 80
"""Half a side in pixels; on smaller faces all the landmarks would hide the face."""
_TRAIL = FRAME_RATE
_SAFE_SOUND_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_NOSE_TIP = 4

Trail = Sequence[tuple[float, float]]
"""Valence and arousal of the frames before, oldest first."""


class AttributeOverlay:
    """Writes the overlay of one video; `add` takes its frames' observations in their order.

    Used as the `watch` of `analyze_recording`, on the same file. The original sound comes along.
    Raises VideoError.
    """

    def __init__(self, video: str | Path, out: str | Path) -> None:
        info = probe(video)
        if not info.has_pictures:
            raise VideoError(f"{video} holds sound but no pictures: expected a video of a face")
        factor = min(PICTURE_SIZE[0] / info.width, PICTURE_SIZE[1] / info.height)
        size = (max(2, round(info.width * factor)), max(2, round(info.height * factor)))
        self._scale = size[0] / info.width
        self._frames = frames_of(read_pictures(video, size=size))
        self._title = Path(video).name
        self._rate = info.audio_rate if info.audio_rate in _SAFE_SOUND_RATES else 48_000
        has_sound = info.has_sound
        self._sound = read_sound(video, rate=self._rate) if has_sound else iter(())
        self._block: SoundBlock | None = None
        self._start_ns: int | None = None
        self._trail: deque[tuple[float, float]] = deque(maxlen=_TRAIL)
        self._writer = VideoWriter(
            out, *OVERLAY_SIZE, FRAME_RATE, audio_rate=self._rate if has_sound else 0,
            quality=21, fragmented=False,
        )  # fmt: skip

    def add(self, observation: FaceObservation) -> None:
        """Draw and write the next frame."""
        stamp_ns, picture = next(self._frames)
        assert stamp_ns == observation.stamp_ns, "the observations are of another recording"
        self._start_ns = stamp_ns if self._start_ns is None else self._start_ns
        valence, arousal = (float(value) for value in observation.attributes[AFFECT_SLICE])
        if np.isfinite(valence + arousal):
            self._trail.append((valence, arousal))
        else:
            self._trail.clear()
        image = None if picture is None else picture.image
        seconds = stamp_ns / SECOND_NS
        self._writer.write(
            draw_observation(
                image, observation, scale=self._scale, trail=tuple(self._trail),
                title=f"{self._title}  {int(seconds // 60)}:{seconds % 60:04.1f}",
            )
        )  # fmt: skip
        self._write_sound(self._start_ns, stamp_ns + SECOND_NS // FRAME_RATE)

    def _write_sound(self, start_ns: int, until_ns: int) -> None:
        while True:
            block = self._block or next(self._sound, None)
            self._block = block
            if block is None or block.stamp_ns >= until_ns:
                return
            position = round((block.stamp_ns - start_ns) * self._rate / SECOND_NS)
            early = max(0, -position)
            if early < len(block.samples):
                self._writer.write_sound(block.samples[early:], position + early)
            self._block = None

    def close(self) -> None:
        """Finish the file; calling it again does nothing."""
        self._writer.close()

    def __enter__(self) -> AttributeOverlay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def draw_observation(
    picture: np.ndarray | None,
    seen: FaceObservation,
    *,
    scale: float = 1.0,
    title: str = "",
    trail: Trail = (),
) -> np.ndarray:
    """One frame as RGB uint8 (480, 1000, 3).

    `picture` is RGB uint8 of at most 640x480, `scale` times as large as the one that was analyzed;
    None where there is none. `trail` is valence and arousal of the frames before.
    """
    width, height = PICTURE_SIZE
    image = np.empty((OVERLAY_SIZE[1], OVERLAY_SIZE[0], 3), np.uint8)
    image[:] = _BACK
    shown = image[:, :width]
    if picture is None:
        _write(shown, "no picture", (width // 2 - 40, height // 2), _MUTED, 0.5)
    else:
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        area = shown[top : top + picture.shape[0], left : left + picture.shape[1]]
        area[:] = picture
        if seen.box is not None:
            _draw_face(area, seen, scale)
    _draw_panel(image[:, width:], seen, title, trail)
    return image


# --- The face in the picture ---------------------------------------------------------------------


def _draw_face(area: np.ndarray, seen: FaceObservation, scale: float) -> None:
    assert seen.box is not None
    middle = np.array([seen.box.x, seen.box.y]) * scale
    half = seen.box.side * scale / 2
    if seen.landmarks is not None:
        points = seen.landmarks.astype(np.float32) * scale
        _draw_dots(area, points if half > _SMALL_FACE else points[::3])
        nose = points[_NOSE_TIP] if len(points) > _NOSE_TIP else middle
    else:
        nose = middle
    low, high = np.round([middle - half, middle + half]).astype(int)
    _draw_corners(area, low, high)
    label, corner = f"person {seen.person}", (low[0], max(14, low[1] - 6))
    _write(area, label, corner, _BACK, 0.45, thickness=3)
    _write(area, label, corner, _TEXT, 0.45)
    if np.isfinite(seen.rotation).all():
        _draw_axes(area, nose, 0.8 * half, seen.rotation)


def _draw_dots(area: np.ndarray, points: np.ndarray) -> None:
    """A white pixel each, with a dark one below it: so they are seen on any skin."""
    pixels = np.unique(np.round(points).astype(int), axis=0)
    for shift, brightness in ((1, 0), (0, 255)):
        moved = pixels + [shift, shift]
        inside = (moved >= 0).all(axis=1) & (moved < [area.shape[1], area.shape[0]]).all(axis=1)
        columns, rows = moved[inside].T
        area[rows, columns] = area[rows, columns] * 0.25 + brightness * 0.75


def _draw_corners(area: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """A box of which only the corners are drawn: the face stays in view."""
    arm = max(6, int(high[0] - low[0]) // 8)
    for x, inwards in ((low[0], arm), (high[0], -arm)):
        for y, down in ((low[1], arm), (high[1], -arm)):
            corner = (int(x), int(y))
            cv2.line(area, corner, (int(x + inwards), int(y)), _BOX, 2, cv2.LINE_AA)
            cv2.line(area, corner, (int(x), int(y + down)), _BOX, 2, cv2.LINE_AA)


def _draw_axes(area: np.ndarray, origin: np.ndarray, length: float, rotation: np.ndarray) -> None:
    """To the person's left, up, and where the face looks (yellow), as seen from the camera."""
    turned = _rotation(*(float(angle) for angle in rotation))
    arms = turned @ np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]], np.float64)
    start = tuple(int(value) for value in np.round(origin))
    for arm, colour, thickness in zip(arms.T, _AXES, (1, 1, 2), strict=True):
        end = tuple(int(value) for value in np.round(origin + length * arm[:2]))
        cv2.line(area, start, end, colour, thickness, cv2.LINE_AA)
        if thickness == 2:
            cv2.circle(area, end, 4, colour, -1, cv2.LINE_AA)


def _rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """The head's turn in axes of the picture: x right, y down, z away. Pitch, then yaw, then roll.

    The contract's signs: nodding down, to the face's own left, to its right shoulder.
    """
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    about_y = np.array([[cos(yaw), 0, -sin(yaw)], [0, 1, 0], [sin(yaw), 0, cos(yaw)]])
    about_z = np.array([[cos(roll), sin(roll), 0], [-sin(roll), cos(roll), 0], [0, 0, 1]])
    turned: np.ndarray = about_z @ about_y @ about_x
    return turned


# --- The panel -----------------------------------------------------------------------------------

_MARGIN = 14
_BAR_LEFT, _BAR_RIGHT = 142, PANEL_WIDTH - 50
_FIRST_UNIT, _UNIT_STEP = 68, 17
_CROSS = (_MARGIN + 58, 396, 50)
"""Middle and half width of the valence-arousal cross."""
_FIRST_EXPRESSION, _EXPRESSION_STEP = 342, 14


def _draw_panel(panel: np.ndarray, seen: FaceObservation, title: str, trail: Trail) -> None:
    _write(panel, title, (_MARGIN, 20), _TEXT, 0.45)
    _write(panel, _state(seen), (_MARGIN, 40), _MUTED, 0.42)
    if seen.face_present and seen.calibration < 1:
        _calibration_bar(panel, seen.calibration)
    for number, name in enumerate(ACTION_UNITS):
        middle = _FIRST_UNIT + number * _UNIT_STEP
        value = float(seen.attributes[number])
        _write(panel, name, (_MARGIN, middle + 4), _TEXT, 0.4)
        _write(panel, MEANINGS[name], (_MARGIN + 40, middle + 4), _MUTED, 0.34)
        colour = _COLOURS.get(int(seen.knowledge[number]), _MUTED)
        _bar(panel, (_BAR_LEFT, _BAR_RIGHT), middle, value, colour)
    _draw_cross(panel, seen, trail)
    _draw_expressions(panel, seen)
    _draw_legend(panel)


def _state(seen: FaceObservation) -> str:
    if not seen.face_present:
        return "no face"
    if seen.calibration < 1:
        return f"learning the neutral face: {100 * seen.calibration:.0f} %"
    if not np.isfinite(seen.rotation).all():
        return f"person {seen.person}"
    pitch, yaw, roll = (round(degrees(angle)) for angle in seen.rotation)
    return f"pitch {pitch:+d}  yaw {yaw:+d}  roll {roll:+d} degrees"


def _calibration_bar(panel: np.ndarray, share: float) -> None:
    right = PANEL_WIDTH - _MARGIN
    cv2.rectangle(panel, (_MARGIN, 48), (right, 51), _TRACK, -1)
    filled = _MARGIN + round(share * (right - _MARGIN))
    cv2.rectangle(panel, (_MARGIN, 48), (filled, 51), _COLOURS[Knowledge.DERIVED], -1)


def _bar(
    panel: np.ndarray,
    sides: tuple[int, int],
    middle: int,
    value: float,
    colour: Colour,
    half: int = 5,
) -> None:
    """A bar from 0 to 1 with its number, or hatched and without one where it is unknown."""
    left, right = sides
    cv2.rectangle(panel, (left, middle - half), (right, middle + half), _TRACK, -1)
    if not np.isfinite(value):
        _hatch(panel[middle - half : middle + half + 1, left : right + 1])
        _write(panel, "?", (right + 8, middle + 4), _MUTED, 0.4)
        return
    end = left + round(value * (right - left))
    if end > left:
        cv2.rectangle(panel, (left, middle - half), (end, middle + half), colour, -1)
    _write(panel, f"{value:.2f}", (right + 8, middle + 4), _TEXT if value else _MUTED, 0.38)


def _hatch(area: np.ndarray) -> None:
    rows, columns = np.indices(area.shape[:2])
    area[(rows + columns) % 6 < 2] = _HATCH


def _draw_cross(panel: np.ndarray, seen: FaceObservation, trail: Trail) -> None:
    x, y, half = _CROSS
    cv2.rectangle(panel, (x - half, y - half), (x + half, y + half), _TRACK, -1)
    known = np.isfinite(seen.attributes[AFFECT_SLICE]).all()
    if not known:
        _hatch(panel[y - half : y + half + 1, x - half : x + half + 1])
    cv2.line(panel, (x - half, y), (x + half, y), _HATCH, 1)
    cv2.line(panel, (x, y - half), (x, y + half), _HATCH, 1)
    _write(panel, "arousal", (x - half, y - half - 5), _MUTED, 0.34)
    if not known:
        _write(panel, "valence ?", (x - half, y + half + 13), _MUTED, 0.36)
        return
    valence, arousal = float(seen.attributes[VALENCE]), float(seen.attributes[AROUSAL])
    places = [(round(x + half * v), round(y - half * a)) for v, a in (*trail, (valence, arousal))]
    colour = _COLOURS.get(int(seen.knowledge[VALENCE]), _MUTED)
    for one, other in pairwise(places):
        cv2.line(panel, one, other, _MUTED, 1, cv2.LINE_AA)
    cv2.circle(panel, places[-1], 5, colour, -1, cv2.LINE_AA)
    _write(panel, f"val {valence:+.2f} aro {arousal:+.2f}", (_MARGIN, y + half + 13), _MUTED, 0.34)


def _draw_expressions(panel: np.ndarray, seen: FaceObservation) -> None:
    shares = seen.attributes[EXPRESSION_SLICE]
    known = np.isfinite(shares).all()
    best = int(np.argmax(shares)) if known else -1
    for number, name in enumerate(EXPRESSIONS):
        middle = _FIRST_EXPRESSION + number * _EXPRESSION_STEP
        _write(panel, name, (_BAR_LEFT, middle + 4), _TEXT if number == best else _MUTED, 0.38)
        colour = _COLOURS.get(int(seen.knowledge[EXPRESSION_SLICE.start + number]), _MUTED)
        sides = (_BAR_LEFT + 66, _BAR_RIGHT)
        _bar(panel, sides, middle, float(shares[number]), colour, half=4)


def _draw_legend(panel: np.ndarray) -> None:
    entries = (("measured", Knowledge.MEASURED), ("derived", Knowledge.DERIVED), ("unknown", 0))
    for place, (name, knowledge) in enumerate(entries):
        left = _BAR_LEFT + place * 70
        swatch = panel[464:472, left : left + 8]
        swatch[:] = _COLOURS.get(knowledge, _TRACK)
        if not knowledge:
            _hatch(swatch)
        _write(panel, name, (left + 12, 472), _MUTED, 0.34)


def _write(
    image: np.ndarray,
    text: str,
    corner: tuple[int, int],
    colour: Colour,
    size: float,
    thickness: int = 1,
) -> None:
    """Text in OpenCV's own font, which knows ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    place = (int(corner[0]), int(corner[1]))
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, plain, place, font, size, colour, thickness, cv2.LINE_AA)
