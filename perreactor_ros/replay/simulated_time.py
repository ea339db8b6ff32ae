"""A node's inference side on the time of a bag, which is told to it, instead of a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perreactor_ros.worker import ERROR_BUDGET

LONGEST_PAUSE_NS = 60_000_000_000
"""A pause up to which time passes frame by frame, as it does live. After a longer one the nodes
start afresh, as they do when their clock leaps."""

_LARGEST_BACKWARD_NS = 100_000_000
"""Time that goes back by more is a jump of the clock for the nodes (`clock_jumps.py`)."""

_AFTER_FAILURE = 0.1
"""Seconds until the next try."""

Work = Callable[[list[Any]], "float | None"]
"""`work(items)` of a node; returns after how many seconds it wants to be called again."""


class SimulatedTime:
    """Calls `work` with what comes when it comes, and whenever it asked to be called again.

    `now_ns` is the node's clock; `leapt`, called when it leaps, makes the node forget.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.leaps = 0
        self._begun = False
        self._due_ns: int | None = None
        self._work: Work = lambda items: None
        self._leapt: Callable[[int], None] = lambda to_ns: None
        self._report: Callable[[str], object] = lambda sentence: None
        self._failures = 0

    def drive(
        self, work: Work, leapt: Callable[[int], None], report: Callable[[str], object]
    ) -> None:
        """Say what works on this time; `leapt` is told what the clock shows then.

        What `work` raises is reported and the recording goes on, as in the nodes' inference thread,
        but after `ERROR_BUDGET` failures in a row it is raised.
        """
        self._work, self._leapt, self._report = work, leapt, report

    def hand(self, items: list[Any], time_ns: int) -> None:
        """Let time pass up to a moment, and hand over what comes then."""
        self.advance(time_ns)
        self._call(items)

    def advance(self, until_ns: int) -> None:
        """Let the node do what it does when time passes and nothing comes."""
        if not self._begun:
            self._begun, self.now_ns = True, until_ns
            return
        ahead = until_ns - self.now_ns
        if -_LARGEST_BACKWARD_NS <= ahead < 0:
            return
        if 0 <= ahead <= LONGEST_PAUSE_NS:
            self._tick(until_ns)
            self.now_ns = until_ns
            return
        if ahead > 0:
            self._tick(self.now_ns + LONGEST_PAUSE_NS)
        self.leap(until_ns)

    def leap(self, to_ns: int) -> None:
        """The clock jumps."""
        self._begun = True
        self.leaps += 1
        self.now_ns = to_ns
        self._leapt(to_ns)
        if self._due_ns is not None:
            self._due_ns = to_ns

    def _tick(self, until_ns: int) -> None:
        while self._due_ns is not None and self._due_ns <= until_ns:
            self.now_ns = max(self.now_ns, self._due_ns)
            self._call([])

    def _call(self, items: list[Any]) -> None:
        try:
            seconds = self._work(items)
            self._failures = 0
        except Exception as error:
            self._failures += 1
            if self._failures >= ERROR_BUDGET:
                raise
            self._report(f"inference failed: {error!r}")
            seconds = _AFTER_FAILURE
        self._due_ns = None
        if seconds is not None:
            self._due_ns = self.now_ns + max(round(seconds * 1e9), 1)
