"""The player is a camera and a microphone: what is in a file comes out on topics, on time."""

import itertools

import numpy as np
import pytest
from live_graph import FRAME_NS, stamp_of
from perreactor_ros.msg import AudioChunk
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from perreactor_model.media.recording import VideoWriter
from perreactor_model.vision.encodings import EncodedImage

RATE = 16000
LEVELS = [20 + 8 * index for index in range(25)]


@pytest.fixture
def clip(tmp_path):
    """One second: pictures of rising brightness, a click in the sound at half a second."""
    path = tmp_path / "clip.mp4"
    sound = np.zeros(RATE, np.float32)
    sound[RATE // 2 : RATE // 2 + 80] = 0.9
    with VideoWriter(path, 64, 48, 25, audio_rate=RATE) as writer:
        for index, level in enumerate(LEVELS):
            writer.write(np.full((48, 64, 3), level, np.uint8))
            writer.write_sound(sound[index * RATE // 25 : (index + 1) * RATE // 25])
    return path


def start_player(graph, clip, **parameters):
    """Where all messages are counted, none may be lost while this process is not scheduled."""
    depth = {f"qos_overrides./{topic}.publisher.depth": 200 for topic in ("image", "audio")}
    values = {"video": str(clip), "wait_for_subscribers": True, **depth, **parameters}
    return graph.start("player", values)


def level_of(message: Image) -> float:
    return float(np.frombuffer(message.data, np.uint8).mean())


def sound_of(chunks: list[AudioChunk]) -> np.ndarray:
    return np.concatenate([np.frombuffer(chunk.data, "<f4") for chunk in chunks])


def test_every_picture_and_sample_of_a_file_is_published_once_with_true_stamps(graph, clip):
    images = graph.collect(Image, "image", 200)
    chunks = graph.collect(AudioChunk, "audio", 200)
    player = start_player(graph, clip)
    graph.wait_until(lambda: not player.running, "the end of the recording")
    graph.wait_until(lambda: len(images) == 25, "all pictures")
    first = stamp_of(images[0])
    assert [stamp_of(image) - first for image in images] == [k * FRAME_NS for k in range(25)]
    assert np.allclose([level_of(image) for image in images], LEVELS, atol=3)
    assert stamp_of(chunks[0]) == first
    samples = sound_of(chunks)
    assert int(np.argmax(np.abs(samples) > 0.3)) == pytest.approx(RATE // 2, abs=48)
    for before, after in itertools.pairwise(chunks):
        length = len(before.data) // 4 * 1_000_000_000 // RATE
        assert stamp_of(after) - stamp_of(before) == pytest.approx(length, abs=2)
    assert player.wait() == 0
    assert "Traceback" not in player.output


def test_nothing_is_published_before_its_time(graph, clip):
    early = []

    def check(message):
        early.append(graph.node.get_clock().now().nanoseconds - stamp_of(message))

    graph.node.create_subscription(Image, "image", check, 10)
    graph.collect(AudioChunk, "audio", 200)
    start_player(graph, clip)
    graph.wait_until(lambda: len(early) == 25, "all pictures")
    assert min(early) >= 0


def test_a_looping_recording_goes_on_with_rising_stamps_until_ctrl_c(graph, clip):
    images = graph.collect(Image, "image", 200)
    graph.collect(AudioChunk, "audio", 200)
    player = start_player(graph, clip, loop=True, playback_rate=4.0)
    graph.wait_until(lambda: len(images) >= 60, "more than two rounds")
    first = stamp_of(images[0])
    assert [stamp_of(image) - first for image in images[:60]] == [k * FRAME_NS for k in range(60)]
    assert np.allclose([level_of(image) for image in images[:60]], (3 * LEVELS)[:60], atol=3)
    assert player.stop() == 0
    assert "Traceback" not in player.output


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "jpeg"])
def test_pictures_come_in_the_encoding_that_was_asked_for(graph, tmp_path, encoding):
    path = tmp_path / "red.mp4"
    with VideoWriter(path, 64, 48, 25) as writer:
        for _ in range(5):
            writer.write(np.full((48, 64, 3), (200, 40, 30), np.uint8))
    jpeg = encoding == "jpeg"
    topic, type_ = ("image/compressed", CompressedImage) if jpeg else ("image", Image)
    images = graph.collect(type_, topic)
    graph.start("player", {"video": str(path), "image_encoding": encoding, "loop": True})
    message = graph.wait_until(lambda: images and images[0], "a picture")
    if jpeg:
        image = EncodedImage(message.data, message.format, compressed=True).rgb()
    else:
        assert message.encoding == encoding
        fields = (message.encoding, message.height, message.width, message.step)
        image = EncodedImage(message.data, *fields).rgb()
    expected = (93, 93, 93) if encoding == "mono8" else (200, 40, 30)
    assert np.allclose(image.mean(axis=(0, 1)), expected, atol=12)


def test_pictures_and_sound_are_resampled_when_asked(graph, clip):
    images = graph.collect(Image, "image", 200)
    chunks = graph.collect(AudioChunk, "audio", 200)
    start_player(
        graph, clip, image_width=32, image_height=24, image_rate=10.0, sample_rate=8000, chunk_ms=50
    )
    graph.wait_until(lambda: len(images) == 10 and len(chunks) >= 20, "the recording")
    assert {(image.width, image.height) for image in images} == {(32, 24)}
    steps = np.diff([stamp_of(image) for image in images])
    assert np.allclose(steps, 100_000_000, atol=1)
    assert {chunk.sample_rate for chunk in chunks} == {8000}
    assert len(chunks[0].data) == 4 * 400


def test_a_player_can_be_paused_and_given_another_file(graph, clip, tmp_path):
    other = tmp_path / "other.mp4"
    with VideoWriter(other, 64, 48, 25) as writer:
        for _ in range(50):
            writer.write(np.full((48, 64, 3), 250, np.uint8))
    images = graph.collect(Image, "image", 200)
    graph.start("player", {"video": str(clip), "loop": True})
    graph.wait_until(lambda: images, "a picture")
    assert graph.change_state("player", "deactivate")
    assert graph.change_state("player", "cleanup")
    assert graph.set_parameter("player", "video", str(other)).successful
    assert graph.change_state("player", "configure")
    assert graph.change_state("player", "activate")
    graph.wait_for(images, lambda image: level_of(image) > 240, "the other file")


def test_a_missing_file_ends_the_player_with_a_sentence(graph, tmp_path):
    player = graph.start("player", {"video": str(tmp_path / "nowhere.mp4")})
    assert player.wait() == 1
    assert player.says(r"there is no video file at .*nowhere\.mp4")
    assert "Traceback" not in player.output


def test_no_file_at_all_is_said(graph):
    player = graph.start("player")
    assert player.wait() == 1
    assert player.says("parameter video is empty: give the path of a video file")


def test_simulated_time_drives_the_player_even_when_it_jumps_back(graph, clip):
    clock = graph.node.create_publisher(Clock, "/clock", 10)
    images = graph.collect(Image, "image", 200)
    now = 100_000_000_000

    def advance(count: int, begin_ns: int) -> int:
        """Tick the clock until so many more pictures have come."""
        wanted, time_ns = len(images) + count, begin_ns
        player = graph.processes[0]

        def tick() -> bool:
            nonlocal time_ns
            time_ns += 10_000_000
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
            clock.publish(message)
            return len(images) >= wanted or not player.running

        graph.wait_until(tick, "pictures in simulated time")
        return time_ns

    parameters = {"video": str(clip), "loop": True, "use_sim_time": True}
    graph.start("player", parameters)
    now = advance(10, now)
    assert all(100e9 < stamp_of(image) <= now for image in images)
    before = len(images)
    now = advance(10, 20_000_000_000)
    # Up to what was under way when the clock jumped, stamps follow the new time.
    assert all(20e9 <= stamp_of(image) <= now for image in images[before + 2 :])


def test_the_namespace_is_a_parameter(graph, clip):
    images = graph.collect(Image, "booth/image")
    graph.start("player", {"video": str(clip), "loop": True, "namespace": "booth"})
    graph.wait_until(lambda: images, "a picture in the namespace")
    graph.wait_for_state("booth/player", "active")
