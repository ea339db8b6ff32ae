"""Simulated time: nothing before the first /clock, and a jump back starts afresh."""

import math

from live_graph import Speaker, stamp_of
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour
from rosgraph_msgs.msg import Clock as ClockMessage

from perreactor_ros.messages import stamp

SECOND = 1_000_000_000


class SimulatedSpeaker(Speaker):
    """Camera, microphone and /clock on a time that the test sets."""

    def __init__(self, graph, start_ns: int) -> None:
        self.clock = graph.node.create_publisher(ClockMessage, "/clock", 10)
        self.offset_ns = 0
        self._first_ns = start_ns
        super().__init__(graph)

    def jump_to(self, time_ns: int) -> None:
        self.offset_ns += time_ns - self.now_ns

    @property
    def now_ns(self) -> int:
        return self._first_ns + self.offset_ns + self.count * 40_000_000

    def publish(self, index: int, stamp_ns: int) -> None:
        now = self.now_ns
        self.clock.publish(ClockMessage(clock=stamp(now)))
        super().publish(index, now)


def test_a_bag_that_loops_starts_a_new_conversation(graph, face_bundle):
    parameters = {"bundle": str(face_bundle), "use_sim_time": True}
    perception = graph.start("perception", {**parameters, "crop": False})
    graph.start("reactor", parameters)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    bag = SimulatedSpeaker(graph, start_ns=1000 * SECOND)
    graph.wait_for_more(reactions, 30, "reactions")
    assert all(stamp_of(each) < 1100 * SECOND for each in reactions), "in the bag's own time"
    epoch = behaviour[-1].epoch
    bag.jump_to(500 * SECOND)
    again = graph.wait_for(
        reactions, lambda each: stamp_of(each) < 600 * SECOND, "reactions after the jump"
    )
    assert again.epoch > 0
    assert behaviour[-1].epoch > epoch
    assert perception.says("the clock jumped") == 1
    graph.wait_for_more(reactions, 10, "reactions")


def test_a_jump_ahead_is_survived_as_well(graph, face_bundle):
    parameters = {"bundle": str(face_bundle), "use_sim_time": True}
    graph.start("perception", {**parameters, "crop": False})
    graph.start("reactor", parameters)
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    bag = SimulatedSpeaker(graph, start_ns=1000 * SECOND)
    graph.wait_for_more(reactions, 20, "reactions")
    bag.jump_to(5000 * SECOND)
    graph.wait_for(reactions, lambda each: stamp_of(each) > 5000 * SECOND, "reactions after it")


def test_latency_is_measured_on_the_simulated_clock(graph, face_bundle):
    parameters = {"bundle": str(face_bundle), "use_sim_time": True}
    graph.start("perception", {**parameters, "crop": False})
    graph.start("reactor", parameters)
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    SimulatedSpeaker(graph, start_ns=1000 * SECOND)
    graph.wait_for_more(reactions, 20, "reactions")
    # On the wall clock it would be years. A reaction before the first /clock has none.
    latencies = [each.latency for each in reactions if not math.isnan(each.latency)]
    assert latencies
    assert all(-1.0 < latency < 100.0 for latency in latencies)


def test_before_the_first_clock_nodes_come_up_and_wait(graph, face_bundle):
    graph.start("perception", {"bundle": str(face_bundle), "use_sim_time": True})
    reactor = graph.start("reactor", {"bundle": str(face_bundle), "use_sim_time": True})
    graph.wait_for_state("perception", "active")
    graph.wait_for_state("robot_a/reactor", "active")
    assert "Traceback" not in reactor.output
