"""Stamped items of one stream (images, attributes), looked up by nearest stamp.

In: any object with its stamp in ns, mostly in order. Out: the item that serves a frame. Items are
never looked into.
"""

from bisect import bisect_left, bisect_right
from typing import Any


class StampedItems:
    """Items sorted by stamp; `newest_ns` is the newest stamp ever added, or None.

    Adding at the end, looking up and forgetting cost no more than a search in a short list.
    """

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._items: list[Any] = []
        self.newest_ns: int | None = None

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def first_ns(self) -> int | None:
        """The oldest stamp still kept, or None."""
        return self._stamps[0] if self._stamps else None

    def has(self, stamp_ns: int) -> bool:
        """Whether an item of exactly this stamp is kept, or was the newest."""
        place = bisect_left(self._stamps, stamp_ns)
        kept = place < len(self._stamps) and self._stamps[place] == stamp_ns
        return kept or stamp_ns == self.newest_ns

    def add(self, stamp_ns: int, item: Any) -> None:
        """Keep an item whose stamp is not there yet."""
        place = bisect_right(self._stamps, stamp_ns)
        self._stamps.insert(place, stamp_ns)
        self._items.insert(place, item)
        self.see(stamp_ns)

    def see(self, stamp_ns: int) -> None:
        """Take note of a stamp without keeping its item."""
        self.newest_ns = stamp_ns if self.newest_ns is None else max(self.newest_ns, stamp_ns)

    def nearest(self, stamp_ns: int, after_ns: int, hold_ns: int) -> tuple[int, Any] | None:
        """The item nearest to `stamp_ns`: less than `after_ns` after it, at most `hold_ns` before.

        Of two equally near the earlier one. None where there is no such item.
        """
        place = bisect_right(self._stamps, stamp_ns)
        before = place - 1 if place and stamp_ns - self._stamps[place - 1] <= hold_ns else None
        after = None
        if place < len(self._stamps) and self._stamps[place] - stamp_ns < after_ns:
            after = place
        if before is not None and after is not None:
            earlier_wins = stamp_ns - self._stamps[before] <= self._stamps[after] - stamp_ns
            chosen = before if earlier_wins else after
        elif before is not None:
            chosen = before
        elif after is not None:
            chosen = after
        else:
            return None
        return self._stamps[chosen], self._items[chosen]

    def forget(self, stamp_ns: int) -> None:
        """Drop what can serve no frame from `stamp_ns` on: all before the last item up to it."""
        place = bisect_right(self._stamps, stamp_ns) - 1
        if place > 0:
            del self._stamps[:place]
            del self._items[:place]
