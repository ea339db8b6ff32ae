"""Memory over a long run, and the time from start to the first reaction."""

import statistics
import sys
from typing import Any

from perreactor_ros.bench.observed_graph import ObservedGraph, bundle_to_run, listeners

PROCESSES = ("perception", "reactor", "player")
_INTERVAL = 5.0
_SHARE = 0.2


def measure(seconds: float | None = None, bundle: str | None = None) -> dict[str, Any]:
    """Resident memory of each process over `seconds` (default 600), two robots.

    Growth compares the median of the last fifth with that of the first fifth after half a minute
    (a twentieth of shorter runs) of warming up. `bundle` is a name or folder, by default that of
    the nodes.
    """
    seconds = 600.0 if seconds is None else seconds
    loaded = bundle_to_run(bundle)
    robots = listeners(loaded, 2)
    memory: dict[str, list[float]] = {name: [] for name in PROCESSES}
    with ObservedGraph(loaded, robots) as graph:
        first_reaction = graph.wait_for_reactions()
        graph.watch(min(30.0, seconds / 20))
        for name in robots:
            graph.seen[name].clear()
        for tick in range(max(int(seconds / _INTERVAL), 10)):
            graph.watch(_INTERVAL if seconds >= 10 * _INTERVAL else seconds / 10)
            for name in PROCESSES:
                memory[name].append(graph.process(name).memory_info().rss / 2**20)
            print(f"soak: {tick * _INTERVAL:.0f} of {seconds:.0f} s", file=sys.stderr, flush=True)
        missing = sum(graph.seen[name].missing for name in robots)
        reactions = sum(len(graph.seen[name].frames) for name in robots)
    return {
        "bundle": loaded.model_id,
        "seconds": seconds,
        "start_to_first_reaction_s": round(first_reaction, 2),
        "reactions": reactions,
        "missing_frames": missing,
        **{name: _growth(values) for name, values in memory.items()},
    }


def _growth(values: list[float]) -> dict[str, float]:
    part = max(int(len(values) * _SHARE), 1)
    first, last = statistics.median(values[:part]), statistics.median(values[-part:])
    return {
        "first_mib": round(first, 2),
        "last_mib": round(last, 2),
        "growth_percent": round((last / first - 1) * 100, 3),
    }
