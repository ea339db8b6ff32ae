"""`perreactor record` beside a running graph: what is in the bag, and what must not be."""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import LATCHED, Behaviour, NodeProcess, set_stamp
from perreactor_ros.msg import AudioChunk, FacialReaction, ReactorState
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool, String

from perreactor_ros.bags.reader import BagReader
from perreactor_ros.recording import Backlog, Recording, Waiting

BEST_EFFORT = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
COMMAND = [sys.executable, "-m", "perreactor_model.cli.main", "record"]


class Recorder:
    """`perreactor record OUT` in a process of its own."""

    def __init__(self, graph: Any, out: Path, options: tuple[str, ...]) -> None:
        self.out = out
        self._graph = graph
        self.process: NodeProcess = graph.run([*COMMAND, str(out), *options])

    def wait_for(self, *topics: str) -> None:
        """Wait until it records these."""
        for topic in topics:
            self.process.wait_for_line(rf"^recording {topic} ")

    def wait_for_written(self, size: int) -> None:
        """Wait until that many bytes are in the bag's file."""
        file = self.out / f"{self.out.name}.mcap"
        self._graph.wait_until(
            lambda: file.is_file() and file.stat().st_size > size, "a bag that grows"
        )


@pytest.fixture
def record(graph: Any, tmp_path: Path) -> Callable[..., Recorder]:
    return lambda *options, out="bag": Recorder(graph, tmp_path / out, options)


def publish(graph: Any, type_: type, topic: str, fill: Callable, qos: Any = 10) -> list:
    """Publish a message every 20 ms while the test waits; returns what was published so far."""
    publisher = graph.node.create_publisher(type_, topic, qos)
    sent: list = []

    def tick() -> None:
        message = type_()
        fill(message, len(sent))
        sent.append(message)
        publisher.publish(message)

    graph.node.create_timer(0.02, tick)
    return sent


def fill_reaction(message: FacialReaction, index: int) -> None:
    set_stamp(message, 1_000_000_000 + index * 40_000_000)
    message.robot, message.frame = "robot_a", index
    message.action_units = np.full(15, index / 1000, np.float32)


def fill_image(message: Any, index: int) -> None:
    set_stamp(message, 1_000_000_000 + index * 40_000_000)
    if isinstance(message, Image):
        message.height, message.width, message.step, message.encoding = 8, 8, 24, "rgb8"
    message.data = np.full(192, index % 251, np.uint8).tobytes()


def fill_large_image(message: Image, index: int) -> None:
    message.height, message.width, message.step, message.encoding = 200, 200, 600, "rgb8"
    message.data = np.full(120_000, index % 251, np.uint8).tobytes()


def read(bag: Path) -> dict[str, list]:
    """The messages of a whole bag by topic, as our reader gives them."""
    with BagReader(bag) as reader:
        assert not reader.troubles
        found: dict[str, list] = {topic: [] for topic in reader.topics}
        for message in reader.messages(reader.topics):
            found[message.topic].append(message)
    return found


def wait_for(graph: Any, sent: list, count: int = 10) -> None:
    graph.wait_for_more(sent, count, "messages published")


def test_reactions_and_pictures_are_in_the_bag_as_they_were_sent(graph, record):
    reactions = publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    images = publish(graph, Image, "image", fill_image)
    jpegs = publish(graph, CompressedImage, "image/compressed", fill_image)
    recorder = record()
    recorder.wait_for("/robot_a/reaction", "/image", "/image/compressed")
    wait_for(graph, jpegs)
    before = time.time_ns()
    wait_for(graph, reactions)
    after = time.time_ns()
    wait_for(graph, images)
    assert recorder.process.stop() == 0
    bag = read(recorder.out)
    for topic, type_, sent in (
        ("/robot_a/reaction", FacialReaction, reactions),
        ("/image", Image, images),
        ("/image/compressed", CompressedImage, jpegs),
    ):
        got = [deserialize_message(message.cdr, type_) for message in bag[topic]]
        begin = sent.index(got[0])
        assert got == sent[begin : begin + len(got)]
        assert len(got) >= 10
        # The time is that of arrival: what was sent within a span lies there, not at its stamp.
        assert any(before < message.time_ns < after for message in bag[topic])
    assert bag["/robot_a/reaction"][0].read().robot == "robot_a"
    assert "Traceback" not in recorder.process.output


def test_a_topic_that_appears_later_is_recorded_from_then_on(graph, record):
    recorder = record()
    first = publish(graph, AudioChunk, "audio", lambda message, index: None)
    recorder.wait_for("/audio")
    wait_for(graph, first)
    late = publish(graph, FacialReaction, "robot_b/reaction", fill_reaction)
    recorder.wait_for("/robot_b/reaction")
    wait_for(graph, late)
    assert recorder.process.stop() == 0
    bag = read(recorder.out)
    assert len(bag["/robot_b/reaction"]) >= 5
    assert len(bag["/audio"]) > len(bag["/robot_b/reaction"])


def test_a_state_published_before_the_recorder_came_is_in_the_bag_and_latched_there(graph, record):
    publisher = graph.node.create_publisher(ReactorState, "robot_a/reactor/state", LATCHED)
    publisher.publish(ReactorState(robot="robot_a", listener_profile="warm"))
    recorder = record()
    recorder.wait_for("/robot_a/reactor/state")
    recorder.wait_for_written(1000)
    assert recorder.process.stop() == 0
    (message,) = read(recorder.out)["/robot_a/reactor/state"]
    assert message.read().listener_profile == "warm"
    assert "durability: transient_local" in (recorder.out / "metadata.yaml").read_text()


def test_a_best_effort_publisher_that_joins_a_reliable_one_is_heard_too(graph, record):
    reliable = publish(
        graph, AudioChunk, "audio", lambda message, _: setattr(message, "data", b"r")
    )
    recorder = record()
    recorder.wait_for("/audio")
    wait_for(graph, reliable, 5)
    publisher = graph.node.create_publisher(AudioChunk, "audio", BEST_EFFORT)
    graph.wait_until(publisher.get_subscription_count, "a subscription that matches best effort")
    unreliable = publish(
        graph, AudioChunk, "audio", lambda message, _: setattr(message, "data", b"u"), BEST_EFFORT
    )
    wait_for(graph, unreliable, 40)
    assert recorder.process.stop() == 0
    heard = {message.read().data.tobytes() for message in read(recorder.out)["/audio"]}
    assert heard == {b"r", b"u"}


def test_a_camera_that_sends_best_effort_is_recorded(graph, record):
    images = publish(graph, Image, "camera/image_raw", fill_image, BEST_EFFORT)
    recorder = record("--storage", "sqlite3")
    recorder.wait_for("/camera/image_raw")
    wait_for(graph, images, 20)
    assert recorder.process.stop() == 0
    assert read(recorder.out)["/camera/image_raw"]
    assert (recorder.out / "bag.db3").is_file()


def test_private_stores_no_picture_and_no_sound_whatever_is_asked_for(graph, record, bundle):
    images = publish(graph, Image, "image", fill_image)
    publish(graph, AudioChunk, "audio", lambda message, index: None)
    # Not even under a name that is otherwise allowed.
    publish(graph, Image, "robot_b/reaction", fill_image)
    publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    Behaviour(graph, bundle)
    named = "/image,robot_b/reaction,robot_a/reaction,speaker/behaviour,audio"
    recorder = record("--private", "--topics", named)
    recorder.wait_for("/robot_a/reaction", "/speaker/behaviour")
    recorder.process.wait_for_line(r"/image \(sensor_msgs/msg/Image\) is not recorded: --private")
    recorder.process.wait_for_line(r"/robot_b/reaction \(sensor_msgs/msg/Image\) is not recorded")
    wait_for(graph, images, 20)
    assert recorder.process.stop() == 0
    assert read(recorder.out).keys() == {"/robot_a/reaction", "/speaker/behaviour"}
    (file,) = recorder.out.glob("*.mcap")
    assert b"sensor_msgs" not in file.read_bytes()
    assert recorder.process.says("/image .* is not recorded") == 1


def test_where_topics_are_named_only_they_are_recorded_of_any_type(graph, record):
    speaking = publish(graph, Bool, "robot_speaking", lambda message, index: None)
    publish(graph, Bool, "door_open", lambda message, index: None)
    publish(graph, String, "notes", lambda message, index: setattr(message, "data", str(index)))
    publish(graph, Clock, "clock", lambda message, index: None)
    recorder = record("--topics", "notes,clock")
    recorder.wait_for("/clock", "/notes")
    wait_for(graph, speaking, 20)
    assert recorder.process.stop() == 0
    assert read(recorder.out).keys() == {"/clock", "/notes"}


def test_other_types_are_not_recorded_by_themselves(graph, record):
    speaking = publish(graph, Bool, "robot_speaking", lambda message, index: None)
    publish(graph, Bool, "door_open", lambda message, index: None)
    publish(graph, Clock, "clock", lambda message, index: None)
    recorder = record()
    recorder.wait_for("/robot_speaking")
    wait_for(graph, speaking, 20)
    assert recorder.process.stop() == 0
    assert read(recorder.out).keys() == {"/robot_speaking"}


def test_a_namespace_and_exclusions_narrow_what_is_recorded(graph, record):
    publish(graph, FacialReaction, "hall/robot_a/reaction", fill_reaction)
    publish(graph, FacialReaction, "hallway/robot_a/reaction", fill_reaction)
    kept = publish(graph, FacialReaction, "hall/robot_b/reaction", fill_reaction)
    publish(graph, Image, "image", fill_image)
    recorder = record("--namespace", "hall", "--exclude", "robot_a/reaction")
    recorder.wait_for("/hall/robot_b/reaction")
    wait_for(graph, kept, 20)
    assert recorder.process.stop() == 0
    assert read(recorder.out).keys() == {"/hall/robot_b/reaction"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_recording_with_a_whole_bag(hang_up_counts, graph, record, number):
    reactions = publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    recorder = record()
    recorder.wait_for("/robot_a/reaction")
    wait_for(graph, reactions)
    assert recorder.process.stop(number) == 0
    assert (recorder.out / "metadata.yaml").is_file()
    assert read(recorder.out)["/robot_a/reaction"]
    assert recorder.process.says(r"messages \(.* MB\) of 1 topics in .* s: .*/bag$") == 1


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_what_was_recorded_before_a_kill_can_be_rescued(graph, record, storage):
    reactions = publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    recorder = record("--storage", storage)
    recorder.wait_for("/robot_a/reaction")
    # Written within a second or so: after this many, the first of them have been.
    wait_for(graph, reactions, 150)
    recorder.process.kill()
    with BagReader(recorder.out) as bag:
        got = [message.read().frame for message in bag.messages({"/robot_a/reaction"})]
        assert any("cut off" in trouble for trouble in bag.troubles)
    assert len(got) >= 25
    assert got == list(range(got[0], got[0] + len(got)))


def test_an_existing_folder_is_left_alone(graph, record, tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "precious").write_text("data")
    recorder = record()
    assert recorder.process.wait() == 2
    assert recorder.process.output.splitlines() == [
        f"perreactor: error: {tmp_path / 'bag'} exists already: name a folder that does not"
    ]
    assert [each.name for each in (tmp_path / "bag").iterdir()] == ["precious"]


def test_a_silent_graph_leaves_no_bag_and_is_told_what_was_looked_for(graph, record):
    graph.node.create_publisher(Image, "image", 10)
    recorder = record("--topics", "/nowhere,/image")
    recorder.wait_for("/image")
    assert recorder.process.stop() == 1
    assert not recorder.out.exists()
    assert recorder.process.says(r"nothing was recorded.*topics /image, /nowhere") == 1
    assert recorder.process.says("no message came on /image") == 1
    assert recorder.process.says("/nowhere was asked for and is not recorded") == 1


def test_a_recording_ends_by_itself_after_its_seconds(graph, record):
    recorder = record("--seconds", "0.5")
    assert recorder.process.wait() == 1
    assert recorder.process.says("none appeared") == 1


def test_its_seconds_count_from_the_first_message(graph, record):
    publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    recorder = record("--seconds", "1")
    graph.wait_until(lambda: not recorder.process.running, "the end of the recording")
    stamps = [message.time_ns for message in read(recorder.out)["/robot_a/reaction"]]
    assert stamps[-1] - stamps[0] > 0.8e9


def test_a_recorder_to_which_nothing_comes_says_what_it_waits_for(graph, record):
    recorder = record()
    recorder.process.wait_for_line("Still waiting: looking for topics of images, sound")


def test_a_full_disk_ends_the_recording_and_what_was_written_can_be_read(graph, tmp_path):
    images = publish(graph, Image, "image", fill_large_image)
    bag = tmp_path / "bag"
    limited = f"ulimit -f 2000; exec {shlex.join([*COMMAND, str(bag)])}"
    process = graph.run(["bash", "-c", limited])
    process.wait_for_line("^recording /image ")
    graph.wait_until(lambda: not process.running, "the end of the recording")
    assert process.wait() == 1
    assert process.says(r"/bag could not be written to its end \(.*File too large\)") == 1
    with BagReader(bag) as reader:
        got = [deserialize_message(each.cdr, Image) for each in reader.messages({"/image"})]
    assert got[0] in images


def test_wrong_arguments_are_refused_before_anything_is_written(graph, record):
    for options, reason in (
        (("--seconds", "0"), "--seconds is 0.0: give a time above 0"),
        (("--topics", "a b"), "Invalid topic name: .* 'a b'"),
        (("--exclude", "~~"), "~"),
        (("--namespace", "a b"), "--namespace: Invalid namespace"),
    ):
        recorder = record(*options)
        assert recorder.process.wait() == 2
        assert recorder.process.says(f"perreactor: error: .*{reason}") == 1
        assert not recorder.out.exists()


def test_in_simulated_time_the_clock_gives_the_times_of_the_bag(graph, record):
    reactions = publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    recorder = record("--use-sim-time")
    recorder.process.wait_for_line("waiting for /clock")
    publish(graph, Clock, "clock", lambda message, index: setattr(message.clock, "sec", 77))
    recorder.wait_for("/robot_a/reaction")
    wait_for(graph, reactions)
    assert recorder.process.stop() == 0
    assert {message.time_ns for message in read(recorder.out)["/robot_a/reaction"]} == {
        77_000_000_000
    }


def test_the_summary_for_programs_counts_what_the_bag_holds(graph, tmp_path):
    sent = publish(graph, FacialReaction, "robot_a/reaction", fill_reaction)
    command = [*COMMAND, str(tmp_path / "bag"), "--json", "--seconds", "2"]
    process = subprocess.Popen(
        command, env=graph.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        graph.wait_until(lambda: process.poll() is not None, "the end of the recording")
    finally:
        process.kill()
    out, _ = process.communicate()
    summary = json.loads(out)
    (topic,) = summary["topics"].values()
    assert topic["type"] == "perreactor_ros/msg/FacialReaction"
    assert topic["dropped"] == 0
    assert topic["messages"] == summary["messages"] <= len(sent)
    assert topic["messages"] == len(read(tmp_path / "bag")["/robot_a/reaction"])


def test_a_full_backlog_drops_the_oldest_of_what_fills_it_and_counts_that():
    backlog = Backlog(limit=1000)
    backlog.put(Waiting("/state", b"s" * 10, 0))
    for index in range(12):
        backlog.put(Waiting("/image", bytes([index]) * 100, index))
    backlog.close()
    left = [backlog.take(0) for _ in range(10)]
    assert [message.topic for message in left] == ["/state", *["/image"] * 9]
    assert [message.time_ns for message in left[1:]] == list(range(3, 12))
    assert backlog.dropped == {"/image": 3}
    assert backlog.take(0) is None and backlog.over


def test_a_message_larger_than_the_backlog_is_still_written(tmp_path):
    with Recording(tmp_path / "bag", limit=10) as recording:
        recording.add_topic("/image", "sensor_msgs/msg/Image", latched=False)
        recording.put("/image", b"\0\1\0\0" + b"i" * 100, 1)
    assert recording.messages == 1
    assert recording.failure is None


def test_a_type_that_is_not_installed_is_left_out_and_the_rest_recorded(tmp_path):
    with Recording(tmp_path / "bag") as recording:
        assert "not installed" in str(recording.refusal("strange_msgs/msg/Thing"))
        assert recording.refusal("sensor_msgs/msg/Image") is None


@pytest.mark.slow
def test_a_recorded_conversation_can_be_replayed(graph, record, speaker, face_bundle, tmp_path):
    talking = speaker()
    recorder = record()
    recorder.wait_for("/image", "/audio")
    begin = talking.count
    graph.wait_until(lambda: talking.count > begin + 50, "two seconds of a conversation")
    assert recorder.process.stop() == 0
    words = ["replay", str(recorder.out), "--bundle", str(face_bundle), "--no-report"]
    replay = graph.run(
        [sys.executable, "-m", "perreactor_model.cli.main", *words, "--out", str(tmp_path / "out")]
    )
    assert replay.wait() == 0, replay.output
    reactions = read(tmp_path / "out" / "reactions")["/robot_a/reaction"]
    assert len(reactions) >= 40
