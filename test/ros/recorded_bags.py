"""Bags as other recorders leave them: foreign messages, old bags without definitions, packed ones.

    write_raw(path, [Raw("/mic", "audio_common_msgs/msg/AudioData", cdr, time_ns)], ROS_DRIVERS)

Packages that are not installed here are stood in for by their definitions, as a bag holds them.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from perreactor_ros.bags.definitions import writing_store

SECOND = 1_000_000_000
FRAME = SECOND // 25
BEGIN_NS = 1_700_000_000 * SECOND
STORAGES = ("mcap", "sqlite3")

BEHAVIOUR = "perreactor_ros/msg/SpeakerBehaviour"
REACTION = "perreactor_ros/msg/FacialReaction"

Definitions = Mapping[str, str]
"""Type -> text of its .msg file."""

ROS_DRIVERS: Definitions = {
    "audio_common_msgs/msg/AudioData": "uint8[] data",
    "audio_common_msgs/msg/AudioDataStamped": (
        "std_msgs/Header header\naudio_common_msgs/AudioData audio"
    ),
    "audio_common_msgs/msg/AudioInfo": (
        "uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\n"
        "string coding_format"
    ),
}
MGONZS13: Definitions = {
    "audio_common_msgs/msg/AudioData": (
        "float32[] float32_data\nint32[] int32_data\nint16[] int16_data\nint8[] int8_data\n"
        "uint8[] uint8_data"
    ),
    "audio_common_msgs/msg/AudioInfo": "int32 format\nint32 channels\nint32 rate\nint32 chunk",
    "audio_common_msgs/msg/Audio": (
        "audio_common_msgs/AudioData audio_data\naudio_common_msgs/AudioInfo info"
    ),
    "audio_common_msgs/msg/AudioStamped": ("std_msgs/Header header\naudio_common_msgs/Audio audio"),
}
HRI: Definitions = {
    "hri_msgs/msg/FacialActionUnits": (
        "Header header\nuint8 BLINK=45\nfloat32[] intensity\nfloat32[] confidence"
    ),
}


class Raw(NamedTuple):
    """A serialised message, recorded at `time_ns`."""

    topic: str
    type: str
    cdr: bytes
    time_ns: int


def write_raw(
    path: Path,
    messages: Iterable[Raw],
    definitions: Definitions | None = None,
    storage: str = "mcap",
    packed: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write a bag with rosbags itself, in the order given; returns `path`."""
    store = store_of(definitions or {})
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(packed, CompressionFormat.ZSTD)
    connections: dict[tuple[str, str], Any] = {}
    with writer:
        for each in messages:
            key = each.topic, each.type
            if key not in connections:
                connections[key] = writer.add_connection(each.topic, each.type, typestore=store)
            writer.write(connections[key], each.time_ns, each.cdr)
    return path


def store_of(definitions: Definitions) -> Typestore:
    """Standard messages and ours, and those defined here, which may take the place of others."""
    store = writing_store()
    types: dict[str, Any] = {}
    for name, text in definitions.items():
        types.update(get_types_from_msg(text, name))
        store.fielddefs.pop(name, None)
    store.register(types)
    return store


def storage_file(bag: Path) -> Path:
    """The only storage file in a bag."""
    (file,) = (each for each in bag.iterdir() if each.suffix in (".mcap", ".db3"))
    return file


def copy_of(bag: Path, target: Path, content: bytes) -> Path:
    """The bag once more, with other bytes in its storage file."""
    shutil.copytree(bag, target)
    storage_file(target).write_bytes(content)
    return target


def forget_definitions(bag: Path) -> None:
    """Make an SQLite bag one from before ROS 2 Iron, which stored no definitions."""
    with sqlite3.connect(storage_file(bag)) as database:
        database.executescript(
            "DROP TABLE message_definitions; DROP TABLE metadata; DROP TABLE schema;"
            "ALTER TABLE topics DROP COLUMN type_description_hash;"
        )
    database.close()


# --- Messages ------------------------------------------------------------------------------------


def behaviours(
    count: int, topic: str = "/speaker/behaviour", begin_ns: int = BEGIN_NS, size: int = 8
) -> Iterator[Raw]:
    """Frames of a speaker, 40 ms apart; frame `i` has a token of `i`."""
    for index in range(count):
        time_ns = begin_ns + index * FRAME
        message = SpeakerBehaviour(model_id="model-0", frame=index, speaker_id="speaker")
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time_ns, SECOND)
        message.token = np.full(size, index, np.float32).tolist()
        message.attributes = np.full(25, np.nan, np.float32)
        message.face_3dmm = np.full(58, np.nan, np.float32)
        yield Raw(topic, BEHAVIOUR, serialize_message(message), time_ns)


def reactions(
    count: int, topic: str = "/robot_a/reaction", model_id: str = "", begin_ns: int = BEGIN_NS
) -> Iterator[Raw]:
    """Frames of a listener's face, 40 ms apart; without a model it is a real one's."""
    for index in range(count):
        time_ns = begin_ns + index * FRAME
        message = FacialReaction(robot="robot_a", model_id=model_id, frame=index)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time_ns, SECOND)
        message.valence = float(np.float32(np.sin(0.1 * index)))
        message.expressions = np.eye(8, dtype=np.float32)[index % 8]
        yield Raw(topic, REACTION, serialize_message(message), time_ns)


def action_units(count: int, topic: str = "/humans/faces/f1/action_units") -> Iterator[Raw]:
    """ROS4HRI's action units of a real listener: 99 of them, of which AU12 moves."""
    name = "hri_msgs/msg/FacialActionUnits"
    for index in range(count):
        time_ns = BEGIN_NS + index * FRAME
        intensity = np.zeros(99, np.float32)
        intensity[12] = abs(np.sin(0.1 * index))
        confidence = np.ones(99, np.float32)
        fields = {"header": header(time_ns), "intensity": intensity, "confidence": confidence}
        yield Raw(topic, name, serialised(name, HRI, fields), time_ns)


def header(stamp_ns: int, frame_id: str = "microphone") -> SimpleNamespace:
    """A std_msgs/Header."""
    second, nanosecond = divmod(stamp_ns, SECOND)
    return SimpleNamespace(stamp=SimpleNamespace(sec=second, nanosec=nanosecond), frame_id=frame_id)


def serialised(name: str, definitions: Definitions, fields: Mapping[str, Any]) -> bytes:
    """A foreign message of these fields; inner messages as namespaces."""
    return bytes(store_of(definitions).serialize_cdr(SimpleNamespace(**fields), name))


def sound(kind: str, samples: np.ndarray, stamp_ns: int, rate: int = 16000) -> list[Raw]:
    """One piece of mono sound (n,) in [-1, 1] as the microphone message `kind`, by ROS type.

    Where the type does not say its format, an AudioInfo on another topic comes first.
    """
    coded = np.round(np.clip(samples, -1, 32767 / 32768) * 32768).astype("<i2")
    name = f"audio_common_msgs/msg/{kind}"
    data = SimpleNamespace(data=np.frombuffer(coded.tobytes(), np.uint8))
    told = Raw(
        "/microphone/info",
        "audio_common_msgs/msg/AudioInfo",
        serialised(
            "audio_common_msgs/msg/AudioInfo",
            ROS_DRIVERS,
            {
                "channels": 1,
                "sample_rate": rate,
                "sample_format": "S16LE",
                "bitrate": 16 * rate,
                "coding_format": "wave",
            },
        ),
        stamp_ns,
    )
    if kind == "AudioData":
        cdr = serialised(name, ROS_DRIVERS, vars(data))
    elif kind == "AudioDataStamped":
        fields = {"header": header(stamp_ns), "audio": data}
        cdr = serialised(name, ROS_DRIVERS, fields)
    else:
        assert kind == "AudioStamped"
        return [Raw("/microphone", name, _typed_sound(name, coded, stamp_ns, rate), stamp_ns)]
    return [told, Raw("/microphone", name, cdr, stamp_ns)]


def _typed_sound(name: str, coded: np.ndarray, stamp_ns: int, rate: int) -> bytes:
    arrays = SimpleNamespace(
        float32_data=np.empty(0, np.float32),
        int32_data=np.empty(0, np.int32),
        int16_data=coded.astype(np.int16),
        int8_data=np.empty(0, np.int8),
        uint8_data=np.empty(0, np.uint8),
    )
    info = SimpleNamespace(format=8, channels=1, rate=rate, chunk=len(coded))
    audio = SimpleNamespace(audio_data=arrays, info=info)
    return serialised(name, MGONZS13, {"header": header(stamp_ns), "audio": audio})


DEFINITIONS = {
    "AudioData": ROS_DRIVERS,
    "AudioDataStamped": ROS_DRIVERS,
    "AudioStamped": MGONZS13,
}
"""What a bag with this kind of sound defines."""
