"""What the benchmarks feed: camera frames and sound that cost what real ones cost."""

import numpy as np

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import (
    AUDIO_FEATURE_COUNT,
    FRAME_NS,
    FRAME_RATE,
    SPEAKER_VECTOR_COUNT,
    neutral_attributes,
)
from perreactor_model.streaming.perceiver import Perceiver


def encoder_inputs(bundle: Bundle, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs of the frame encoder for `count` frames with face and voice."""
    generator = np.random.default_rng(seed)
    present = np.ones(count, bool)
    inputs = {
        "audio": generator.standard_normal((count, AUDIO_FEATURE_COUNT)).astype(np.float32),
        "face_present": present,
        "voice_present": present,
    }
    if bundle.config.visual_input == "face_image":
        size = bundle.config.image_size
        image = generator.uniform(-1, 1, (count, 3, size, size))
        return {"image": image.astype(np.float32), **inputs}
    vector = generator.uniform(0, 1, (count, SPEAKER_VECTOR_COUNT))
    return {"attributes": vector.astype(np.float32), **inputs}


class LiveInput:
    """Pushes one more frame of camera and microphone into a perceiver at each call.

    For `face_image` bundles the camera frame is a face already (`crop=False`): finding the face is
    perception's and is measured with the whole graph.
    """

    def __init__(self, bundle: Bundle, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        size = bundle.config.image_size
        self._images = generator.integers(0, 256, (8, size, size, 3), np.uint8)
        self._rate = bundle.config.audio_rate
        samples = self._rate // FRAME_RATE
        self._audio = (generator.standard_normal((8, samples)) * 0.1).astype(np.float32)
        self._attributes = bundle.config.visual_input == "facial_attributes"
        self._frame = 0

    def push(self, perceiver: Perceiver) -> None:
        """One frame of 1/25 s."""
        stamp = 10**9 + self._frame * FRAME_NS
        if self._attributes:
            coefficients = np.zeros(SPEAKER_VECTOR_COUNT - 25, np.float32)
            perceiver.push_attributes(neutral_attributes(), coefficients, stamp)
        else:
            perceiver.push_image(self._images[self._frame % 8], stamp)
        perceiver.push_audio(self._audio[self._frame % 8], stamp, self._rate)
        self._frame += 1
