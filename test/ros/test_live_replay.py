"""Live replay: running nodes against the offline run of the same bag, and how they are compared."""

import math
from pathlib import Path

import numpy as np
import pytest
from live_graph import stamp_of
from perreactor_ros.msg import FacialReaction
from short_bags import BEGIN_NS, SECOND, WAY_NS, person, write_bag

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.report.contents import ReactionTrack
from perreactor_model.streaming.frames import Reaction
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.bags.writer import BagWriter
from perreactor_ros.messages import reaction_message
from perreactor_ros.replay.comparison import (
    TOLERANCE,
    ComparisonError,
    HeardReactions,
    agrees,
    compare,
    describe,
    reactions_in,
)
from perreactor_ros.replay.live import LiveReplay, replay_live
from perreactor_ros.replay.pipeline import RobotSpec
from perreactor_ros.replay.session import Plan, replay
from perreactor_ros.replay.settings import node_settings
from perreactor_ros.replay.topics import find_sources

FRAMES = 20
STAMPS = BEGIN_NS + np.arange(FRAMES) * (SECOND // 25)


def faces(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Attributes (20, 25) and coefficients (20, 58)."""
    generator = np.random.default_rng(seed)
    shapes = ((FRAMES, 25), (FRAMES, 58))
    first, second = (generator.random(shape, np.float32) for shape in shapes)
    return first, second


def track(robot: str = "robot_a", sample: int = 0, stamps: np.ndarray = STAMPS) -> ReactionTrack:
    attributes, coefficients = faces()
    size = len(stamps)
    nothing = np.zeros(size)
    return ReactionTrack(
        robot, "warm", sample, stamps, attributes[:size], coefficients[:size], nothing, nothing
    )


def messages(robot: str = "robot_a", stamps: np.ndarray = STAMPS, latency: float = 0.05) -> list:
    attributes, coefficients = faces()
    return [
        reaction_message(
            Reaction(
                robot, "warm", place, 0, int(stamp), attributes[place], coefficients[place], 1
            ),
            "bundle-0123456789ab",
            latency=latency,
        )
        for place, stamp in enumerate(stamps)
    ]


def heard(said: list) -> HeardReactions:
    reactions = HeardReactions("robot_a")
    for message in said:
        reactions.add(message)
    return reactions


def test_the_same_reactions_are_the_same_to_the_last_bit():
    live = compare([track()], {"robot_a": heard(messages())}, {"frames skipped": 3})
    difference = live.difference["robot_a"]
    assert (difference.frames_compared, difference.missing, difference.extra) == (FRAMES, 0, 0)
    assert (difference.identical_share, difference.largest_difference) == (1.0, 0.0)
    assert live.latency_s["robot_a"] == pytest.approx(np.full(FRAMES, 0.05))
    assert live.dropped == {"frames skipped": 3}


def test_a_value_that_differs_is_found_whichever_it_is():
    said = messages()
    said[3].valence += 0.25
    said[7].face_3dmm[57] -= 0.5
    said[9].arousal += TOLERANCE / 10
    difference = compare([track()], {"robot_a": heard(said)}).difference["robot_a"]
    assert difference.identical_share == pytest.approx(1 - 2 / FRAMES)
    assert difference.largest_difference == pytest.approx(0.5)
    assert difference.tolerance == TOLERANCE


def test_frames_belong_together_by_their_stamps_and_what_has_no_partner_is_counted():
    later = STAMPS + 2 * (SECOND // 25)
    said = messages(stamps=later)[: FRAMES - 5]
    difference = compare([track()], {"robot_a": heard(said)}).difference["robot_a"]
    assert (difference.frames_compared, difference.missing, difference.extra) == (15, 5, 0)
    assert difference.identical_share == 0.0
    said = messages(stamps=later)
    difference = compare([track()], {"robot_a": heard(said)}).difference["robot_a"]
    assert (difference.frames_compared, difference.missing, difference.extra) == (18, 2, 2)


def test_of_stamps_that_come_again_each_round_is_compared_with_its_own():
    twice = np.concatenate([STAMPS[:10], STAMPS[:10]])
    difference = compare([track(stamps=twice)], {"robot_a": heard(messages(stamps=twice))})
    assert difference.difference["robot_a"].identical_share == 1.0


def test_grids_that_never_meet_leave_nothing_to_compare():
    said = messages(stamps=STAMPS + 1)
    difference = compare([track()], {"robot_a": heard(said)}).difference["robot_a"]
    assert (difference.frames_compared, difference.missing, difference.extra) == (0, 20, 20)
    assert math.isnan(difference.largest_difference)


def test_only_the_first_sample_was_shown_and_a_silent_robot_misses_all():
    tracks = [track(), track(sample=1), track("robot_b")]
    live = compare(tracks, {"robot_a": heard(messages())})
    assert live.difference["robot_a"].identical_share == 1.0
    assert live.difference["robot_b"].missing == FRAMES
    assert "robot_b" not in live.latency_s


def test_robots_of_other_names_cannot_be_compared():
    with pytest.raises(ComparisonError, match="robot_a.*only of pepper.*names robot_a, robot_b"):
        compare([track()], {"pepper": heard(messages("pepper"))})
    with pytest.raises(ComparisonError, match=r"no robot showed.*live\.log"):
        compare([track()], {"robot_a": heard([])})


def test_reactions_of_a_live_bag_are_found_by_type_and_those_of_people_left_out(tmp_path: Path):
    person_said = messages("")[0]
    person_said.model_id = ""
    recorded = [
        *(("/lab/robot_a/reaction", each, stamp_of(each) + WAY_NS) for each in messages()),
        ("/lab/robot_a/sample_1/reaction", messages()[0], BEGIN_NS),
        ("/listener/reaction", person_said, BEGIN_NS),
    ]
    found = reactions_in(write_bag(tmp_path / "live", recorded))
    assert list(found) == ["robot_a"]
    difference = compare([track()], found).difference["robot_a"]
    assert (difference.frames_compared, difference.extra) == (FRAMES, 0)
    assert difference.largest_difference == 0.0


def test_the_terminal_is_told_what_was_compared_and_what_was_lost():
    live = compare([track()], {"robot_a": heard(messages())}, {"frames skipped": 3, "others": 0})
    line, lost = describe(live)
    assert "20 frames compared, 100.0 % the same, largest difference 0" in line
    assert "latency 50 ms" in line
    assert lost == "Lost: 3 frames skipped"


def test_robots_disagree_where_more_than_a_twentieth_is_missing_or_different():
    one_missing = compare([track()], {"robot_a": heard(messages()[1:])})
    assert agrees(one_missing.difference["robot_a"])
    said = messages()[1:]
    said[5].valence += 0.1
    apart = compare([track()], {"robot_a": heard(said)})
    assert not agrees(apart.difference["robot_a"])
    assert "Less than 95% of the frames of robot_a agree" in describe(apart)[-1]


# --- With real nodes -----------------------------------------------------------------------------


@pytest.fixture
def conversation(tmp_path: Path, workspace: Path) -> Path:
    """Three seconds of a person on video."""
    video = workspace / "share" / "perreactor_ros" / "speaker" / "speaker.mp4"
    return write_bag(tmp_path / "conversation", person(video, 3.0))


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """Parameters with which a machine that is busy with other things gives the same frames."""
    path = tmp_path / "patient.yaml"
    path.write_text("/**: {ros__parameters: {max_wait: 2.0, image_wait: 2.0}}")
    return path


def react_offline(
    bag: Path, bundle: Path, robots: dict[str, str], seed: int, folder: Path, patient: Path
):
    loaded = Bundle.load(bundle)
    with BagReader(bag) as reader, BagWriter(folder, "mcap") as writer:
        sources = find_sources(reader, loaded.config.visual_input, loaded.model_id)
        specs = [RobotSpec(name, profile) for name, profile in robots.items()]
        plan = Plan(loaded, specs, 1, sources, node_settings({"seed": seed}, patient))
        return replay(reader, plan, writer).reactions


@pytest.mark.slow
def test_nodes_react_to_a_bag_as_the_offline_run_does(
    graph, conversation, face_bundle, tmp_path, monkeypatch, patient
):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(graph.domain))
    robots = {"robot_a": "warm", "robot_b": "stoic"}
    offline = react_offline(conversation, face_bundle, robots, 7, tmp_path / "offline", patient)
    with open(tmp_path / "live.log", "w+") as log:
        settings = LiveReplay(conversation, str(face_bundle), robots, seed=7, params_file=patient)
        live = replay_live(settings, offline, log)
        log.seek(0)
        said = log.read()
    assert "the clock jumped" not in said
    assert "Traceback" not in said
    assert live.difference.keys() == robots.keys()
    for each in live.difference.values():
        frames = each.frames_compared + each.missing
        assert frames == 76
        assert agrees(each), live
    # Faces are compared, not zeros with zeros; and another seed would have shown.
    assert np.ptp(offline[0].coefficients, axis=0).max() > 0.01
    other = react_offline(conversation, face_bundle, robots, 8, tmp_path / "other", patient)
    assert np.abs(other[0].coefficients - offline[0].coefficients).max() > 0.01
    assert np.isfinite(live.latency_s["robot_a"]).all()
    assert live.dropped.keys() >= {"frames that perception skipped to keep up"}


@pytest.mark.slow
def test_a_bag_that_is_played_again_is_a_new_conversation(graph, conversation, face_bundle):
    timed = {"bundle": str(face_bundle), "use_sim_time": True}
    perception = graph.start("perception", timed)
    reactor = graph.start("reactor", timed)
    reactions = graph.collect(FacialReaction, "robot_a/reaction", 1000)
    graph.wait_for_state("perception", "active")
    graph.wait_for_state("robot_a/reactor", "active")
    player = {
        "bag": str(conversation),
        "bundle": str(face_bundle),
        "also_heard": "speaker/behaviour",
        "listeners": "perception,reactor_process",
    }

    def play() -> None:
        before = len(reactions)
        assert graph.start("bag_player", player).wait() == 0
        last = BEGIN_NS + 3 * SECOND - SECOND // 10
        graph.wait_until(lambda: len(reactions) > before + 50, "reactions")
        graph.wait_until(lambda: stamp_of(reactions[-1]) >= last, "the last reactions")

    for rounds in range(3):
        play()
        said = [stamp_of(each) for each in reactions if each.epoch == rounds]
        assert min(said) < BEGIN_NS + SECOND
        assert len(said) > 50
        # Neither the first /clock nor the end is a jump; only the way back is.
        assert perception.says("the clock jumped") == rounds
        assert reactor.says("the clock jumped") == rounds
