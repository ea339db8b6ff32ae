"""Figures as SVG text: the same bytes every time, for a file or for the page.

matplotlib is imported when the first figure is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perreactor_model.report.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_INCHES = 8.4
NARROW_INCHES = 3.4
"""At its widest on a desk, and on a phone: text must be readable on both."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.parse_math": False,
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["line"],
    "axes.facecolor": "none",
    "axes.labelcolor": LIGHT["muted"],
    "axes.linewidth": 0.8,
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "lines.solid_joinstyle": "round",
    "path.simplify": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
}


_COORDINATES = re.compile(r'\b(?:d|x|y|width|height|transform|viewBox)="[^"]*"')
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
"""A hundredth of a point is finer than any screen; more digits would double the page."""


@dataclass(frozen=True)
class Drawn:
    """One figure twice: for a desk's width and for a phone's. SVG text in light colours."""

    name: str
    description: str
    """What it shows, for those who do not see it."""
    wide: str
    narrow: str


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib's settings for a figure, put back afterwards; no display is needed."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new_figure(inches: float, height: float) -> Figure:
    """An empty figure without a window."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches, height))
    FigureCanvasSVG(figure)
    return figure


def svg_text(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element whose ids begin with `name`."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', text)
    text = _COORDINATES.sub(lambda found: _LONG_NUMBER.sub(r"\1", found[0]), text)
    return re.sub(r"[ \t]+\n", "\n", text).strip()


def as_file(text: str) -> str:
    """A file of its own: light, on paper, so that any viewer and any document shows it."""
    paper = f'<rect width="100%" height="100%" fill="{LIGHT["card"]}"/>'
    end = text.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text[:end]}\n{paper}{text[end:]}\n'


def in_page(text: str, description: str, css_class: str) -> str:
    """Inline in the page: colours and font follow the style sheet."""
    for name, colour in LIGHT.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", text)
    head, rest = text[: text.index(">")], text[text.index(">") :]
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} class="{css_class}" role="img" aria-label="{description}"{rest}'


def quiet(axes: Axes) -> None:
    """Only what guides the eye: a base line and faint rules."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
