"""Bags that are whole and yet unlike what a recorder should write, and bags of chance damage."""

import random
import sqlite3
import struct
from binascii import crc32
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import yaml
from recorded_bags import (
    BEHAVIOUR,
    FRAME,
    REACTION,
    SECOND,
    STORAGES,
    Raw,
    behaviours,
    copy_of,
    reactions,
    storage_file,
    write_raw,
)
from rosbags.rosbag2 import CompressionMode
from test_bag_damage import chunk_places, long_bag, read

from perreactor_ros.bags.mcap_records import MAGIC
from perreactor_ros.bags.reader import BagError, BagReader

TOPIC = "/speaker/behaviour"

NO_SUMMARY = (
    b"\x0f" + struct.pack("<QI", 4, 0) + b"\x02" + struct.pack("<QQQI", 20, 0, 0, 0) + MAGIC
)
"""How an MCAP file ends that has no summary."""


# --- Metadata and files --------------------------------------------------------------------------


def set_count(count: Any) -> Callable[[dict], None]:
    def edit(told: dict) -> None:
        told["topics_with_message_count"][0]["message_count"] = count

    return edit


def set_files(names: Any) -> Callable[[dict], None]:
    return lambda told: told.__setitem__("relative_file_paths", names)


@pytest.mark.parametrize(
    "edit",
    [
        set_count("many"),
        set_count(float("inf")),
        set_count(None),
        set_count([5]),
        set_files(None),
        set_files([3]),
        set_files([None]),
        set_files(7),
    ],
)
def test_metadata_with_values_of_odd_kinds_is_told_and_not_needed(
    tmp_path: Path, edit: Callable[[dict], None]
) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    rewrite(bag, edit)
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert "metadata.yaml cannot be read" in troubles


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"!!python/object:os.system x", b"[" * 3000])
def test_metadata_that_is_no_plain_yaml_is_told_and_not_needed(tmp_path: Path, text: bytes) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    (bag / "metadata.yaml").write_bytes(text)
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert "metadata.yaml cannot be read" in troubles


def test_a_file_that_is_listed_twice_is_read_once(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    rewrite(bag, set_files(["bag.mcap", "bag.mcap"]))
    assert read(bag) == (list(range(5)), "")


def test_a_file_that_got_another_name_is_read(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    storage_file(bag).rename(bag / "conversation.mcap")
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert "bag.mcap is listed in metadata.yaml and missing" in troubles


def test_another_recording_in_the_folder_is_not_mixed_in(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    other = storage_file(write_raw(tmp_path / "other", behaviours(7), storage="sqlite3"))
    other.rename(bag / "other.db3")
    (bag / "._bag.mcap").write_bytes(b"of another system")
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert troubles == "other.db3 is left out, for metadata.yaml does not list it"


def rewrite(bag: Path, edit: Callable[[dict], None]) -> None:
    metadata = yaml.safe_load((bag / "metadata.yaml").read_text())
    edit(metadata["rosbag2_bagfile_information"])
    (bag / "metadata.yaml").write_text(yaml.safe_dump(metadata))


# --- Inside the files ----------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("cut", [False, True])
def test_of_two_types_on_a_topic_the_frequent_one_is_read(
    tmp_path: Path, storage: str, cut: bool
) -> None:
    messages = [*behaviours(5), *(each._replace(topic=TOPIC) for each in reactions(3))]
    bag = write_raw(tmp_path / "bag", messages, storage=storage)
    if cut:
        content = storage_file(bag).read_bytes()
        bag = copy_of(bag, tmp_path / "cut", content[: -60 if storage == "mcap" else -4096])
    with BagReader(bag) as reader:
        assert reader.topics[TOPIC].type == BEHAVIOUR
        assert {each.type for each in reader.messages([TOPIC])} == {BEHAVIOUR}
        troubles = "\n".join(reader.troubles)
    assert f"{TOPIC}: 3 messages of type {REACTION} are left out, for most are {BEHAVIOUR}" in (
        troubles
    )


@pytest.mark.parametrize("value", ["'text'", "'2023-11-14'"])
@pytest.mark.parametrize("column", ["data", "timestamp"])
def test_a_row_of_the_wrong_kind_costs_only_itself(tmp_path: Path, column: str, value: str) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5), storage="sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute(f"UPDATE messages SET {column} = {value} WHERE id = 3")
    database.close()
    frames, troubles = read(bag)
    assert frames == [0, 1, 3, 4]
    assert "4 messages were found" in troubles


@pytest.mark.parametrize(
    "text", ["int32 [", "strange_msgs/Thing thing", "MSG: \n", "=" * 80 + "\nIDL: a/msg/B\n"]
)
@pytest.mark.parametrize("encoding", ["ros2msg", "ros2idl"])
def test_a_definition_that_makes_no_sense_gives_way_to_the_known_one(
    tmp_path: Path, text: str, encoding: str
) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5), storage="sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute(
            "UPDATE message_definitions SET encoded_message_definition = ?, encoding = ?",
            (text, encoding),
        )
    database.close()
    with BagReader(bag) as reader:
        if TOPIC in reader.topics:
            assert [each.read().frame for each in reader.messages([TOPIC])] == list(range(5))
        assert BEHAVIOUR in "\n".join(reader.troubles)


def test_a_clash_with_a_standard_type_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    """Found by chance damage: the definition reads well, yet Time is not what it always is."""
    bag = write_raw(tmp_path / "bag", behaviours(5), storage="sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute(
            "UPDATE message_definitions SET encoded_message_definition = "
            "replace(encoded_message_definition, 'uint32 nanosec', 'uint32 nanosex')"
        )
    database.close()
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert f"the bag's definition of {BEHAVIOUR} cannot be read" in troubles


def test_mcap_without_chunks_is_read_by_several_readings_at_once(tmp_path: Path) -> None:
    messages = list(behaviours(6))
    messages[1], messages[4] = messages[4], messages[1]
    whole = write_raw(tmp_path / "whole", messages)
    content = storage_file(whole).read_bytes()
    bag = copy_of(whole, tmp_path / "plain", without_chunks(content))
    with BagReader(bag) as reader:
        pairs = zip(reader.messages([TOPIC]), reader.messages([TOPIC]), strict=True)
        assert [(a.read().frame, b.read().frame) for a, b in pairs] == [(i, i) for i in range(6)]


def without_chunks(content: bytes) -> bytes:
    """An MCAP file with the records of its (uncompressed) chunks laid bare, and no summary."""
    first = chunk_places(content)[0]
    parts = [content[:first]]
    for place in chunk_places(content):
        (length,) = struct.unpack_from("<Q", content, place + 1)
        parts.append(content[place + 9 + 40 : place + 9 + length])
    return b"".join([*parts, NO_SUMMARY])


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_chunks_packed_with_lz4_are_read_also_where_the_file_is_cut_off(
    tmp_path: Path, share: float
) -> None:
    whole = long_bag(tmp_path, "mcap")
    content = with_lz4(storage_file(whole).read_bytes())
    frames, troubles = read(
        copy_of(whole, tmp_path / "packed", content[: int(share * len(content))])
    )
    assert frames == list(range(len(frames)))
    assert len(frames) == 3000 if share == 1.0 else 1000 < len(frames) < 3000
    assert ("the file ends within it" in troubles) == (share < 1.0)


def with_lz4(content: bytes) -> bytes:
    """An MCAP file with its (uncompressed) chunks packed, and neither index nor summary."""
    parts = [content[: chunk_places(content)[0]]]
    for place in chunk_places(content):
        (length,) = struct.unpack_from("<Q", content, place + 1)
        begin, records = place + 9, content[place + 9 + 40 : place + 9 + length]
        packed = lz4.frame.compress(records)
        head = content[begin : begin + 16] + struct.pack("<QI", len(records), crc32(records))
        chunk = head + struct.pack("<I3sQ", 3, b"lz4", len(packed)) + packed
        parts.append(b"\x06" + struct.pack("<Q", len(chunk)) + chunk)
    return b"".join([*parts, NO_SUMMARY])


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.7, 40.0, 1e12])
@pytest.mark.parametrize("inside", [False, True])
def test_a_chunk_that_tells_one_wrong_length_costs_nothing(
    tmp_path: Path, factor: float, inside: bool
) -> None:
    whole = long_bag(tmp_path, "mcap")
    content = bytearray(storage_file(whole).read_bytes())
    place = chunk_places(content)[0] + (1 + 8 + 32 if inside else 1)
    (length,) = struct.unpack_from("<Q", content, place)
    struct.pack_into("<Q", content, place, int(length * factor))
    frames, _ = read(copy_of(whole, tmp_path / "bag", bytes(content[:-100])))
    assert frames == list(range(3000))


def test_a_record_between_chunks_that_tells_a_wrong_length_costs_no_chunk(tmp_path: Path) -> None:
    whole = long_bag(tmp_path, "mcap")
    content = bytearray(storage_file(whole).read_bytes())
    place = chunk_places(content)[0]
    behind = place + 9 + struct.unpack_from("<Q", content, place + 1)[0]
    assert content[behind] == 0x07  # a message index
    struct.pack_into("<Q", content, behind + 1, len(content) // 2)
    assert read(copy_of(whole, tmp_path / "bag", bytes(content[:-100])))[0] == list(range(3000))


@pytest.mark.parametrize("storage", STORAGES)
def test_a_topic_that_is_not_coded_as_cdr_is_left_out(tmp_path: Path, storage: str) -> None:
    bag = write_raw(tmp_path / "bag", [*behaviours(5), *reactions(5)], storage=storage)
    file = storage_file(bag)
    if storage == "mcap":
        content, name = file.read_bytes(), b"/robot_a/reaction\x03\0\0\0"
        assert name + b"cdr" in content
        file.write_bytes(content.replace(name + b"cdr", name + b"pb3"))
    else:
        with sqlite3.connect(file) as database:
            database.execute(
                "UPDATE topics SET serialization_format = 'pb3' WHERE name = '/robot_a/reaction'"
            )
        database.close()
    with BagReader(bag) as reader:
        assert list(reader.topics) == [TOPIC]
        assert len(list(reader.messages([TOPIC, "/robot_a/reaction"]))) == 5
        troubles = "\n".join(reader.troubles)
    assert "/robot_a/reaction is left out, for its messages are coded as 'pb3'" in troubles
    assert "name is lost" not in troubles


# --- Chance --------------------------------------------------------------------------------------


def mutated(content: bytes, generator: random.Random) -> bytes:
    """The bytes with one to twenty changes: flipped, inserted, deleted, zeroed or cut off."""
    changed = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 5, 20])):
        place = generator.randrange(len(changed) + 1)
        size = generator.choice([1, 1, 2, 4, 8, 50, 500])
        what = generator.random()
        if what < 0.4:
            changed[place : place + 1] = bytes(
                byte ^ 1 << generator.randrange(8) for byte in changed[place : place + 1]
            )
        elif what < 0.55:
            changed[place : place + size] = generator.randbytes(size)
        elif what < 0.7:
            changed[place:place] = generator.randbytes(size)
        elif what < 0.85:
            del changed[place : place + size]
        elif what < 0.97:
            changed[place : place + size] = bytes(size)
        else:
            del changed[place:]
    return bytes(changed)


@pytest.mark.parametrize(
    ("storage", "packed"),
    [
        ("mcap", CompressionMode.NONE),
        ("mcap", CompressionMode.STORAGE),
        ("mcap", CompressionMode.MESSAGE),
        ("sqlite3", CompressionMode.NONE),
        ("sqlite3", CompressionMode.MESSAGE),
    ],
)
def test_chance_damage_is_refused_or_told_and_never_multiplies_messages(
    tmp_path: Path, storage: str, packed: CompressionMode
) -> None:
    messages: list[Raw] = sorted([*behaviours(30), *reactions(30)], key=lambda each: each.time_ns)
    bag = write_raw(tmp_path / "bag", messages, storage=storage, packed=packed)
    file = storage_file(bag)
    content = file.read_bytes()
    generator = random.Random(f"{storage} {packed}")
    opened = 0
    for _ in range(40):
        file.write_bytes(mutated(content, generator))
        try:
            with BagReader(bag) as reader:
                delivered = 0
                for message in reader.messages(reader.topics):
                    delivered += 1
                    try:
                        message.read()
                    except BagError as error:
                        assert message.topic in str(error)
                assert delivered <= 60
                assert delivered == 60 or reader.troubles
        except BagError:
            continue
        opened += 1
    assert opened > 10


def test_times_between_messages_survive_whatever_the_clock_was(tmp_path: Path) -> None:
    """The ends of what SQLite can hold: about 1677 and 2262."""
    bag = write_raw(tmp_path / "bag", behaviours(5, begin_ns=SECOND), storage="sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute("UPDATE messages SET timestamp = -9223372036854775808 WHERE id = 3")
        database.execute("UPDATE messages SET timestamp = 9223372036854775807 WHERE id = 1")
    database.close()
    with BagReader(bag) as reader:
        times = [each.time_ns for each in reader.messages([TOPIC])]
    assert times == [-(1 << 63), SECOND + FRAME, SECOND + 3 * FRAME, SECOND + 4 * FRAME, 2**63 - 1]
    assert len(reader.troubles) == 3
