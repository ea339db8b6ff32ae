"""Bags of a few seconds for tests: a person on video, or pictures and sound of one's own making."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage

from perreactor_model.media.playback import PlaybackSettings, play
from perreactor_model.media.video import PictureFrame
from perreactor_ros.bags.writer import BagWriter
from perreactor_ros.messages import audio_message, image_message, stamp

SECOND = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND
"""When all these recordings begin, long before now."""

WAY_NS = 3_000_000
"""From a message's publication to the recorder."""

Recorded = tuple[str, Any, int]
"""Topic, message, and when it was recorded."""


def write_bag(path: Path, recorded: Iterable[Recorded], storage: str = "mcap") -> Path:
    """Write messages as they come; returns `path`."""
    with BagWriter(path, storage) as writer:
        for topic, message, time_ns in recorded:
            writer.write(topic, type_name(message), serialize_message(message), time_ns)
    return path


def type_name(message: Any) -> str:
    """`package/msg/Name`."""
    return f"{type(message).__module__.partition('.')[0]}/msg/{type(message).__name__}"


def person(video: Path, seconds: float, compressed: bool = False) -> Iterator[Recorded]:
    """The first seconds of a video, as a camera and a microphone with names of their own."""
    for item in play(PlaybackSettings(video, size=(160, 120))):
        if item.complete_ns > seconds * SECOND:
            return
        stamp_ns, recorded_ns = BEGIN_NS + item.stamp_ns, BEGIN_NS + item.complete_ns + WAY_NS
        if not isinstance(item, PictureFrame):
            message = audio_message(item.samples, stamp_ns, item.rate, "microphone")
            yield "/microphone/chunks", message, recorded_ns
        elif compressed:
            yield "/camera/image/compressed", _jpeg(item.image, stamp_ns), recorded_ns
        else:
            yield "/camera/image_raw", image_message(item.image, stamp_ns, "camera"), recorded_ns


def beeps(frames: int = 25, begin_ns: int = BEGIN_NS) -> Iterator[Recorded]:
    """Pictures of rising brightness and a tone, on the nodes' own names; nobody is to be seen."""
    for frame in range(frames):
        stamp_ns = begin_ns + frame * SECOND // 25
        picture = np.full((48, 64, 3), 20 + 3 * frame, np.uint8)
        yield "/image", image_message(picture, stamp_ns, "camera"), stamp_ns + WAY_NS
        times = frame / 25 + np.arange(640) / 16000
        sound = (0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
        recorded_ns = stamp_ns + SECOND // 25 + WAY_NS
        yield "/audio", audio_message(sound, stamp_ns, 16000, "microphone"), recorded_ns


def _jpeg(rgb: np.ndarray, stamp_ns: int) -> CompressedImage:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert done
    message = CompressedImage(format="jpeg", data=data.tobytes())
    message.header.stamp = stamp(stamp_ns)
    message.header.frame_id = "camera"
    return message
