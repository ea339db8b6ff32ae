"""Quality of service of every topic, and publishers and subscriptions that report a mismatch.

Sensors are heard best-effort, so that any camera driver matches; behaviour and reactions are
reliable and volatile, so that both kinds of subscriber match; state is latched. Each can be
overridden with ROS's own parameters (`qos_overrides.<topic>.subscription.reliability`, ...).
"""

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

IMAGE_IN = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
"""A camera's newest pictures; what is older is of no use."""

AUDIO_IN = QoSProfile(depth=50, reliability=QoSReliabilityPolicy.BEST_EFFORT)
"""At least half a second of a microphone's chunks of 10 ms."""

BEHAVIOUR = QoSProfile(depth=25, reliability=QoSReliabilityPolicy.RELIABLE)
"""Speaker behaviour, out of perception and into reactors: a second of it."""

REACTION = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
"""Reactions, out."""

STATE = QoSProfile(
    depth=1,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)
"""What holds until it changes: whoever comes later gets the last message."""

EVENT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
"""Rare messages of which each counts."""


def subscribe(
    node: Node, type_: type, topic: str, callback: Callable[[Any], None], profile: QoSProfile
) -> Subscription:
    """Subscribe; a publisher that cannot match is logged as an error with topic and policy."""

    def incompatible(event: Any) -> None:
        _log_mismatch(node, subscription.topic_name, event, "a publisher offers", "arrive from it")

    subscription = node.create_subscription(
        type_,
        topic,
        callback,
        profile,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
    return subscription


def advertise(
    node: Node, type_: type, topic: str, profile: QoSProfile, managed: bool = False
) -> Publisher:
    """Publish; a subscription that cannot match is logged as an error with topic and policy.

    A `managed` publisher of a lifecycle node says nothing unless the node is active.
    """

    def incompatible(event: Any) -> None:
        _log_mismatch(node, publisher.topic_name, event, "a subscriber asks for", "reach it")

    create = node.create_publisher
    if managed:
        assert isinstance(node, LifecycleNode)
        create = node.create_lifecycle_publisher
    publisher = create(
        type_,
        topic,
        profile,
        event_callbacks=PublisherEventCallbacks(incompatible_qos=incompatible),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
    return publisher


def _log_mismatch(node: Node, topic: str, event: Any, who: str, effect: str) -> None:
    policy = qos_policy_name_from_kind(event.last_policy_kind)
    node.get_logger().error(
        f"{topic}: {who} an incompatible quality of service (policy {policy}); no messages will "
        f"{effect}. Change it there, or here by the parameters "
        f"qos_overrides.{topic}.*.{policy.lower()}"
    )
