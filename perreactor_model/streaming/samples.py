"""Samples of one rate by absolute index, some known and some not, in a sliding stretch of memory.

Writing costs time in proportion to the samples written (memory grows by doubling and is moved only
when half of it has been forgotten), so pushing one sample at a time is as well behaved as pushing a
minute.
"""

import numpy as np

_SMALLEST = 4096


class SampleStore:
    """The samples around `end`, the index after the newest sample ever written (late ones too)."""

    def __init__(self, first: int, floor: int | None = None) -> None:
        """Begin at index `first`; nothing before `floor`, if given, is accepted."""
        self.end = first
        self._floor = floor
        self._base = first if floor is None else max(first, floor)
        self._values = np.zeros(_SMALLEST, np.float32)
        self._known = np.zeros(_SMALLEST, bool)

    @property
    def empty(self) -> bool:
        """Whether everything written so far has been forgotten."""
        return self.end <= self._base

    def write(self, start: int, values: np.ndarray, known: np.ndarray) -> tuple[int, int]:
        """Write where nothing is known yet. `values` float32 (n,), `known` bool (n,).

        Returns how many samples came too late and how many were there already.
        """
        late = 0
        self.end = max(self.end, start + values.size)
        if self._floor is not None and start < self._floor:
            late = min(self._floor - start, values.size)
            start, values, known = start + late, values[late:], known[late:]
        if values.size == 0:
            return late, 0
        self._make_room(start, start + values.size)
        place = slice(start - self._base, start - self._base + values.size)
        taken = self._known[place]
        duplicate = int(np.count_nonzero(taken & known))
        fresh = known & ~taken if duplicate else known
        np.copyto(self._values[place], values, where=fresh)
        taken |= fresh
        return late, duplicate

    def bridge(self, count: int) -> None:
        """Append `count` samples that hold the newest value."""
        last, _ = self.read(self.end - 1, self.end)
        self.write(self.end, np.repeat(last, count), np.ones(count, bool))

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Values (0 where unknown) and known flags of [start, stop): float32 (n,), bool (n,)."""
        values = np.zeros(stop - start, np.float32)
        known = np.zeros(stop - start, bool)
        first, last = max(start, self._base), min(stop, self._base + self._values.size)
        if first < last:
            source = slice(first - self._base, last - self._base)
            target = slice(first - start, last - start)
            values[target] = self._values[source]
            known[target] = self._known[source]
        return values, known

    def forget(self, before: int) -> None:
        """Drop samples before an index, and accept none there any more."""
        if self._floor is not None and before <= self._floor:
            return
        self._floor = before
        if before - self._base >= self._values.size // 2:
            self._rebase(before, self._values.size)

    def _make_room(self, start: int, stop: int) -> None:
        if start < self._base:
            self._rebase(start, max(self._values.size, 2 * (max(stop, self.end) - start)))
        elif stop - self._base > self._values.size:
            base = self._base if self._floor is None else max(self._base, self._floor)
            self._rebase(base, max(_SMALLEST, 2 * (stop - base)))

    def _rebase(self, base: int, size: int) -> None:
        values, known = np.zeros(size, np.float32), np.zeros(size, bool)
        first = max(base, self._base)
        last = min(base + size, self._base + self._values.size)
        if first < last:
            target = slice(first - base, last - base)
            source = slice(first - self._base, last - self._base)
            values[target], known[target] = self._values[source], self._known[source]
        self._base, self._values, self._known = base, values, known
