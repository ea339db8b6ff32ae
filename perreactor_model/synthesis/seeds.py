"""Random streams that depend on a seed and a path and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

Seed: TypeAlias = int | Sequence[int]
"""One number, or several (corpus, split, row, ...), each 0 or more."""


def stream(seed: Seed, *path: int) -> np.random.Generator:
    """The generator of one part of one simulation: another path never disturbs it."""
    numbers = (seed,) if isinstance(seed, int | np.integer) else tuple(seed)
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([int(number) for number in numbers], spawn_key=path))
    )
