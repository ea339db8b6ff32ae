"""Jumps of ROS time: simulation restarted, a bag that loops, `use_sim_time` switched."""

from collections.abc import Callable

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

_BACKWARD = Duration(nanoseconds=-100_000_000)
_FORWARD = Duration(seconds=2)


def on_clock_jump(node: Node, callback: Callable[[], object]) -> object:
    """Call back, in the executor thread, when the node's time goes back or leaps ahead.

    The jump is over then. The callback is in force for as long as the result is kept.
    """

    def jumped(jump: TimeJump) -> None:
        if node.get_clock().now().nanoseconds == jump.delta.nanoseconds:
            return  # simulated time began: it had stood at 0 until the first /clock
        node.get_logger().info("the clock jumped: starting afresh")
        callback()

    threshold = JumpThreshold(min_forward=_FORWARD, min_backward=_BACKWARD, on_clock_change=True)
    return node.get_clock().create_jump_callback(threshold, post_callback=jumped)
