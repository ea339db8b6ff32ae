"""Trivial answers that know the training data, and nothing of what is judged.

The anchors of `metrics` take means and neighbours from the reactions that are judged, for they have
no others; where scripts recur that gives the truth away.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.preparation.prepared import PreparedSplit


def mean_sequence_of_training(train: PreparedSplit, like: Predictions) -> Predictions:
    """The mean of all training reactions, frame by frame, in answer to every clip of `like`.

    Beyond the longest reaction its last frame is held.
    """
    listeners = _listeners(train)
    longest = max(map(len, listeners))
    total, count = np.zeros((longest, ATTRIBUTE_COUNT)), np.zeros((longest, 1))
    for reaction in listeners:
        total[: len(reaction)] += reaction
        count[: len(reaction)] += 1
    return _answered(like, total / count)


def mean_frame_of_training(train: PreparedSplit, like: Predictions) -> Predictions:
    """The mean face of all training reactions, held still, in answer to every clip of `like`."""
    return _answered(like, np.concatenate(_listeners(train)).mean(axis=0, keepdims=True))


def nearest_in_training(train: PreparedSplit, like: Predictions, samples: int) -> Predictions:
    """The reactions of the `samples` training pairs whose speakers behave most like each speaker.

    `like` says what is judged and with what, speakers included. Alike is a small distance between
    attributes averaged over seconds. A borrowed reaction that is too short holds its last frame.
    """
    assert like.speaker is not None
    pairs = np.asarray(train.pairs)
    known = [_seconds(_attributes(train, int(speaker))) for speaker in pairs[:, 0]]
    borrowed = []
    for spoken in like.speaker:
        course = _seconds(spoken)
        apart = np.array([_distance(course, other) for other in known])
        chosen = np.argsort(apart, kind="stable")[:samples]
        chosen = np.resize(chosen, samples)
        reactions = [_attributes(train, int(pairs[pair, 1])) for pair in chosen]
        borrowed.append(np.stack([_fitted(each, len(spoken)) for each in reactions]))
    return _answering(like, borrowed)


def _answered(like: Predictions, sequence: np.ndarray) -> Predictions:
    """One sequence in answer to every clip."""
    return _answering(like, [_fitted(sequence, len(real))[None] for real in like.listener])


def _answering(like: Predictions, answers: list[np.ndarray]) -> Predictions:
    return Predictions.from_arrays(
        answers, like.listener, like.speaker, like.appropriate, like.identity
    )


def _fitted(sequence: np.ndarray, frames: int) -> np.ndarray:
    """`frames` of a sequence; its last frame is held."""
    return sequence[np.minimum(np.arange(frames), len(sequence) - 1)]


def _listeners(train: PreparedSplit) -> list[np.ndarray]:
    recordings = np.unique(np.asarray(train.pairs)[:, 1]).tolist()
    return [_attributes(train, recording) for recording in recordings]


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
