"""Between the arrays of `perreactor_model` and ROS messages, which are filled and read only here.

Every array is checked for its shape before it is assigned: rclpy's setters do not check, and a
short or two-dimensional array would read foreign memory or abort the process.
"""

import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AROUSAL,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    VALENCE,
)
from perreactor_model.streaming.frames import Reaction, SpeakerFrame
from perreactor_ros.msg import AudioChunk, FacialReaction, SpeakerBehaviour

_NS = 1_000_000_000


def flat_float32(values: Any, size: int, what: str) -> np.ndarray:
    """`values` as contiguous float32 of shape (size,), safe to assign to a message.

    Raises ValueError naming `what` and the shape if it has any other shape.
    """
    if np.shape(values) != (size,):
        raise ValueError(f"{what} has shape {np.shape(values)}, expected ({size},)")
    return np.ascontiguousarray(values, np.float32)


# --- Stamps --------------------------------------------------------------------------------------


def nanoseconds(stamp: Time) -> int:
    """A stamp in integer nanoseconds."""
    return stamp.sec * _NS + stamp.nanosec


def stamp(stamp_ns: int) -> Time:
    """Integer nanoseconds as a stamp; what a stamp cannot hold (before 1970) becomes 0."""
    seconds, rest = divmod(max(int(stamp_ns), 0), _NS)
    return Time(sec=seconds, nanosec=rest)


# --- Speaker behaviour ---------------------------------------------------------------------------


def behaviour_message(frame: SpeakerFrame, model_id: str, frame_id: str = "") -> SpeakerBehaviour:
    """One encoded frame of the speaker. Raises ValueError for an array of the wrong shape."""
    message = SpeakerBehaviour()
    message.header.stamp = stamp(frame.stamp_ns)
    message.header.frame_id = frame_id
    message.speaker_id = frame.speaker_id
    message.model_id = model_id
    message.frame = frame.index
    message.epoch = frame.epoch
    message.face_present = bool(frame.face_present)
    message.voice_present = bool(frame.voice_present)
    if frame.token is not None:
        token = flat_float32(frame.token, np.size(frame.token), "token")
        message.token = array.array("f", token.tobytes())
    attributes = flat_float32(frame.attributes, ATTRIBUTE_COUNT, "attributes")
    coefficients = flat_float32(frame.coefficients, COEFFICIENT_COUNT, "coefficients")
    message.attributes, message.face_3dmm = attributes, coefficients
    message.attributes_known = not (np.isnan(attributes).all() and np.isnan(coefficients).all())
    return message


def speaker_frame(message: SpeakerBehaviour) -> SpeakerFrame:
    """The frame that a message carries; an empty token becomes None."""
    known = bool(message.attributes_known)
    return SpeakerFrame(
        index=int(message.frame),
        epoch=int(message.epoch),
        stamp_ns=nanoseconds(message.header.stamp),
        token=np.array(message.token, np.float32) if len(message.token) else None,
        face_present=bool(message.face_present),
        voice_present=bool(message.voice_present),
        speaker_id=message.speaker_id,
        attributes=_known(message.attributes, ATTRIBUTE_COUNT, known),
        coefficients=_known(message.face_3dmm, COEFFICIENT_COUNT, known),
    )


def _known(values: Any, size: int, known: bool) -> np.ndarray:
    return np.array(values, np.float32) if known else np.full(size, np.nan, np.float32)


# --- Reactions -----------------------------------------------------------------------------------


def reaction_message(
    reaction: Reaction,
    model_id: str,
    speaker_id: str = "",
    frame_id: str = "",
    latency: float = float("nan"),
) -> FacialReaction:
    """One frame of a robot's reaction; `latency` in seconds, NaN offline.

    Raises ValueError for an array of the wrong shape.
    """
    attributes = flat_float32(reaction.attributes, ATTRIBUTE_COUNT, "attributes")
    coefficients = flat_float32(reaction.coefficients, COEFFICIENT_COUNT, "coefficients")
    message = FacialReaction()
    message.header.stamp = stamp(reaction.stamp_ns)
    message.header.frame_id = frame_id
    message.robot = reaction.robot
    message.speaker_id = speaker_id
    message.listener_profile = reaction.profile
    message.model_id = model_id
    message.frame = reaction.index
    message.epoch = reaction.epoch
    message.action_units = attributes[ACTION_UNIT_SLICE].copy()
    message.valence = float(attributes[VALENCE])
    message.arousal = float(attributes[AROUSAL])
    message.expressions = attributes[EXPRESSION_SLICE].copy()
    message.face_3dmm = coefficients
    message.confidence = float(reaction.confidence)
    message.latency = float(latency)
    return message


def reaction(message: FacialReaction) -> Reaction:
    """The reaction that a message carries."""
    attributes = np.empty(ATTRIBUTE_COUNT, np.float32)
    attributes[ACTION_UNIT_SLICE] = message.action_units
    attributes[VALENCE] = message.valence
    attributes[AROUSAL] = message.arousal
    attributes[EXPRESSION_SLICE] = message.expressions
    return Reaction(
        robot=message.robot,
        profile=message.listener_profile,
        index=int(message.frame),
        epoch=int(message.epoch),
        stamp_ns=nanoseconds(message.header.stamp),
        attributes=attributes,
        coefficients=np.array(message.face_3dmm, np.float32),
        confidence=float(message.confidence),
    )


# --- Images and sound ----------------------------------------------------------------------------


def image_message(rgb: np.ndarray, stamp_ns: int, frame_id: str = "") -> Image:
    """An `rgb8` image of uint8 (height, width, 3). Raises ValueError for anything else."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"image is {rgb.dtype} {rgb.shape}, expected uint8 (height, width, 3)")
    height, width, _ = rgb.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header.stamp = stamp(stamp_ns)
    message.header.frame_id = frame_id
    message.data = rgb.tobytes()  # numpy arrays and lists are filled in byte by byte: 45 ms
    return message


def audio_message(samples: np.ndarray, stamp_ns: int, rate: int, frame_id: str = "") -> AudioChunk:
    """An `AudioChunk` of FLOAT32: (n,) or (n, channels) in [-1, 1], stamp of the first sample."""
    if samples.ndim not in (1, 2):
        raise ValueError(f"sound has shape {samples.shape}, expected (n,) or (n, channels)")
    message = AudioChunk()
    message.header.stamp = stamp(stamp_ns)
    message.header.frame_id = frame_id
    message.sample_rate = rate
    message.channels = 1 if samples.ndim == 1 else samples.shape[1]
    message.encoding = AudioChunk.FLOAT32
    message.data = np.ascontiguousarray(samples, "<f4").tobytes()
    return message
