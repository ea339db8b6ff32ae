"""Pictures of listeners for anybody: traits beside the average, typical movements, who is alike.

Drawn with the report's colours and settings; matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perreactor_model.profiles.comparison import Average, Similarity
from perreactor_model.profiles.figure_parts import Part, Portrayed, Row, parts_of
from perreactor_model.report.canvas import drawing, new_figure
from perreactor_model.report.palette import LIGHT, robot_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 160
_INCHES = 8.6
_EDGE = 0.5
_LABEL = 2.45
_REMARK = 2.0
_BAR = _INCHES - 2 * _EDGE - _LABEL - _REMARK
_PART_HEAD = 0.62
_PART_FOOT = 0.28
_ROW = 0.4
_TITLE_LETTERS = 36
_SUMMARY_LETTERS = 84
"""So many fit into a line; a longer title is written smaller."""


@dataclass(frozen=True)
class Sheet:
    """What a picture says around its charts; a warning is a line or two."""

    title: str
    summary: str
    footer: tuple[str, ...]
    warning: str = ""


def draw_listeners(
    path: Path,
    sheet: Sheet,
    listeners: Sequence[Portrayed],
    average: Average | None = None,
    others: Sequence[tuple[str, Similarity]] = (),
) -> None:
    """Write a PNG of one listener, or of two side by side. Raises OSError."""
    parts = parts_of(listeners, average, others)
    with drawing():
        page = _Page(sheet, listeners, parts)
        page.figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


class _Page:
    """One figure, written from top to bottom; lengths are inches."""

    def __init__(self, sheet: Sheet, listeners: Sequence[Portrayed], parts: Sequence[Part]) -> None:
        two = len(listeners) > 1
        self._row = _ROW + 0.08 if two else _ROW
        summary = textwrap.wrap(sheet.summary, _SUMMARY_LETTERS)
        head = 1.0 + 0.2 * len(summary) + 0.5 * bool(sheet.warning) + 0.25 * two
        rows = sum(len(part.rows) for part in parts)
        inner = len(parts) * (_PART_HEAD + _PART_FOOT) + rows * self._row
        self._height = head + inner + 0.35 + 0.18 * len(sheet.footer)
        self.figure: Figure = new_figure(_INCHES, self._height)
        self.figure.set_facecolor(LIGHT["card"])
        self._below = head
        self._write_head(sheet, summary, listeners)
        for part in parts:
            self._write_part(part)
        for line, text in enumerate(reversed(sheet.footer)):
            from_end = self._height - 0.28 - 0.18 * line
            self._write(_EDGE, from_end, text, size=7.5, color=LIGHT["muted"])

    def _write(self, right: float, below: float, text: str, **looks: Any) -> None:
        self.figure.text(right / _INCHES, 1 - below / self._height, text, **looks)

    def _write_head(
        self, sheet: Sheet, summary: Sequence[str], listeners: Sequence[Portrayed]
    ) -> None:
        size = min(20.0, 20.0 * _TITLE_LETTERS / len(sheet.title))
        self._write(_EDGE, 0.68, sheet.title, size=size, weight="bold")
        below = 1.0
        for line in summary:
            self._write(_EDGE, below, line, size=10.5, color=LIGHT["muted"])
            below += 0.2
        if len(listeners) > 1:
            right = _EDGE
            for number, each in enumerate(listeners):
                self._write(right, below + 0.1, "■", size=11, color=robot_colour(number))
                self._write(right + 0.2, below + 0.1, each.name, size=10)
                right += 0.55 + 0.095 * len(each.name)
            below += 0.25
        if sheet.warning:
            box = {"boxstyle": "round,pad=0.6", "fc": LIGHT["warn-tint"], "ec": "none"}
            self._write(
                _EDGE + 0.08, below + 0.2, sheet.warning,
                size=8.5, va="center", color=LIGHT["warn"], bbox=box,
            )  # fmt: skip

    def _write_part(self, part: Part) -> None:
        self._write(_EDGE, self._below + 0.26, part.title, size=11.5, weight="bold")
        self._write(_EDGE, self._below + 0.46, part.hint, size=8, color=LIGHT["muted"])
        self._below += _PART_HEAD
        for row in part.rows:
            self._write_row(row, self._below + 0.5 * self._row)
            self._below += self._row
        self._below += _PART_FOOT

    def _write_row(self, row: Row, middle: float) -> None:
        lift = 0.07 if row.meaning else 0.0
        self._write(_EDGE, middle - lift, row.title, size=9, va="center")
        self._write(_EDGE, middle + 0.08, row.meaning, size=7, va="center", color=LIGHT["muted"])
        begin = _EDGE + _LABEL
        self._write(begin + _BAR + 0.15, middle, row.remark, size=8, va="center", linespacing=1.5)
        place = (
            begin / _INCHES,
            1 - (middle + 0.5 * self._row) / self._height,
            _BAR / _INCHES,
            self._row / self._height,
        )
        _draw_bars(self.figure.add_axes(place), row)


def _draw_bars(axes: Axes, row: Row) -> None:
    """A pale track, the listeners' bars from zero, the average as an upright mark."""
    axes.set_axis_off()
    axes.set_xlim(row.low, row.high)
    axes.set_ylim(-0.5, 0.5)
    two = len(row.values) > 1
    thick = 0.28 if two else 0.36
    for number, value in enumerate(row.values):
        y = 0.18 - 0.36 * number if two else 0.0
        axes.barh(y, row.high - row.low, thick, left=row.low, color=LIGHT["tint"], lw=0)
        if value is not None:
            shown = min(max(value, row.low), row.high)
            axes.barh(y, shown, thick, color=robot_colour(number), lw=0)
    if row.low < 0:
        axes.plot([0, 0], [-0.34, 0.34], color=LIGHT["muted"], lw=0.8)
    if row.mark is not None:
        axes.plot(
            [row.mark, row.mark], [-0.4, 0.4],
            color=LIGHT["real"], lw=2.4, solid_capstyle="butt", clip_on=False,
        )  # fmt: skip
