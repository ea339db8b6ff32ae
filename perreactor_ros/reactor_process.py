"""The reactor process: one engine and one inference thread for any number of robots.

The host node `reactor_process` owns the subscription to the speaker's behaviour, the parameters of
the process, the enrolment of listeners and /diagnostics. The first robot that is configured loads
the bundle, the last one that is cleaned up frees it; behaviour is heard while any robot is active.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription

from perreactor_model.profiles import ProfileStore
from perreactor_model.streaming.engine import EngineSettings
from perreactor_ros import process, qos
from perreactor_ros.bringup.options import parse_robots
from perreactor_ros.clock_jumps import on_clock_jump
from perreactor_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Rate, Status
from perreactor_ros.enrolment import Enrolment
from perreactor_ros.msg import SpeakerBehaviour
from perreactor_ros.parameters import declare
from perreactor_ros.reacting import Loaded, Reacting
from perreactor_ros.reactor_node import ReactorNode
from perreactor_ros.reactor_parameters import PROCESS, SHARED, profile_folders
from perreactor_ros.worker import InferenceThread

NODE_NAME = "reactor_process"

_WATCH_SECONDS = 0.5


class ReactorProcess(Node):
    """The host node, and the application that `process.run` runs."""

    def __init__(self, namespace: str) -> None:
        super().__init__(NODE_NAME, namespace=namespace)
        self.namespace = namespace
        own = declare(self, PROCESS, {process.NAMESPACE.name: namespace})
        shared = declare(self, SHARED)
        self._bundle: str = shared["bundle"]
        names = {field.name for field in dataclasses.fields(EngineSettings)}
        self.settings = EngineSettings(
            **{name: value for name, value in shared.items() if name in names}
        )
        self.profile_folders = profile_folders(shared["profiles"])
        self.known_profiles: list[str] = []
        """Names that `listener_profile` accepts; replaced as a whole, for both threads to read."""
        self.loaded: Loaded | None = None
        self._autostart: bool = own["autostart"]
        self._behaviour: Subscription | None = None
        self._behaviour_rate = Rate()
        self._users: set[str] = set()
        self._listening: set[str] = set()
        self._reacting = Reacting(self._now_ns, lambda: self._worker.outdated, self.get_logger())
        self._worker: InferenceThread[SpeakerBehaviour] = InferenceThread(
            "inference", self._reacting.work, self._report
        )
        self._jump = on_clock_jump(self, self.reset)
        self.robots = [
            ReactorNode(
                self,
                robot.name,
                robot.profile,
                SHARED,
                shared,
            )
            for robot in parse_robots(own["robots"])
        ]
        self.nodes: list[Node] = [self, *self.robots]
        self._enrolment = Enrolment(
            self, lambda: self.loaded, self.profile_folders, self._take_profile
        )
        self._diagnostics = Diagnostics(self, self._statuses)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_WATCH_SECONDS, self._watch, clock=steady)

    # --- Application -----------------------------------------------------------------------------

    def begin(self) -> None:
        if self._autostart:
            for robot in self.robots:
                robot.bring_up()

    def close(self) -> None:
        for robot in self.robots:
            robot.close()
        self._enrolment.close()
        self._worker.stop()

    # --- For the robots' nodes -------------------------------------------------------------------

    def acquire(self, robot: ReactorNode) -> None:
        """Load the bundle if this is the first robot. Raises ValueError or OSError."""
        if self.loaded is None:
            self._worker.restart()
            self.loaded = self._worker.call(
                lambda: self._reacting.load(self._bundle, self.settings, self.profile_folders)
            )
            self.known_profiles = self.loaded.profiles.names()
            for folder in self.profile_folders:
                if not folder.is_dir():
                    self.get_logger().warning(f"profiles: there is no folder {folder} yet")
            self.get_logger().info(f"{self.loaded.model_id} on {self.loaded.provider}")
            if not self.loaded.trained:
                self.get_logger().warning(
                    f"{self.loaded.model_id} is untrained: judge liveness, not sense"
                )
        self._users.add(robot.robot)

    def release(self, robot: ReactorNode) -> None:
        """Free the bundle if this was the last robot."""
        self._users.discard(robot.robot)
        if not self._users and self.loaded is not None:
            self._worker.call(self._reacting.unload)
            self.loaded = None

    def listen(self, robot: ReactorNode) -> None:
        """Let a robot react. Raises ProfileError."""
        name, enabled = robot.robot, robot.enabled
        self._worker.call(lambda: self._reacting.add_robot(name, robot, enabled))
        self._listening.add(name)
        if self._behaviour is None:
            self._behaviour = qos.subscribe(
                self, SpeakerBehaviour, "speaker/behaviour", self._hear, qos.BEHAVIOUR
            )

    def stop_listening(self, robot: ReactorNode) -> None:
        """Let a robot react no more; nothing of it is published once this returns."""
        self._listening.discard(robot.robot)
        if not self._listening and self._behaviour is not None:
            self.destroy_subscription(self._behaviour)
            self._behaviour = None
            self._behaviour_rate.clear()
            self._worker.discard()
            self._worker.post(self._reacting.pause)
        self._worker.call(lambda: self._reacting.remove_robot(robot.robot))

    def enable(self, robot: ReactorNode) -> None:
        """Apply the robot's `enabled`."""
        name, enabled = robot.robot, robot.enabled
        self._worker.post(lambda: self._reacting.set_enabled(name, enabled))

    def profiles(self) -> ProfileStore:
        """The profiles of the loaded bundle."""
        assert self.loaded is not None
        return self.loaded.profiles

    def look_for_profiles(self) -> None:
        """Announce profiles that have come or gone since the folders were looked at last."""
        if self.loaded is None:
            return
        try:
            names = self.loaded.profiles.names()
        except OSError:  # a folder that went away under our eyes; the next look will tell
            return
        if names != self.known_profiles:
            self.known_profiles = names
            for robot in self.robots:
                robot.announce()

    def reset(self) -> bool:
        """Forget the conversation, for all robots; False if no bundle is loaded."""
        if self.loaded is None:
            return False
        self._worker.discard()
        self._worker.post(self._reacting.reset)
        return True

    # --- Callbacks -------------------------------------------------------------------------------

    def _hear(self, message: SpeakerBehaviour) -> None:
        self._behaviour_rate.tick()
        self._worker.put(message)

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _report(self, trace: str) -> None:
        if self.context.ok():
            self.get_logger().error(f"inference failed:\n{trace}")

    def _take_profile(self, name: str) -> None:
        """Announce a profile that was made just now; those who react with it take it as it is."""
        self.look_for_profiles()
        for robot in self.robots:
            robot.take_anew(name)

    def _watch(self) -> None:
        """What no message brings about: profiles made or set in silence, and a broken engine."""
        self.look_for_profiles()
        for robot in self.robots:
            robot.follow_parameter()
        if self._listening:
            self._worker.post(lambda: None)
        if self._worker.failed and self._users:
            self.get_logger().error(
                "inference failed again and again: all robots are unconfigured; "
                "configure and activate them to try again"
            )
            for robot in self.robots:
                robot.bring_down()

    def _statuses(self) -> list[Status]:
        silent = self._behaviour_rate.silent_for()
        if self._worker.failed:
            level, summary = ERROR, "inference has failed"
        elif self.loaded is None:
            level, summary = WARN, "no bundle is loaded"
        elif self._listening and (silent is None or silent > 1.0):
            level, summary = WARN, "no speaker/behaviour comes"
        else:
            level, summary = OK, "reacting" if self._listening else "inactive"
        values = {
            "behaviour (Hz)": f"{self._behaviour_rate.hertz():.1f}",
            "reactions (Hz)": f"{self._reacting.reactions.hertz():.1f}",
            **self._reacting.step_time.milliseconds("step"),
            **self._reacting.latency.milliseconds("latency"),
            "frames dropped": self._worker.dropped + self._reacting.skipped,
            "frames refused": self._reacting.refused,
            **{name.replace("_", " "): count for name, count in self._reacting.counters().items()},
        }
        if self.loaded is not None:
            values["bundle"] = self.loaded.model_id
            values["trained"] = self.loaded.trained
            values["provider"] = self.loaded.provider
        robots = [robot.status() for robot in self.robots]
        return [Status("engine", level, summary, values), self._enrolment.status(), *robots]


def main(args: Sequence[str] | None = None) -> None:
    """Run the reactor process until it is interrupted."""
    process.run(NODE_NAME, ReactorProcess, args)


if __name__ == "__main__":
    main()
