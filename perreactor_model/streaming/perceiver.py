"""Perception: a speaker's camera frames and sound to one token for each 1/25 s.

Flow: the frame clock puts the inputs on the grid; for each complete frame the image is decoded, the
face cropped or analyzed (or attributes that came by themselves are taken), the sound becomes 78
features, and one call of the frame encoder makes the token. A frame is encoded once in its life,
alone, so its token does not depend on how the input was cut. All robots that listen share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.audio.features import frame_features
from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
    SPEAKER_VECTOR_COUNT,
)
from perreactor_model.streaming.clock import FrameClock
from perreactor_model.streaming.frames import FrameInput, SpeakerFrame
from perreactor_model.streaming.runtime import load_graph
from perreactor_model.streaming.sight import Sight
from perreactor_model.vision.crop import FaceTracker, TrackerSettings
from perreactor_model.vision.encodings import DecodableImage, ImageError

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle
    from perreactor_model.face_analysis.observation import FaceAnalyzer, FaceObservation


class Perceiver:
    """Perceives one speaker, with the encoders of `bundle`.

    `crop` finds the face in camera frames and follows it (`tracker` says how); without it a frame
    is a face crop already. `analyzer` measures attributes and head pose in each picture; what is
    pushed with `push_attributes` comes before it. It is the perceiver's from then on. `speaker_id`
    is handed through to the frames; empty, an analyzer's people are called face_1, face_2, ...,
    counted on after the `people_before` of an earlier perceiver.
    `clock` are settings of the frame clock, such as `max_wait` in seconds (see `ClockSettings`).
    Raises DeviceError and ValueError.

    Not thread-safe as a whole, but made of two halves which two threads may use: the clock
    (`push_*`, `advance`, `finish`, `reset`, `take_inputs`) under one lock, and `encode`.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        threads: int = 1,
        crop: bool = True,
        tracker: TrackerSettings | None = None,
        analyzer: FaceAnalyzer | None = None,
        speaker_id: str = "",
        people_before: int = 0,
        **clock: Any,
    ) -> None:
        self.speaker_id = speaker_id
        self._config = bundle.config
        self._sees_images = self._config.visual_input == "face_image"
        looks = self._sees_images or analyzer is not None
        clock.setdefault("expects", ("image" if looks else "attributes", "audio"))
        self._clock = FrameClock(self._config.audio_rate, **clock)
        size = self._config.image_size if self._sees_images else 0
        follower = FaceTracker(size, tracker) if size and crop else None
        self._sight = Sight(size, follower, analyzer, people_before)
        self._encoder = load_graph(bundle, "frame_encoder", device, threads)
        self._counts = {"frames_without_face": 0}
        self._no_voice = np.zeros((1, AUDIO_FEATURE_COUNT), np.float32)

    # --- The clock -------------------------------------------------------------------------------

    def push_image(self, image: np.ndarray | DecodableImage, stamp_ns: int) -> None:
        """Add a camera frame: RGB uint8 (H, W, 3), or an EncodedImage, decoded only if it is used.

        The image is kept by reference. Raises ImageError for an array of another shape or type; an
        encoded image that cannot be decoded later counts as one without a face.
        """
        if isinstance(image, np.ndarray):
            _require_rgb(image)
        elif not hasattr(image, "rgb"):
            raise ImageError(
                "not RGB", f"an image is an array or an EncodedImage, not {type(image).__name__}"
            )
        self._clock.push_image(image, stamp_ns)

    def push_audio(self, samples: np.ndarray, stamp_ns: int, rate: int) -> None:
        """Add sound: float (n,) or (n, channels) in [-1, 1], the stamp of its first sample, Hz."""
        self._clock.push_audio(samples, stamp_ns, rate)

    def push_attributes(
        self, attributes: np.ndarray | None, coefficients: np.ndarray | None, stamp_ns: int
    ) -> None:
        """Add what an analyzer says of the face: (25,) and (58,), NaN or None where unknown."""
        self._clock.push_attributes(attributes, coefficients, stamp_ns)

    def set_robot_speaking(self, flag: bool, stamp_ns: int) -> None:
        """While the robot speaks, the voice counts as absent: it must not react to itself."""
        self._clock.set_robot_speaking(flag, stamp_ns)

    def data_time(self, now_ns: int) -> int:
        """A moment of the caller's clock on the clock of the stamps."""
        return self._clock.data_time(now_ns)

    def advance(self, now_ns: int) -> None:
        """Live: complete the frames that have waited long enough at `now_ns`."""
        self._clock.advance(now_ns)

    def finish(self) -> None:
        """The end of a recording: complete what is left."""
        self._clock.finish()

    def reset(self) -> None:
        """Begin a new epoch: forget all input, and the face with the next frame encoded."""
        self._clock.reset()

    def take_inputs(self) -> list[FrameInput]:
        """The frames that have become complete, not encoded yet, oldest first."""
        return self._clock.take()

    # --- Encoding --------------------------------------------------------------------------------

    def take(self) -> list[SpeakerFrame]:
        """The frames that have become complete, encoded, oldest first."""
        return self.encode(self.take_inputs())

    def encode(self, frames: Iterable[FrameInput]) -> list[SpeakerFrame]:
        """Encode frames, in their order. Never fails because of what an input holds."""
        return [self._encode(frame) for frame in frames]

    @property
    def epoch(self) -> int:
        """How many resets and jumps of the clock there were."""
        return self._clock.epoch

    @property
    def people(self) -> int:
        """How many people the analyzer told apart, `people_before` included."""
        return self._sight.people

    @property
    def skew_ns(self) -> int | None:
        """How far the sound's newest stamp is ahead of the newest image's, or None."""
        return self._clock.skew_ns

    @property
    def provider(self) -> str:
        """onnxruntime's name of what the encoder runs on."""
        return self._encoder.get_providers()[0]

    @property
    def counters(self) -> dict[str, int]:
        """What came and what became of it: the clock's, the face tracker's and the images'."""
        return {**self._clock.counters, **self._sight.counters, **self._counts}

    @property
    def observation(self) -> FaceObservation | None:
        """What the analyzer said last; None without one, or before its first picture."""
        return self._sight.observation

    @property
    def analysis_seconds(self) -> float:
        """What the analyzer took for that picture; NaN before its first."""
        return self._sight.analysis_seconds

    def close(self) -> None:
        """Free the analyzer."""
        self._sight.close()

    def _encode(self, frame: FrameInput) -> SpeakerFrame:
        seen = self._sight.look(frame)
        speaker_id = self.speaker_id
        pushed = frame.attributes is not None or frame.coefficients is not None
        if seen.observation is not None and not pushed:
            attributes = seen.observation.attributes
            coefficients = seen.observation.coefficients
            speaker_id = speaker_id or self._sight.name_of(seen.observation)
        else:
            attributes = _vector(frame.attributes, ATTRIBUTE_COUNT)
            coefficients = _vector(frame.coefficients, COEFFICIENT_COUNT)
        if self._sees_images:
            face_present = seen.face is not None
            size = self._config.image_size
            visual = np.zeros((1, 3, size, size), np.float32) if seen.face is None else seen.face
        else:
            visual = np.concatenate([attributes, coefficients]).reshape(1, SPEAKER_VECTOR_COUNT)
            face_present = bool(np.isfinite(visual).any())
        sound = self._sound_of(frame)
        voice_present = sound is not None
        self._counts["frames_without_face"] += not face_present
        (token,) = self._encoder.run(
            ["token"],
            {
                "image" if self._sees_images else "attributes": visual,
                "audio": self._no_voice if sound is None else sound,
                "face_present": np.array([face_present]),
                "voice_present": np.array([voice_present]),
            },
        )
        return SpeakerFrame(
            index=frame.index,
            epoch=frame.epoch,
            stamp_ns=frame.stamp_ns,
            token=token[0],
            face_present=face_present,
            voice_present=voice_present,
            speaker_id=speaker_id,
            attributes=attributes,
            coefficients=coefficients,
        )

    def _sound_of(self, frame: FrameInput) -> np.ndarray | None:
        if frame.audio is None:
            return None
        return frame_features(frame.audio, self._config.audio_rate)[None]


def _require_rgb(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ImageError(
            "not RGB",
            f"an image must be RGB uint8 (height, width, 3), not {image.dtype} {image.shape}: "
            "convert it, or push an EncodedImage",
        )


def _vector(values: np.ndarray | None, size: int) -> np.ndarray:
    """What is known, or all unknown; infinities are no knowledge either."""
    if values is None:
        return np.full(size, np.nan, np.float32)
    vector = np.asarray(values, np.float32)
    return np.where(np.isfinite(vector), vector, np.float32(np.nan))
