"""Latency of the live graph: the demo's speaker at 25 fps, 640x480, one robot, no face_view."""

from typing import Any

from perreactor_model.bench.timing import summary
from perreactor_ros.bench.observed_graph import ObservedGraph, bundle_to_run, listeners

WARM_UP_SECONDS = 5.0


def measure(seconds: float | None = None, bundle: str | None = None) -> dict[str, Any]:
    """Latency over `seconds` (default 60), the first seconds left out.

    `bundle` is a name or folder, by default that of the nodes.
    """
    seconds = 60.0 if seconds is None else seconds
    loaded = bundle_to_run(bundle)
    robots = listeners(loaded, 1)
    with ObservedGraph(loaded, robots) as graph:
        graph.wait_for_reactions()
        graph.watch(WARM_UP_SECONDS)
        (seen,) = (graph.seen[name] for name in robots)
        seen.clear()
        graph.watch(seconds)
    return {
        "bundle": loaded.model_id,
        "seconds": seconds,
        "reactions": len(seen.frames),
        "missing_frames": seen.missing,
        "rate_hz": round(len(seen.frames) / seconds, 2),
        "from_stamp": summary(seen.from_stamp_ms),
        "from_arrival_of_last_needed_sample": summary(seen.from_arrival_ms),
    }
