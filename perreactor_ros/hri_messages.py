"""What ROS4HRI's messages (package hri_msgs) say of a face, as facial attributes.

Messages are known by their fields, so it does not matter whether hri_msgs is installed or a bag
brought its definitions along.
"""

from typing import Any

import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    EXPRESSION_SLICE,
    EXPRESSIONS,
)

_FACS_NUMBERS = np.array([int(name.removeprefix("AU")) for name in ACTION_UNITS])

_EXPRESSIONS = {
    "neutral": "neutral",
    "happy": "happy",
    "sad": "sad",
    "despaired": "sad",
    "surprised": "surprise",
    "amazed": "surprise",
    "scared": "fear",
    "horrified": "fear",
    "disgusted": "disgust",
    "angry": "anger",
    "annoyed": "anger",
    "furious": "anger",
    "skeptical": "contempt",
}
"""hri_msgs' name -> ours. Its other names (bored, tired, ...) have no counterpart."""


def action_unit_attributes(message: Any) -> np.ndarray:
    """The 25 attributes (float32) that an `hri_msgs/FacialActionUnits` knows, NaN elsewhere.

    `intensity[n]` is the action unit with number n of the Facial Action Coding System. It is
    unknown where it is NaN, negative or missing, and where `confidence`, if filled in, is 0.
    """
    intensity = np.full(_FACS_NUMBERS.max() + 1, np.nan, np.float32)
    given = np.asarray(message.intensity, np.float32)[: intensity.size]
    intensity[: given.size] = given
    confidence = np.asarray(message.confidence, np.float32)[: given.size]
    if confidence.size == given.size and (confidence > 0).any():
        intensity[: given.size][~(confidence > 0)] = np.nan
    intensity[~(intensity >= 0)] = np.nan
    attributes = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
    attributes[: _FACS_NUMBERS.size] = intensity[_FACS_NUMBERS]
    return attributes


def expression_attributes(message: Any) -> np.ndarray:
    """What an Expression says: a name with its confidence, or valence and arousal, or both.

    The rest of the probability is shared by the other names. A confidence of 0 tells nothing;
    valence and arousal of exactly 0 beside an expression that is not neutral were not filled in.
    """
    attributes = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
    confidence = float(message.confidence)
    if not 0.0 < confidence <= 1.0:
        return attributes
    name = _EXPRESSIONS.get(message.expression)
    if name is not None:
        attributes[EXPRESSION_SLICE] = (1.0 - confidence) / (len(EXPRESSIONS) - 1)
        attributes[EXPRESSION_SLICE.start + EXPRESSIONS.index(name)] = confidence
    affect = np.array([message.valence, message.arousal], np.float32)
    filled_in = affect.any() or message.expression in ("neutral", "")
    if filled_in and (np.abs(affect) <= 1.0).all():
        attributes[AFFECT_SLICE] = affect
    return attributes
