"""The speaker and every robot's drawn face side by side in one picture, with captions."""

from dataclasses import dataclass

import cv2
import numpy as np

from perreactor_model.contract import AROUSAL, EXPRESSION_SLICE, EXPRESSIONS, VALENCE
from perreactor_model.media.face_drawing import (
    DrawingOptions,
    draw_face,
    strongest_action_units,
)

VIEW_HEIGHT = 480
SPEAKER_WIDTH = 640
_CAPTION_HEIGHT = 72
_PAPER = (232, 236, 240)
_DARK = (28, 30, 38)
_INK = (40, 36, 44)
_WARNING = (255, 196, 84)


@dataclass(frozen=True)
class Panel:
    """One robot's part of the picture. Without a reaction yet, `attributes` is None.

    `attributes` (25,) and `coefficients` (58,) are in the contract's order.
    """

    robot: str
    profile: str
    attributes: np.ndarray | None = None
    coefficients: np.ndarray | None = None
    note: str = ""


def view_size(robots: int) -> tuple[int, int]:
    """(width, height) of the picture that `compose` makes for so many robots; both are even."""
    rows, columns = _grid(robots)
    return SPEAKER_WIDTH + columns * _tile_width(rows), VIEW_HEIGHT


def compose(
    speaker: np.ndarray | None,
    panels: list[Panel],
    caption: str = "",
    options: DrawingOptions | None = None,
) -> np.ndarray:
    """RGB uint8 picture of `view_size(len(panels))`: the speaker left, the robots right.

    `speaker` is RGB uint8 of any size (fitted, not stretched) or None before the first image.
    `caption` is written over the speaker's lower edge, for instance "untrained weights".
    """
    width, height = view_size(len(panels))
    image = np.empty((height, width, 3), np.uint8)
    image[:] = _DARK
    if speaker is not None:
        _place_fitted(image[:, :SPEAKER_WIDTH], speaker)
    else:
        _write(image, "waiting for the speaker", (20, height // 2), 0.7, (200, 200, 200))
    if caption:
        image[height - 34 : height, :SPEAKER_WIDTH] //= 3
        _write(image, caption, (12, height - 11), 0.6, _WARNING)
    rows, columns = _grid(len(panels))
    tile_width, tile_height = _tile_width(rows), height // rows
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        left, top = SPEAKER_WIDTH + column * tile_width, row * tile_height
        _draw_panel(image[top : top + tile_height, left : left + tile_width], panel, options)
    return image


def _grid(robots: int) -> tuple[int, int]:
    """Rows and columns of the robots' tiles: two abreast in one row, then more rows."""
    if robots == 0:
        return 1, 0
    rows = 1 if robots <= 2 else 2 if robots <= 8 else 3
    return rows, -(-robots // rows)


def _tile_width(rows: int) -> int:
    return {1: 400, 2: 240}.get(rows, 200)


def _draw_panel(tile: np.ndarray, panel: Panel, options: DrawingOptions | None) -> None:
    height, width = tile.shape[:2]
    tile[:] = _PAPER
    side = min(width, height - _CAPTION_HEIGHT)
    scale = 0.55 if width >= 300 else 0.4
    line = 20 if width >= 300 else 17
    if panel.attributes is None or panel.coefficients is None:
        _write(tile, "no reaction", (10, height // 2), scale, _INK)
    else:
        left, top = (width - side) // 2, (height - _CAPTION_HEIGHT - side) // 2
        tile[top : top + side, left : left + side] = draw_face(
            panel.attributes, panel.coefficients, side, options=options
        )
    tile[:, :2] = _DARK
    lines = [f"{panel.robot}: {panel.profile}", *_captions(panel)]
    for number, text in enumerate(lines):
        bottom = height - _CAPTION_HEIGHT + 18 + number * line
        _write(tile, text, (10, bottom), scale if number == 0 else 0.85 * scale, _INK)


def _captions(panel: Panel) -> list[str]:
    if panel.attributes is None:
        return [panel.note] if panel.note else []
    units = "  ".join(f"{name} {value:.2f}" for name, value in _strongest(panel.attributes))
    expressions = panel.attributes[EXPRESSION_SLICE]
    best = int(np.argmax(expressions))
    mood = (
        f"{EXPRESSIONS[best]} {expressions[best]:.2f}  "
        f"val {panel.attributes[VALENCE]:+.2f}  aro {panel.attributes[AROUSAL]:+.2f}"
    )
    return [units, f"{mood}  {panel.note}".rstrip()]


def _strongest(attributes: np.ndarray) -> list[tuple[str, float]]:
    return strongest_action_units(attributes, 3)


def _place_fitted(area: np.ndarray, picture: np.ndarray) -> None:
    """Scale a picture into an area, keeping its proportions, centred."""
    factor = min(area.shape[0] / picture.shape[0], area.shape[1] / picture.shape[1])
    height = max(1, round(picture.shape[0] * factor))
    width = max(1, round(picture.shape[1] * factor))
    if (height, width) != picture.shape[:2]:
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (width, height), interpolation=method)
    top, left = (area.shape[0] - height) // 2, (area.shape[1] - width) // 2
    area[top : top + height, left : left + width] = picture


def _write(
    image: np.ndarray,
    text: str,
    corner: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    """Text in OpenCV's own font, which knows ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(image, plain, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
