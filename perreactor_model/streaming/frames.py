"""What flows through the streaming engine: one small record per frame of 1/25 s.

Stamps are integer nanoseconds on the clock of the input messages. `index` counts frames since the
last reset, `epoch` counts resets.
"""

from dataclasses import dataclass, field

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT


def _unknown(size: int) -> np.ndarray:
    return np.full(size, np.nan, np.float32)


@dataclass
class FrameInput:
    """One complete cell of the frame grid, before encoding.

    `image` is RGB uint8 (H, W, 3) or None; `image_stamp_ns` is its own stamp, which may repeat when
    a slow camera's frame serves several cells. `audio` is float32 mono in [-1, 1] at the bundle's
    rate, rate/25 samples, or None when the voice is absent. `attributes` (25,) and
    `coefficients` (58,) come from an external analyzer, NaN where unknown, or None.
    """

    index: int
    epoch: int
    stamp_ns: int
    image: np.ndarray | None = None
    image_stamp_ns: int | None = None
    audio: np.ndarray | None = None
    attributes: np.ndarray | None = None
    coefficients: np.ndarray | None = None


@dataclass
class SpeakerFrame:
    """One encoded frame of the speaker: what `SpeakerBehaviour` carries.

    `token` is float32 (feature_size,), or None for a frame that carries only attributes.
    `attributes` (25,) and `coefficients` (58,) are NaN where unknown.
    """

    index: int
    epoch: int
    stamp_ns: int
    token: np.ndarray | None
    face_present: bool
    voice_present: bool
    speaker_id: str = ""
    attributes: np.ndarray = field(default_factory=lambda: _unknown(ATTRIBUTE_COUNT))
    coefficients: np.ndarray = field(default_factory=lambda: _unknown(COEFFICIENT_COUNT))


@dataclass
class Reaction:
    """One frame of one robot's reaction: what `FacialReaction` carries.

    `attributes` (25,) and `coefficients` (58,) are float32 in the contract's order and ranges;
    coefficients are deviations from the bundle's mean face. `confidence` is 1 with face and voice
    over the whole window and 0 when the face has decayed to neutral after loss of input. `sample`
    tells several reactions of one robot to the same frame apart.
    """

    robot: str
    profile: str
    index: int
    epoch: int
    stamp_ns: int
    attributes: np.ndarray
    coefficients: np.ndarray
    confidence: float
    sample: int = 0
