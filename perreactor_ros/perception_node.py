"""Perception: the managed node that turns one speaker's camera and microphone into behaviour.

Callbacks only store; the inference thread (`perceiving.py`) does the rest and publishes
`speaker/behaviour`, 25 times a second, for all robots that listen.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lifecycle_msgs.msg import State
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Bool

from perreactor_model.face_analysis.choice import AUTO, CHOICES, HRI, NONE
from perreactor_model.streaming.runtime import DEVICES
from perreactor_ros import process, qos
from perreactor_ros.audio_types import AUDIO_TYPES, PcmFormat, audio_adapter, message_class
from perreactor_ros.clock_jumps import on_clock_jump
from perreactor_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Rate, Status
from perreactor_ros.hri_faces import HriFaces, require_hri
from perreactor_ros.lifecycle import STATE_NAMES, ManagedNode
from perreactor_ros.msg import SpeakerBehaviour
from perreactor_ros.parameters import Parameter, declare
from perreactor_ros.perceiving import PERCEIVER_OPTIONS, LoadedPerceiver, Perceiving, Received
from perreactor_ros.sample_formats import SAMPLE_FORMATS
from perreactor_ros.worker import InferenceThread

NODE_NAME = "perception"

TRANSPORTS = ("raw", "compressed", "both")

_PARAMETERS = (
    process.NAMESPACE,
    Parameter("autostart", "Whether nodes configure and activate themselves.", read_only=True),
    Parameter("bundle", "Model bundle: a folder, or the name of an installed one.", read_only=True),
    Parameter("device", "Where the networks run.", read_only=True, choices=DEVICES),
    Parameter("threads", "Threads inside a network operator.", read_only=True, low=1, high=64),
    Parameter(
        "crop",
        "Whether to find the face in camera images; false for images that are face crops already.",
        read_only=True,
    ),
    Parameter(
        "analyzer",
        "Who measures facial attributes: landmarks (here, from images), hri (ROS4HRI), none, "
        "or auto: landmarks where the bundle sees attributes and mediapipe is installed.",
        read_only=True,
        choices=CHOICES,
    ),
    Parameter(
        "hri_face",
        "Id of the face to listen to with analyzer hri; empty: the first that is tracked.",
        read_only=True,
    ),
    Parameter("hri_faces", "Where ROS4HRI's faces are, with analyzer hri.", read_only=True),
    Parameter(
        "image_transport",
        "Whether to hear image, image/compressed, or both.",
        read_only=True,
        choices=TRANSPORTS,
    ),
    Parameter("audio_type", "Type of the audio messages.", read_only=True, choices=AUDIO_TYPES),
    Parameter(
        "audio_rate",
        "Sampling rate of audio messages that do not say it, Hz; 0: wait for audio_info.",
        read_only=True,
        low=0,
        high=48000,
    ),
    Parameter(
        "audio_channels",
        "Channels of audio messages that do not say it.",
        read_only=True,
        low=1,
        high=32,
    ),
    Parameter(
        "audio_format",
        "Sample format of audio messages that do not say it.",
        read_only=True,
        choices=SAMPLE_FORMATS,
    ),
    Parameter(
        "max_wait",
        "Time to wait for the sound of a frame after its end, s; then the voice counts as absent.",
        read_only=True,
        low=0.0,
        high=5.0,
    ),
    Parameter(
        "image_wait",
        "Time to wait for the image of a frame after its end, s; then an older one serves.",
        read_only=True,
        low=0.0,
        high=5.0,
    ),
    Parameter(
        "image_hold",
        "Greatest age of an image that still serves a frame, s.",
        read_only=True,
        low=0.02,
        high=10.0,
    ),
    Parameter("speaker_id", "Who the speaker is, as published; may be empty.", read_only=True),
    Parameter("frame_id", "Frame of the published behaviour; empty: the camera's.", read_only=True),
)

_LOST_SECONDS = 1.0
_WATCH_SECONDS = 0.25


_LARGEST_SKEW_NS = 500_000_000
"""Between the newest stamps of sound and image; more is no delay but another clock."""


class PerceptionNode(ManagedNode):
    """The node, and the application that `process.run` runs."""

    def __init__(self, namespace: str) -> None:
        super().__init__(NODE_NAME, namespace=namespace)
        self._values = declare(self, _PARAMETERS, {process.NAMESPACE.name: namespace})
        values = self._values
        rate = values["audio_rate"]
        assumed = PcmFormat(rate, values["audio_channels"], values["audio_format"])
        self._adapter = audio_adapter(values["audio_type"], assumed if rate else None)
        self._loaded: LoadedPerceiver | None = None
        self._inputs: list[Subscription] = []
        self._hri: HriFaces | None = None
        self._rates: dict[str, Rate] = {}
        self._lost: set[str] = set()
        self._publisher = qos.advertise(
            self, SpeakerBehaviour, "speaker/behaviour", qos.BEHAVIOUR, managed=True
        )
        self._perceiving = Perceiving(
            self._now_ns,
            lambda: self._worker.outdated,
            self._publish,
            self.get_logger(),
            self._adapter,
            values["frame_id"],
        )
        # Images (60 fps) and sound (100 chunks/s) of about a second.
        self._worker: InferenceThread[Received] = InferenceThread(
            "inference", self._perceiving.work, self._report, capacity=200
        )
        self._jump = on_clock_jump(self, self._forget)
        self._diagnostics = Diagnostics(self, self._statuses)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_WATCH_SECONDS, self._watch, clock=steady)

    # --- Application -----------------------------------------------------------------------------

    @property
    def nodes(self) -> Sequence[Node]:
        return [self]

    def begin(self) -> None:
        if self._values["autostart"]:
            self.bring_up()

    def close(self) -> None:
        super().close()
        self._worker.stop()

    # --- Lifecycle -------------------------------------------------------------------------------

    def configure(self) -> None:
        options = {name: self._values[name] for name in PERCEIVER_OPTIONS}
        message_class(self._values["audio_type"])  # tell what is not installed before loading
        if self._values["analyzer"] == HRI:
            require_hri(self._values["hri_face"], self._values["hri_faces"])
        self._worker.restart()
        loaded = self._worker.call(lambda: self._perceiving.load(self._values["bundle"], options))
        self._loaded = loaded
        self.get_logger().info(f"{loaded.model_id} on {loaded.provider}")
        if not loaded.trained:
            self.get_logger().warning(f"{loaded.model_id} is untrained: judge liveness, not sense")
        if loaded.domain:
            self.get_logger().warning(f"{loaded.model_id} {loaded.domain}")
        self._say_what_it_sees(loaded)

    def _say_what_it_sees(self, loaded: LoadedPerceiver) -> None:
        log = self.get_logger()
        if loaded.analyzer != NONE:
            log.info(f"facial attributes come from the analyzer {loaded.analyzer}")
            if loaded.au_semantics != "intensity":
                log.warning(
                    f"{loaded.model_id} knows action units as {loaded.au_semantics}, the analyzer "
                    "gives intensities"
                )
        elif loaded.visual_input != "face_image":
            reason = (
                "mediapipe is not installed (requirements/analyzer.txt)"
                if self._values["analyzer"] == AUTO
                else "the parameter analyzer is none"
            )
            log.warning(
                f"{loaded.model_id} sees the speaker's facial attributes, and {reason}: they are "
                "awaited on speaker/attributes; the camera's image is not used"
            )

    def activate(self) -> None:
        assert self._loaded is not None
        self.lifecycle = State.PRIMARY_STATE_ACTIVE
        if self._loaded.sees_images:
            if self._values["image_transport"] in ("raw", "both"):
                self._listen("image", Image, "image", qos.IMAGE_IN)
            if self._values["image_transport"] in ("compressed", "both"):
                # As image_transport does: below the name that `image` may be remapped to.
                topic = f"{self.resolve_topic_name('image')}/compressed"
                self._listen("compressed", CompressedImage, topic, qos.IMAGE_IN)
        self._listen("attributes", SpeakerBehaviour, "speaker/attributes", qos.BEHAVIOUR)
        self._listen("audio", message_class(self._adapter.type_name), "audio", qos.AUDIO_IN)
        if self._adapter.info_type_name is not None:
            info = message_class(self._adapter.info_type_name)
            self._listen("audio_info", info, "audio_info", qos.STATE)
        self._listen("robot_speaking", Bool, "robot_speaking", qos.EVENT)
        topics = [each.topic_name for each in self._inputs]
        if self._loaded.analyzer == HRI:
            self._rates["facs"] = Rate()
            self._hri = HriFaces(
                self, self._values["hri_face"], self._values["hri_faces"], self._take_hri
            )
            topics += self._hri.topics
        self.get_logger().info(f"listening to {', '.join(topics)}")

    def deactivate(self) -> None:
        self.lifecycle = State.PRIMARY_STATE_INACTIVE
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs.clear()
        self._worker.discard()
        if self._hri is not None:
            self._hri.close()  # its farewell must not be discarded
            self._hri = None
        self._rates.clear()
        self._lost.clear()
        self._worker.call(self._perceiving.reset)

    def cleanup(self) -> None:
        self._worker.call(self._perceiving.unload)
        self._loaded = None

    # --- Callbacks -------------------------------------------------------------------------------

    def _listen(self, kind: str, type_: type, topic: str, profile: QoSProfile) -> None:
        rate = self._rates[kind] = Rate()

        def store(message: Any) -> None:
            rate.tick()
            self._worker.put(Received(kind, message, self._now_ns()))

        store_any: Callable[[Any], None] = store
        self._inputs.append(qos.subscribe(self, type_, topic, store_any, profile))

    def _take_hri(self, kind: str, message: Any) -> None:
        if kind == "facs":
            self._rates[kind].tick()
        elif kind == "hri_face":
            self._rates["facs"].clear()  # nobody is missed once the list says who is gone
        self._worker.put(Received(kind, message, self._now_ns()))

    def _publish(self, message: SpeakerBehaviour) -> None:
        """From the inference thread."""
        if self.lifecycle == State.PRIMARY_STATE_ACTIVE and self.context.ok():
            self._publisher.publish(message)

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _report(self, trace: str) -> None:
        if self.context.ok():
            self.get_logger().error(f"inference failed:\n{trace}")

    def _forget(self) -> None:
        self._worker.discard()
        self._worker.post(self._perceiving.reset)
        if self._hri is not None:
            self._hri.tell()

    def _watch(self) -> None:
        """Say once that an input is lost, and once that it is back; notice a broken encoder."""
        for kind in ("image", "compressed", "attributes", "facs", "audio"):
            rate = self._rates.get(kind)
            silent = rate.silent_for() if rate is not None else None
            if silent is None:
                continue
            if silent > _LOST_SECONDS and kind not in self._lost:
                self._lost.add(kind)
                self.get_logger().warning(f"{kind} lost: nothing has come for {silent:.1f} s")
            elif silent <= _LOST_SECONDS and kind in self._lost:
                self._lost.discard(kind)
                self.get_logger().info(f"{kind} is back")
        if self._worker.failed and self._loaded is not None:
            self.get_logger().error(
                "inference failed again and again: configure and activate this node to try again"
            )
            self.bring_down()

    def _statuses(self) -> list[Status]:
        active = self.lifecycle == State.PRIMARY_STATE_ACTIVE
        perceiving = self._perceiving
        if self._worker.failed:
            level, summary = ERROR, "inference has failed"
        elif not active:
            level, summary = WARN, STATE_NAMES[self.lifecycle]
        elif self._lost:
            level, summary = WARN, f"lost: {', '.join(sorted(self._lost))}"
        elif not perceiving.frames.hertz():
            level, summary = WARN, "waiting for input"
        elif abs(perceiving.skew_ns or 0) > _LARGEST_SKEW_NS:
            level, summary = WARN, "camera and microphone are stamped by different clocks"
        else:
            level, summary = OK, "perceiving"
        values: dict[str, object] = {"lifecycle": STATE_NAMES[self.lifecycle]}
        values |= {f"{kind} (Hz)": f"{rate.hertz():.1f}" for kind, rate in self._rates.items()}
        values["behaviour (Hz)"] = f"{perceiving.frames.hertz():.1f}"
        values |= perceiving.encode_time.milliseconds("step")
        values |= perceiving.latency.milliseconds("latency")
        if perceiving.face:
            values["face"] = perceiving.face
            values |= perceiving.analysis_time.milliseconds("analysis")
        values["messages dropped"] = self._worker.dropped
        values["messages refused"] = perceiving.refused
        values["frames skipped"] = perceiving.skipped
        if perceiving.skew_ns is not None:
            values["skew of sound to image (ms)"] = f"{perceiving.skew_ns / 1e6:.1f}"
        values |= {name.replace("_", " "): count for name, count in perceiving.counters.items()}
        if self._loaded is not None:
            values["bundle"] = self._loaded.model_id
            values["trained"] = self._loaded.trained
            values["provider"] = self._loaded.provider
            values["analyzer"] = self._loaded.analyzer
        return [Status("encoder", level, summary, values)]


def main(args: Sequence[str] | None = None) -> None:
    """Run perception until it is interrupted."""
    process.run(NODE_NAME, PerceptionNode, args)


if __name__ == "__main__":
    main()
