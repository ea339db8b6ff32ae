"""The nodes' own pipeline, driven by the time of a bag instead of a clock.

The very classes that perception and the reactor process run (`Perceiving`, `Reacting`) get each
message at the moment at which it was recorded, and are called again whenever they asked to be, on
simulated time: as on a machine that is infinitely fast, and so the same on every machine. Nothing
is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perreactor_model.bundle.manifest import Bundle
from perreactor_ros.audio_types import AUDIO_TYPES, audio_adapter
from perreactor_ros.messages import nanoseconds
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour
from perreactor_ros.perceiving import Perceiving, Received
from perreactor_ros.reacting import Reacting
from perreactor_ros.replay.settings import NodeSettings
from perreactor_ros.replay.topics import Sources

LONGEST_PAUSE_NS = 60_000_000_000
"""A pause of all topics up to which time passes frame by frame, as it does live. After a longer
one the nodes start afresh, as they do when their clock leaps."""

_LARGEST_BACKWARD_NS = 100_000_000
"""Time that goes back by more is a jump of the clock for the nodes (`clock_jumps.py`)."""

_SAME_CLOCK_NS = 10_000_000_000
"""Stamps further than this from the bag's time are of another clock."""


class Log(Protocol):
    """Where the nodes' sentences go."""

    def info(self, message: str) -> object: ...

    def warning(self, message: str) -> object: ...

    def error(self, message: str) -> object: ...


@dataclass(frozen=True)
class RobotSpec:
    """A robot that reacts offline."""

    name: str
    profile: str


@dataclass(frozen=True)
class Said:
    """A reaction that was made: where it belongs, and when it counts as said, in the bag's time."""

    robot: RobotSpec
    sample: int
    topic: str
    message: FacialReaction
    time_ns: int


def reaction_topic(robot: str, sample: int) -> str:
    """Where a robot's reactions are, and those of its further samples."""
    return f"/{robot}/reaction" if sample == 0 else f"/{robot}/sample_{sample}/reaction"


class _OfflineRobot:
    """What `Reacting` needs of a robot's node: here the profile never changes."""

    def __init__(
        self, spec: RobotSpec, sample: int, now_ns: Callable[[], int], say: Callable[[Said], None]
    ) -> None:
        self._spec = spec
        self._sample = sample
        self._topic = reaction_topic(spec.name, sample)
        self._now_ns = now_ns
        self._say = say

    def wanted_profile(self) -> str:
        return self._spec.profile

    def profile_applied(self, profile: str) -> None:
        raise AssertionError("an offline robot keeps its profile")

    def publish(self, message: FacialReaction) -> None:
        message.latency = math.nan
        stamp_ns, now = nanoseconds(message.header.stamp), self._now_ns()
        # Where stamps are of another clock, the reaction shall still lie beside its recording.
        time_ns = stamp_ns if abs(stamp_ns - now) <= _SAME_CLOCK_NS else now
        self._say(Said(self._spec, self._sample, self._topic, message, time_ns))


class Pipeline:
    """Perception (if there are sensors) and the reactors of some robots, on the bag's time.

    `heard` gets each frame of the speaker, `said` each reaction, in order. Raises BundleError,
    DeviceError, ProfileError or ValueError.
    """

    def __init__(
        self,
        bundle: Bundle,
        robots: Sequence[RobotSpec],
        samples: int,
        sources: Sources,
        settings: NodeSettings,
        log: Log,
        heard: Callable[[Any], None],
        said: Callable[[Said], None],
    ) -> None:
        self.leaps = 0
        self._now = 0
        self._begun = False
        self._heard = heard
        self._reacting = Reacting(self._now_ns, lambda: False, log)
        self._reacting.load(str(bundle.path), settings.engine)
        for robot in robots:
            for sample in range(samples):
                offline = _OfflineRobot(robot, sample, self._now_ns, said)
                self._reacting.add_robot(robot.name, offline, True, sample)
        self._perceiving: Perceiving | None = None
        if sources.behaviour is None:
            self._perceiving = self._perception(bundle, sources, settings, log)
        self._due: dict[str, int] = {}

    def _perception(
        self, bundle: Bundle, sources: Sources, settings: NodeSettings, log: Log
    ) -> Perceiving:
        adapter = audio_adapter(sources.audio_type or AUDIO_TYPES[0], settings.assumed_sound)
        perceiving = Perceiving(
            self._now_ns,
            lambda: False,
            self._behaviour,
            log,
            adapter,
            settings.frame_id,
            backlog=None,
            monotonic=lambda: self._now / 1e9,
        )
        perceiving.load(str(bundle.path), settings.perceiver)
        return perceiving

    @property
    def counters(self) -> dict[str, int]:
        """What perception and engine counted, by name."""
        counts: dict[str, int] = {}
        if self._perceiving is not None:
            counts |= {**self._perceiving.counters, "messages_refused": self._perceiving.refused}
        for name, count in self._reacting.counters().items():
            counts[f"reactor_{name}" if name in counts else name] = count
        counts["behaviour_refused"] = self._reacting.refused
        counts["leaps_of_the_clock"] = self.leaps
        return counts

    # --- What comes from the bag -----------------------------------------------------------------

    def deliver(self, kind: str, message: Any, time_ns: int) -> None:
        """Let time pass up to when a message was recorded, and hand it over.

        `kind` is an input of perception, or "behaviour".
        """
        self.pass_time(time_ns)
        if kind == "behaviour":
            self._behaviour(message)
        else:
            self._perceive([Received(kind, message, self._now)])

    def pass_time(self, until_ns: int) -> None:
        """Let the nodes do what they do when time passes and nothing comes."""
        if not self._begun:
            self._begun, self._now = True, until_ns
            return
        ahead = until_ns - self._now
        if -_LARGEST_BACKWARD_NS <= ahead < 0:
            return
        if 0 <= ahead <= LONGEST_PAUSE_NS:
            self._tick(until_ns)
            self._now = until_ns
            return
        if ahead > 0:
            self._tick(self._now + LONGEST_PAUSE_NS)
        self._leap(until_ns)

    def finish(self) -> None:
        """The end of the recording: answer what it still holds."""
        if self._perceiving is not None:
            self._perceiving.finish()
        self._reacting.finish()

    # --- Inside ----------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        return self._now

    def _leap(self, to_ns: int) -> None:
        """The clock jumps: both nodes forget the conversation."""
        self.leaps += 1
        self._now = to_ns
        if self._perceiving is not None:
            self._perceiving.reset()
        self._reacting.reset()
        self._due = dict.fromkeys(self._due, to_ns)

    def _tick(self, until_ns: int) -> None:
        """Call whoever asked to be called again up to a moment, in order of time."""
        while self._due:
            name = min(self._due, key=lambda each: self._due[each])
            if self._due[name] > until_ns:
                return
            self._now = max(self._now, self._due[name])
            if name == "perceiving":
                self._perceive([])
            else:
                self._react([])

    def _perceive(self, received: list[Received]) -> None:
        assert self._perceiving is not None, "sensors are delivered where perception runs"
        self._ask_again("perceiving", self._perceiving.work(received))

    def _behaviour(self, message: SpeakerBehaviour) -> None:
        self._heard(message)
        self._react([message])

    def _react(self, messages: list[SpeakerBehaviour]) -> None:
        self._ask_again("reacting", self._reacting.work(messages))

    def _ask_again(self, name: str, seconds: float | None) -> None:
        if seconds is None:
            self._due.pop(name, None)
        else:
            self._due[name] = self._now + max(round(seconds * 1e9), 1)
