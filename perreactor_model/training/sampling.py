"""Which clips a step sees: a function of seed and step, and of nothing else.

So it does not matter how many processes share a step, or whether the run was interrupted before it.
"""

from __future__ import annotations

import numpy as np

_ORDER = 0xC11B


class ClipOrder:
    """All items in another order in each epoch, epochs one after the other without a gap."""

    def __init__(self, items: np.ndarray, seed: int) -> None:
        """`items`: (n,) numbers of the usable items, at least one."""
        assert len(items)
        self._items = np.asarray(items)
        self._seed = seed
        self._epoch = -1
        self._order = self._items

    def at(self, position: int) -> tuple[int, int]:
        """Epoch and item of the clip that comes in this place, from 0."""
        epoch, place = divmod(position, len(self._items))
        if epoch != self._epoch:
            key = np.random.SeedSequence((self._seed, epoch, _ORDER))
            self._order = np.random.Generator(np.random.Philox(key)).permutation(self._items)
            self._epoch = epoch
        return epoch, int(self._order[place])

    def share(
        self, step: int, batch: int, process: int, processes: int, part: int = 0, parts: int = 1
    ) -> list[tuple[int, int]]:
        """Epochs and items of one part of a process's share of a step of `batch` clips.

        `batch` is a multiple of processes times parts; all shares together are the step's clips.
        """
        size, left = divmod(batch, processes * parts)
        assert not left
        first = step * batch + (process * parts + part) * size
        return [self.at(position) for position in range(first, first + size)]
