"""One `/diagnostics` message a second: rates, times, drops and states of a process.

Meters are filled by the inference thread and read by the executor thread; each holds plain numbers
in bounded buffers, whose single operations are atomic in Python.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR

_PERIOD = 1.0
_WARM_UP = 5
"""Measurements left out at the beginning: first calls of a network are no measure of the rest."""


@dataclass
class Status:
    """One entry of /diagnostics: a part of the process, how it is, and figures by name."""

    part: str
    level: bytes = OK
    summary: str = "ok"
    values: Mapping[str, object] = field(default_factory=dict)


class Rate:
    """Events a second over the last few seconds."""

    def __init__(self, seconds: float = 4.0) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=4096)

    def tick(self) -> None:
        """Something happened."""
        self._times.append(time.monotonic())

    def hertz(self) -> float:
        """Events a second, 0 when nothing happened lately."""
        times = list(self._times)
        recent = [moment for moment in times if moment > time.monotonic() - self._seconds]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)

    def silent_for(self) -> float | None:
        """Seconds since the last event, or None if there never was one."""
        return time.monotonic() - self._times[-1] if self._times else None

    def clear(self) -> None:
        """Begin anew."""
        self._times.clear()


class Quantiles:
    """Quantiles of the last measurements, the warm-up left out."""

    def __init__(self, size: int = 250) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self._skip = _WARM_UP

    def add(self, value: float) -> None:
        """One more measurement; what is not finite does not count."""
        if not math.isfinite(value):
            return
        if self._skip:
            self._skip -= 1
            return
        self._values.append(value)

    def at(self, share: float) -> float:
        """The quantile for a share of 0..1, NaN without measurements."""
        values = sorted(self._values)
        return values[min(int(share * len(values)), len(values) - 1)] if values else math.nan

    def milliseconds(self, name: str) -> dict[str, str]:
        """p50 and p95 of measured seconds, as entries of a Status."""
        return {
            f"{name} p50 (ms)": f"{1000 * self.at(0.5):.2f}",
            f"{name} p95 (ms)": f"{1000 * self.at(0.95):.2f}",
        }


class Diagnostics:
    """Publishes what `collect` says once a second, in the name of a node.

    `/diagnostics` is the absolute name that REP 107 gives. A steady clock drives it, so it goes on
    when simulated time stands still.
    """

    def __init__(self, node: Node, collect: Callable[[], Iterable[Status]]) -> None:
        self._node = node
        self._collect = collect
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_PERIOD, self._publish, clock=steady)

    def _publish(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().lstrip("/")
        message.status = [
            DiagnosticStatus(
                level=status.level,
                name=f"{name}: {status.part}",
                message=status.summary,
                hardware_id=name,
                values=[
                    KeyValue(key=key, value=str(value)) for key, value in status.values.items()
                ],
            )
            for status in self._collect()
        ]
        self._publisher.publish(message)
