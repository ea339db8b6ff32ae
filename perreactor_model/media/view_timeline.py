"""Which speaker picture belongs to which reactions: the picture that the shown reaction answers."""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

SECOND_NS = 1_000_000_000
STALE_NS = 2 * SECOND_NS
"""A robot that has not reacted for so long is shown as silent."""

_BACKWARD_NS = SECOND_NS
"""Input this much older than the newest means that the clock was set back."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shown:
    """What to draw now: `stamp_ns` is the time that is shown, `reactions` has one entry a robot.

    `image` is None before the first picture; a reaction is None where the robot is silent.
    """

    stamp_ns: int
    image: Any
    reactions: dict[str, Any] = field(default_factory=dict)


class _Recent(Generic[Item]):
    """The last items of one stream by stamp."""

    def __init__(self, keep: int) -> None:
        self._items: deque[tuple[int, Item]] = deque(maxlen=keep)

    def push(self, stamp_ns: int, item: Item) -> None:
        if self._items and stamp_ns < self._items[-1][0]:
            if self._items[-1][0] - stamp_ns < _BACKWARD_NS:
                return  # late: what is newer has been shown already
            self._items.clear()
        self._items.append((stamp_ns, item))

    @property
    def newest_ns(self) -> int | None:
        return self._items[-1][0] if self._items else None

    def at(self, stamp_ns: int) -> Item | None:
        """The last item at or before a time, else the oldest one."""
        if not self._items:
            return None
        place = bisect_right(self._items, stamp_ns, key=lambda entry: entry[0])
        return self._items[max(place - 1, 0)][1]


class ViewTimeline:
    """Collects pictures and reactions and picks what fits together. Used by one thread.

    Shown is the newest moment that every reacting robot has answered; before any reaction, and when
    all robots have gone silent, the newest picture.
    """

    def __init__(self, robots: tuple[str, ...], pictures: int = 20, reactions: int = 100) -> None:
        self._pictures: _Recent[Any] = _Recent(pictures)
        self._reactions: dict[str, _Recent[Any]] = {name: _Recent(reactions) for name in robots}

    def push_image(self, stamp_ns: int, image: Any) -> None:
        """A picture of the speaker; it is passed through untouched."""
        self._pictures.push(stamp_ns, image)

    def push_reaction(self, robot: str, stamp_ns: int, reaction: Any) -> None:
        """A reaction that answers the speaker frame of that stamp."""
        self._reactions[robot].push(stamp_ns, reaction)

    def pick(self) -> Shown | None:
        """What fits together now, or None before anything came."""
        newest = [stream.newest_ns for stream in (self._pictures, *self._reactions.values())]
        known = [stamp_ns for stamp_ns in newest if stamp_ns is not None]
        if not known:
            return None
        latest = max(known)
        answered = {
            robot: stream.newest_ns
            for robot, stream in self._reactions.items()
            if stream.newest_ns is not None and latest - stream.newest_ns <= STALE_NS
        }
        shown_ns = min(answered.values(), default=self._pictures.newest_ns or latest)
        reactions = {
            robot: stream.at(shown_ns) if robot in answered else None
            for robot, stream in self._reactions.items()
        }
        return Shown(shown_ns, self._pictures.at(shown_ns), reactions)
