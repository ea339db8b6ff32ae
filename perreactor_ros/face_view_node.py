"""Draws the speaker and each robot's reaction side by side: topic `face_view`, and an mp4 file.

Shown is the speaker's picture that the shown reactions answer, so the view runs as far behind the
world as the reactions do. Threads: the executor thread only stores messages and, `view_rate` times
a second, picks what fits together; a drawing thread draws, publishes and encodes. Where it does not
keep up, views are dropped and counted.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from perreactor_model.bundle.manifest import MANIFEST_NAME, BundleError, find_bundle, read_manifest
from perreactor_model.media.face_drawing import DrawingOptions
from perreactor_model.media.face_panels import Panel, compose
from perreactor_model.media.view_recorder import ViewRecorder, free_path
from perreactor_model.media.view_timeline import Shown, ViewTimeline
from perreactor_model.vision.encodings import ImageError
from perreactor_ros import process, qos
from perreactor_ros.audio_types import PERREACTOR_CHUNK, ChunkAdapter
from perreactor_ros.bringup.options import parse_robots
from perreactor_ros.image_messages import compressed_image, raw_image
from perreactor_ros.lifecycle import ManagedNode, SingleNode
from perreactor_ros.messages import image_message, nanoseconds, reaction
from perreactor_ros.msg import AudioChunk, FacialReaction
from perreactor_ros.parameters import Parameter, ParameterError, declare
from perreactor_ros.sample_formats import AudioError
from perreactor_ros.worker import InferenceThread

UNTRAINED = "untrained weights: judge liveness, not sense"
_WAITING_VIEWS = 8
_SOUND_BACKLOG = 100
_WARN_SECONDS = 5.0

PARAMETERS = (
    process.NAMESPACE,
    Parameter("robots", "The robots to show, as robot_a:warm,robot_b:stoic.", True),
    Parameter("view_rate", "Views drawn a second.", True, low=1.0, high=60.0),
    Parameter("record", "mp4 file to record into; empty: none. Nothing is overwritten."),
    Parameter("record_sound", "Record the topic audio with it.", True),
    Parameter("caption", "Text over the speaker; empty: a note where weights are untrained."),
    Parameter(
        "drawing_gain", "How much small action units are lifted; 1: not.", True, low=1.0, high=8.0
    ),
    Parameter("image_transport", "Whether to hear image, image/compressed, or both.", True),
    Parameter("audio_type", "Message type of the topic audio.", True),
    Parameter("bundle", "Model bundle that the robots run, to tell whether it is trained.", True),
    Parameter("autostart", "Whether nodes configure and activate themselves.", read_only=True),
)


@dataclass(frozen=True)
class _View:
    """One view to draw, or a piece of sound to record."""

    now_ns: int
    shown: Shown


class FaceViewNode(ManagedNode):
    """The managed node `face_view`: draws while it is active."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("face_view", namespace=namespace)
        self._values = declare(self, PARAMETERS, {"namespace": namespace})
        self._robots = parse_robots(self._values["robots"])
        self._options = DrawingOptions(gain=self._values["drawing_gain"])
        self._timeline = ViewTimeline(())
        self._inputs: list[Any] = []
        self._timer: Any = None
        self._output: Any = None
        self._worker: InferenceThread[_View | AudioChunk] | None = None
        self._recorder: ViewRecorder | None = None
        self._notes: dict[str, str] = {}
        self._dropped = 0

    # --- Transitions -----------------------------------------------------------------------------

    def configure(self) -> None:
        record = self.get_parameter("record").value
        if record and Path(record).suffix != ".mp4":
            raise ParameterError(f"parameter record is '{record}': give a path that ends in .mp4")
        if record:
            Path(record).expanduser().parent.mkdir(parents=True, exist_ok=True)
        self._output = qos.advertise(self, Image, "face_view", qos.REACTION, managed=True)

    def activate(self) -> None:
        self._timeline = ViewTimeline(tuple(robot.name for robot in self._robots))
        record = self.get_parameter("record").value
        if record:
            path = free_path(Path(record).expanduser())
            rate, sound = round(self._values["view_rate"]), self._hears
            self._recorder = ViewRecorder(path, rate, sound=sound)
        self._worker = InferenceThread(
            "drawing", self._work, self.get_logger().error, _WAITING_VIEWS + _SOUND_BACKLOG
        )
        self._subscribe_images()
        for robot in self._robots:
            self._inputs.append(self._subscribe_reactions(robot.name))
        if self._recorder is not None and self._hears:
            hear = self._worker.put
            self._inputs.append(qos.subscribe(self, AudioChunk, "audio", hear, qos.AUDIO_IN))
        self._timer = self.create_timer(1.0 / self._values["view_rate"], self._tick)

    def deactivate(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None:
            self._worker.call(self._finish_recording)
            self._worker.stop()
            self._worker = None

    def cleanup(self) -> None:
        if self._output is not None:
            self.destroy_publisher(self._output)
            self._output = None

    # --- In the executor thread ------------------------------------------------------------------

    @property
    def _hears(self) -> bool:
        return self._values["record_sound"] and self._values["audio_type"] == PERREACTOR_CHUNK

    def _subscribe_images(self) -> None:
        def see(message: Image | CompressedImage) -> None:
            self._timeline.push_image(nanoseconds(message.header.stamp), message)

        transport = self._values["image_transport"]
        if transport in ("raw", "both"):
            self._inputs.append(qos.subscribe(self, Image, "image", see, qos.IMAGE_IN))
        if transport in ("compressed", "both"):
            topic = f"{self.resolve_topic_name('image')}/compressed"
            self._inputs.append(qos.subscribe(self, CompressedImage, topic, see, qos.IMAGE_IN))

    def _subscribe_reactions(self, robot: str) -> Any:
        def note(message: FacialReaction) -> None:
            self._timeline.push_reaction(robot, nanoseconds(message.header.stamp), message)

        return qos.subscribe(self, FacialReaction, f"{robot}/reaction", note, qos.REACTION)

    def _tick(self) -> None:
        shown = self._timeline.pick()
        assert self._worker is not None
        wanted = self._recorder is not None or self._output.get_subscription_count()
        if shown is not None and wanted:
            self._worker.put(_View(self.get_clock().now().nanoseconds, shown))

    # --- In the drawing thread -------------------------------------------------------------------

    def _work(self, items: list[_View | AudioChunk]) -> None:
        views = sum(isinstance(item, _View) for item in items)
        skip = max(0, views - _WAITING_VIEWS)
        if skip:
            self._dropped += skip
            self.get_logger().warning(
                f"drawing does not keep up: {self._dropped} views dropped",
                throttle_duration_sec=_WARN_SECONDS,
            )
        for item in items:
            if not isinstance(item, _View):
                self._record_sound(item)
            elif skip:
                skip -= 1
            else:
                self._draw(item)

    def _draw(self, view: _View) -> None:
        shown = view.shown
        panels = [self._panel(robot.name, robot.profile or "", shown) for robot in self._robots]
        caption = self.get_parameter("caption").value or self._note_of(shown)
        picture = compose(self._decoded(shown.image), panels, caption, self._options)
        self._publish(picture, shown.stamp_ns)
        if self._recorder is not None:
            self._recorder.write(picture, view.now_ns, shown.stamp_ns)

    def _publish(self, picture: np.ndarray, stamp_ns: int) -> None:
        try:
            if self._output.get_subscription_count():
                self._output.publish(image_message(picture, stamp_ns))
        except Exception:
            if self.context.ok():
                raise
            # Ctrl-C ended ROS under the publisher; the recording goes on to its end.

    def _panel(self, robot: str, profile: str, shown: Shown) -> Panel:
        message = shown.reactions[robot]
        if message is None:
            return Panel(robot, profile)
        answer = reaction(message)
        note = f"{message.latency * 1e3:.0f} ms" if np.isfinite(message.latency) else ""
        return Panel(robot, answer.profile, answer.attributes, answer.coefficients, note)

    def _decoded(self, message: Image | CompressedImage | None) -> np.ndarray | None:
        if message is None:
            return None
        decode = compressed_image if isinstance(message, CompressedImage) else raw_image
        try:
            return decode(message).rgb()
        except ImageError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=_WARN_SECONDS)
            return None

    def _note_of(self, shown: Shown) -> str:
        """A note where a bundle that is installed here says that its weights are untrained."""
        models = {message.model_id for message in shown.reactions.values() if message is not None}
        for model_id in models - set(self._notes):
            self._notes[model_id] = self._look_up(model_id)
        return next((self._notes[model] for model in sorted(models) if self._notes[model]), "")

    def _look_up(self, model_id: str) -> str:
        for bundle in (self._values["bundle"], model_id.rpartition("-")[0]):
            try:
                manifest = read_manifest(find_bundle(bundle) / MANIFEST_NAME)
            except BundleError:
                continue
            if manifest.model_id == model_id:
                return "" if manifest.trained else UNTRAINED
        return ""

    def _record_sound(self, message: AudioChunk) -> None:
        if self._recorder is None:
            return
        try:
            sound = ChunkAdapter().read(message)
        except AudioError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=_WARN_SECONDS)
            return
        samples = sound.samples.mean(axis=1)
        self._recorder.write_sound(samples, sound.rate, nanoseconds(message.header.stamp))

    def _finish_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
            if recorder.pictures:
                text = f"recorded {recorder.path}"
                # At the end of the process ROS is shut down already: its log would complain.
                self.get_logger().info(text) if self.context.ok() else print(text, file=sys.stderr)


def main(args: Sequence[str] | None = None) -> None:
    process.run("face_view", lambda namespace: SingleNode(FaceViewNode(namespace)), args)


if __name__ == "__main__":
    main()
