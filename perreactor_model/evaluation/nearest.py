"""The trivial answer that knows the training data: reactions to the most similar speakers."""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.preparation.prepared import PreparedSplit


def nearest_in_training(
    train: PreparedSplit, like: Predictions, speakers: list[np.ndarray], samples: int
) -> Predictions:
    """The reactions of the `samples` training pairs whose speakers behave most like each speaker.

    `like` says what is judged and with what; `speakers` are its speakers' attributes (T, 25). Alike
    is a small distance between attributes averaged over seconds. A borrowed reaction that is too
    short holds its last frame.
    """
    pairs = np.asarray(train.pairs)
    known = [_seconds(_attributes(train, int(speaker))) for speaker in pairs[:, 0]]
    borrowed = []
    for spoken in speakers:
        course = _seconds(spoken)
        apart = np.array([_distance(course, other) for other in known])
        chosen = np.argsort(apart, kind="stable")[:samples]
        chosen = np.resize(chosen, samples)
        frames = np.arange(len(spoken))
        reactions = [_attributes(train, int(pairs[pair, 1])) for pair in chosen]
        borrowed.append(np.stack([r[np.minimum(frames, len(r) - 1)] for r in reactions]))
    return Predictions.from_arrays(
        borrowed, like.listener, like.speaker, like.appropriate, like.identity
    )


def _attributes(split: PreparedSplit, recording: int) -> np.ndarray:
    return split.reaction(recording, 0, split.frames(recording))[:, :ATTRIBUTE_COUNT]


def _seconds(rows: np.ndarray) -> np.ndarray:
    """Means over whole seconds, (S, 25)."""
    whole = len(rows) // FRAME_RATE
    if whole == 0:
        return rows.mean(axis=0, keepdims=True)
    return np.asarray(rows[: whole * FRAME_RATE].reshape(whole, FRAME_RATE, -1).mean(axis=1))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    shared = min(len(one), len(other))
    return float(((one[:shared] - other[:shared]) ** 2).mean())
