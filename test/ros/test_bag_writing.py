"""Bags that we write: as rosbag2 of Jazzy writes them, so that it plays them, and reproducible."""

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from recorded_bags import (
    BEGIN_NS,
    BEHAVIOUR,
    FRAME,
    REACTION,
    STORAGES,
    Definitions,
    Raw,
    behaviours,
    header,
    reactions,
    serialised,
    storage_file,
)
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability

from perreactor_ros.bags.reader import BagError, BagReader
from perreactor_ros.bags.writer import BagWriter

STATE = "perreactor_ros/msg/ReactorState"


def write(path: Path, storage: str, messages: list[Raw]) -> Path:
    with BagWriter(path, storage) as writer:
        for each in messages:
            writer.write(*each)
    return path


@pytest.fixture(scope="module")
def conversation() -> list[Raw]:
    return sorted([*behaviours(20), *reactions(20, model_id="model-0")], key=lambda each: each[3])


@pytest.mark.parametrize("storage", STORAGES)
def test_metadata_is_of_the_version_that_jazzy_plays(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    bag = write(tmp_path / "bag", storage, conversation)
    told = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (told["version"], told["storage_identifier"]) == (9, storage)
    assert told["relative_file_paths"] == [storage_file(bag).name]
    assert told["message_count"] == 40
    assert told["starting_time"]["nanoseconds_since_epoch"] == conversation[0].time_ns
    assert told["duration"]["nanoseconds"] == 19 * FRAME
    topics = {each["topic_metadata"]["name"]: each for each in told["topics_with_message_count"]}
    assert {name: each["message_count"] for name, each in topics.items()} == {
        "/robot_a/reaction": 20,
        "/speaker/behaviour": 20,
    }
    for each in topics.values():
        assert each["topic_metadata"]["serialization_format"] == "cdr"
        assert each["topic_metadata"]["type_description_hash"].startswith("RIHS01_")
        (offered,) = each["topic_metadata"]["offered_qos_profiles"]
        assert (offered["reliability"], offered["durability"]) == ("reliable", "volatile")
        assert offered["history"] == "keep_last" and offered["depth"] >= 10


@pytest.mark.parametrize("storage", STORAGES)
def test_the_type_hashes_are_those_of_the_built_messages(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    """Otherwise `ros2 bag play` and everybody on the graph take them for other types."""
    bag = write(tmp_path / "bag", storage, conversation)
    told = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    hashes = {
        each["topic_metadata"]["type"]: each["topic_metadata"]["type_description_hash"]
        for each in told["topics_with_message_count"]
    }
    assert hashes == {name: installed_hash(name) for name in (BEHAVIOUR, REACTION)}


def installed_hash(type_name: str) -> str:
    """What rosidl computed when the messages were built."""
    folder = get_package_share_directory("perreactor_ros")
    path = Path(folder, "msg", f"{type_name.rpartition('/')[2]}.json")
    entries = json.loads(path.read_text())["type_hashes"]
    return next(each["hash_string"] for each in entries if each["type_name"] == type_name)


@pytest.mark.parametrize("storage", STORAGES)
def test_anybody_can_read_the_messages_with_the_definitions_in_the_bag(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    bag = write(tmp_path / "bag", storage, conversation)
    with AnyReader([bag]) as reader:
        read = list(reader.messages())
        assert [
            (connection.topic, connection.msgtype, bytes(cdr), time_ns)
            for connection, time_ns, cdr in read
        ] == conversation
        last = reader.deserialize(read[-1][2], read[-1][0].msgtype)
        assert {each.ext.offered_qos_profiles[0].reliability for each in reader.connections} == {
            QosReliability.RELIABLE
        }
    assert last.frame == 19


@pytest.mark.parametrize("storage", STORAGES)
def test_the_same_messages_make_the_same_bag(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    def digest(folder: str) -> str:
        bag = write(tmp_path / folder / "bag", storage, conversation)
        return hashlib.sha256(storage_file(bag).read_bytes()).hexdigest()

    assert digest("first") == digest("second")


@pytest.mark.parametrize("storage", STORAGES)
def test_states_are_offered_latched(tmp_path: Path, storage: str) -> None:
    with BagWriter(tmp_path / "bag", storage) as writer:
        writer.add_topic("/robot_a/state", STATE)
        writer.add_topic("/map", "nav_msgs/msg/OccupancyGrid", latched=True)
        writer.add_topic("/robot_a/reaction", REACTION)
        writer.write(*next(reactions(1)))
    with AnyReader([tmp_path / "bag"]) as reader:
        offered = {each.topic: each.ext.offered_qos_profiles[0] for each in reader.connections}
    assert offered["/robot_a/state"].durability == QosDurability.TRANSIENT_LOCAL
    assert offered["/map"].durability == QosDurability.TRANSIENT_LOCAL
    assert offered["/robot_a/reaction"].durability == QosDurability.VOLATILE


@pytest.mark.parametrize("storage", STORAGES)
def test_the_bag_is_finished_also_when_the_writers_work_fails(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / "bag", storage) as writer:
        for each in conversation:
            writer.write(*each)
        raise ZeroDivisionError
    with BagReader(tmp_path / "bag") as reader:
        assert len(list(reader.messages(reader.topics))) == 40
        assert reader.troubles == []


@pytest.mark.parametrize("storage", STORAGES)
def test_flushing_changes_nothing_that_is_read(
    tmp_path: Path, storage: str, conversation: list[Raw]
) -> None:
    with BagWriter(tmp_path / "bag", storage) as writer:
        writer.flush()
        for each in conversation:
            writer.write(*each)
            writer.flush()
    with BagReader(tmp_path / "bag") as reader:
        read = [
            (each.topic, each.type, each.cdr, each.time_ns)
            for each in reader.messages(reader.topics)
        ]
        assert (read, reader.troubles) == (conversation, [])


def test_definitions_of_installed_packages_are_found_with_those_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = {
        "strange_msgs/msg/Thing": "std_msgs/Header header\nstrange_msgs/Part[] parts",
        "strange_msgs/msg/Part": "int32 number",
    }
    install(tmp_path / "prefix", things)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"), prepend=os.pathsep)
    fields = {"header": header(BEGIN_NS), "parts": [SimpleNamespace(number=7)]}
    name = "strange_msgs/msg/Thing"
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/thing", name, serialised(name, things, fields), BEGIN_NS)
    monkeypatch.undo()  # whoever reads it may not have the package
    with BagReader(tmp_path / "bag") as reader:
        (message,) = (each.read() for each in reader.messages(["/thing"]))
    assert [each.number for each in message.parts] == [7]


def install(prefix: Path, definitions: Definitions) -> None:
    """Put .msg files where colcon would install those of a package."""
    for name, text in definitions.items():
        package, _, message = name.split("/")
        index = prefix / "share" / "ament_index" / "resource_index" / "packages"
        folder = prefix / "share" / package / "msg"
        index.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        (folder / f"{message}.msg").write_text(text)


# --- Refusals ------------------------------------------------------------------------------------


def test_an_existing_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(BagError, match="exists already: name a folder that does not"):
        BagWriter(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["note.txt"]


def test_an_unknown_storage_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="'rosbag1': choose one of mcap, sqlite3"):
        BagWriter(tmp_path / "bag", "rosbag1")


def test_a_type_that_is_not_installed_is_refused_and_the_others_are_written(
    tmp_path: Path,
) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        for each in behaviours(2):
            writer.write(*each)
        strange = Raw("/strange", "strange_msgs/msg/Thing", b"\0\1\0\0", 1)
        with pytest.raises(BagError, match="strange_msgs/msg/Thing is not installed here"):
            writer.write(*strange)
    with BagReader(tmp_path / "bag") as reader:
        assert list(reader.topics) == ["/speaker/behaviour"]
