"""Plays a video file as a camera and a microphone: topics `image` (or `image/compressed`), `audio`.

A stamp is the time at which the recording began to play plus the time in the recording, so pictures
and sound keep their true distances; a chunk of sound bears the stamp of its first sample. A picture
is published at its stamp, sound when its last sample would have been heard.

Threads: a decoder runs a bounded number of items ahead, a playing thread waits for the node's clock
and publishes; the executor thread only serves transitions and parameters.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from perreactor_model.media.playback import PlaybackSettings, Prefetched, play
from perreactor_model.media.video import PictureFrame, SoundBlock
from perreactor_ros import process
from perreactor_ros.lifecycle import ManagedNode, SingleNode
from perreactor_ros.messages import audio_message, stamp
from perreactor_ros.msg import AudioChunk
from perreactor_ros.parameters import Parameter, ParameterError, declare
from perreactor_ros.play_clock import PlayClock
from perreactor_ros.qos import advertise

IMAGE_OUT = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.RELIABLE)
AUDIO_OUT = QoSProfile(depth=50, reliability=QoSReliabilityPolicy.RELIABLE)
IMAGE_ENCODINGS = ("rgb8", "bgr8", "mono8", "jpeg")
_JPEG_QUALITY = 90
_LAST_WORDS = Duration(seconds=2)

PARAMETERS = (
    process.NAMESPACE,
    Parameter("video", "Video file to play; read when the node is configured."),
    Parameter("loop", "Begin anew at the end; read when the node is configured."),
    Parameter(
        "playback_rate",
        "Seconds of the recording played in a second; stamps keep the recording's distances.",
        read_only=True,
        low=0.05,
        high=20.0,
    ),
    Parameter(
        "image_width", "Width of the pictures, pixels; 0: as filmed.", True, low=0, high=7680
    ),
    Parameter(
        "image_height", "Height of the pictures, pixels; 0: as filmed.", True, low=0, high=4320
    ),
    Parameter(
        "image_rate", "Pictures a second of the recording; 0: as filmed.", True, low=0.0, high=240.0
    ),
    Parameter(
        "image_encoding",
        "Encoding of the pictures; jpeg publishes image/compressed.",
        True,
        choices=IMAGE_ENCODINGS,
    ),
    Parameter(
        "sample_rate",
        "Samples a second of the sound, Hz; 0: as recorded.",
        True,
        low=0,
        high=192000,
    ),
    Parameter("chunk_ms", "Length of a chunk of sound, milliseconds.", True, low=5, high=500),
    Parameter("camera_frame", "frame_id of the pictures.", True),
    Parameter("microphone_frame", "frame_id of the sound.", True),
    Parameter(
        "wait_for_subscribers", "Begin only when somebody listens to pictures and sound.", True
    ),
    Parameter("exit_at_end", "End the process when a recording that does not loop is over.", True),
    Parameter("autostart", "Configure and activate without being asked.", read_only=True),
)


class PlayerNode(ManagedNode):
    """The managed node `player`: plays while it is active, from the beginning each time."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("player", namespace=namespace)
        self._values = declare(self, PARAMETERS, {"namespace": namespace})
        self._settings: PlaybackSettings | None = None
        self._outputs: dict[type, Publisher] = {}
        self._decoder: Prefetched | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._slips = 0

    def configure(self) -> None:
        self._settings = self._read_settings()
        jpeg = self._values["image_encoding"] == "jpeg"
        # As image_transport does: below the name that `image` may be remapped to.
        topic = f"{self.resolve_topic_name('image')}/compressed" if jpeg else "image"
        kind = CompressedImage if jpeg else Image
        self._outputs = {
            PictureFrame: advertise(self, kind, topic, IMAGE_OUT, managed=True),
            SoundBlock: advertise(self, AudioChunk, "audio", AUDIO_OUT, managed=True),
        }

    def activate(self) -> None:
        assert self._settings is not None
        self._stopping.clear()
        items = ((item, self._message(item)) for item in play(self._settings))
        self._decoder = Prefetched(items)
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()

    def deactivate(self) -> None:
        self._stopping.set()
        if self._decoder is not None:
            self._decoder.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10.0)
        self._decoder = self._thread = None

    def cleanup(self) -> None:
        for publisher in self._outputs.values():
            self.destroy_publisher(publisher)
        self._outputs = {}

    def _read_settings(self) -> PlaybackSettings:
        video = self.get_parameter("video").value
        if not video:
            raise ParameterError("parameter video is empty: give the path of a video file")
        width, height = self._values["image_width"], self._values["image_height"]
        if (width == 0) != (height == 0):
            raise ParameterError(
                f"image_width is {width} and image_height {height}: give both, or 0 for both"
            )
        return PlaybackSettings(
            Path(video).expanduser(),
            loop=self.get_parameter("loop").value,
            size=(width, height) if width else None,
            frame_rate=self._values["image_rate"] or None,
            audio_rate=self._values["sample_rate"] or None,
            block_ms=self._values["chunk_ms"],
        )

    # --- In the playing thread -------------------------------------------------------------------

    def _play(self) -> None:
        log, decoder = self.get_logger(), self._decoder
        self._slips = 0
        assert decoder is not None and self._settings is not None
        if self._values["wait_for_subscribers"] and not self._wait_for_subscribers():
            return
        clock = PlayClock(self.get_clock(), self._values["playback_rate"], self._stopping)
        if not clock.begin():
            return
        log.info(f"playing {self._settings.path}")
        try:
            while (taken := decoder.take()) is not None:
                item, message = taken
                if not clock.wait_for(item.complete_ns):
                    return
                self._warn_of_slips(clock)
                message.header.stamp = stamp(clock.stamp_of(item.stamp_ns))
                self._outputs[type(item)].publish(message)
        except ValueError as error:
            log.error(f"{self._settings.path} cannot be played on: {error}")
        except Exception:
            if self._stopping.is_set() or not self.context.ok():
                return  # ROS went away under a publisher: the process is ending
            raise
        if not self._stopping.is_set():
            self._end(log.info)

    def _warn_of_slips(self, clock: PlayClock) -> None:
        if clock.slips > self._slips:
            self._slips = clock.slips
            self.get_logger().warning(
                "this machine is too slow for the recording: playing pauses now and then",
                throttle_duration_sec=5.0,
            )

    def _end(self, say: Callable[[str], Any]) -> None:
        say("the recording is over")
        if self._values["exit_at_end"]:
            for publisher in self._outputs.values():
                publisher.wait_for_all_acked(_LAST_WORDS)
            self.context.try_shutdown()

    def _wait_for_subscribers(self) -> bool:
        publishers = self._outputs.values()
        while not all(publisher.get_subscription_count() for publisher in publishers):
            if self._stopping.wait(0.02):
                return False
        return True

    # --- In the decoder's thread -----------------------------------------------------------------

    def _message(self, item: PictureFrame | SoundBlock) -> Image | CompressedImage | AudioChunk:
        """The message without its stamp."""
        if isinstance(item, SoundBlock):
            frame_id = self._values["microphone_frame"]
            return audio_message(item.samples, 0, item.rate, frame_id)
        return picture_message(
            item.image, self._values["image_encoding"], self._values["camera_frame"]
        )


def picture_message(rgb: np.ndarray, encoding: str, frame_id: str) -> Image | CompressedImage:
    """RGB uint8 (height, width, 3) as a message of one of IMAGE_ENCODINGS, without a stamp."""
    if encoding == "jpeg":
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
        assert done
        message = CompressedImage(format="jpeg", data=data.tobytes())
    else:
        height, width, _ = rgb.shape
        pixels = rgb
        if encoding == "bgr8":
            pixels = rgb[..., ::-1]
        elif encoding == "mono8":
            pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        step = width if encoding == "mono8" else 3 * width
        message = Image(height=height, width=width, encoding=encoding, step=step)
        message.data = pixels.tobytes()
    message.header.frame_id = frame_id
    return message


def main(args: Sequence[str] | None = None) -> None:
    process.run("player", lambda namespace: SingleNode(PlayerNode(namespace)), args)


if __name__ == "__main__":
    main()
