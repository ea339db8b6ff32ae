"""What a corpus is made of: recordings of single people, and which of them talked to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

KINDS = ("attributes", "coefficients", "audio", "video", "observed")
"""What may be known of a recording; observed: what a face analyzer saw, which no corpus brings."""


class CorpusError(ValueError):
    """A corpus that cannot be read. The message names the place, and what would be right."""


class CorpusShapeError(CorpusError):
    """A file that can be read, but holds other rows than its kind has."""


Told: TypeAlias = Callable[[str], None]
"""Takes what is wrong with an index: raises, or notes it and lets the rest be opened."""


def refuse(message: str) -> None:
    """Raise CorpusError: an index that is wrong is not followed at all."""
    raise CorpusError(message)


@dataclass(frozen=True)
class Recording:
    """One person in one clip. `files` holds the kinds that are there.

    key: unique in the split. identity: who it is; equal in all recordings of one person, as far as
    the corpus says. session: equal for clips in which the same was talked about, "" unknown.
    """

    key: str
    identity: str
    session: str
    frame_rate: float
    files: Mapping[str, Path]


@dataclass(frozen=True)
class SplitIndex:
    """`pairs` int32 (N, 2): recording of the speaker, of the listener, in the corpus's own order.

    matrix: the file that says which reactions are appropriate, in that order; None: equal sessions.
    """

    name: str
    recordings: tuple[Recording, ...]
    pairs: np.ndarray
    matrix: Path | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk, not yet read. layout: `react2024` or `mars`."""

    root: Path
    layout: str
    splits: Mapping[str, SplitIndex]


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without what file systems leave behind (`._name`)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
