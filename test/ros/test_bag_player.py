"""The bag player: what a recording holds comes out on the nodes' topics, with its own time."""

import itertools

import pytest
from live_graph import stamp_of
from perreactor_ros.msg import AudioChunk, SpeakerBehaviour
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from short_bags import BEGIN_NS, SECOND, WAY_NS, beeps, person, type_name, write_bag

from perreactor_model.bundle.manifest import read_manifest
from perreactor_ros.bags.writer import BagWriter
from perreactor_ros.messages import nanoseconds


@pytest.fixture
def bag(tmp_path):
    """One second on the topics /image and /audio."""
    return write_bag(tmp_path / "beeps", beeps())


def start_player(graph, bag, **parameters):
    return graph.start("bag_player", {"bag": str(bag), "playback_rate": 4.0, **parameters})


def clock_of(graph):
    """The times that /clock shows."""
    times: list[int] = []
    graph.node.create_subscription(
        Clock, "/clock", lambda message: times.append(nanoseconds(message.clock)), 1000
    )
    return times


def test_every_message_is_played_once_as_it_was_recorded(graph, bag):
    images = graph.collect(Image, "image", 200)
    chunks = graph.collect(AudioChunk, "audio", 200)
    clock_of(graph)
    player = start_player(graph, bag)
    assert player.wait() == 0
    graph.wait_until(lambda: len(images) == len(chunks) == 25, "all pictures and sounds")
    recorded = [message for _, message, _ in beeps()]
    played = [message for pair in zip(images, chunks, strict=True) for message in pair]
    assert played == recorded
    assert player.says(r"playing .*/beeps: /image as image, /audio as audio") == 1
    assert "Traceback" not in player.output


def test_the_clock_shows_the_time_of_the_recording_and_never_goes_back(graph, bag):
    graph.collect(Image, "image", 200)
    graph.collect(AudioChunk, "audio", 200)
    times = clock_of(graph)
    assert start_player(graph, bag, clock_rate=200.0).wait() == 0
    first, last = BEGIN_NS + WAY_NS, BEGIN_NS + SECOND + WAY_NS
    graph.wait_until(lambda: times and times[-1] >= last, "the end of the recording")
    assert times[0] == first
    steps = [after - before for before, after in itertools.pairwise(times)]
    # It stands still at first; then one message stands for 4 / 200 s of the recording.
    moving = steps[steps.index(next(filter(None, steps))) :]
    assert min(steps) >= 0
    assert set(moving) == {20_000_000}
    assert times[-1] < last + SECOND // 4


def test_playing_begins_with_the_first_message_once_those_who_shall_hear_it_do(graph, bag):
    chunks = graph.collect(AudioChunk, "audio", 200)
    clock_of(graph)
    player = start_player(graph, bag, also_heard="speaker/behaviour", listeners="test")
    graph.wait_for_state("bag_player", "active")
    assert not player.says("playing")
    images = graph.collect(Image, "image", 200)
    graph.collect(SpeakerBehaviour, "speaker/behaviour")
    assert player.wait() == 0
    graph.wait_until(lambda: len(images) == len(chunks) == 25, "all pictures and sounds")
    assert stamp_of(images[0]) == BEGIN_NS


def test_without_listeners_playing_begins_after_a_while_and_says_who_is_missing(graph, bag):
    graph.collect(Image, "image", 200)
    player = start_player(graph, bag, listeners="perception", wait_seconds=0.1)
    assert player.wait() == 0
    assert player.says(r"nobody hears .*/image, /audio: playing without waiting any longer") == 1
    assert player.says("the recording is over") == 1


def test_a_looping_recording_sets_the_clock_back_to_its_beginning(graph, bag):
    images = graph.collect(Image, "image", 200)
    graph.collect(AudioChunk, "audio", 200)
    times = clock_of(graph)
    player = start_player(graph, bag, loop=True)
    graph.wait_until(lambda: len(images) >= 60, "more than two rounds")
    stamps = [stamp_of(image) for image in images]
    assert stamps[25:50] == stamps[:25]
    backwards = [step for step in itertools.pairwise(times) if step[1] < step[0]]
    assert len(backwards) >= 2
    assert {after for _, after in backwards} == {BEGIN_NS + WAY_NS}
    assert player.stop() == 0
    assert "Traceback" not in player.output


@pytest.mark.slow
def test_a_pause_of_more_than_a_minute_is_passed_over(graph, tmp_path):
    hour = 3600 * SECOND
    bag = write_bag(tmp_path / "bag", [*beeps(5), *beeps(5, BEGIN_NS + hour)])
    images = graph.collect(Image, "image", 200)
    graph.collect(AudioChunk, "audio", 200)
    times = clock_of(graph)
    player = start_player(graph, bag, playback_rate=20.0)
    graph.wait_until(lambda: len(images) == 10, "the pictures after the pause")
    graph.wait_until(lambda: times[-1] > BEGIN_NS + hour, "the time after the pause")
    assert player.wait() == 0
    assert player.says("a long pause of the recording is passed over") == 1
    assert max(after - before for before, after in itertools.pairwise(times)) > 0.9 * hour


def test_compressed_pictures_are_played_below_the_name_of_the_raw_ones(graph, tmp_path, workspace):
    video = workspace / "share" / "perreactor_ros" / "speaker" / "speaker.mp4"
    bag = write_bag(tmp_path / "bag", person(video, 0.5, compressed=True))
    images = graph.collect(CompressedImage, "eyes/compressed", 200)
    graph.collect(AudioChunk, "audio", 200)
    clock_of(graph)
    parameters = {"bag": str(bag)}
    player = graph.start("bag_player", parameters, ["-r", "image:=eyes"])
    assert player.wait() == 0
    graph.wait_until(lambda: len(images) == 12, "the pictures of half a second")
    assert images[0].format == "jpeg"


def test_encoded_behaviour_is_played_where_there_are_no_sensors(graph, bundle, tmp_path):
    manifest = read_manifest(bundle / "bundle.json")

    def behaviour(frame: int) -> SpeakerBehaviour:
        message = SpeakerBehaviour(model_id=manifest.model_id, frame=frame)
        message.token = [0.1] * manifest.model.feature_size
        return message

    recorded = [
        ("/lab/speaker/behaviour", behaviour(frame), BEGIN_NS + frame * SECOND // 25)
        for frame in range(10)
    ]
    bag = write_bag(tmp_path / "bag", recorded)
    heard = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    clock_of(graph)
    assert start_player(graph, bag, bundle=str(bundle)).wait() == 0
    graph.wait_until(lambda: len(heard) == 10, "all behaviour")
    assert [message.frame for message in heard] == list(range(10))


def test_a_broken_message_is_left_out_and_the_rest_is_played(graph, tmp_path):
    with BagWriter(tmp_path / "bag", "mcap") as writer:
        for place, (topic, message, time_ns) in enumerate(beeps()):
            cdr = serialize_message(message)
            cut = cdr[: len(cdr) // 2] if place == 10 else cdr
            writer.write(topic, type_name(message), cut, time_ns)
    images = graph.collect(Image, "image", 200)
    graph.collect(AudioChunk, "audio", 200)
    clock_of(graph)
    player = start_player(graph, tmp_path / "bag")
    assert player.wait() == 0
    graph.wait_until(lambda: len(images) == 24, "the pictures that are whole")
    assert player.says("/image holds messages that are no sensor_msgs/msg/Image: left out") == 1
    assert "Traceback" not in player.output


def test_the_second_of_two_cameras_can_be_named(graph, tmp_path):
    recorded = [
        (topic.replace("/image", f"/{side}/image"), message, time_ns + offset)
        for topic, message, time_ns in beeps(5)
        for side, offset in (("left", 0), ("right", 1))
        if topic == "/image"
    ]
    bag = write_bag(tmp_path / "bag", recorded)
    unsure = start_player(graph, bag)
    assert unsure.wait() == 1
    assert unsure.says("/left/image, /right/image")
    images = graph.collect(Image, "image", 200)
    clock_of(graph)
    player = start_player(graph, bag, bag_image_topic="/right/image")
    assert player.wait() == 0
    graph.wait_until(lambda: len(images) == 5, "the pictures of one camera")
    assert player.says("playing .*: /right/image as image$") == 1


def test_a_missing_bag_ends_the_player_with_a_sentence(graph, tmp_path):
    player = graph.start("bag_player", {"bag": str(tmp_path / "nowhere")})
    assert player.wait() == 1
    assert player.says("nowhere")
    assert "Traceback" not in player.output


def test_no_bag_at_all_is_said(graph):
    player = graph.start("bag_player")
    assert player.wait() == 1
    assert player.says("parameter bag is empty: give the path of a rosbag2 recording")
