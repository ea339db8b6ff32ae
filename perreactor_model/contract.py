"""The one home of what every part of perreactor agrees on: frame rate, vectors, names, ranges.

Messages, plots, bridges, corpora and bundles take names and order from here and nowhere else.
Sources: the REACT 2024 challenge's description of its 25 facial attributes, FaceVerse v2's order of
coefficients, and the 78 audio features of the REACT baselines.
"""

import numpy as np

CONTRACT_VERSION = 1

FRAME_RATE = 25
"""Frames per second of speaker behaviour and of reactions."""

FRAME_NS = 1_000_000_000 // FRAME_RATE
"""Duration of a frame in nanoseconds (40 ms, exact)."""

# --- The 25 facial attributes, one row a frame -------------------------------------------------

ACTION_UNITS = (
    "AU1", "AU2", "AU4", "AU6", "AU7", "AU9", "AU10", "AU12",
    "AU14", "AU15", "AU17", "AU23", "AU24", "AU25", "AU26",
)  # fmt: skip
"""FACS action units, each in [0, 1]: occurrence probability or intensity (`au_semantics`)."""

AFFECTS = ("valence", "arousal")
"""Each in [-1, 1]."""

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""Probabilities that sum to 1."""

ATTRIBUTES = ACTION_UNITS + AFFECTS + EXPRESSIONS
ATTRIBUTE_COUNT = len(ATTRIBUTES)

ACTION_UNIT_SLICE = slice(0, 15)
VALENCE = 15
AROUSAL = 16
AFFECT_SLICE = slice(15, 17)
EXPRESSION_SLICE = slice(17, 25)

AU_SEMANTICS = ("occurrence", "intensity")

# --- The 58 coefficients of the 3D morphable face ------------------------------------------------

COEFFICIENTS = (
    *(f"expression_{index}" for index in range(52)),
    "rotation_x", "rotation_y", "rotation_z",
    "translation_x", "translation_y", "translation_z",
)  # fmt: skip
"""FaceVerse v2 order, published as deviation from the bundle's `mean_face`.

Rotation: radians about x (pitch, positive nods down), y (yaw, positive turns to the face's own
left), z (roll, positive tilts towards the face's own right shoulder); 0 faces forward.
Translation: FaceVerse units.
"""
COEFFICIENT_COUNT = len(COEFFICIENTS)

FACE_EXPRESSION_SLICE = slice(0, 52)
ROTATION_SLICE = slice(52, 55)
TRANSLATION_SLICE = slice(55, 58)

# --- What a face analyzer sees in a frame --------------------------------------------------------

OBSERVED = ATTRIBUTES + COEFFICIENTS[ROTATION_SLICE.start :]
"""25 attributes, rotation, translation: a row of a listener's history; NaN is unknown."""

# --- The 78 audio features ----------------------------------------------------------------------

AUDIO_FEATURE_COUNT = 78
"""3 orders (MFCC, delta, delta-delta) x 13 coefficients x 2 steps.

index = order * 26 + coefficient * 2 + step.
"""

# --- What the `facial_attributes` encoder sees ----------------------------------------------------

SPEAKER_VECTOR_COUNT = ATTRIBUTE_COUNT + COEFFICIENT_COUNT
"""25 attributes followed by the 58 coefficients; an unknown entry is NaN."""

VISUAL_INPUTS = ("face_image", "facial_attributes")


def neutral_attributes() -> np.ndarray:
    """A face at rest: no action unit, zero affect, `neutral` certain. Shape (25,), float32."""
    attributes = np.zeros(ATTRIBUTE_COUNT, np.float32)
    attributes[EXPRESSION_SLICE.start] = 1.0
    return attributes


def attribute_ranges() -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each attribute. Two arrays of shape (25,), float32."""
    low = np.zeros(ATTRIBUTE_COUNT, np.float32)
    low[AFFECT_SLICE] = -1.0
    return low, np.ones(ATTRIBUTE_COUNT, np.float32)
