"""When to publish what a recording holds, by the node's clock, real or simulated."""

import threading

from rclpy.clock import Clock, ROSClock

_NS = 1_000_000_000
_LONGEST_NAP = 0.25
"""Seconds after which the clock is looked at again, to notice that it jumped."""

_SIMULATED_NAP = 0.005
"""With simulated time nobody can say how long to wait: /clock is looked at this often."""

_JUMP_NS = 2 * _NS
_LATE_NS = _NS


class PlayClock:
    """Maps times of a recording to stamps and waits for them.

    A time t of the recording has the stamp `start + t` and is due at `start + t / rate`. When the
    clock jumps, `start` jumps with it, so that playing goes on. Used by one thread; `stopping`
    ends every wait.

    Where decoding does not keep up, playing pauses: what would be published more than a second late
    gets the stamp of now, and so does what follows. `slips` counts that.
    """

    def __init__(self, clock: Clock, rate: float, stopping: threading.Event) -> None:
        self._clock = clock
        self._rate = rate
        self._stopping = stopping
        self._start_ns = 0
        self._last_ns = 0
        self.slips = 0

    def begin(self) -> bool:
        """Time 0 of the recording is now; waits for simulated time to begin. False when stopped."""
        while self._now() == 0:
            if self._stopping.wait(_SIMULATED_NAP):
                return False
        self._start_ns = self._last_ns = self._now()
        return True

    def stamp_of(self, time_ns: int) -> int:
        """The stamp of a time of the recording."""
        return self._start_ns + time_ns

    def wait_for(self, time_ns: int) -> bool:
        """Wait until a time of the recording is due. False when stopped."""
        while not self._stopping.is_set():
            now = self._now()
            self._follow_jump(now)
            missing = self._start_ns + time_ns / self._rate - now
            if missing <= 0:
                self._slip(-round(missing))
                return True
            nap = min(missing / _NS, _LONGEST_NAP)
            self._stopping.wait(min(nap, _SIMULATED_NAP) if self._simulated() else nap)
        return False

    def _slip(self, late_ns: int) -> None:
        if late_ns > _LATE_NS:
            self._start_ns += late_ns
            self.slips += 1

    def _follow_jump(self, now: int) -> None:
        step = now - self._last_ns
        self._last_ns = now
        if step < 0 or step > _JUMP_NS:
            self._start_ns += step

    def _simulated(self) -> bool:
        return isinstance(self._clock, ROSClock) and self._clock.ros_time_is_active

    def _now(self) -> int:
        return self._clock.now().nanoseconds
