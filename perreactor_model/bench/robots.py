"""How many robots listen in real time, and what one more costs."""

from __future__ import annotations

from typing import Any

from perreactor_model.bench.speaker_input import LiveInput
from perreactor_model.bench.timing import milliseconds, on_cores, summary
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.perceiver import Perceiver

COUNTS = (1, 2, 4, 8, 16, 32)
BUDGET_MS = FRAME_NS / 1e6


def measure(bundle: Bundle, repeats: int = 250) -> dict[str, Any]:
    """Encoding one new frame and answering it for 1..32 robots, step 1, on two cores.

    Robots take turns through the bundle's personal profiles, so they all share PAG's decoder.
    `one_more_robot_share` is the slope between 1 and 8 robots over the time with the first.
    """
    rows = {}
    with on_cores(2) as cores:
        for count in COUNTS:
            times = _answer(bundle, count, repeats)
            rows[count] = {**summary(times), "real_time": max(times) < BUDGET_MS}
    first, eight = rows[1]["median_ms"], rows[8]["median_ms"]
    real_time = [count for count, row in rows.items() if row["p99_ms"] < BUDGET_MS]
    return {
        "bundle": bundle.model_id,
        "visual_input": bundle.config.visual_input,
        "decoder": bundle.config.decoder,
        "feature_size": bundle.config.feature_size,
        "cores": cores,
        "budget_ms": BUDGET_MS,
        "robots": {str(count): row for count, row in rows.items()},
        "most_robots_in_real_time": max(real_time, default=0),
        "one_more_robot_ms": round((eight - first) / 7, 3),
        "one_more_robot_share": round((eight - first) / 7 / first, 4),
    }


def _answer(bundle: Bundle, count: int, repeats: int) -> list[float]:
    perceiver = Perceiver(bundle, device="cpu", threads=2, crop=False)
    engine = ReactionEngine(bundle, EngineSettings(device="cpu", threads=2))
    personal = [name for name in engine.known_profiles() if _is_personal(engine, name)]
    for number in range(count):
        profile = personal[number % len(personal)] if personal else "generic"
        engine.add_robot(f"robot_{number}", profile)
    speaker = LiveInput(bundle)

    def one_frame() -> None:
        speaker.push(perceiver)
        engine.push(perceiver.take())

    return milliseconds(one_frame, repeats, warm_up=bundle.config.window + 10)


def _is_personal(engine: ReactionEngine, name: str) -> bool:
    try:
        engine.profiles.get(name)
    except ValueError:
        return False
    return True
