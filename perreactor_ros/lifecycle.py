"""Managed nodes that survive mistakes: theirs, their user's, and invalid requests.

A subclass writes `configure`, `activate`, `deactivate` and `cleanup`, which raise ValueError or
OSError for a user's mistake; the transition then fails with that sentence in the log and can be
tried again.
"""

import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

_SUCCESS = TransitionCallbackReturn.SUCCESS
_FAILURE = TransitionCallbackReturn.FAILURE
_ERROR = TransitionCallbackReturn.ERROR

STATE_NAMES = {
    State.PRIMARY_STATE_UNKNOWN: "unknown",
    State.PRIMARY_STATE_UNCONFIGURED: "unconfigured",
    State.PRIMARY_STATE_INACTIVE: "inactive",
    State.PRIMARY_STATE_ACTIVE: "active",
    State.PRIMARY_STATE_FINALIZED: "finalized",
}


class ManagedNode(LifecycleNode):
    """A lifecycle node; `lifecycle` is the primary state it is in, as in `lifecycle_msgs/State`."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.lifecycle: int = State.PRIMARY_STATE_UNCONFIGURED
        # rclpy lets an invalid transition request kill the process (ros2/rclpy#1209).
        service = self._service_change_state
        service.callback = _refusing_invalid(self, service.callback)

    # --- What a subclass fills in ----------------------------------------------------------------

    def configure(self) -> None:
        """Load what takes time."""

    def activate(self) -> None:
        """Begin to listen; publishers may publish already."""

    def deactivate(self) -> None:
        """Stop listening and drop what waits."""

    def cleanup(self) -> None:
        """Free what `configure` loaded; also called after a `configure` that failed."""

    def announce(self) -> None:
        """`lifecycle` has changed."""

    # --- Bringing it up and down from inside the process -----------------------------------------

    def bring_up(self) -> bool:
        """Configure and activate; False, with the reason in the log, if either fails."""
        return self.trigger_configure() == _SUCCESS and self.trigger_activate() == _SUCCESS

    def bring_down(self) -> None:
        """To unconfigured, from active or inactive."""
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE:
            self.trigger_deactivate()
        if self.lifecycle == State.PRIMARY_STATE_INACTIVE:
            self.trigger_cleanup()

    def close(self) -> None:
        """Free everything at the end of the process, when ROS may be shut down already."""
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE:
            self._attempt(self.deactivate)
        self._attempt(self.cleanup)

    # --- Transitions -----------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._attempt(self.configure)
        if result != _SUCCESS:
            self._attempt(self.cleanup)
            return result
        return self._arrive(super().on_configure(state), State.PRIMARY_STATE_INACTIVE)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        result = self._attempt(self.activate)
        if result != _SUCCESS:
            super().on_deactivate(state)
        return self._arrive(result, State.PRIMARY_STATE_ACTIVE)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._attempt(self.deactivate)
        super().on_deactivate(state)
        return self._arrive(result, State.PRIMARY_STATE_INACTIVE)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._arrive(self._attempt(self.cleanup), State.PRIMARY_STATE_UNCONFIGURED)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE:
            self.on_deactivate(state)
        self._attempt(self.cleanup)
        return self._arrive(_SUCCESS, State.PRIMARY_STATE_FINALIZED)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_deactivate(state)
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE:
            self._attempt(self.deactivate)
        self._attempt(self.cleanup)
        return self._arrive(_SUCCESS, State.PRIMARY_STATE_UNCONFIGURED)

    def _attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            action()
        except (ValueError, OSError) as error:
            self.get_logger().error(f"{action.__name__} failed: {error}")
            return _FAILURE
        except Exception:
            self.get_logger().error(f"{action.__name__} broke:\n{traceback.format_exc()}")
            return _ERROR
        return _SUCCESS

    def _arrive(self, result: TransitionCallbackReturn, state: int) -> TransitionCallbackReturn:
        if result == _SUCCESS:
            self.lifecycle = state
            self._attempt(self.announce)
        return result


def _refusing_invalid(node: LifecycleNode, change_state: Callable) -> Callable:
    """The service's callback, which answers "no success" where it would have raised."""

    def guarded(request: Any, response: Any) -> Any:
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError:
            wanted = request.transition.label or request.transition.id
            node.get_logger().warning(f"transition '{wanted}' is not possible in this state")
            response.success = False
            return response

    return guarded


class SingleNode:
    """The application (process.py) of one managed node, which has a parameter `autostart`."""

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self.nodes = [node]

    def begin(self) -> None:
        """Bring the node up where it is to start by itself; without it, the process ends."""
        if self._node.get_parameter("autostart").value and not self._node.bring_up():
            raise SystemExit(1)  # the reason is in the log

    def close(self) -> None:
        self._node.close()
