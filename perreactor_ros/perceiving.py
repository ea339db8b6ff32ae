"""The inference side of perception: camera, microphone and analyzer in, speaker behaviour out.

Everything here runs in the inference thread (`worker.py`), except where a docstring says otherwise.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.face_analysis.choice import LANDMARKS, chosen_analyzer
from perreactor_ros.audio_types import AudioAdapter, ReceiveStamps
from perreactor_ros.diagnostics import Quantiles, Rate
from perreactor_ros.hri_faces import HriReading, stamp_of
from perreactor_ros.image_messages import compressed_image, raw_image
from perreactor_ros.messages import behaviour_message, nanoseconds
from perreactor_ros.msg import SpeakerBehaviour

if TYPE_CHECKING:
    from perreactor_model.face_analysis.observation import FaceAnalyzer
    from perreactor_model.streaming.frames import FrameInput
    from perreactor_model.streaming.perceiver import Perceiver

PERCEIVER_OPTIONS = (
    "device", "threads", "crop", "analyzer", "speaker_id", "max_wait", "image_wait", "image_hold",
)  # fmt: skip
"""Parameters of perception that `Perceiving.load` takes, by the same names."""

BACKLOG = 10
"""Frames (0.4 s) that may wait to be encoded; if more do, all but the newest are skipped."""

_TICK_SECONDS = 0.01
"""How often the clock is asked what need not be waited for any longer."""

_QUIET_TICK_SECONDS = 0.04
"""The same when nothing has come for a while."""

_QUIET_SECONDS = 2.0

_LONGEST_WAIT_NS = 1_000_000_000
"""A face's stamps that are further ahead of the frames than this do not delay who comes next."""


@dataclass(frozen=True)
class Received:
    """A message with the name of its input and when it came, on the node's clock."""

    kind: str
    message: Any
    received_ns: int


@dataclass(frozen=True)
class LoadedPerceiver:
    """What other threads may know of a loaded bundle; never changes."""

    model_id: str
    provider: str
    visual_input: str
    trained: bool
    domain: str
    """What it must not be expected to see; empty where the bundle says nothing of that."""
    analyzer: str
    """`landmarks`, `hri` or `none`: what `auto` came to."""
    au_semantics: str

    @property
    def sees_images(self) -> bool:
        """Whether the camera's pictures are used."""
        return self.visual_input == "face_image" or self.analyzer == LANDMARKS


class Log(Protocol):
    """What of a node's logger is used here."""

    def info(self, message: str) -> object: ...

    def warning(self, message: str) -> object: ...


class Perceiving:
    """Feeds the perceiver and publishes what it makes of each frame.

    `now_ns` is the node's clock, `publish` sends a message. `frame_id` overrides the camera's.
    `backlog` frames may wait to be encoded (None: any number, nothing is skipped); `monotonic`
    tells how long nothing has come, in seconds.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        outdated: Callable[[], bool],
        publish: Callable[[SpeakerBehaviour], None],
        log: Log,
        adapter: AudioAdapter,
        frame_id: str,
        backlog: int | None = BACKLOG,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.encode_time = Quantiles()
        self.analysis_time = Quantiles()
        self.latency = Quantiles()
        self.frames = Rate()
        self.skipped = 0
        self.refused = 0
        self.skew_ns: int | None = None
        self.counters: Mapping[str, int] = {}
        self.face = ""
        self._now_ns = now_ns
        self._outdated = outdated
        self._publish = publish
        self._log = log
        self._adapter = adapter
        self._frame_id = frame_id
        self._backlog = backlog
        self._monotonic = monotonic
        self._camera_frame = ""
        self._receive_stamps = ReceiveStamps()
        self._said: set[str] = set()
        self._perceiver: Perceiver | None = None
        self._model_id = ""
        self._own_speaker_id = ""
        self._next_speakers: deque[tuple[int, int, str]] = deque()
        self._encoded_ns = 0
        self._epochs_before = 0
        self._people_before = 0
        self._hri = HriReading()
        self._last_input = monotonic()
        self._take = {
            "image": self._take_image,
            "compressed": self._take_compressed,
            "audio": self._take_audio,
            "audio_info": self._take_audio_info,
            "attributes": self._take_attributes,
            "robot_speaking": self._take_robot_speaking,
            "hri_face": self._take_hri_face,
            "facs": self._take_facs,
            "expression": self._take_expression,
        }

    # --- Jobs for the inference thread -----------------------------------------------------------

    def load(self, bundle: str, options: Mapping[str, Any]) -> LoadedPerceiver:
        """Load a bundle's encoders, and the analyzer that `options` names (default: auto).

        Raises BundleError, DeviceError, AnalyzerMissing or ValueError.
        """
        # Imported here, for it takes long (SciPy) and the node shall be in the graph before that.
        from perreactor_model.streaming.perceiver import Perceiver

        verified = Bundle.load(bundle)
        others = dict(options)
        visual_input = verified.config.visual_input
        analyzer = chosen_analyzer(others.pop("analyzer", "auto"), visual_input)
        perceiver = Perceiver(
            verified,
            analyzer=_opened(analyzer),
            people_before=self._people_before,
            **others,
        )
        self._perceiver = perceiver
        self._model_id = verified.model_id
        self._own_speaker_id = perceiver.speaker_id
        return LoadedPerceiver(
            verified.model_id,
            perceiver.provider,
            visual_input,
            verified.trained,
            verified.domain,
            analyzer,
            verified.manifest.au_semantics,
        )

    def unload(self) -> None:
        """Free the encoders. Another perceiver's epochs are later, and its people others."""
        if self._perceiver is not None:
            self._epochs_before += self._perceiver.epoch + 1
            self._people_before = self._perceiver.people
            self._perceiver.close()
        self._perceiver = None
        self._next_speakers.clear()
        self.face = ""

    def reset(self) -> None:
        """Forget all input: a new epoch."""
        self._receive_stamps.reset()
        self._hri = HriReading()
        if self._perceiver is not None:
            while self._next_speakers:
                self._perceiver.speaker_id = self._next_speakers.popleft()[2]
            self._perceiver.reset()

    # --- Work ------------------------------------------------------------------------------------

    def work(self, received: list[Received]) -> float | None:
        """Take in what came, publish what is complete; returns when to be called again, seconds."""
        perceiver = self._perceiver
        if perceiver is None:
            return None
        for each in received:
            self._take_in(each)
        now = self._now_ns()
        if now > 0:  # a simulated clock shows 0 until the first /clock
            perceiver.advance(now)
        self._encode(perceiver)
        self.counters = perceiver.counters
        self.skew_ns = perceiver.skew_ns
        self.face = _face_of(perceiver)
        if received:
            self._last_input = self._monotonic()
        quiet = self._monotonic() - self._last_input > _QUIET_SECONDS
        return _QUIET_TICK_SECONDS if quiet else _TICK_SECONDS

    def finish(self) -> None:
        """The end of a recording: publish what it still holds."""
        if self._perceiver is not None:
            self._perceiver.finish()
            self._encode(self._perceiver)
            self.counters = self._perceiver.counters

    def _encode(self, perceiver: Perceiver) -> None:
        inputs = perceiver.take_inputs()
        if self._backlog is not None and len(inputs) > self._backlog:
            self._say_once("encoding takes too long: skipping to the newest frame")
            self.skipped += len(inputs) - 1
            inputs = inputs[-1:]
        for frame in inputs:
            self._name_speaker(perceiver, frame)
            seen = perceiver.observation
            begin = time.perf_counter()
            encoded = perceiver.encode([frame])
            self.encode_time.add(time.perf_counter() - begin)
            if perceiver.observation is not seen:  # a picture of its own
                self.analysis_time.add(perceiver.analysis_seconds)
            if self._outdated():
                return
            for each in encoded:
                each.epoch += self._epochs_before
                frame_id = self._frame_id or self._camera_frame
                self._publish(behaviour_message(each, self._model_id, frame_id))
                self.latency.add((self._now_ns() - each.stamp_ns) / 1e9)
                self.frames.tick()

    def _name_speaker(self, perceiver: Perceiver, frame: FrameInput) -> None:
        """Frames that were still waiting when another face came belong to the one before."""
        self._encoded_ns = frame.stamp_ns
        while self._next_speakers and (frame.epoch, frame.stamp_ns) > self._next_speakers[0][:2]:
            perceiver.speaker_id = self._next_speakers.popleft()[2]

    # --- Inputs ----------------------------------------------------------------------------------

    def _take_in(self, received: Received) -> None:
        try:
            self._take[received.kind](received.message, received.received_ns)
        except ValueError as error:
            self.refused += 1
            self._say_once(f"{received.kind}: {error}")

    def _take_image(self, message: Any, received_ns: int) -> None:
        self._push_image(raw_image(message), message, received_ns)

    def _take_compressed(self, message: Any, received_ns: int) -> None:
        self._push_image(compressed_image(message), message, received_ns)

    def _push_image(self, image: Any, message: Any, received_ns: int) -> None:
        self._camera_frame = message.header.frame_id
        self._loaded().push_image(image, self._stamp(message, received_ns, "images"))

    def _take_audio(self, message: Any, received_ns: int) -> None:
        sound = self._adapter.read(message)
        if sound.stamp_ns is None:
            self._say_unstamped("sound")
        stamp_ns = self._receive_stamps.stamp(sound, received_ns)
        self._loaded().push_audio(sound.samples, stamp_ns, sound.rate)

    def _take_audio_info(self, message: Any, _: int) -> None:
        self._adapter.read_info(message)

    def _take_attributes(self, message: SpeakerBehaviour, received_ns: int) -> None:
        if len(message.token):
            raise ValueError(
                "speaker/attributes is for messages with an empty token; encoded behaviour goes to "
                "speaker/behaviour"
            )
        if not message.attributes_known:
            return
        self._camera_frame = message.header.frame_id
        self._loaded().push_attributes(
            np.array(message.attributes, np.float32),
            np.array(message.face_3dmm, np.float32),
            self._stamp(message, received_ns, "attributes"),
        )

    def _take_hri_face(self, face: str, _: int) -> None:
        perceiver, until_ns = self._loaded(), 0
        if self._hri.newest_ns is not None:
            # What one face did last must not be held for another, or for nobody.
            perceiver.push_attributes(None, None, self._hri.newest_ns + 1)
            until_ns = min(self._hri.newest_ns, self._encoded_ns + _LONGEST_WAIT_NS)
        self._hri = HriReading()
        name = self._own_speaker_id or face
        self._next_speakers.append((perceiver.epoch, until_ns, name))

    def _take_facs(self, message: Any, received_ns: int) -> None:
        stamp_ns = stamp_of(message, received_ns)
        self._camera_frame = message.header.frame_id
        self._loaded().push_attributes(self._hri.units(message, stamp_ns), None, stamp_ns)

    def _take_expression(self, message: Any, received_ns: int) -> None:
        stamp_ns = stamp_of(message, received_ns)
        attributes = self._hri.expression(message, stamp_ns)
        if attributes is not None:
            self._loaded().push_attributes(attributes, None, stamp_ns)

    def _take_robot_speaking(self, message: Any, received_ns: int) -> None:
        perceiver = self._loaded()
        perceiver.set_robot_speaking(bool(message.data), perceiver.data_time(received_ns))

    def _stamp(self, message: Any, received_ns: int, what: str) -> int:
        stamp_ns = nanoseconds(message.header.stamp)
        if stamp_ns:
            return stamp_ns
        self._say_unstamped(what)
        return received_ns

    def _say_unstamped(self, what: str) -> None:
        self._say_once(f"{what} without a stamp: the time of receipt is used")

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 100:
            self._said.add(text)
            self._log.warning(text)

    def _loaded(self) -> Perceiver:
        assert self._perceiver is not None, "input is taken only when a bundle is loaded"
        return self._perceiver


def _opened(analyzer: str) -> FaceAnalyzer | None:
    """The analyzer of pictures of that name. Raises AnalyzerMissing."""
    if analyzer != LANDMARKS:
        return None
    from perreactor_model.face_analysis.analyzer import open_analyzer

    return open_analyzer(analyzer)


def _face_of(perceiver: Perceiver) -> str:
    """What the analyzer knows of the face, for people; "" where there is no analyzer."""
    seen = perceiver.observation
    if seen is None:
        return ""
    if not seen.face_present:
        return "no face"
    if seen.calibration < 1.0:
        return f"learning the neutral face ({100 * seen.calibration:.0f} %)"
    return f"person {seen.person}"
