"""Whole bags of every kind give their messages back, in order of time and in flat memory."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from recorded_bags import (
    BEGIN_NS,
    BEHAVIOUR,
    DEFINITIONS,
    FRAME,
    HRI,
    STORAGES,
    Raw,
    action_units,
    behaviours,
    forget_definitions,
    reactions,
    serialised,
    sound,
    storage_file,
    write_raw,
)
from rosbags.rosbag2 import CompressionMode
from sensor_msgs.msg import CompressedImage

from perreactor_ros.audio_types import audio_adapter
from perreactor_ros.bags.reader import BagError, BagReader
from perreactor_ros.image_messages import compressed_image, raw_image
from perreactor_ros.messages import audio_message, image_message, reaction, speaker_frame, stamp


def frames_in(bag: Path, topic: str = "/speaker/behaviour") -> list[int]:
    with BagReader(bag) as reader:
        return [message.read().frame for message in reader.messages([topic])]


# --- Kinds of bags -------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("what", ["folder", "metadata.yaml", "file", "folder without metadata"])
def test_a_bag_gives_back_what_was_recorded(tmp_path: Path, storage: str, what: str) -> None:
    recorded = list(behaviours(20))
    bag = write_raw(tmp_path / "bag", recorded, storage=storage)
    if what == "folder without metadata":
        (bag / "metadata.yaml").unlink()
    path = {"file": storage_file(bag), "metadata.yaml": bag / "metadata.yaml"}.get(what, bag)
    with BagReader(path) as reader:
        topic = reader.topics["/speaker/behaviour"]
        assert (topic.type, topic.count) == (BEHAVIOUR, 20)
        assert (reader.start_ns, reader.end_ns) == (BEGIN_NS, BEGIN_NS + 19 * FRAME)
        assert [
            (each.topic, each.type, each.cdr, each.time_ns)
            for each in reader.messages({"/speaker/behaviour"})
        ] == recorded
        troubles = "".join(reader.troubles)
    assert ("metadata.yaml" in troubles) == (what == "folder without metadata")


@pytest.mark.parametrize(
    ("storage", "packed"),
    [
        ("mcap", CompressionMode.STORAGE),
        ("mcap", CompressionMode.MESSAGE),
        ("mcap", CompressionMode.FILE),
        ("sqlite3", CompressionMode.MESSAGE),
        ("sqlite3", CompressionMode.FILE),
    ],
)
def test_packed_bags_are_unpacked(tmp_path: Path, storage: str, packed: CompressionMode) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(20), storage=storage, packed=packed)
    assert frames_in(bag) == list(range(20))
    (bag / "metadata.yaml").unlink()
    assert frames_in(bag) == list(range(20))


@pytest.mark.parametrize("storage", STORAGES)
def test_split_bags_are_read_as_one(tmp_path: Path, storage: str) -> None:
    bag = tmp_path / "bag"
    bag.mkdir()
    for part in range(12):  # more than ten: bag_10 is not the second one
        begin_ns = BEGIN_NS + part * 5 * FRAME
        recorded = write_raw(
            tmp_path / str(part), behaviours(5, begin_ns=begin_ns), storage=storage
        )
        file = storage_file(recorded)
        file.rename(bag / f"bag_{part}{file.suffix}")
    with BagReader(bag) as reader:
        times = [each.time_ns for each in reader.messages(reader.topics)]
        assert reader.topics["/speaker/behaviour"].count == 60
    assert times == [BEGIN_NS + index * FRAME for index in range(60)]


@pytest.mark.parametrize("storage", STORAGES)
def test_messages_of_several_topics_come_in_order_of_time(tmp_path: Path, storage: str) -> None:
    one_after_the_other = [*behaviours(1500), *reactions(1500)]
    bag = write_raw(tmp_path / "bag", one_after_the_other, storage=storage)
    with BagReader(bag) as reader:
        read = [(each.time_ns, each.topic) for each in reader.messages(reader.topics)]
        assert read == sorted(read, key=lambda each: each[0]) and len(read) == 3000
        assert any("60.0 s behind newer ones" in each for each in reader.troubles)


@pytest.mark.parametrize("storage", STORAGES)
def test_small_disorder_is_mended_without_a_word(tmp_path: Path, storage: str) -> None:
    messages = list(behaviours(20))
    messages[5], messages[9] = messages[9], messages[5]
    bag = write_raw(tmp_path / "bag", messages, storage=storage)
    with BagReader(bag) as reader:
        assert [each.read().frame for each in reader.messages(reader.topics)] == list(range(20))
        assert reader.troubles == []


def test_only_the_wanted_topics_come(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", [*behaviours(5), *reactions(5)])
    with BagReader(bag) as reader:
        read = list(reader.messages(["/robot_a/reaction", "/nobody/knows"]))
    assert [(each.topic, each.number) for each in read] == [
        ("/robot_a/reaction", number) for number in range(1, 6)
    ]


def test_a_bag_can_be_read_again_and_again(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(10))
    with BagReader(bag) as reader:
        next(reader.messages(reader.topics))
        first, second = (list(reader.messages(reader.topics)) for _ in range(2))
    assert first == second and len(first) == 10


# --- Kinds of messages ---------------------------------------------------------------------------


def test_our_messages_are_read_as_their_readers_want_them(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", [*behaviours(3), *reactions(3)])
    with BagReader(bag) as reader:
        frame = [speaker_frame(each.read()) for each in reader.messages(["/speaker/behaviour"])][2]
        shown = [reaction(each.read()) for each in reader.messages(["/robot_a/reaction"])][2]
    assert (frame.index, frame.stamp_ns) == (2, BEGIN_NS + 2 * FRAME)
    assert frame.token is not None and frame.token.tolist() == [2.0] * 8
    assert (shown.index, shown.stamp_ns) == (2, BEGIN_NS + 2 * FRAME)
    assert shown.attributes[15] == np.float32(np.sin(0.2)) and shown.attributes[19] == 1.0


def test_pictures_raw_and_compressed_are_decoded(tmp_path: Path) -> None:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:, 16:] = (255, 0, 0)
    packed = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    message = CompressedImage(format="png", data=packed)
    message.header.stamp = stamp(BEGIN_NS)
    raw = serialize_message(image_message(picture, BEGIN_NS))
    bag = write_raw(
        tmp_path / "bag",
        [
            Raw("/image", "sensor_msgs/msg/Image", raw, BEGIN_NS),
            Raw(
                "/image/compressed",
                "sensor_msgs/msg/CompressedImage",
                serialize_message(message),
                BEGIN_NS,
            ),
        ],
    )
    with BagReader(bag) as reader:
        (first,) = reader.messages(["/image"])
        (second,) = reader.messages(["/image/compressed"])
    np.testing.assert_array_equal(raw_image(first.read()).rgb(), picture)
    np.testing.assert_array_equal(compressed_image(second.read()).rgb(), picture)


def test_our_sound_becomes_its_samples(tmp_path: Path) -> None:
    samples = np.linspace(-0.9, 0.9, 640, dtype=np.float32)
    cdr = serialize_message(audio_message(samples, BEGIN_NS, 16000))
    chunk = Raw("/audio", "perreactor_ros/msg/AudioChunk", cdr, BEGIN_NS)
    with BagReader(write_raw(tmp_path / "bag", [chunk])) as reader:
        (message,) = reader.messages(["/audio"])
        heard = audio_adapter("perreactor_ros/AudioChunk").read(message.read())
    np.testing.assert_array_equal(heard.samples[:, 0], samples)


@pytest.mark.parametrize("kind", DEFINITIONS)
@pytest.mark.parametrize("old", [False, True])
def test_every_microphone_is_understood_also_in_bags_without_definitions(
    tmp_path: Path, kind: str, old: bool
) -> None:
    samples = np.linspace(-0.9, 0.9, 640)
    messages = sound(kind, samples, BEGIN_NS)
    bag = write_raw(tmp_path / "bag", messages, DEFINITIONS[kind], "sqlite3")
    if old:
        forget_definitions(bag)
    adapter = audio_adapter(f"audio_common_msgs/{kind}")
    with BagReader(bag) as reader:
        for message in reader.messages(["/microphone/info"]):
            adapter.read_info(message.read())
        (message,) = reader.messages(["/microphone"])
        heard = adapter.read(message.read())
        assert reader.troubles == []
    np.testing.assert_allclose(heard.samples[:, 0], samples, atol=2 / 32768)


@pytest.mark.parametrize("old", [False, True])
def test_action_units_of_ros4hri_are_read_also_in_bags_without_definitions(
    tmp_path: Path, old: bool
) -> None:
    bag = write_raw(tmp_path / "bag", action_units(3), HRI, "sqlite3")
    if old:
        forget_definitions(bag)
    with BagReader(bag) as reader:
        read = [each.read() for each in reader.messages(reader.topics)]
    assert [each.intensity[12] for each in read] == [
        np.float32(abs(np.sin(0.1 * index))) for index in range(3)
    ]


def test_the_bags_own_definition_comes_before_the_known_one(tmp_path: Path) -> None:
    name = "hri_msgs/msg/FacialActionUnits"
    changed = {name: "float64[] strength\nstring face"}
    cdr = serialised(name, changed, {"strength": np.array([0.5]), "face": "f1"})
    bag = write_raw(tmp_path / "bag", [Raw("/units", name, cdr, BEGIN_NS)], changed)
    with BagReader(bag) as reader:
        (message,) = (each.read() for each in reader.messages(["/units"]))
    assert (message.strength.tolist(), message.face) == ([0.5], "f1")


# --- Length --------------------------------------------------------------------------------------

PEAK = """
import resource, sys
from perreactor_ros.bags.reader import BagReader
with BagReader(sys.argv[1]) as reader:
    print(sum(len(each.cdr) for each in reader.messages(reader.topics)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("broken", [False, True])
def test_memory_does_not_grow_with_the_bag(tmp_path: Path, storage: str, broken: bool) -> None:
    cdr = serialize_message(image_message(np.zeros((120, 160, 3), np.uint8), BEGIN_NS))
    peaks = []
    for count in (1200, 3600):
        pictures = (
            Raw("/image", "sensor_msgs/msg/Image", cdr, BEGIN_NS + index * FRAME)
            for index in range(count)
        )
        bag = write_raw(tmp_path / str(count), pictures, storage=storage)
        if broken:
            file = storage_file(bag)
            with open(file, "r+b") as opened:
                opened.truncate(file.stat().st_size - 1000)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(bag)], capture_output=True, text=True, check=True
        )
        size, peak = map(int, done.stdout.split())
        assert size > 0.9 * count * len(cdr)
        peaks.append(peak * 1024)
    grown = 2400 * len(cdr)
    assert peaks[1] - peaks[0] < 0.1 * grown, f"{peaks} bytes"


def test_a_message_that_is_none_is_refused_by_topic_and_number(tmp_path: Path) -> None:
    messages = list(behaviours(3))
    messages[1] = messages[1]._replace(cdr=messages[1].cdr[:40])
    with BagReader(write_raw(tmp_path / "bag", messages)) as reader:
        first, second, third = reader.messages(reader.topics)
        assert (first.read().frame, third.read().frame) == (0, 2)
        with pytest.raises(BagError, match=f"/speaker/behaviour, message 2: .* no {BEHAVIOUR}"):
            second.read()
