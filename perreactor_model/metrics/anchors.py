"""Anchors: what trivial answers score on the same data, so that a figure can be read.

Each anchor is a set of predictions like any other and is judged by the same code.

ground_truth       what the listener really did
random             noise, uniform over each attribute's range; expressions sum to 1
mime               the speaker's own face
mean_sequence      mean over the listeners at hand, frame by frame
mean_frame         their mean face, held still
nearest_neighbour  what listeners of the most similar other speakers did

The means are those of the real reactions that are judged against: in the field's papers they are
of the training set, which is not at hand here. All but random and nearest_neighbour answer every
sample alike. Anchors hold attributes only, no 3DMM coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    EXPRESSION_SLICE,
    FRAME_RATE,
    attribute_ranges,
)
from perreactor_model.metrics.clips import Clips
from perreactor_model.metrics.predictions import Predictions, single

ANCHORS = (
    "ground_truth",
    "random",
    "mime",
    "mean_sequence",
    "mean_frame",
    "nearest_neighbour",
)


def possible_anchors(predictions: Predictions) -> tuple[str, ...]:
    """The anchors these predictions allow: some need the speaker, some a second clip."""
    lacking = set()
    if predictions.speaker is None:
        lacking |= {"mime", "nearest_neighbour"}
    if predictions.clips == 1:  # nobody else to take after; the mean would be the truth itself
        lacking |= {"mean_sequence", "nearest_neighbour"}
    return tuple(name for name in ANCHORS if name not in lacking)


def anchor(predictions: Predictions, name: str, seed: int = 0) -> Predictions:
    """The same data with the answers of the anchor, as many samples a clip, made when asked for."""
    answers = _MAKERS[name](predictions, seed)
    return replace(predictions, prediction=answers, prediction_3dmm=None, listener_3dmm=None)


class _Answers(Sequence[np.ndarray]):
    """Clips that are computed at each access."""

    def __init__(self, count: int, make: Callable[[int], np.ndarray]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self._make(one) for one in range(self._count)[index]]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._make(int(index) % self._count)


def _alike(predictions: Predictions, make: Callable[[int], np.ndarray]) -> Clips:
    """One answer (T, 25) a clip, for every sample."""
    samples = predictions.samples

    def copies(clip: int) -> np.ndarray:
        answer = make(clip)
        return np.broadcast_to(answer, (samples, *answer.shape))

    return _Answers(predictions.clips, copies)


def _ground_truth(predictions: Predictions, seed: int) -> Clips:
    return _alike(predictions, lambda clip: predictions.listener[clip])


def _mime(predictions: Predictions, seed: int) -> Clips:
    speaker = predictions.speaker
    assert speaker is not None
    return _alike(predictions, lambda clip: speaker[clip])


def _random(predictions: Predictions, seed: int) -> Clips:
    low, high = attribute_ranges()
    samples = predictions.samples

    def noise(clip: int) -> np.ndarray:
        # Keyed by the clip, so that the order of asking does not matter.
        draw = np.random.default_rng([seed, clip])
        shape = (samples, predictions.listener[clip].shape[0], ATTRIBUTE_COUNT)
        values = low + (high - low) * draw.random(shape, np.float32)
        expressions = values[..., EXPRESSION_SLICE]
        expressions /= np.maximum(expressions.sum(axis=-1, keepdims=True), 1e-6)
        return values

    return _Answers(predictions.clips, noise)


def _mean_sequence(predictions: Predictions, seed: int) -> Clips:
    listeners = predictions.listener
    longest = max(listener.shape[0] for listener in listeners)
    sums, counts = np.zeros((longest, ATTRIBUTE_COUNT)), np.zeros((longest, 1))
    for listener in listeners:
        sums[: len(listener)] += listener
        counts[: len(listener)] += 1
    mean = single(sums / counts)
    return _alike(predictions, lambda clip: mean[: listeners[clip].shape[0]])


def _mean_frame(predictions: Predictions, seed: int) -> Clips:
    listeners = predictions.listener
    total, frames = np.zeros(ATTRIBUTE_COUNT), 0
    for listener in listeners:
        total += listener.sum(axis=0, dtype=np.float64)
        frames += listener.shape[0]
    mean = single(total / frames)
    return _alike(
        predictions,
        lambda clip: np.broadcast_to(mean, (listeners[clip].shape[0], ATTRIBUTE_COUNT)).copy(),
    )


def _nearest_neighbour(predictions: Predictions, seed: int) -> Clips:
    listeners, samples = predictions.listener, predictions.samples
    similar = _Similarity(predictions)

    def borrowed(clip: int) -> np.ndarray:
        length = listeners[clip].shape[0]
        order = similar.others(clip)
        reactions = [
            _fitted(listeners[order[index % len(order)]], length) for index in range(samples)
        ]
        return np.stack(reactions)

    return _Answers(predictions.clips, borrowed)


def _fitted(sequence: np.ndarray, length: int) -> np.ndarray:
    """`sequence` cut to the length, or its last frame held."""
    frames = np.minimum(np.arange(length), sequence.shape[0] - 1)
    return single(sequence[frames])


class _Similarity:
    """Which speakers behave alike: by the distance between their attributes, averaged over seconds.

    Over the seconds both have, and the known attributes.
    """

    def __init__(self, predictions: Predictions) -> None:
        assert predictions.speaker is not None
        known = predictions.channels
        courses = [_seconds(speaker[:, known]) for speaker in predictions.speaker]
        longest = max(map(len, courses))
        self._courses = np.zeros((len(courses), longest, int(known.sum())))
        self._lengths = np.array([len(course) for course in courses])
        for index, course in enumerate(courses):
            self._courses[index, : len(course)] = course

    def others(self, clip: int) -> np.ndarray:
        """All other clips, the most similar first; of equals the one with the lower index."""
        length = self._lengths[clip]
        apart = (self._courses[:, :length] - self._courses[clip, :length]) ** 2
        shared = np.minimum(self._lengths, length)
        apart *= (np.arange(length) < shared[:, None])[..., None]
        order = np.argsort(apart.sum(axis=(1, 2)) / shared, kind="stable")
        return order[order != clip]


def _seconds(sequence: np.ndarray) -> np.ndarray:
    """Means over whole seconds; what is left at the end counts as one."""
    starts = np.arange(0, len(sequence), FRAME_RATE)
    sums = np.add.reduceat(sequence.astype(np.float64), starts, axis=0)
    return sums / np.diff([*starts, len(sequence)])[:, None]


_MAKERS: dict[str, Callable[[Predictions, int], Clips]] = {
    "ground_truth": _ground_truth,
    "random": _random,
    "mime": _mime,
    "mean_sequence": _mean_sequence,
    "mean_frame": _mean_frame,
    "nearest_neighbour": _nearest_neighbour,
}
