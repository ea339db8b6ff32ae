"""Pieces of HTML from plain values: everything that comes from a recording is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from perreactor_model.report.palette import ROBOT_COLOURS

NONE = "–"


def text(value: object) -> str:
    """Escaped, for content and for attributes alike."""
    return escape(str(value), quote=True)


def number(value: Any, digits: int = 3) -> str:
    """HTML with `digits` significant ones, or a dash for what is undefined; a true minus sign."""
    if value is None:
        return NONE
    if isinstance(value, (bool, str)):
        return text(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".replace("-", "−").split("e")
        power = exponent.replace("+", "").replace("−0", "−").lstrip("0")
        return f"{mantissa}\u202f×\u202f10<sup>{power}</sup>"
    places = max(0, min(5, digits - 1 - _exponent(value)))
    return f"{value:.{places}f}".replace("-", "−")


def fixed(value: float | None, places: int = 2) -> str:
    """So many places after the point, or a dash; no minus before what rounds to zero."""
    if value is None:
        return NONE
    shown = f"{value:.{places}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown.replace("-", "−")


def percent(share: float | None) -> str:
    """A share of 0..1; never rounded to all or nothing."""
    if share is None:
        return NONE
    places = 0 if share in (0, 1) else 1
    if 0.9995 <= share < 1 or 0 < share < 0.0005:
        places = 2
    shown = min(100 * share, 99.99) if share < 1 else 100.0
    return f"{shown:.{places}f}\u202f%"


def count(number_of: int, one: str, many: str = "") -> str:
    """`1 robot`, `2 robots`."""
    return f"{number(number_of)} {one if number_of == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """In words that fit the size: `8.4 s`, `3 min 7 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str,
    css_class: str = "",
    title_shown: bool = True,
) -> str:
    """A table in a box that scrolls sideways; all arguments are HTML. First cells head their rows.

    The title stands outside of the box, so that it is never scrolled away; where a heading says the
    same it is only read out.
    """
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    kind = f' class="{css_class}"' if css_class else ""
    above = f'<p class="table-title">{title}</p>' if title_shown else ""
    return (
        f'{above}<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<table{kind} aria-label="{title}"><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def section(key: str, title: str, *parts: str) -> str:
    """A part of the page with its heading."""
    body = "\n".join(part for part in parts if part)
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{title}</h2>\n{body}</section>'
    )


def paragraph(content: str, css_class: str = "") -> str:
    """`content` is HTML."""
    kind = f' class="{css_class}"' if css_class else ""
    return f"<p{kind}>{content}</p>"


def robot_name(place: int, robot: str, profile: str) -> str:
    """A robot with the colour that its curves have."""
    colour = f"--robot-{place}" if place < ROBOT_COLOURS else "--muted"
    return (
        f'<span class="swatch" style="--swatch:var({colour})"></span>{text(robot)}'
        f"<br><small>{text(profile)}</small>"
    )


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1]) if value else 0
