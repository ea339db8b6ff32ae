"""Messages are read by the definition in the bag, and never as something that they are not."""

import re
import sqlite3
import struct
from pathlib import Path

import pytest
from recorded_bags import (
    BEGIN_NS,
    REACTION,
    Definitions,
    Raw,
    behaviours,
    header,
    reactions,
    serialised,
    storage_file,
    write_raw,
)

from perreactor_ros.bags.definitions import message_folder
from perreactor_ros.bags.reader import BagError, BagReader

TOPIC = "/speaker/behaviour"


def test_a_topic_of_unknown_type_is_listed_and_the_others_are_read(tmp_path: Path) -> None:
    name = "strange_msgs/msg/Thing"
    strange: Definitions = {name: "int32 number"}
    thing = Raw("/thing", name, serialised(name, strange, {"number": 7}), BEGIN_NS)
    bag = write_raw(tmp_path / "bag", [thing, *behaviours(5)], strange, "sqlite3")
    with BagReader(bag) as reader:  # the bag itself says what it looks like
        assert [each.read().number for each in reader.messages(["/thing"])] == [7]
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute("DELETE FROM message_definitions")
    database.close()
    with BagReader(bag) as reader:
        assert [each.read().frame for each in reader.messages([TOPIC])] == list(range(5))
        (trouble,) = reader.troubles
        assert f"/thing ({name}) cannot be read: its definition is neither in the bag" in trouble
        assert reader.topics["/thing"].count == 1
        with pytest.raises(BagError, match="/thing, message 1"):
            next(reader.messages(["/thing"])).read()


def own_text(name: str) -> str:
    return (message_folder() / f"{name.rpartition('/')[2]}.msg").read_text()


def test_fields_that_are_added_at_the_end_do_no_harm(tmp_path: Path) -> None:
    text = own_text(REACTION) + "\nstring mood"
    (ours,) = reactions(1)
    cdr = ours.cdr + bytes(-len(ours.cdr) % 4) + struct.pack("<I", 4) + b"sad\0"
    bag = write_raw(tmp_path / "bag", [ours._replace(cdr=cdr)], {REACTION: text})
    with BagReader(bag) as reader:
        (message,) = (each.read() for each in reader.messages(reader.topics))
    assert (message.robot, message.mood) == ("robot_a", "sad")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("float32 valence", "float64 valence", "'float64 valence' where 'float32 valence'"),
        ("float32[15] action_units", "float32[17] action_units", r"'float32\[15\] action_units'"),
        ("float32 valence", "float32 mood", "'float32 mood' where 'float32 valence'"),
        ("string robot", "string name\nstring robot", "'string name' where 'string robot'"),
        ("float32 latency", "", r"ends before the field latency \(float32\)"),
    ],
)
def test_reactions_of_another_definition_are_refused_by_field_and_the_rest_is_read(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = own_text(REACTION)
    lines = [new if line.startswith(old) else line for line in text.splitlines()]
    assert "\n".join(lines) != text
    bag = write_raw(tmp_path / "bag", [*reactions(3), *behaviours(5)], {REACTION: "\n".join(lines)})
    with BagReader(bag) as reader:
        assert list(reader.topics) == [TOPIC]
        assert [each.read().frame for each in reader.messages([TOPIC])] == list(range(5))
        (trouble,) = reader.troubles
    assert re.search(says, trouble), trouble
    assert "/robot_a/reaction" in trouble and "another version of perreactor_ros" in trouble


def test_a_header_of_another_kind_is_noticed_inside_our_messages(tmp_path: Path) -> None:
    other = {"std_msgs/msg/Header": "uint32 seq\nbuiltin_interfaces/Time stamp\nstring frame_id"}
    bag = write_raw(tmp_path / "bag", [*reactions(1), *seconds(2)], other)
    with BagReader(bag) as reader:
        assert "/robot_a/reaction" not in reader.topics
        assert "std_msgs/msg/Header has the further field frame_id" in reader.troubles[0]


def seconds(count: int) -> list[Raw]:
    name = "builtin_interfaces/msg/Time"
    cdr = serialised(name, {}, vars(header(BEGIN_NS).stamp))
    return [Raw("/time", name, cdr, BEGIN_NS + index) for index in range(count)]
