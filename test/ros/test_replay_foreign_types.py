"""Bags with messages of packages that are not installed: every microphone type, and ROS4HRI."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import set_stamp
from perreactor_ros.msg import SpeakerBehaviour
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from perreactor_model.bundle.manifest import Bundle
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.bags.writer import BagWriter
from perreactor_ros.replay.pipeline import RobotSpec
from perreactor_ros.replay.session import Outcome, Plan, replay
from perreactor_ros.replay.settings import node_settings
from perreactor_ros.replay.topics import find_sources

FRAME_NS = 40_000_000
BEGIN_NS = 1_700_000_000_000_000_000
FRAMES = 120
RATE = 16000

LAYOUTS = {
    "audio_common_msgs/msg/AudioData": "uint8[] data",
    "audio_common_msgs/msg/AudioDataStamped": "std_msgs/Header header\n"
    "audio_common_msgs/AudioData audio",
    "audio_common_msgs/msg/AudioInfo": "uint8 channels\nuint32 sample_rate\nstring sample_format\n"
    "uint32 bitrate\nstring coding_format",
    "audio_common_msgs/msg/AudioStamped": "std_msgs/Header header\naudio_common_msgs/Audio audio",
    "audio_common_msgs/msg/Audio": "audio_common_msgs/TypedData audio_data\n"
    "audio_common_msgs/TypedInfo info",
    "audio_common_msgs/msg/TypedData": "float32[] float32_data\nint16[] int16_data",
    "audio_common_msgs/msg/TypedInfo": "int32 format\nint32 channels\nint32 rate\nint32 chunk",
    "hri_msgs/msg/FacialActionUnits": "std_msgs/Header header\nfloat32[] intensity\n"
    "float32[] confidence",
    "perreactor_ros/msg/SpeakerBehaviour": (
        Path(__file__).parents[2] / "msg" / "SpeakerBehaviour.msg"
    ).read_text(),
}


class Recorder:
    """Writes a bag with types of its own, as a recorder on another machine would."""

    def __init__(self, path: Path) -> None:
        self._store: Typestore = get_typestore(Stores.ROS2_JAZZY)
        types: dict = {}
        for name, text in LAYOUTS.items():
            types |= get_types_from_msg(text, name)
        self._store.register(types)
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict = {}

    def __enter__(self) -> "Recorder":
        self._writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def make(self, name: str, **fields: Any) -> Any:
        return self._store.types[name](**fields)

    def header(self, stamp_ns: int) -> Any:
        sec, nanosec = divmod(stamp_ns, 1_000_000_000)
        stamp = self.make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id="")

    def write(self, topic: str, name: str, message: Any, time_ns: int) -> None:
        data = bytes(self._store.serialize_cdr(message, name))
        self.write_bytes(topic, name, data, time_ns)

    def write_bytes(self, topic: str, name: str, data: bytes, time_ns: int) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, name, typestore=self._store
            )
        self._writer.write(self._connections[topic], time_ns, data)


def tone(index: int) -> np.ndarray:
    times = (np.arange(RATE // 25) + index * (RATE // 25)) / RATE
    return (8000 * np.sin(1400 * times)).astype(np.int16)


def plain(recorder: Recorder, index: int) -> tuple[str, Any]:
    name = "audio_common_msgs/msg/AudioData"
    return name, recorder.make(name, data=tone(index).view(np.uint8))


def stamped(recorder: Recorder, index: int) -> tuple[str, Any]:
    name = "audio_common_msgs/msg/AudioDataStamped"
    header = recorder.header(BEGIN_NS + index * FRAME_NS)
    return name, recorder.make(name, header=header, audio=plain(recorder, index)[1])


def typed(recorder: Recorder, index: int) -> tuple[str, Any]:
    name = "audio_common_msgs/msg/AudioStamped"
    data = recorder.make(
        "audio_common_msgs/msg/TypedData",
        float32_data=np.empty(0, np.float32),
        int16_data=tone(index),
    )
    info = recorder.make(
        "audio_common_msgs/msg/TypedInfo", format=8, channels=1, rate=RATE, chunk=640
    )
    audio = recorder.make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    header = recorder.header(BEGIN_NS + index * FRAME_NS)
    return name, recorder.make(name, header=header, audio=audio)


@pytest.fixture
def react(bundle: Path, tmp_path: Path) -> Callable[[Path], Outcome]:
    def run(bag: Path) -> Outcome:
        loaded = Bundle.load(bundle)
        with BagReader(bag) as reader, BagWriter(tmp_path / "reactions") as writer:
            sources = find_sources(reader, loaded.config.visual_input, loaded.model_id)
            robots = (RobotSpec("robot_a", "generic"),)
            return replay(reader, Plan(loaded, robots, 1, sources, node_settings({})), writer)

    return run


@pytest.mark.parametrize("sound", [plain, stamped, typed])
def test_sound_of_every_type_is_heard(react, tmp_path, sound):
    with Recorder(tmp_path / "talk") as recorder:
        info = recorder.make(
            "audio_common_msgs/msg/AudioInfo",
            channels=1,
            sample_rate=RATE,
            sample_format="S16LE",
            bitrate=0,
            coding_format="wave",
        )
        recorder.write("/mic/info", "audio_common_msgs/msg/AudioInfo", info, BEGIN_NS)
        for index in range(FRAMES):
            name, message = sound(recorder, index)
            recorder.write("/mic/sound", name, message, BEGIN_NS + (index + 1) * FRAME_NS)
    outcome = react(tmp_path / "talk")
    assert outcome.speaker is not None
    assert len(outcome.speaker.voice_present) >= FRAMES - 1
    assert outcome.speaker.voice_present.mean() > 0.95
    assert outcome.counters["messages_refused"] == 0


def test_action_units_of_ros4hri_are_the_real_reactions(react, tmp_path):
    name = "hri_msgs/msg/FacialActionUnits"
    with Recorder(tmp_path / "talk") as recorder:
        for index in range(FRAMES):
            stamp_ns = BEGIN_NS + index * FRAME_NS
            face = SpeakerBehaviour(attributes_known=True)
            set_stamp(face, stamp_ns)
            face.attributes = np.full(25, 0.5, np.float32)
            data = serialize_message(face)
            topic, type_name = "/speaker/attributes", "perreactor_ros/msg/SpeakerBehaviour"
            recorder.write_bytes(topic, type_name, data, stamp_ns + 1)
            units = recorder.make(
                name,
                header=recorder.header(stamp_ns),
                intensity=np.full(99, index / FRAMES, np.float32),
                confidence=np.empty(0, np.float32),
            )
            recorder.write("/humans/faces/abcde/facs", name, units, stamp_ns + 2)
    outcome = react(tmp_path / "talk")
    assert outcome.real is not None
    assert outcome.real.source == "/humans/faces/abcde/facs"
    assert outcome.real.attributes[:, 0] == pytest.approx(np.arange(FRAMES) / FRAMES)
    assert np.isnan(outcome.real.attributes[:, 15:]).all()
    assert any("no microphone" in trouble for trouble in outcome.troubles)
