"""Any number of graphs side by side: every name is relative to the namespace of the process."""

import pytest
from live_graph import LATCHED
from perreactor_ros.msg import FacialReaction, ReactorState, SpeakerBehaviour


def test_two_namespaces_do_not_hear_each_other(graph, bundle, behaviour):
    for namespace in ("lab", "hall/left"):
        graph.start("reactor", {"bundle": str(bundle), "namespace": namespace})
    lab = graph.collect(FacialReaction, "lab/robot_a/reaction")
    hall = graph.collect(FacialReaction, "hall/left/robot_a/reaction")
    for namespace in ("lab", "hall/left"):
        graph.wait_for_state(f"{namespace}/robot_a/reactor", "active")
    first = behaviour(namespace="lab")
    graph.wait_for_more(lab, 10, "reactions in lab")
    assert not hall
    first.stop()
    behaviour(namespace="hall/left")
    graph.wait_for_more(hall, 10, "reactions in hall/left")


def test_all_nodes_and_topics_of_a_process_are_in_its_namespace(graph, face_bundle, speaker):
    parameters = {"bundle": str(face_bundle), "crop": False, "namespace": "lab"}
    graph.start("perception", parameters)
    graph.start("reactor", {"bundle": str(face_bundle), "namespace": "lab"})
    reactions = graph.collect(FacialReaction, "lab/robot_a/reaction")
    speaker(namespace="lab")
    graph.wait_for_more(reactions, 5, "reactions")
    nodes = set(graph.node.get_node_names_and_namespaces()) - {("test", "/")}
    assert nodes == {
        ("perception", "/lab"),
        ("reactor_process", "/lab"),
        ("reactor", "/lab/robot_a"),
    }
    shared = {"/rosout", "/parameter_events", "/diagnostics"}
    for topic, _ in graph.node.get_topic_names_and_types():
        assert topic in shared or topic.startswith("/lab/"), topic


@pytest.mark.parametrize("executable", ["reactor", "perception"])
def test_a_global_namespace_remap_counts_as_the_namespace(graph, bundle, executable):
    """What `launch` emits for a node's `namespace=` would otherwise rename all nodes alike."""
    graph.start(executable, {"bundle": str(bundle)}, ["-r", "__ns:=/lab"])
    node = "lab/robot_a/reactor" if executable == "reactor" else "lab/perception"
    graph.wait_for_state(node, "active")


def test_topics_can_be_remapped(graph, bundle, behaviour):
    graph.start(
        "reactor",
        {"bundle": str(bundle)},
        ["-r", "speaker/behaviour:=/elsewhere/speaker/behaviour"],
    )
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour(namespace="elsewhere")
    graph.wait_for_more(reactions, 5, "reactions")


def test_a_parameter_file_can_address_one_robot(graph, bundle, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**/robot_b/reactor:\n  ros__parameters:\n    listener_profile: lively\n")
    graph.start(
        "reactor",
        {"bundle": str(bundle), "robots": "robot_a:warm,robot_b"},
        ["--params-file", str(file)],
    )
    for robot, profile in (("robot_a", "warm"), ("robot_b", "lively")):
        states = graph.collect(ReactorState, f"{robot}/reactor/state", LATCHED)
        graph.wait_until(lambda states=states: states, "the state")
        assert states[-1].listener_profile == profile


def test_an_impossible_namespace_is_refused_by_name(graph):
    process = graph.start("perception", {"namespace": "no spaces"})
    assert process.wait() == 2
    assert "parameter namespace" in process.output
    assert "Traceback" not in process.output


def test_a_whole_graph_runs_from_camera_to_reaction(graph, face_bundle, speaker):
    graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    graph.start("reactor", {"bundle": str(face_bundle), "robots": "robot_a:warm,robot_b:stoic"})
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    one = graph.collect(FacialReaction, "robot_a/reaction")
    other = graph.collect(FacialReaction, "robot_b/reaction")
    speaker()
    graph.wait_for_more(one, 10, "reactions of robot_a")
    graph.wait_for_more(other, 1, "reactions of robot_b")
    assert behaviour
