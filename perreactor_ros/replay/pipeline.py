"""The nodes' own pipeline, driven by the time of a bag instead of a clock.

The very classes that perception and the reactor process run (`Perceiving`, `Reacting`) get each
message at the moment at which it was recorded, and are called again whenever they asked to be, on
simulated time: as on a machine that is infinitely fast, and so the same on every machine. Nothing
is skipped. As in a graph, the two work side by side: the reactors in a thread of their own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.streaming.choice import Choice
from perreactor_ros.audio_types import AUDIO_TYPES, audio_adapter
from perreactor_ros.messages import nanoseconds
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour
from perreactor_ros.perceiving import Perceiving, Received
from perreactor_ros.reacting import Reacting
from perreactor_ros.replay.settings import NodeSettings
from perreactor_ros.replay.side_thread import SideThread
from perreactor_ros.replay.simulated_time import SimulatedTime
from perreactor_ros.replay.topics import Sources

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
    """What `Reacting` needs of a robot's node: here profile and beta never change."""

    def __init__(
        self, spec: RobotSpec, sample: int, time: SimulatedTime, say: Callable[[Said], None]
    ) -> None:
        self._spec = spec
        self._sample = sample
        self._topic = reaction_topic(spec.name, sample)
        self._time = time
        self._say = say

    def wanted_profile(self) -> str:
        return self._spec.profile

    def chosen(self, profile: str) -> Choice | None:
        return None

    def wanted_beta(self) -> float | None:
        return None  # that of the settings

    def profile_applied(self, profile: str) -> None:
        raise AssertionError("an offline robot keeps its profile")

    def publish(self, message: FacialReaction) -> None:
        message.latency = math.nan
        stamp_ns, now = nanoseconds(message.header.stamp), self._time.now_ns
        # Where stamps are of another clock, the reaction shall still lie beside its recording.
        time_ns = stamp_ns if abs(stamp_ns - now) <= _SAME_CLOCK_NS else now
        self._say(Said(self._spec, self._sample, self._topic, message, time_ns))


class Pipeline:
    """Perception (if there are sensors) and the reactors of some robots, on the bag's time.

    `heard` gets each frame of the speaker and `said` each reaction, in order and in the caller's
    thread. Of the two `logs`, perception's and the reactors', the second is used by the reactors'.
    Raises BundleError, DeviceError, ProfileError or ValueError.
    """

    def __init__(
        self,
        bundle: Bundle,
        robots: Sequence[RobotSpec],
        samples: int,
        sources: Sources,
        settings: NodeSettings,
        logs: tuple[Log, Log],
        heard: Callable[[Any], None],
        said: Callable[[Said], None],
    ) -> None:
        self._heard, self._said = heard, said
        self._made: deque[Said] = deque()
        self._time = SimulatedTime()
        """What perception's clock shows, or without perception that of whoever brings behaviour."""
        self._reactors_time = SimulatedTime()
        self._perceiving: Perceiving | None = None
        if sources.behaviour is None:
            self._perceiving = self._perception(bundle, sources, settings, logs[0])
            self._time.drive(self._perceiving.work, self._forget, logs[0].error)
        self._reacting = Reacting(lambda: self._reactors_time.now_ns, lambda: False, logs[1])
        self._reactors_time.drive(
            self._reacting.work, lambda _: self._reacting.reset(), logs[1].error
        )
        self._reacting.load(str(bundle.path), settings.engine, settings.profile_folders)
        for robot in robots:
            for sample in range(samples):
                offline = _OfflineRobot(robot, sample, self._reactors_time, self._made.append)
                self._reacting.add_robot(robot.name, offline, True, sample)
        self._reactors = SideThread("reactors")

    def _perception(
        self, bundle: Bundle, sources: Sources, settings: NodeSettings, log: Log
    ) -> Perceiving:
        adapter = audio_adapter(sources.audio_type or AUDIO_TYPES[0], settings.assumed_sound)
        perceiving = Perceiving(
            lambda: self._time.now_ns,
            lambda: False,
            lambda message: self._behaviour(message, self._time.now_ns),
            log,
            adapter,
            settings.frame_id,
            backlog=None,
            monotonic=lambda: self._time.now_ns / 1e9,
        )
        perceiving.load(str(bundle.path), settings.perceiver)
        return perceiving

    # --- What comes from the bag -----------------------------------------------------------------

    def deliver(self, kind: str, message: Any, time_ns: int) -> None:
        """Let time pass up to when a message was recorded, and hand it over.

        `kind` is an input of perception, or "behaviour".
        """
        if kind == "behaviour":
            self._behaviour(message, time_ns)
        else:
            assert self._perceiving is not None, "sensors are delivered where perception runs"
            self._time.advance(time_ns)
            self._time.hand([Received(kind, message, self._time.now_ns)], time_ns)
        self._hand_out()

    def finish(self) -> None:
        """The end of the recording: answer what it still holds. Nothing is delivered after."""
        if self._perceiving is not None:
            self._perceiving.finish()
        self._reactors.put(self._reacting.finish)
        self.close()

    def close(self) -> None:
        """Wait for the reactors; what still waits for more input is left unanswered."""
        self._reactors.finish()
        self._hand_out()
        if self._perceiving is not None:
            self._perceiving.unload()

    @property
    def counters(self) -> dict[str, int]:
        """What perception and engine counted, by name; complete once all is finished."""
        counts: dict[str, int] = {}
        if self._perceiving is not None:
            counts |= {**self._perceiving.counters, "messages_refused": self._perceiving.refused}
        for name, count in self._reacting.counters().items():
            counts[f"reactor_{name}" if name in counts else name] = count
        counts["behaviour_refused"] = self._reacting.refused
        counts["leaps_of_the_clock"] = self._reactors_time.leaps
        return counts

    # --- Inside ----------------------------------------------------------------------------------

    def _behaviour(self, message: SpeakerBehaviour, time_ns: int) -> None:
        self._heard(message)
        self._reactors.put(lambda: self._reactors_time.hand([message], time_ns))

    def _hand_out(self) -> None:
        while self._made:
            self._said(self._made.popleft())

    def _forget(self, now_ns: int) -> None:
        """The clock leapt: both nodes forget the conversation."""
        assert self._perceiving is not None
        self._perceiving.reset()
        self._reactors.put(lambda: self._reactors_time.leap(now_ns))
