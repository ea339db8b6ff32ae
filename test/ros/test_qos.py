"""Quality of service: who hears whom, and what is said where nobody can."""

import pytest
from live_graph import LATCHED
from perreactor_ros.msg import FacialReaction, ReactorState, SpeakerBehaviour
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy

RELIABLE = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
TRANSIENT = QoSProfile(
    depth=10,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best effort"])
def test_both_kinds_of_subscriber_get_reactions(graph, bundle, behaviour, qos):
    graph.start("reactor", {"bundle": str(bundle)})
    reactions = graph.collect(FacialReaction, "robot_a/reaction", qos)
    behaviour()
    graph.wait_for_more(reactions, 5, "reactions")


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best effort"])
def test_both_kinds_of_camera_and_microphone_are_heard(graph, face_bundle, speaker, qos):
    graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    speaker(qos=qos)
    graph.wait_for(behaviour, lambda each: each.face_present and each.voice_present, "behaviour")


def test_a_subscriber_that_asks_too_much_is_named_in_the_log(graph, bundle):
    process = graph.start("reactor", {"bundle": str(bundle)})
    graph.collect(FacialReaction, "robot_a/reaction", TRANSIENT)
    process.wait_for_line(r"\[ERROR\].*/robot_a/reaction.*DURABILITY")


def test_a_publisher_that_offers_too_little_is_named_in_the_log(graph, bundle, behaviour):
    process = graph.start("reactor", {"bundle": str(bundle)})
    behaviour(qos=BEST_EFFORT)
    process.wait_for_line(r"\[ERROR\].*/speaker/behaviour.*RELIABILITY")


def test_quality_of_service_can_be_overridden_by_parameter(graph, bundle, behaviour):
    override = {"qos_overrides./speaker/behaviour.subscription.reliability": "best_effort"}
    graph.start("reactor", {"bundle": str(bundle), **override})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour(qos=BEST_EFFORT)
    graph.wait_for_more(reactions, 5, "reactions")


def test_the_latched_state_reaches_volatile_and_latched_subscribers(graph, bundle):
    graph.start("reactor", {"bundle": str(bundle)})
    graph.wait_for_state("robot_a/reactor", "active")
    late = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    graph.wait_until(lambda: late, "the latched state")
    volatile = graph.collect(ReactorState, "robot_a/reactor/state")
    graph.wait_until(
        lambda: graph.node.count_publishers("robot_a/reactor/state"), "the publisher to be known"
    )
    graph.change_state("robot_a/reactor", "deactivate")
    graph.wait_until(lambda: volatile, "the next state")
