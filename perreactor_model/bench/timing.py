"""How work is timed in every benchmark."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def milliseconds(work: Callable[[], object], repeats: int, warm_up: int = 3) -> list[float]:
    """Wall time of each of `repeats` calls, in ms, after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return times


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def summary(values: list[float]) -> dict[str, float]:
    """Median, mean, 99th percentile and maximum, rounded for people."""
    return {
        "median_ms": round(statistics.median(values), 3),
        "mean_ms": round(statistics.fmean(values), 3),
        "p99_ms": round(percentile(values, 0.99), 3),
        "max_ms": round(max(values), 3),
    }


@contextmanager
def on_cores(count: int) -> Iterator[int]:
    """Bind this process to `count` cores (as many as there are, where the system lets us)."""
    if not hasattr(os, "sched_setaffinity"):
        yield os.cpu_count() or 1
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)
