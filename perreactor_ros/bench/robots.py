"""Many robots in the whole graph: does every one get 25 reactions a second?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from perreactor_model.bench.timing import summary
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import COEFFICIENT_COUNT, FRAME_NS, neutral_attributes
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_ros.bench.observed_graph import ObservedGraph, listeners
from perreactor_ros.messages import behaviour_message
from perreactor_ros.msg import SpeakerBehaviour
from perreactor_ros.qos import BEHAVIOUR

WARM_UP_SECONDS = 5.0

ROBOTS = {"facial_attributes": 32, "face_image": 8}
"""How many robots listen, by what the bundle sees."""


def measure(seconds: float | None, bundles: Sequence[Bundle]) -> dict[str, Any]:
    """Each bundle for `seconds` (None: 20); one robot in the crowd is watched."""
    seconds = 20.0 if seconds is None else seconds
    counts = [ROBOTS[bundle.config.visual_input] for bundle in bundles]
    return {
        f"{bundle.name} x {count}": _crowd(bundle, count, seconds)
        for bundle, count in zip(bundles, counts, strict=True)
    }


def _crowd(bundle: Bundle, count: int, seconds: float) -> dict[str, Any]:
    robots = listeners(bundle, count)
    last = list(robots)[-1]
    with ObservedGraph(bundle, robots, (last,)) as graph:
        if bundle.config.visual_input == "facial_attributes":
            _publish_attributes(graph)
        graph.wait_for_reactions()
        graph.watch(WARM_UP_SECONDS)
        graph.seen[last].clear()
        busy = {name: graph.process(name).cpu_times() for name in ("perception", "reactor")}
        graph.watch(seconds)
        cores = {
            f"{name}_cores": round(_spent(graph.process(name).cpu_times(), before) / seconds, 2)
            for name, before in busy.items()
        }
        seen = graph.seen[last]
    return {
        "rate_hz": round(len(seen.frames) / seconds, 2),
        "missing_frames": seen.missing,
        "from_stamp": summary(seen.from_stamp_ms),
        **cores,
    }


def _spent(after: Any, before: Any) -> float:
    return after.user + after.system - before.user - before.system


def _publish_attributes(graph: ObservedGraph) -> None:
    """An analyzer's stand-in: a face at rest with a drifting smile, 25 times a second."""
    publisher = graph.node.create_publisher(SpeakerBehaviour, "speaker/attributes", BEHAVIOUR)
    count = 0

    def publish() -> None:
        nonlocal count
        attributes = neutral_attributes()
        attributes[7] = 0.5 + 0.5 * np.sin(count / 20)
        now = graph.node.get_clock().now().nanoseconds
        coefficients = np.zeros(COEFFICIENT_COUNT, np.float32)
        frame = SpeakerFrame(count, 0, now, None, True, False, "", attributes, coefficients)
        publisher.publish(behaviour_message(frame, ""))
        count += 1

    graph.node.create_timer(FRAME_NS / 1e9, publish)
