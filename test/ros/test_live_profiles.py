"""Blends, beta, profiles that are made meanwhile, and changes ten times a second, on real nodes."""

import numpy as np
import pytest
from live_graph import LATCHED, stamp_of
from perreactor_ros.msg import FacialReaction, ReactorState

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ListenerProfile

NODE = "robot_a/reactor"
BLEND = "warm:0.5+stoic:0.5"


@pytest.fixture
def reactor(graph, bundle, tmp_path):
    graph.environment["PERREACTOR_PROFILES"] = str(tmp_path / "user")
    folder = tmp_path / "given"
    folder.mkdir()
    parameters = {
        "bundle": str(bundle),
        "robots": f"robot_a:warm,robot_b:{BLEND}",
        "profiles": str(folder),
        "noise_seconds": 1e6,  # noise that stays: only speaker and profile move a face
    }
    process = graph.start("reactor", parameters)
    graph.wait_for_state(NODE, "active")
    return process


def make_profile(bundle, name, folder):
    loaded = Bundle.load(bundle)
    pattern = np.linspace(-1.0, 1.0, loaded.config.feature_size, dtype=np.float32)
    ListenerProfile(name, loaded.model_id, pattern).save(folder)
    return loaded.model_id


def faces_of(reactions):
    return np.array([[*r.action_units, *r.face_3dmm] for r in reactions])


def test_a_blend_is_set_like_a_name_and_told_as_it_was_set(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    others = graph.collect(FacialReaction, "robot_b/reaction")
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    behaviour()
    graph.wait_until(lambda: len(reactions) >= 10 and len(others) >= 10, "reactions")
    assert {each.listener_profile for each in others} == {BLEND}
    blend = "lively:1+generic:2+neutral:1"
    assert graph.set_parameter(NODE, "listener_profile", blend).successful
    graph.wait_for(reactions, lambda each: each.listener_profile == blend, "the blend")
    graph.wait_until(lambda: states[-1].listener_profile == blend, "the state")
    assert graph.get_parameter(NODE, "listener_profile") == blend
    assert "Traceback" not in reactor.output


@pytest.mark.parametrize(
    ("blend", "reason"),
    [
        ("warm:0.5+stoic", "say how much of 'stoic'"),
        ("warm:0.5+wram:0.5", "did you mean 'warm'"),
        ("warm:-1+stoic:2", "0 or more"),
        ("warm:0+stoic:0", "no weight"),
        ("warm:0.5+replay:/tmp/x.csv:0.5", "choose it alone"),
    ],
)
def test_a_bad_blend_is_refused_with_its_reason_and_the_old_profile_stays(
    graph, reactor, blend, reason
):
    result = graph.set_parameter(NODE, "listener_profile", blend)
    assert not result.successful
    assert reason in result.reason
    assert graph.get_parameter(NODE, "listener_profile") == "warm"


def test_beta_is_set_while_the_robot_reacts_and_shapes_it_without_a_jump(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    before = graph.wait_for_more(reactions, 60, "reactions")[20:]
    assert graph.get_parameter(NODE, "beta") == -1.0
    assert graph.set_parameter(NODE, "beta", 0.0).successful
    graph.wait_for_more(reactions, 80, "reactions")
    faces = faces_of(reactions)
    change = np.abs(faces[-30:].mean(0) - faces_of(before).mean(0)).max()
    assert change > 0.1, "beta makes a difference"
    ordinary = np.abs(np.diff(faces_of(before), axis=0)).max()
    assert np.abs(np.diff(faces[20:], axis=0)).max() <= 2 * ordinary + change / 6
    assert {each.listener_profile for each in reactions} == {"warm"}


@pytest.mark.parametrize("value", [-0.5, -2.0, 10.5, float("nan"), float("inf"), 3, "much"])
def test_a_beta_out_of_range_is_refused_with_a_reason(graph, reactor, value):
    result = graph.set_parameter(NODE, "beta", value)
    assert not result.successful
    assert result.reason
    assert graph.get_parameter(NODE, "beta") == -1.0
    assert "Traceback" not in reactor.output


def test_what_beta_does_and_takes_is_described(graph, reactor):
    descriptor = graph.describe_parameter(NODE, "beta")
    assert not descriptor.read_only
    bounds = descriptor.floating_point_range[0]
    assert (bounds.from_value, bounds.to_value) == (-1.0, 10.0)
    assert "Generic reactions" in descriptor.description
    assert graph.describe_parameter(NODE, "profiles").read_only


def test_a_wrong_beta_to_begin_with_ends_the_process_with_one_line(graph, bundle):
    process = graph.start("reactor", {"bundle": str(bundle), "beta": -0.5})
    assert process.wait() == 2
    assert "give 0.0 to 10.0, or -1.0" in process.output
    assert "Traceback" not in process.output


def test_a_beta_set_before_the_speaker_comes_counts_from_the_first_frame(graph, bundle, behaviour):
    """With beta 0 two people differ by their noise alone, which new at each frame averages out."""
    profiles = {"robot_a": "warm", "robot_b": "stoic"}
    graph.start(
        "reactor", {"bundle": str(bundle), "robots": "robot_a,robot_b", "noise_seconds": 0.0}
    )
    for robot, profile in profiles.items():
        graph.wait_for_state(f"{robot}/reactor", "active")
        assert graph.set_parameter(f"{robot}/reactor", "beta", 0.0).successful
        assert graph.set_parameter(f"{robot}/reactor", "listener_profile", profile).successful
    heard = [graph.collect(FacialReaction, f"{robot}/reaction") for robot in profiles]
    behaviour()

    def distance(count):
        graph.wait_until(lambda: min(map(len, heard)) >= count, "reactions")
        one, other = (faces_of(each[count - 60 : count]).mean(0) for each in heard)
        return np.abs(one - other).mean()

    without = distance(80)
    for robot in profiles:
        assert graph.set_parameter(f"{robot}/reactor", "beta", 10.0).successful
    assert without < 0.5 * distance(max(map(len, heard)) + 100)


@pytest.mark.parametrize("place", ["given", "user"])
def test_a_profile_made_meanwhile_is_announced_and_set_by_name(
    graph, reactor, behaviour, bundle, tmp_path, place
):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    states = [
        graph.collect(ReactorState, f"{robot}/reactor/state", LATCHED)
        for robot in ("robot_a", "robot_b")
    ]
    behaviour()
    graph.wait_until(lambda: reactions and all(states), "reactions and states")
    assert "alice" not in states[0][-1].known_profiles
    model_id = Bundle.load(bundle).model_id
    folder = tmp_path / "given" if place == "given" else tmp_path / "user" / model_id
    make_profile(bundle, "alice", folder)
    for state in states:
        graph.wait_until(lambda state=state: "alice" in state[-1].known_profiles, "alice")
    make_profile(bundle, "bob", folder)
    assert graph.set_parameter(NODE, "listener_profile", "alice:0.5+bob:0.5").successful
    graph.wait_for(
        reactions, lambda each: each.listener_profile == "alice:0.5+bob:0.5", "the blend"
    )
    assert "bob" in states[0][-1].known_profiles
    (folder / "bob.json").unlink()
    graph.wait_until(lambda: "bob" not in states[0][-1].known_profiles, "bob to be forgotten")
    graph.wait_for_more(reactions, 10, "reactions")


@pytest.mark.slow
def test_ten_changes_a_second_leave_no_gap_no_jump_and_a_quiet_log(
    graph, reactor, behaviour, bundle, tmp_path
):
    folder = tmp_path / "given"
    make_profile(bundle, "alice", folder)
    recording = tmp_path / "reaction.csv"
    rows = 0.5 + 0.01 * np.sin(np.arange(3000)[:, None] / 20 + np.arange(25))
    np.savetxt(recording, rows, delimiter=",", header="x", fmt="%.4f")
    profiles = ["warm", "alice:0.5+stoic:0.5", "generic", f"replay:{recording}", "lively"]
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    others = graph.collect(FacialReaction, "robot_b/reaction")
    heard = behaviour()
    graph.wait_until(lambda: len(reactions) >= 60, "reactions")
    begun = len(reactions)
    # A change every 2.5 frames are ten a second.
    for change in range(60):
        due = heard.start_ns + int((begun + 2.5 * change) * 40_000_000)
        graph.wait_until(lambda due=due: stamp_of(reactions[-1]) >= due, "the time to come")
        profile = profiles[change % len(profiles)]
        assert graph.set_parameter(NODE, "listener_profile", profile).successful
        assert graph.set_parameter(NODE, "beta", float(change % 4)).successful
    graph.wait_for_more(reactions, 10, "reactions")
    restless = reactions[begun:]
    assert len({each.listener_profile for each in restless}) == len(profiles)
    for each in (reactions, others):
        frames = [reaction.frame for reaction in each]
        assert frames == list(range(frames[0], frames[0] + len(frames))), "no frame is left out"
    faces = faces_of(reactions[30:])
    # These profiles are up to 1 apart, and a fade moves at most a 25th of that a frame.
    assert np.abs(np.diff(faces, axis=0)).max() < 0.12
    assert np.abs(faces[30:].max(0) - faces[30:].min(0)).max() > 0.2, "they make a difference"
    assert reactor.says("reacts as") <= 5
    assert "Traceback" not in reactor.output
