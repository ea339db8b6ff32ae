"""Recordings for report tests: made of arithmetic, a second or a few long.

Fixtures that are functions: `reaction(robot, frames, ...)` makes a track, `contents(...)` a whole
with everything that is not given left out, `read_page(folder)` what a browser would see.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perreactor_model.contract import FRAME_NS
from perreactor_model.report.contents import BundleFacts, ReactionTrack, ReportContents

BEGIN_NS = 1_700_000_000_000_000_000

_VOID = {"meta", "br", "source", "path", "use", "rect", "line", "img", "link", "circle"}


def make_reaction(
    robot: str = "robot_a", frames: int = 100, sample: int = 0, **replaced: Any
) -> ReactionTrack:
    """A face that moves smoothly, each attribute at a pace of its own."""
    seconds = np.arange(frames)[:, None] / 25 + 0.3 * sample
    pace = 0.2 + 0.05 * np.arange(25)
    values = {
        "robot": robot,
        "profile": "warm",
        "sample": sample,
        "stamp_ns": BEGIN_NS + np.arange(frames) * FRAME_NS,
        "attributes": 0.4 + 0.3 * np.sin(2 * np.pi * pace * seconds),
        "coefficients": 0.1 * np.cos(seconds + np.arange(58)),
        "epoch": np.zeros(frames),
        "confidence": np.ones(frames),
    }
    return ReactionTrack(**(values | replaced))


def make_contents(**given: Any) -> ReportContents:
    """A report of 4 s in which nothing but what is given happened."""
    values: dict[str, Any] = {
        "title": "conversation",
        "command": "perreactor replay conversation --seed 1",
        "bundle": BundleFacts("some_bundle", "some_bundle-0123456789ab", trained=True),
        "reactions": [],
        "begin_ns": BEGIN_NS,
        "end_ns": BEGIN_NS + 4_000_000_000,
    }
    return ReportContents(**(values | given))


@dataclass
class Page(HTMLParser):
    """A page as elements and text; complains of tags that do not nest."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID or tag in ("path", "use", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is to be read, on one line."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def reaction() -> Callable[..., ReactionTrack]:
    """Makes reaction tracks."""
    return make_reaction


@pytest.fixture(scope="session")
def contents() -> Callable[..., ReportContents]:
    """Makes contents."""
    return make_contents


@pytest.fixture(scope="session")
def read_page() -> Callable[[Path], Page]:
    """Reads `report.html` of a folder."""
    return lambda folder: Page((folder / "report.html").read_text(encoding="utf-8"))
