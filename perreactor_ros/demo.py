"""The watcher of `perreactor demo`: hears the robots, tells what they do, and how alive they are.

It is a plain node like any other listener's: everything that it tells comes from the topics.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from rclpy.node import Node

from perreactor_model import liveness
from perreactor_model.contract import ATTRIBUTE_COUNT, EXPRESSION_SLICE, EXPRESSIONS, FRAME_RATE
from perreactor_model.media.face_drawing import strongest_action_units
from perreactor_ros import qos
from perreactor_ros.messages import reaction
from perreactor_ros.msg import FacialReaction

MEMORY_SECONDS = 600
"""Reactions older than this are forgotten; the report is about the last ten minutes."""

STEADY_FRAMES = 2 * FRAME_RATE
"""Frames after a beginning that the report leaves out: a face fades in from neutral."""


@dataclass
class Heard:
    """What came from one robot: (epoch, frame number, profile, attributes (25,)), newest last."""

    robot: str
    reactions: deque = field(default_factory=lambda: deque(maxlen=MEMORY_SECONDS * FRAME_RATE))
    latencies: list[float] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def steady(self) -> tuple[np.ndarray, np.ndarray]:
        """Frame numbers (T,) and attributes (T, 25) of the last epoch and profile, once settled."""
        rows = list(self.reactions)
        kept = [row for row in rows if (row[0], row[2]) == (rows[-1][0], rows[-1][2])]
        kept = kept[STEADY_FRAMES:]
        frames = np.array([row[1] for row in kept], np.int64)
        attributes = np.array([row[3] for row in kept], np.float32)
        return frames, attributes.reshape(-1, ATTRIBUTE_COUNT)


class Watcher(Node):
    """Subscribes to the reactions of the given robots below `namespace`."""

    def __init__(self, robots: Sequence[str], namespace: str = "", **options: object) -> None:
        super().__init__("demo", namespace=namespace, **options)  # type: ignore[arg-type]
        self.heard = {robot: Heard(robot) for robot in robots}
        for robot in robots:
            topic = f"{robot}/reaction"
            qos.subscribe(self, FacialReaction, topic, self._receiver(robot), qos.REACTION)

    @property
    def all_react(self) -> bool:
        """Something was heard from every robot."""
        return all(heard.reactions for heard in self.heard.values())

    def lines(self) -> list[str]:
        """One line a robot about what came since the last call."""
        return [_line(heard) for heard in self.heard.values()]

    def _receiver(self, robot: str) -> Callable[[FacialReaction], None]:
        heard = self.heard[robot]

        def receive(message: FacialReaction) -> None:
            heard.reactions.append(
                (
                    message.epoch,
                    message.frame,
                    message.listener_profile,
                    reaction(message).attributes,
                )
            )
            heard.latencies.append(float(message.latency))

        return receive


def _line(heard: Heard) -> str:
    now = time.monotonic()
    rate, latencies = len(heard.latencies) / (now - heard.since), heard.latencies
    heard.since, heard.latencies = now, []
    if not latencies:
        return f"{heard.robot:<10} silent"
    _, _, profile, attributes = heard.reactions[-1]
    units = "  ".join(
        f"{name:>4} {value:.2f}" for name, value in strongest_action_units(attributes)
    )
    expressions = attributes[EXPRESSION_SLICE]
    best = int(np.argmax(expressions))
    finite = [value for value in latencies if math.isfinite(value)]
    latency = f"{1000 * float(np.median(finite)):4.0f} ms" if finite else "   - ms"
    return (
        f"{heard.robot:<10} {profile:<9} {units}   "
        f"{EXPRESSIONS[best]:>8} {expressions[best]:.2f}   {latency}  {rate:4.1f} Hz"
    )


@dataclass(frozen=True)
class Finding:
    """One answer of the liveness report. `passed` is None where there was too little to tell."""

    question: str
    passed: bool | None
    detail: str

    def __str__(self) -> str:
        verdict = {True: "yes", False: "NO", None: "?"}[self.passed]
        return f"  {verdict:<4} {self.question}: {self.detail}"


def report_motion(heard: Heard) -> Finding:
    """Does the face of a robot move without jumps?"""
    question = f"{heard.robot} moves without jumps"
    if not heard.reactions:
        return Finding(question, None, "it never reacted")
    frames, attributes = heard.steady()
    motion = liveness.motion(attributes, frames)
    if motion is None:
        return Finding(question, None, "too short to tell; it takes some four seconds")
    if motion.typical <= liveness.MOTION_FLOOR:
        return Finding(question, None, "it stayed at rest; was anybody seen or heard?")
    detail = (
        f"the most abrupt step exceeds its neighbours by {motion.abrupt:.3f} (limit "
        f"{motion.limit:.2f}; typical step {motion.typical:.4f})"
    )
    return Finding(question, motion.passed, detail)


def report_profiles(one: Heard, other: Heard) -> Finding:
    """Do two robots with different profiles differ by more than chance?"""
    profiles = [heard.reactions[-1][2] if heard.reactions else "?" for heard in (one, other)]
    question = f"{profiles[0]} and {profiles[1]} differ"
    if not (one.reactions and other.reactions):
        return Finding(question, None, "one robot never reacted")
    if profiles[0] == profiles[1]:
        return Finding(question, None, "both robots have the same profile")
    rows = [_by_frame(heard) for heard in (one, other)]
    both = sorted(rows[0].keys() & rows[1].keys())
    faces = [np.array([row[key] for key in both], np.float32) for row in rows]
    contrast = liveness.profile_contrast(*faces)
    if contrast is None:
        return Finding(question, None, "too short to tell; it takes some twelve seconds")
    detail = (
        f"their mean faces lie {contrast.distance:.3f} apart, {contrast.ratio:.1f} times what "
        f"chance gives ({contrast.own:.3f}; limit {contrast.limit:g})"
    )
    return Finding(question, contrast.passed, detail)


def report_speakers(robot: str, contrast: liveness.Contrast | None, names: str) -> Finding:
    """Does the reaction of a robot change when the speaker is swapped?"""
    question = f"{robot} reacts to who speaks"
    if contrast is None:
        return Finding(question, None, f"the recordings are too short to tell ({names})")
    detail = (
        f"{names}, same noise: faces {contrast.distance:.3f} apart, {contrast.ratio:.2f} of how "
        f"far one moves ({contrast.own:.3f}; limit {contrast.limit:g})"
    )
    return Finding(question, contrast.passed, detail)


def _by_frame(heard: Heard) -> dict[int, np.ndarray]:
    frames, attributes = heard.steady()
    return dict(zip(frames.tolist(), attributes, strict=True))
