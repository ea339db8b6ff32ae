"""When the robot itself was speaking: the microphone then hears the robot, not the speaker."""

from bisect import bisect_right

MOST_EVENTS = 1000
"""Switch events kept at a time; older ones are folded into the state before them."""


class SpeakingIntervals:
    """Switch events on the time axis of the data. Not thread-safe."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._flags: list[bool] = []
        self._before = False
        self._latest = False

    def set(self, flag: bool, stamp_ns: int) -> None:
        """The robot speaks (or has stopped) from `stamp_ns` on; events may come out of order."""
        self._latest = flag
        place = bisect_right(self._stamps, stamp_ns)
        previous = self._flags[place - 1] if place else self._before
        if previous == flag and place == len(self._stamps):
            return
        self._stamps.insert(place, stamp_ns)
        self._flags.insert(place, flag)
        if len(self._stamps) > MOST_EVENTS:
            self.forget(self._stamps[0])

    def overlaps(self, start_ns: int, stop_ns: int) -> bool:
        """Whether the robot spoke anywhere in [start, stop)."""
        first = bisect_right(self._stamps, start_ns)
        last = first
        while last < len(self._stamps) and self._stamps[last] < stop_ns:
            last += 1
        at_start = self._flags[first - 1] if first else self._before
        return at_start or any(self._flags[first:last])

    def forget(self, before_ns: int) -> None:
        """Drop events up to a stamp; the state they lead to stays."""
        place = bisect_right(self._stamps, before_ns)
        if place:
            self._before = self._flags[place - 1]
            del self._stamps[:place]
            del self._flags[:place]

    def restart(self) -> None:
        """Begin a new time axis in the state that was set last."""
        self._before = self._latest
        self._stamps.clear()
        self._flags.clear()
