"""Live replay: a bag through running nodes, and how their reactions compare with the offline ones.

The nodes are those of `perreactor bringup --bag`, in processes of their own, in simulated time, in
a namespace that nobody else uses. The bag begins to play when every robot is active.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from perreactor_model.face_analysis.choice import AUTO
from perreactor_model.report.contents import LiveTrack, ReactionTrack
from perreactor_ros import qos
from perreactor_ros.bag_routes import find_routes
from perreactor_ros.bringup.launcher import Launcher, Output
from perreactor_ros.bringup.options import BringupOptions, Robot
from perreactor_ros.bringup.processes import Parameter, ProcessSpec, bag_process_list
from perreactor_ros.msg import FacialReaction, ReactorState
from perreactor_ros.replay.comparison import ComparisonError, HeardReactions, compare
from perreactor_ros.replay.topics import TopicOptions

START_SECONDS = 120.0
"""Time within which all robots must be active: loading a large bundle takes a while."""

SETTLE_SECONDS = 1.5
"""After the bag: nodes report once a second what they lost."""

_EVERY_REACTION = QoSProfile(depth=1000, reliability=QoSReliabilityPolicy.RELIABLE)

LOSSES = {
    ("perception", "messages dropped"): "messages that perception had no time to take in",
    ("perception", "messages refused"): "messages that perception could not read",
    ("perception", "frames skipped"): "frames that perception skipped to keep up",
    ("perception", "dropped frames"): "frames that perception had no room for",
    ("reactor_process", "missing frames"): "frames that did not reach the reactor",
    ("reactor_process", "frames dropped"): "frames that the reactor skipped to keep up",
    ("reactor_process", "frames refused"): "frames that the reactor could not use",
}
"""Node and figure of its /diagnostics that counts what was lost, and what to call it."""


@dataclass(frozen=True)
class LiveReplay:
    """What to replay, and how: the same as in the offline run that it is compared with.

    `robots` are their profiles by name, `topics` those of the bag that the user named, and
    `params_file` is the parameter file of the nodes, if there is one.
    """

    bag: Path
    bundle: str
    robots: Mapping[str, str]
    seed: int = 0
    device: str | None = None
    analyzer: str = AUTO
    topics: TopicOptions = field(default_factory=TopicOptions)
    params_file: Path | None = None
    playback_rate: float = 1.0


def replay_live(
    replay: LiveReplay,
    offline: Sequence[ReactionTrack],
    output: Output,
    progress: Callable[[str], object] = lambda _: None,
) -> LiveTrack:
    """Play the bag to real nodes at its own speed and compare what they do with `offline`.

    Takes as long as the bag. What the nodes say goes to `output` line by line; `progress` is told
    in sentences what happens. Raises BringupError for a bag or bundle that is of no use, and
    ComparisonError where the nodes do not come up or show nothing.
    """
    namespace = f"perreactor_replay_{os.getpid()}"
    specs = _processes(replay, namespace)
    routes = find_routes(replay.bag, replay.bundle, replay.topics, replay.analyzer)
    for trouble in routes.left_out:
        progress(f"{trouble}: the nodes react without it")
    with _Observer(namespace, list(replay.robots)) as observer:
        observer.refuse_company()
        with Launcher(specs[:-1], output=output) as nodes:
            progress("starting the nodes")
            observer.spin_until(
                lambda: observer.all_active or nodes.wait(0) is not None, START_SECONDS
            )
            if not observer.all_active:
                raise ComparisonError(
                    f"the nodes did not come up within {START_SECONDS:.0f} s: "
                    f"{', '.join(observer.not_active)} is not active; what they said tells why"
                )
            progress("playing the bag at its own speed")
            with Launcher(specs[-1:], output=output) as player:
                observer.spin_until(
                    lambda: player.wait(0) is not None or nodes.wait(0) is not None, None
                )
                if player.wait(0) != 0:
                    raise ComparisonError("the bag was not played to its end; see what was said")
            observer.spin_until(lambda: False, SETTLE_SECONDS)
        return compare(offline, observer.heard, observer.losses())


def _processes(replay: LiveReplay, namespace: str) -> list[ProcessSpec]:
    """The processes of a bringup with this replay's seed and speed; the player is the last."""
    options = BringupOptions(
        robots=tuple(Robot(name, profile) for name, profile in replay.robots.items()),
        bundle=replay.bundle,
        bag=replay.bag.absolute(),
        params_file=replay.params_file,
        namespace=namespace,
        device=replay.device,
        analyzer=replay.analyzer,
        autostart=True,
    )
    added: dict[str, dict[str, Parameter]] = {
        "reactor": {"seed": replay.seed},
        "bag_player": {"playback_rate": replay.playback_rate, "loop": False, "exit_at_end": True},
    }
    return [
        replace(spec, parameters={**spec.parameters, **added.get(spec.name, {})})
        for spec in bag_process_list(options, topics=replay.topics)
    ]


class _Observer:
    """Hears the robots' reactions and states, and what the nodes report of themselves."""

    def __init__(self, namespace: str, robots: Sequence[str]) -> None:
        self.heard = {robot: HeardReactions(robot) for robot in robots}
        self._namespace = namespace
        self._active: dict[str, bool] = dict.fromkeys(robots, False)
        self._figures: dict[str, dict[str, str]] = defaultdict(dict)
        self._context = Context()

    def __enter__(self) -> "_Observer":
        rclpy.init(args=[], context=self._context)
        self._node = Node("observer", namespace=self._namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for robot in self.heard:
            qos.subscribe(
                self._node,
                FacialReaction,
                f"{robot}/reaction",
                self.heard[robot].add,
                _EVERY_REACTION,
            )
            topic = f"{robot}/reactor/state"
            qos.subscribe(self._node, ReactorState, topic, self._note_state, qos.STATE)
        profile = QoSProfile(depth=100)
        qos.subscribe(self._node, DiagnosticArray, "/diagnostics", self._note_figures, profile)
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(timeout_sec=0)
        self._node.destroy_node()
        self._context.try_shutdown()

    @property
    def not_active(self) -> list[str]:
        """Robots that are not active yet, or no more."""
        return [robot for robot, active in self._active.items() if not active]

    @property
    def all_active(self) -> bool:
        """Whether every robot reacts."""
        return not self.not_active

    def refuse_company(self) -> None:
        """Our /clock would set the time of others, theirs that of our nodes. ComparisonError."""
        self.spin_until(lambda: False, 1.0)  # until others have been discovered
        if self._node.count_publishers("/clock") or self._node.count_subscribers("/clock"):
            raise ComparisonError(
                "other nodes use /clock here: stop them, or choose another ROS_DOMAIN_ID"
            )

    def spin_until(self, condition: Callable[[], object], seconds: float | None) -> None:
        """Take in messages until a condition holds or, if it never does, for `seconds`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not condition() and (deadline is None or time.monotonic() < deadline):
            end = time.monotonic() + 0.1  # the condition may cost more than a message
            while (left := end - time.monotonic()) > 0:
                self._executor.spin_once(timeout_sec=left)

    def losses(self) -> dict[str, int]:
        """What the nodes said that they lost, 0 where they lost nothing."""
        return {
            words: int(self._figures[node][figure])
            for (node, figure), words in LOSSES.items()
            if figure in self._figures[node]
        }

    def _note_state(self, message: Any) -> None:
        self._active[message.robot] = message.lifecycle == State.PRIMARY_STATE_ACTIVE

    def _note_figures(self, message: Any) -> None:
        for status in message.status:
            place, _, node = status.hardware_id.rpartition("/")
            if place == self._namespace:
                self._figures[node].update((each.key, each.value) for each in status.values)
