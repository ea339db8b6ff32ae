"""One robot's managed node: `<robot>/reactor`.

It publishes the robot's reactions and its latched state, and holds its listener profile. The
bundle, the engine and the inference thread belong to the process (`reactor_process.py`), which
several such nodes share.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import rclpy.parameter
from lifecycle_msgs.msg import State
from rcl_interfaces.msg import SetParametersResult
from std_srvs.srv import SetBool, Trigger

from perreactor_model.profiles import ProfileError, parse_blend
from perreactor_model.streaming.choice import Choice, choose
from perreactor_ros import qos
from perreactor_ros.diagnostics import OK, WARN, Rate, Status
from perreactor_ros.lifecycle import STATE_NAMES, ManagedNode
from perreactor_ros.msg import FacialReaction, ReactorState
from perreactor_ros.parameters import Parameter, ParameterError, declare
from perreactor_ros.reactor_parameters import BETA, LISTENER_PROFILE, beta_of

if TYPE_CHECKING:
    from perreactor_ros.reactor_process import ReactorProcess

NODE_NAME = "reactor"

_SAY_AGAIN_SECONDS = 5.0
"""Changes of profile are said in the log at most this often; topics tell each of them."""


class ReactorNode(ManagedNode):
    """The node of one robot.

    `profile` None leaves the first profile to the parameter files. `shown` are the parameters of
    the process, which this node shows read-only.
    """

    def __init__(
        self,
        process: ReactorProcess,
        robot: str,
        profile: str | None,
        shown: Iterable[Parameter],
        values: Mapping[str, Any],
    ) -> None:
        super().__init__(NODE_NAME, namespace=f"{process.namespace.rstrip('/')}/{robot}")
        self.robot = robot
        self.enabled = True
        self.rate = Rate()
        self._process = process
        declare(self, shown, values)
        declare(self, [LISTENER_PROFILE], {} if profile is None else {"listener_profile": profile})
        declare(self, [BETA])
        self.wanted_beta()
        self._profile = self._said = self.wanted_profile()
        self._said_at = -_SAY_AGAIN_SECONDS
        self._choice: Choice | None = None
        self.add_on_set_parameters_callback(self._check)
        self._reaction = qos.advertise(self, FacialReaction, "reaction", qos.REACTION, managed=True)
        self._state = qos.advertise(self, ReactorState, "reactor/state", qos.STATE)
        self.create_service(Trigger, "reactor/reset", self._reset)
        self.create_service(SetBool, "reactor/enable", self._enable)
        self.announce()

    # --- For the inference thread ----------------------------------------------------------------

    def wanted_profile(self) -> str:
        return self.get_parameter("listener_profile").value

    def chosen(self, profile: str) -> Choice | None:
        choice = self._choice
        return choice if choice is not None and choice.name == profile else None

    def wanted_beta(self) -> float | None:
        return beta_of(self.get_parameter("beta").value)

    def profile_applied(self, profile: str) -> None:
        self._profile = profile
        self._say_profile()
        self.announce()

    def publish(self, message: FacialReaction) -> None:
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE and self.context.ok():
            self._reaction.publish(message)
            self.rate.tick()

    # --- Lifecycle -------------------------------------------------------------------------------

    def configure(self) -> None:
        self._process.acquire(self)
        self._choice = choose(self._process.profiles(), self.wanted_profile())
        self._profile = self._said = self.wanted_profile()

    def activate(self) -> None:
        # Reactions may be computed before the transition has ended.
        self.lifecycle = State.PRIMARY_STATE_ACTIVE
        try:
            self._process.listen(self)
        except BaseException:
            self.lifecycle = State.PRIMARY_STATE_INACTIVE
            raise
        self._profile = self.wanted_profile()

    def deactivate(self) -> None:
        self.lifecycle = State.PRIMARY_STATE_INACTIVE
        self._process.stop_listening(self)
        self.rate.clear()

    def cleanup(self) -> None:
        self._process.release(self)
        self._choice = None

    def announce(self) -> None:
        """Publish the latched state (from either thread)."""
        if not self.context.ok():
            return
        loaded = self._process.loaded
        message = ReactorState()
        message.header.stamp = self.get_clock().now().to_msg()
        message.robot = self.robot
        message.listener_profile = self._profile
        message.step = self._process.settings.step
        message.window = self._process.settings.window
        if loaded is not None:
            message.known_profiles = self._process.known_profiles
            message.model_id = loaded.model_id
            message.provider = loaded.provider
            message.window = loaded.window
        message.lifecycle = self.lifecycle
        self._state.publish(message)

    def _beta(self) -> str:
        """The weight that patterns have or are fading to, for people."""
        loaded, wanted = self._process.loaded, self.wanted_beta()
        if wanted is not None:
            return f"{wanted:g}"
        return "the bundle's own" if loaded is None else f"{loaded.bundle.config.beta:g}"

    def follow_parameter(self) -> None:
        """While it does not react, a profile that was set is only shown."""
        self._say_profile()
        if self.lifecycle != State.PRIMARY_STATE_ACTIVE and self._profile != self.wanted_profile():
            self._profile = self.wanted_profile()
            self.announce()

    def take_anew(self, name: str) -> None:
        """A profile was made, perhaps in place of another: react as it is now, if as it at all."""
        wanted = self.wanted_profile()
        if self._choice is not None and name in dict(parse_blend(wanted)):
            self._choice = choose(self._process.profiles(), wanted)

    # --- Parameters, services, diagnostics -------------------------------------------------------

    def _say_profile(self) -> None:
        """Say what it reacts as, unless that was said just now (from either thread)."""
        active = self.lifecycle == State.PRIMARY_STATE_ACTIVE
        now = time.monotonic()
        if active and self._said != self._profile and now >= self._said_at + _SAY_AGAIN_SECONDS:
            self._said, self._said_at = self._profile, now
            self.get_logger().info(f"{self.robot} reacts as '{self._said}'")

    def _check(self, changes: Iterable[rclpy.parameter.Parameter]) -> SetParametersResult:
        """Refuse what could not be applied. The inference thread applies what is set."""
        choice = self._choice
        try:
            for change in changes:
                if change.name == BETA.name:
                    beta_of(change.value)
                if change.name == LISTENER_PROFILE.name and self._process.loaded is not None:
                    self._process.look_for_profiles()
                    choice = choose(self._process.profiles(), change.value)
        except (ProfileError, ParameterError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._choice = choice
        return SetParametersResult(successful=True)

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._process.reset()
        response.message = (
            "the conversation is forgotten, for all robots of this process"
            if response.success
            else "no bundle is loaded: configure the node first"
        )
        return response

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.enabled = request.data
        self._process.enable(self)
        response.success = True
        response.message = (
            f"{self.robot} reacts"
            if self.enabled
            else f"{self.robot} goes to a neutral face and falls silent"
        )
        return response

    def status(self) -> Status:
        """The robot's entry in /diagnostics."""
        active = self.lifecycle == State.PRIMARY_STATE_ACTIVE
        summary = STATE_NAMES[self.lifecycle] + ("" if self.enabled else ", disabled")
        return Status(
            self.robot,
            OK if active else WARN,
            summary,
            {
                "lifecycle": STATE_NAMES[self.lifecycle],
                "listener profile": self._profile,
                "beta": self._beta(),
                "enabled": self.enabled,
                "reactions (Hz)": f"{self.rate.hertz():.1f}",
            },
        )


def main(args: list[str] | None = None) -> None:
    """The same as the reactor process, which runs one such node a robot."""
    from perreactor_ros.reactor_process import main as run_process

    run_process(args)


if __name__ == "__main__":
    main()
