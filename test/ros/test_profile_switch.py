"""A robot's listener profile, changed while it reacts."""

import numpy as np
import pytest
from live_graph import LATCHED
from perreactor_ros.msg import FacialReaction, ReactorState

NODE = "robot_a/reactor"


@pytest.fixture
def reactions(graph, bundle, behaviour):
    # Noise that stays: a face moves for its speaker and its profile alone.
    held = {"robots": "robot_a:warm", "noise_seconds": 1e6}
    graph.start("reactor", {"bundle": str(bundle), **held})
    collected = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    graph.wait_until(lambda: len(collected) >= 40, "reactions")
    return collected


def test_a_new_profile_is_announced_and_shapes_the_next_reactions(graph, reactions):
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    assert graph.set_parameter(NODE, "listener_profile", "stoic").successful
    graph.wait_for(reactions, lambda each: each.listener_profile == "stoic", "the new profile")
    graph.wait_until(
        lambda: states and states[-1].listener_profile == "stoic", "the state to say so"
    )
    assert graph.get_parameter(NODE, "listener_profile") == "stoic"


def test_an_unknown_profile_is_rejected_with_the_known_ones_and_the_old_one_stays(graph, reactions):
    result = graph.set_parameter(NODE, "listener_profile", "wram")
    assert not result.successful
    for known in ("generic", "neutral", "warm", "lively", "reserved", "stoic"):
        assert known in result.reason
    assert graph.get_parameter(NODE, "listener_profile") == "warm"
    later = graph.wait_for_more(reactions, 10, "reactions")
    assert {each.listener_profile for each in later} == {"warm"}


def test_a_profile_of_the_wrong_type_is_rejected(graph, reactions):
    assert not graph.set_parameter(NODE, "listener_profile", 3).successful
    assert graph.get_parameter(NODE, "listener_profile") == "warm"


def test_the_face_fades_to_the_new_profile_without_a_jump(graph, reactions):
    assert graph.set_parameter(NODE, "listener_profile", "stoic").successful
    graph.wait_for(reactions, lambda each: each.listener_profile == "stoic", "the new profile")
    graph.wait_for_more(reactions, 40, "reactions")
    faces = np.array([np.concatenate([r.action_units, r.face_3dmm]) for r in reactions])
    steps = np.abs(np.diff(faces, axis=0)).max(1)
    border = next(i for i, each in enumerate(reactions) if each.listener_profile == "stoic")
    frames = [each.frame for each in reactions]
    assert frames == list(range(frames[0], frames[0] + len(frames))), "no frame is left out"
    change = np.abs(faces[-5:].mean(0) - faces[border - 5 : border].mean(0)).max()
    assert change > 0.1, "the profiles differ"
    # A second of fading takes a 25th of the change a frame; a jump would take all of it at once.
    assert steps[border - 1 :].max() <= steps[20 : border - 1].max() + change / 6


def test_a_control_condition_is_chosen_like_a_profile(graph, reactions):
    assert graph.set_parameter(NODE, "listener_profile", "neutral").successful
    rest = graph.wait_for(
        reactions,
        lambda each: each.listener_profile == "neutral" and max(each.action_units) < 0.01,
        "a neutral face",
    )
    assert np.abs(rest.face_3dmm).max() < 0.01


def test_a_profile_set_before_the_speaker_comes_is_announced(graph, bundle):
    graph.start("reactor", {"bundle": str(bundle)})
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    graph.wait_for_state(NODE, "active")
    assert graph.set_parameter(NODE, "listener_profile", "lively").successful
    graph.wait_until(lambda: states and states[-1].listener_profile == "lively", "the state")
