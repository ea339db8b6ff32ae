"""Which speakers behave alike: then the reaction to the one fits the other as well.

The distance is the field's: action units / 15 + affect + expressions / 8, each warped in time by
itself. At which distance the authors of REACT draw the line is not published, so it must be given;
or how many of the most similar speakers count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from perreactor_model.whole_files import replacing

ROWS = 16
"""Speakers that one job compares with all others."""


@dataclass(frozen=True)
class Comparison:
    """Speakers `first` to `last`, of all `speakers` (files with `attributes`), into `out`."""

    speakers: tuple[Path, ...]
    first: int
    last: int
    threshold: float | None
    per_row: int | None
    out: Path


def comparisons(
    speakers: tuple[Path, ...],
    threshold: float | None,
    per_row: int | None,
    folder: Path,
    name: str,
) -> list[Comparison]:
    """The jobs that all rows of a split are made of."""
    starts = range(0, len(speakers), ROWS)
    return [
        Comparison(
            speakers,
            first,
            min(first + ROWS, len(speakers)),
            threshold,
            per_row,
            folder / f"{name}-alike-{first}.npy",
        )
        for first in starts
    ]


def compare(job: Comparison) -> None:
    """Write bool (rows, speakers), [k, j]: speaker j is like speaker first + k.

    With a threshold only j > k is looked at: the distance is the same both ways.
    """
    from perreactor_model.metrics.distance import FacialDistance

    sequences = _sequences(job.speakers)
    distance = FacialDistance(sequences)
    count = len(sequences)
    alike = np.zeros((job.last - job.first, count), bool)
    for row, speaker in enumerate(range(job.first, job.last)):
        if job.threshold is not None:
            others = np.arange(speaker + 1, count)
            far = distance.within(sequences[speaker], others, job.threshold)
            alike[row, others] = np.isfinite(far)
        else:
            assert job.per_row is not None
            others = np.delete(np.arange(count), speaker)
            alike[row, distance.closest(sequences[speaker], others, job.per_row)] = True
    with replacing(job.out) as path, path.open("wb") as file:
        np.save(file, alike)


def joined(jobs: list[Comparison]) -> np.ndarray:
    """bool (speakers, speakers) of what the jobs wrote; everybody is like themselves."""
    alike = np.concatenate([np.load(job.out) for job in jobs])
    if jobs[0].threshold is not None:
        alike |= alike.T
    np.fill_diagonal(alike, True)
    return alike


@lru_cache(maxsize=1)
def _sequences(speakers: tuple[Path, ...]) -> list[np.ndarray]:
    rows = []
    for path in speakers:
        with np.load(path) as parts:
            rows.append(parts["attributes"])
    return rows
