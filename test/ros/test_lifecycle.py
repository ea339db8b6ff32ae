"""Managed nodes: loops, mistakes, ownership of the shared bundle, and a process that is killed."""

import shutil
import signal

import pytest
from live_graph import LATCHED
from perreactor_ros.msg import FacialReaction, ReactorState, SpeakerBehaviour


def test_without_autostart_nodes_wait_to_be_told(graph, bundle):
    graph.start("reactor", {"bundle": str(bundle), "autostart": False})
    assert graph.state_of("robot_a/reactor") == "unconfigured"
    assert graph.change_state("robot_a/reactor", "configure")
    assert graph.state_of("robot_a/reactor") == "inactive"
    assert graph.change_state("robot_a/reactor", "activate")
    assert graph.state_of("robot_a/reactor") == "active"


def test_a_reactor_survives_many_loops_and_reacts_again(graph, bundle, behaviour):
    process = graph.start("reactor", {"bundle": str(bundle)})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    node = "robot_a/reactor"
    graph.wait_for_state(node, "active")
    for _ in range(3):
        graph.wait_for_more(reactions, 3, "reactions")
        for transition in ("deactivate", "cleanup", "configure", "activate"):
            assert graph.change_state(node, transition), transition
    graph.wait_for_more(reactions, 3, "reactions")
    assert process.stop() == 0
    assert "Traceback" not in process.output


def test_perception_survives_many_loops_and_perceives_again(graph, face_bundle, speaker):
    process = graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    speaker()
    graph.wait_for_state("perception", "active")
    for _ in range(3):
        last = graph.wait_for(behaviour, lambda each: each.face_present, "behaviour")
        for transition in ("deactivate", "cleanup", "configure", "activate"):
            assert graph.change_state("perception", transition), transition
    frame = graph.wait_for(behaviour, lambda each: each.face_present, "behaviour")
    assert frame.epoch > last.epoch, "reactors can tell that it began anew"
    assert process.stop() == 0
    assert "Traceback" not in process.output


def test_each_change_of_state_is_announced(graph, bundle):
    graph.start("reactor", {"bundle": str(bundle)})
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    graph.wait_for_state("robot_a/reactor", "active")
    graph.wait_until(
        lambda: states and states[-1].lifecycle == ReactorState.ACTIVE, "the active state"
    )
    graph.change_state("robot_a/reactor", "deactivate")
    graph.wait_until(lambda: states[-1].lifecycle == ReactorState.INACTIVE, "inactive")
    graph.change_state("robot_a/reactor", "cleanup")
    graph.wait_until(lambda: states[-1].lifecycle == ReactorState.UNCONFIGURED, "unconfigured")
    assert states[-1].model_id == "", "nothing is loaded any more"


def test_an_impossible_transition_is_refused_and_harms_nothing(graph, bundle, behaviour):
    process = graph.start("reactor", {"bundle": str(bundle)})
    graph.wait_for_state("robot_a/reactor", "active")
    for transition in ("configure", "activate", "cleanup"):
        assert not graph.change_state("robot_a/reactor", transition)
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    graph.wait_for_more(reactions, 3, "reactions")
    assert "Traceback" not in process.output


@pytest.mark.parametrize("executable", ["reactor", "perception"])
def test_a_missing_bundle_fails_to_configure_until_it_is_there(graph, bundle, executable, tmp_path):
    missing = tmp_path / "bundles" / "mine"
    process = graph.start(executable, {"bundle": str(missing)})
    node = "robot_a/reactor" if executable == "reactor" else "perception"
    process.wait_for_line(f"{missing} is no bundle")
    assert graph.state_of(node) == "unconfigured"
    assert not graph.change_state(node, "configure")
    shutil.copytree(bundle, missing)
    assert graph.change_state(node, "configure")
    assert graph.change_state(node, "activate")
    assert "Traceback" not in process.output


@pytest.mark.parametrize("executable", ["reactor", "perception"])
def test_an_untrained_bundle_is_warned_of(graph, untrained_bundle, executable):
    process = graph.start(executable, {"bundle": str(untrained_bundle)})
    process.wait_for_line("WARN.*is untrained: judge liveness, not sense")


def test_a_bundle_that_knows_no_real_cameras_is_warned_of(graph, face_bundle):
    process = graph.start("perception", {"bundle": str(face_bundle)})
    process.wait_for_line("WARN.*real cameras are out of its domain")


def test_one_robot_sleeps_while_the_other_goes_on(graph, bundle, behaviour):
    graph.start("reactor", {"bundle": str(bundle), "robots": "robot_a:warm,robot_b:stoic"})
    one = graph.collect(FacialReaction, "robot_a/reaction")
    other = graph.collect(FacialReaction, "robot_b/reaction")
    behaviour()
    for robot in ("robot_a", "robot_b"):
        graph.wait_for_state(f"{robot}/reactor", "active")
    graph.wait_for_more(one, 3, "reactions of robot_a")
    assert graph.change_state("robot_a/reactor", "deactivate")
    assert graph.change_state("robot_a/reactor", "cleanup")
    graph.wait_for_more(other, 3, "reactions of robot_b")
    asleep = len(one)
    epoch = other[-1].epoch
    graph.wait_for_more(other, 10, "reactions of robot_b")
    assert len(one) == asleep
    assert other[-1].epoch == epoch, "the other robot's stream was not disturbed"
    assert graph.change_state("robot_a/reactor", "configure")
    assert graph.change_state("robot_a/reactor", "activate")
    graph.wait_for_more(one, 3, "reactions of robot_a")


def test_a_robot_with_an_unknown_profile_does_not_keep_others_from_reacting(
    graph, bundle, behaviour
):
    process = graph.start("reactor", {"bundle": str(bundle), "robots": "robot_a:wram,robot_b:warm"})
    process.wait_for_line("unknown profile 'wram'.*did you mean 'warm'")
    graph.wait_for_state("robot_b/reactor", "active")
    assert graph.state_of("robot_a/reactor") == "unconfigured"
    assert graph.set_parameter("robot_a/reactor", "listener_profile", "warm").successful
    assert graph.change_state("robot_a/reactor", "configure")
    assert graph.change_state("robot_a/reactor", "activate")


def test_a_killed_reactor_comes_back_by_itself_when_started_again(graph, bundle, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    first = graph.start("reactor", {"bundle": str(bundle)})
    graph.wait_for_more(reactions, 5, "reactions")
    first.kill()
    assert first.wait() == -signal.SIGKILL
    graph.start("reactor", {"bundle": str(bundle)})
    graph.wait_for_more(reactions, 5, "reactions")


def test_perception_started_again_is_answered_as_a_new_conversation(
    graph, face_bundle, bundle, speaker
):
    graph.start("reactor", {"bundle": str(face_bundle)})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    perception = graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    speaker()
    graph.wait_for_more(reactions, 30, "reactions")
    epoch = reactions[-1].epoch
    perception.kill()
    graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    graph.wait_for(reactions, lambda each: each.epoch > epoch, "reactions of a new epoch")
