"""Of broken bags, what can be read is read, and what is lost is told in a sentence."""

import shutil
import sqlite3
import struct
from binascii import crc32
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from recorded_bags import (
    BEGIN_NS,
    FRAME,
    SECOND,
    STORAGES,
    behaviours,
    copy_of,
    storage_file,
    write_raw,
)

from perreactor_ros.bags.reader import BagError, BagReader
from perreactor_ros.bags.writer import BagWriter

TOPIC = "/speaker/behaviour"


def read(path: Path) -> tuple[list[int], str]:
    """The numbers of a speaker's frames that can be read, as they come, and all troubles."""
    frames = []
    with BagReader(path) as reader:
        for message in reader.messages([TOPIC]):
            try:
                frames.append(message.read().frame)
            except BagError as error:
                assert f"{TOPIC}, message {message.number}: " in str(error)
        return frames, "\n".join(reader.troubles)


def long_bag(folder: Path, storage: str) -> Path:
    """3000 frames in several chunks or many pages: 3 MB."""
    return write_raw(folder / "whole", behaviours(3000, size=128), storage=storage)


# --- Cut off -------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("share", [0.95, 0.5, 0.1])
@pytest.mark.parametrize("metadata", [True, False])
def test_a_truncated_bag_is_read_up_to_its_end(
    tmp_path: Path, storage: str, share: float, metadata: bool
) -> None:
    whole = long_bag(tmp_path, storage)
    content = storage_file(whole).read_bytes()
    bag = copy_of(whole, tmp_path / "cut", content[: int(share * len(content))])
    if not metadata:
        (bag / "metadata.yaml").unlink()
    frames, troubles = read(bag)
    assert frames == sorted(set(frames))
    assert frames[: int(0.9 * share * 3000)] == list(range(int(0.9 * share * 3000)))
    assert 0.9 * share * 3000 < len(frames) < 3000
    assert "cannot be read by its index" in troubles
    assert f"{len(frames)} messages were found" in troubles
    assert (f"{TOPIC}: metadata.yaml promises 3000 messages" in troubles) == metadata


@pytest.mark.parametrize("storage", STORAGES)
def test_what_was_flushed_before_the_recorder_was_killed_is_read(
    tmp_path: Path, storage: str
) -> None:
    alive, killed = tmp_path / "alive", tmp_path / "killed"
    with BagWriter(alive, storage) as writer:
        for each in behaviours(10):
            writer.write(*each)
        writer.flush()
        for each in behaviours(3, begin_ns=BEGIN_NS + SECOND):
            writer.write(*each)
        shutil.copytree(alive, killed)  # what another process finds at this moment
    frames, troubles = read(killed)
    assert frames[:10] == list(range(10))
    assert "metadata.yaml" in troubles
    assert len(read(alive)[0]) == 13


def test_rows_that_sqlite_wrote_without_finishing_are_read(tmp_path: Path) -> None:
    """A journal lies beside the file of a recorder that was killed: SQLite would undo it all."""
    recording, killed = tmp_path / "recording", tmp_path / "killed"
    with BagWriter(recording, "sqlite3") as writer:
        for each in behaviours(3000, size=1024):
            writer.write(*each)
        shutil.copytree(recording, killed)
    assert list(killed.glob("*.db3-journal"))
    frames, troubles = read(killed)
    assert len(frames) > 1000 and frames == sorted(frames)
    assert "its recording was cut off" in troubles


def test_what_sqlite_holds_in_its_log_only_is_read(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(20), storage="sqlite3")
    copied = tmp_path / "copied"
    database = sqlite3.connect(storage_file(bag))
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "INSERT INTO messages (topic_id, timestamp, data) "
        "SELECT topic_id, timestamp + 1, data FROM messages"
    )
    database.commit()
    shutil.copytree(bag, copied)
    database.close()
    assert list(copied.glob("*.db3-wal"))
    assert len(read(copied)[0]) == 40


# --- Broken inside -------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("seed", range(4))
def test_noise_in_the_middle_costs_only_what_lies_there(
    tmp_path: Path, storage: str, seed: int
) -> None:
    whole = long_bag(tmp_path, storage)
    content = bytearray(storage_file(whole).read_bytes())
    generator = np.random.default_rng(seed)
    place = int(generator.integers(len(content) // 4, len(content) // 2))
    content[place : place + 5000] = generator.bytes(5000)
    frames, troubles = read(copy_of(whole, tmp_path / "noisy", bytes(content)))
    known = [frame for frame in frames if frame < 3000]
    assert len(set(known)) > 1700 and known[0] == 0 and known[-1] == 2999
    assert troubles


def test_a_lost_record_head_costs_no_more_than_its_chunk(tmp_path: Path) -> None:
    whole = long_bag(tmp_path, "mcap")
    content = bytearray(storage_file(whole).read_bytes())
    place = chunk_places(content)[1]
    content[place - 40 : place + 9] = b"\xee" * 49
    frames, troubles = read(copy_of(whole, tmp_path / "broken", bytes(content[:-100])))
    assert frames[0] == 0 and frames[-1] == 2999 and 1500 < len(frames) < 2500
    assert "there are no records" in troubles


def test_topics_whose_beginning_is_lost_are_known_from_the_end(tmp_path: Path) -> None:
    whole = write_raw(tmp_path / "whole", behaviours(100))
    content = bytearray(storage_file(whole).read_bytes())
    first = content.index(next(behaviours(1)).cdr[:16])
    (place,) = chunk_places(content)
    content[place + 60 : first - 40] = bytes(first - 40 - place - 60)  # schema and channel
    frames, troubles = read(copy_of(whole, tmp_path / "bag", bytes(content)))
    assert frames == list(range(100))
    assert "its records are damaged" in troubles


def test_noise_in_a_bag_of_one_chunk_costs_only_what_lies_there(tmp_path: Path) -> None:
    whole = write_raw(tmp_path / "whole", behaviours(100))
    content = bytearray(storage_file(whole).read_bytes())
    assert len(chunk_places(content)) == 1
    middle = chunk_places(content)[0] + len(content) // 2
    content[middle : middle + 1500] = np.random.default_rng(0).bytes(1500)
    frames, troubles = read(copy_of(whole, tmp_path / "bag", bytes(content)))
    assert frames == sorted(frames) and {0, 99} <= set(frames)
    assert 90 <= len(frames) < 100
    assert "its records are damaged" in troubles


def test_a_chunk_with_a_wrong_checksum_is_left_out(tmp_path: Path) -> None:
    whole = long_bag(tmp_path, "mcap")
    content = bytearray(storage_file(whole).read_bytes())
    place = chunk_places(content)[1]
    (size,) = struct.unpack_from("<Q", content, place + 9 + 16)
    begin = place + 9 + 40
    struct.pack_into("<I", content, place + 9 + 24, crc32(content[begin : begin + size]))
    assert len(read(copy_of(whole, tmp_path / "sound", bytes(content)))[0]) == 3000
    content[begin + size // 2] ^= 0x10
    frames, troubles = read(copy_of(whole, tmp_path / "flipped", bytes(content)))
    assert frames[0] == 0 and frames[-1] == 2999 and 1500 < len(frames) < 2500
    assert f"the chunk at byte {place} are lost: its checksum is wrong" in troubles


def chunk_places(content: bytes | bytearray) -> list[int]:
    """Where the chunks of an MCAP file begin."""
    places, at = [], 8
    while content[at] != 0x0F:
        if content[at] == 0x06:
            places.append(at)
        at += 9 + struct.unpack_from("<Q", content, at + 1)[0]
    return places


@pytest.mark.parametrize("missing", ["messages", "topics"])
def test_an_index_that_lists_too_little_is_not_believed(tmp_path: Path, missing: str) -> None:
    """As rosbag2 writes MCAP with options like `noMessageIndex`: by index, nothing is found."""
    whole = long_bag(tmp_path, "mcap")
    content = bytearray(storage_file(whole).read_bytes())
    (at,) = struct.unpack_from("<Q", content, len(content) - 28)
    while content[at] not in (0x02, 0x0E):
        following = at + 9 + struct.unpack_from("<Q", content, at + 1)[0]
        if missing == "messages" and content[at] == 0x08:  # the length of a message index
            struct.pack_into("<Q", content, at + 9 + 32 + 4 + 10, 15)
        elif missing == "topics" and content[at] in (0x03, 0x04, 0x0B):
            content[at] = 0x0D  # a schema, channel or statistics becomes another kind of record
        at = following
    frames, troubles = read(copy_of(whole, tmp_path / "bag", bytes(content)))
    assert frames == list(range(3000))
    assert "its index does not list every" in troubles


@pytest.mark.parametrize("table", ["messages", "topics"])
def test_a_missing_table_is_told(tmp_path: Path, table: str) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5), storage="sqlite3")
    with sqlite3.connect(storage_file(bag)) as database:
        database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA secure_delete=ON")
    database.execute("VACUUM")
    database.close()
    with pytest.raises(BagError, match="cannot be read|no message"):
        BagReader(bag)


@pytest.mark.parametrize("storage", STORAGES)
def test_messages_that_are_no_messages_do_not_stop_the_others(tmp_path: Path, storage: str) -> None:
    messages = list(behaviours(5))
    messages[1] = messages[1]._replace(cdr=b"")
    messages[2] = messages[2]._replace(cdr=b"\x00\x01\x00\x00" + b"\xff" * 300)
    messages[3] = messages[3]._replace(cdr=messages[3].cdr + bytes(100))
    frames, _ = read(write_raw(tmp_path / "bag", messages, storage=storage))
    assert frames == [0, 4]


# --- Nothing to read -----------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: whole[:30], "cannot be read"),
        (lambda whole: np.random.default_rng(0).bytes(9000), "does not begin like an"),
        (lambda whole: bytes(len(whole)), "does not begin like an"),
    ],
)
def test_a_file_without_anything_is_refused_with_its_reason(
    tmp_path: Path, storage: str, content: Callable[[bytes], bytes], says: str
) -> None:
    whole = write_raw(tmp_path / "whole", behaviours(5), storage=storage)
    changed = content(storage_file(whole).read_bytes())
    with pytest.raises(BagError, match=says):
        BagReader(copy_of(whole, tmp_path / "bag", changed))


@pytest.mark.parametrize("storage", STORAGES)
def test_a_bag_without_messages_is_refused(tmp_path: Path, storage: str) -> None:
    with pytest.raises(BagError, match="holds no message"):
        BagReader(write_raw(tmp_path / "bag", [], storage=storage))


def test_what_is_no_bag_is_refused_with_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="there is no bag"):
        BagReader(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BagError, match="no metadata.yaml, no .mcap and no .db3"):
        BagReader(tmp_path / "folder")
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(BagError, match="give the folder that rosbag2 wrote"):
        BagReader(tmp_path / "film.mp4")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0")
    with pytest.raises(BagError, match="ROS 1: convert it with `rosbags-convert"):
        BagReader(tmp_path / "old.bag")


# --- Metadata ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rosbag2_bagfile_information: [", "metadata.yaml cannot be read"),
        ("", "metadata.yaml cannot be read"),
        ("a: 1", "metadata.yaml cannot be read"),
    ],
)
def test_the_files_are_read_where_metadata_is_broken(tmp_path: Path, text: str, says: str) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    (bag / "metadata.yaml").write_text(text)
    frames, troubles = read(bag)
    assert frames == list(range(5)) and says in troubles


def test_metadata_that_disagrees_is_told(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(5))
    metadata = yaml.safe_load((bag / "metadata.yaml").read_text())
    told = metadata["rosbag2_bagfile_information"]
    told["version"] = 12
    told["relative_file_paths"].append("bag_1.mcap")
    told["topics_with_message_count"][0]["message_count"] = 7
    (bag / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    frames, troubles = read(bag)
    assert frames == list(range(5))
    assert "bag_1.mcap is listed in metadata.yaml and missing" in troubles
    assert f"{TOPIC}: metadata.yaml promises 7 messages, the files hold 5" in troubles
    assert "version 12" in troubles


def test_one_broken_file_of_several_costs_only_itself(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    bag.mkdir()
    for part, share in enumerate([1.0, 0.0, 1.0]):
        begin_ns = BEGIN_NS + part * SECOND
        file = storage_file(write_raw(tmp_path / str(part), behaviours(5, begin_ns=begin_ns)))
        content = file.read_bytes()
        (bag / f"bag_{part}.mcap").write_bytes(content[: int(share * len(content))])
    frames, troubles = read(bag)
    assert frames == [*range(5), *range(5)]
    assert "bag_1.mcap is empty" in troubles


# --- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
def test_a_clock_that_was_set_forward_is_told(tmp_path: Path, storage: str) -> None:
    early = list(behaviours(5, begin_ns=10 * SECOND))
    bag = write_raw(tmp_path / "bag", [*early, *behaviours(5)], storage=storage)
    frames, troubles = read(bag)
    assert frames == [*range(5), *range(5)]
    assert "after 1970-01-01 00:00:10 UTC: recording paused, or the clock was set" in troubles
    assert troubles.count("clock") == 1


@pytest.mark.parametrize("storage", STORAGES)
def test_a_clock_that_was_set_back_is_told(tmp_path: Path, storage: str) -> None:
    back_ns = BEGIN_NS - 3600 * SECOND
    messages = [*behaviours(50), *behaviours(50, begin_ns=back_ns)]
    bag = write_raw(tmp_path / "bag", messages, storage=storage)
    with BagReader(bag) as reader:
        times = [each.time_ns for each in reader.messages([TOPIC])]
        troubles = "\n".join(reader.troubles)
    assert times == sorted(times) and len(times) == 100
    assert times[0] == back_ns and times[-1] == BEGIN_NS + 49 * FRAME
    assert "messages lie up to 3602.0 s behind newer ones" in troubles
