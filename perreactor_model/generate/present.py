"""What of a recording our own networks can use: where there is a face, a voice, a history."""

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, AUDIO_FEATURE_COUNT, COEFFICIENT_COUNT
from perreactor_model.generate.inputs import GenerationInput, InputError
from perreactor_model.generate.options import GenerationOptions
from perreactor_model.networks.config import ModelConfig


def has_speaker(given: GenerationInput, config: ModelConfig) -> bool:
    """Whether there is a speaker to react to; False if a history is all there is.

    Raises InputError if the speaker is there in a way that these networks do not see.
    """
    face_image = config.visual_input == "face_image"
    visual = ("speaker_video",) if face_image else ("speaker_attributes", "speaker_3dmm")
    arrays = (getattr(given, name) for name in (*visual, "speaker_audio"))
    if any(array is not None for array in arrays):
        return True
    if given.listener_history is None or given.frames:
        given.require(visual[0], f"these networks see the speaker's {config.visual_input}")
    return False


def visual_of(given: GenerationInput, config: ModelConfig) -> tuple[str, np.ndarray, np.ndarray]:
    """Name of the frame encoder's visual input, its values (N, T, ...), where there is a face.

    Raises InputError for images of another size than the networks'.
    """
    clips = (given.clips, given.frames)
    if config.visual_input == "face_image":
        size, video = config.image_size, given.speaker_video
        if video is None:
            nothing = np.broadcast_to(np.float32(0), (*clips, 3, size, size))
            return "image", nothing, np.zeros(clips, bool)
        if video.shape[3:] != (size, size):
            raise InputError(
                f"'speaker_video' has images of {video.shape[3]}x{video.shape[4]} pixels: "
                f"these networks see {size}x{size}"
            )
        return "image", video, np.ones(clips, bool)
    parts = [
        np.full((*clips, count), np.nan, np.float32) if part is None else part
        for part, count in (
            (given.speaker_attributes, ATTRIBUTE_COUNT),
            (given.speaker_3dmm, COEFFICIENT_COUNT),
        )
    ]
    attributes = np.concatenate(parts, axis=-1)
    return "attributes", attributes, np.isfinite(attributes).any(axis=-1)


def voice_of(given: GenerationInput) -> tuple[np.ndarray, np.ndarray]:
    """Audio features (N, T, 78), and where there is a voice (N, T)."""
    shape = (given.clips, given.frames)
    if given.speaker_audio is None:
        return np.zeros((*shape, AUDIO_FEATURE_COUNT), np.float32), np.zeros(shape, bool)
    return given.speaker_audio, np.isfinite(given.speaker_audio).all(axis=-1)


def usable_history(given: GenerationInput, config: ModelConfig) -> np.ndarray | None:
    """The histories (N, H, C), cut to the newest multiple of 2^K frames. Raises InputError."""
    history = given.listener_history
    if history is None:
        return None
    shortest, channels = config.segments, config.pattern_channels
    if history.shape[1] < shortest or history.shape[2] != channels:
        raise InputError(
            f"'listener_history' has shape {history.shape}: expected (clips, {shortest} or "
            f"more frames, {channels}), rows of {config.pattern_input}"
        )
    return np.ascontiguousarray(history[:, history.shape[1] % shortest :])


def pattern_weight(
    given: GenerationInput, options: GenerationOptions, config: ModelConfig
) -> float:
    """beta of Eq. 7: the option's, else the input's, else the networks' own."""
    if options.beta is not None:
        return options.beta
    return config.beta if given.beta is None else given.beta
