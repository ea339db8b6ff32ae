"""Two robots in one process react in their own ways, and each as it would alone."""

import numpy as np
from perreactor_ros.msg import FacialReaction

from perreactor_model.contract import ACTION_UNITS

SMILE = ACTION_UNITS.index("AU12")


def faces(reactions) -> dict[int, np.ndarray]:
    return {
        int(each.frame): np.concatenate([each.action_units, each.expressions, each.face_3dmm])
        for each in reactions
    }


def test_two_profiles_react_to_the_same_frames_in_different_ways(graph, bundle, behaviour):
    # Noise that is new at each frame averages out: what is left is who they are.
    robots = {"robots": "robot_a:warm,robot_b:stoic", "noise_seconds": 0.0}
    graph.start("reactor", {"bundle": str(bundle), **robots})
    one = graph.collect(FacialReaction, "robot_a/reaction")
    other = graph.collect(FacialReaction, "robot_b/reaction")
    for robot in ("robot_a", "robot_b"):
        graph.wait_for_state(f"{robot}/reactor", "active")
    behaviour()
    graph.wait_until(lambda: len(one) >= 180 and len(other) >= 180, "reactions of both")
    assert {each.listener_profile for each in one} == {"warm"}
    assert {each.listener_profile for each in other} == {"stoic"}
    warm, stoic = faces(one), faces(other)
    shared = sorted(warm.keys() & stoic.keys())
    assert len(shared) >= 175
    smiles = [np.mean([each[frame][SMILE] for frame in shared[80:]]) for each in (warm, stoic)]
    assert smiles[0] > smiles[1] + 0.1, "the warm one smiles more"


def test_a_robot_reacts_the_same_alone_and_in_company(graph, bundle, behaviour):
    """Two processes hear the same behaviour; one of them serves a second robot."""
    graph.start("reactor", {"bundle": str(bundle), "robots": "robot_a:warm"})
    graph.start(
        "reactor",
        {"bundle": str(bundle), "robots": "robot_a:warm,robot_b:generic", "namespace": "company"},
        ["-r", "/company/speaker/behaviour:=/speaker/behaviour"],
    )
    alone = graph.collect(FacialReaction, "robot_a/reaction")
    accompanied = graph.collect(FacialReaction, "company/robot_a/reaction")
    for robot in ("robot_a", "company/robot_a", "company/robot_b"):
        graph.wait_for_state(f"{robot}/reactor", "active")
    heard = behaviour()
    graph.wait_until(lambda: len(alone) >= 30 and len(accompanied) >= 30, "reactions of both")
    # Who hears the first frames depends on discovery. From a new epoch on, both know the same.
    heard.epoch += 1
    border = heard.count
    enough = border + 40

    def both():
        return alone[-1].frame > enough and accompanied[-1].frame > enough

    graph.wait_until(both, "reactions of both in the new epoch")
    one, other = faces(alone), faces(accompanied)
    for frame in range(border + 15, enough):  # the seam from what was shown before is over then
        np.testing.assert_array_equal(one[frame], other[frame])
