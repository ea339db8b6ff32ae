"""The list of processes that launch file and launcher start, without starting any."""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import yaml
from perreactor_ros.msg import SpeakerBehaviour
from rclpy.serialization import serialize_message
from recorded_bags import BEGIN_NS as RECORDED_NS
from recorded_bags import DEFINITIONS, Raw, sound, write_raw
from sensor_msgs.msg import Image
from short_bags import BEGIN_NS, beeps, person, write_bag

from perreactor_model.bundle.manifest import read_manifest
from perreactor_ros.bag_routes import find_routes
from perreactor_ros.bringup.options import (
    ARGUMENTS,
    BringupError,
    BringupOptions,
    Robot,
    parse_robots,
)
from perreactor_ros.bringup.processes import face_view_process, process_list
from perreactor_ros.commands import bringup
from perreactor_ros.parameters import default_of


def _specs(environment=None, **arguments):
    specs = process_list(BringupOptions.from_text(arguments), environment or {})
    return {spec.name: spec for spec in specs}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a person.mp4"
    path.touch()
    return path


def test_the_arguments_are_those_of_the_documentation():
    names = "robots bundle image_topic audio_topic video bag params_file namespace use_sim_time"
    assert [argument.name for argument in ARGUMENTS] == [
        *names.split(),
        *("autostart", "log_level", "device", "analyzer"),
    ]


def test_without_arguments_perception_and_a_reactor_wait_for_image_and_audio():
    specs = _specs()
    assert list(specs) == ["perception", "reactor"]
    assert not specs["perception"].remappings
    # Which robots there are is left to the parameter file, and that says robot_a, generic.
    assert "robots" not in specs["reactor"].parameters


def test_the_parameter_file_has_one_robot_a_with_the_generic_profile(workspace: Path):
    path = workspace / "share" / "perreactor_ros" / "config" / "reactor.yaml"
    parameters = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    assert parse_robots(parameters["robots"]) == (Robot("robot_a"),)
    assert parameters["listener_profile"] == "generic"
    assert parameters["autostart"] is True


def test_every_parameter_that_is_passed_has_a_default_in_the_parameter_file(workspace, video, bag):
    path = workspace / "share" / "perreactor_ros" / "config" / "reactor.yaml"
    known = set(yaml.safe_load(path.read_text())["/**"]["ros__parameters"]) | {"use_sim_time"}
    arguments = {
        "robots": "a",
        "bundle": "demo_face_image",
        "device": "cpu",
        "analyzer": "none",
        "autostart": "true",
    }
    options = BringupOptions.from_text({**arguments, "video": str(video)})
    played = BringupOptions.from_text({**arguments, "bag": str(bag), "image_topic": "/image"})
    specs = [
        *process_list(options, {}),
        *process_list(played, {}),
        face_view_process(options, {}, record=video),
    ]
    for spec in specs:
        assert set(spec.parameters) <= known, spec.name


def test_robots_reach_the_reactor_with_the_profiles_that_were_given():
    arguments = _specs(robots="robot_a:warm, robot_b")["reactor"].ros_arguments()
    assert 'robots:="robot_a:warm,robot_b"' in arguments


def test_a_profile_may_hold_a_colon_itself():
    options = BringupOptions.from_text({"robots": "robot_a:replay:/a/b.csv"})
    assert options.robots == (Robot("robot_a", "replay:/a/b.csv"),)


def test_a_video_adds_a_looping_player_on_the_topics_that_perception_hears(video: Path):
    specs = _specs(video=str(video), image_topic="/camera/image_raw", audio_topic="mic")
    assert specs["player"].parameters["video"] == str(video)
    assert specs["player"].parameters["loop"] is True
    topics = {"image": "/camera/image_raw", "audio": "mic"}
    assert specs["player"].remappings == specs["perception"].remappings == topics
    assert not specs["reactor"].remappings


def test_the_end_of_a_video_is_no_crash_but_that_of_a_node_is(video: Path):
    respawned = {name: spec.respawn for name, spec in _specs(video=str(video)).items()}
    assert respawned == {"perception": True, "reactor": True, "player": False}


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return write_bag(tmp_path / "a bag", beeps(2))


def test_a_bag_gives_the_time_to_all_nodes_and_is_played_once(bag: Path):
    specs = _specs(bag=str(bag))
    assert list(specs) == ["perception", "reactor", "bag_player"]
    timed = {name: spec.parameters["use_sim_time"] for name, spec in specs.items()}
    assert timed == {"perception": True, "reactor": True, "bag_player": False}
    assert specs["bag_player"].parameters["bag"] == str(bag)
    assert not specs["bag_player"].respawn
    assert not specs["perception"].remappings


def test_perception_is_told_the_types_of_the_bag(bag: Path, tmp_path: Path, workspace: Path):
    raw = _specs(bag=str(bag))["perception"].parameters
    assert (raw["image_transport"], raw["audio_type"]) == ("raw", "perreactor_ros/AudioChunk")
    video = workspace / "share" / "perreactor_ros" / "speaker" / "speaker.mp4"
    compressed = write_bag(tmp_path / "compressed", person(video, 0.2, compressed=True))
    parameters = _specs(bag=str(compressed))["perception"].parameters
    assert parameters["image_transport"] == "compressed"


@pytest.mark.skipif(
    importlib.util.find_spec("audio_common_msgs") is not None, reason="audio_common_msgs is here"
)
def test_perception_is_told_no_type_of_sound_that_is_not_installed(tmp_path: Path):
    picture = serialize_message(Image(height=1, width=1, encoding="mono8", step=1, data=b"0"))
    messages = [
        Raw("/image", "sensor_msgs/msg/Image", picture, RECORDED_NS),
        *sound("AudioDataStamped", np.zeros(640), RECORDED_NS),
    ]
    bag = write_raw(tmp_path / "foreign", messages, DEFINITIONS["AudioDataStamped"])
    parameters = _specs(bag=str(bag))["perception"].parameters
    assert "audio_type" not in parameters, "it would not come up, and not see either"
    told = find_routes(bag, default_of("bundle")).left_out
    assert [each.split(" is left out")[0] for each in told] == ["/microphone", "/microphone/info"]
    assert "AudioDataStamped is not installed here" in told[0]


def test_a_bag_of_encoded_behaviour_needs_no_perception(face_bundle: Path, tmp_path: Path):
    manifest = read_manifest(face_bundle / "bundle.json")
    message = SpeakerBehaviour(model_id=manifest.model_id)
    message.token = [0.0] * manifest.model.feature_size
    bag = write_bag(tmp_path / "bag", [("/speaker/behaviour", message, BEGIN_NS)])
    assert list(_specs(bag=str(bag), bundle=str(face_bundle))) == ["reactor", "bag_player"]
    file = tmp_path / "mine.yaml"
    file.write_text(f"/**: {{ros__parameters: {{bundle: {face_bundle}}}}}")
    assert list(_specs(bag=str(bag), params_file=str(file))) == ["reactor", "bag_player"]
    with pytest.raises(BringupError, match="bag: .*of no use to bundle 'demo_attributes"):
        _specs(bag=str(bag))


def test_a_topic_of_a_bag_that_is_named_keeps_its_name(tmp_path: Path, workspace: Path):
    video = workspace / "share" / "perreactor_ros" / "speaker" / "speaker.mp4"
    bag = write_bag(tmp_path / "bag", person(video, 0.2, compressed=True))
    specs = _specs(bag=str(bag), image_topic="/camera/image/compressed")
    assert specs["bag_player"].parameters["bag_image_topic"] == "/camera/image/compressed"
    for name in ("perception", "bag_player"):
        assert specs[name].remappings == {"image": "/camera/image"}
    with pytest.raises(BringupError, match="bag: .*no topic /nowhere in the bag"):
        _specs(bag=str(bag), image_topic="/nowhere")


def test_a_bag_and_a_video_cannot_both_be_the_camera(bag: Path, video: Path):
    with pytest.raises(BringupError, match="video and bag are given.*give one"):
        _specs(bag=str(bag), video=str(video))


def test_what_is_no_bag_is_refused_before_anything_starts(video: Path):
    with pytest.raises(BringupError, match="bag: "):
        _specs(bag=str(video))


def test_the_namespace_is_a_parameter_and_never_a_remapping():
    for spec in _specs(namespace="/lab/left/").values():
        assert spec.parameters["namespace"] == "lab/left"
        assert not any("__ns" in argument for argument in spec.ros_arguments())


def test_given_arguments_overrule_the_users_parameter_file(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**: {ros__parameters: {device: cuda}}")
    arguments = _specs(params_file=str(file), device="cpu")["reactor"].ros_arguments()
    assert arguments.index(str(file)) < arguments.index('device:="cpu"')


def test_what_is_not_given_is_not_passed_so_that_the_parameter_file_counts():
    passed = _specs()["reactor"].parameters
    assert not {"bundle", "device", "autostart", "robots"} & set(passed)


def test_a_text_that_looks_like_a_number_stays_a_text(tmp_path: Path, monkeypatch):
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024" / "bundle.json").touch()
    monkeypatch.setenv("PERREACTOR_BUNDLES", str(tmp_path))
    assert 'bundle:="2024"' in _specs(bundle="2024")["reactor"].ros_arguments()


def test_a_bundle_that_is_not_there_is_refused_before_anything_starts():
    with pytest.raises(BringupError, match="bundle: no bundle 'nowhere'; known bundles: "):
        _specs(bundle="nowhere")


def test_processes_share_images_through_our_transport_profile_unless_the_user_has_one():
    path = _specs()["reactor"].environment["FASTRTPS_DEFAULT_PROFILES_FILE"]
    assert "segment_size" in Path(path).read_text()
    for variable in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        assert not _specs(environment={variable: "/mine.xml"})["reactor"].environment


@pytest.mark.parametrize(
    ("argument", "value", "hint"),
    [
        ("robots", "robot a", "robot_a:warm,robot_b:stoic"),
        ("robots", "robot_a:", "robot_a:generic"),
        ("robots", "robot_a,robot_a", "its own name"),
        ("namespace", "my robot", "lab/left"),
        ("image_topic", "", "/camera/image_raw"),
        ("video", "/nowhere.mp4", "no file /nowhere.mp4"),
        ("bag", "/nowhere", "no rosbag2 recording /nowhere"),
        ("params_file", "/nowhere.yaml", "no file /nowhere.yaml"),
        ("use_sim_time", "maybe", "neither true nor false"),
        ("log_level", "loud", "debug, info, warn, error, fatal"),
        ("robot", "robot_a", "known are: robots"),
    ],
)
def test_a_wrong_argument_is_refused_by_name_with_what_would_be_right(argument, value, hint):
    with pytest.raises(BringupError) as refusal:
        BringupOptions.from_text({argument: value})
    assert argument in str(refusal.value)
    assert hint in str(refusal.value)


def _read(*words: str) -> BringupOptions:
    parser = argparse.ArgumentParser()
    bringup.configure(parser)
    return bringup.read_options(parser.parse_args(words))


def test_bringup_takes_arguments_both_ways():
    assert _read("--robots", "a:warm", "--use-sim-time", "true") == _read(
        "robots:=a:warm", "use_sim_time:=true"
    )


def test_bringup_refuses_a_word_that_is_no_assignment():
    with pytest.raises(BringupError, match="NAME:=VALUE"):
        _read("robots=a")


def test_bringup_refuses_two_values_for_one_argument():
    with pytest.raises(BringupError, match="given twice"):
        _read("--robots", "a", "robots:=b")
