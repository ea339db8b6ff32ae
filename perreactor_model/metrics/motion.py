"""FRRea-motion: does the face move like a real one? A Fréchet distance that needs no pictures.

FID on rendered frames sees single frames: a face that is frozen, jitters or moves at half speed may
score well. Here the unit is a window of 2 s. Each channel of a window is described by four numbers:

    mean                   where the face is
    standard deviation     how far it moves
    mean |velocity|        how fast
    mean |acceleration|    how smoothly; tracker-like jitter shows here first

The windows of the real reactions and those of the generated ones are each fitted with a normal
distribution; the result is the Fréchet distance of the two, divided by the number of features. It
is measured in spreads of the real windows: 1 is as if each feature were off by one standard
deviation. It depends on neither time nor pairing, so it judges realism, not appropriateness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    FACE_EXPRESSION_SLICE,
    FRAME_RATE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.metrics.clips import Clips
from perreactor_model.metrics.diversity import is_copies
from perreactor_model.metrics.frechet import Gaussian, frechet_distance
from perreactor_model.metrics.predictions import Predictions, single

WINDOW = 2 * FRAME_RATE
"""Frames: long enough for a smile or a nod, short enough for many windows a clip."""

KINDS = 4
"""Numbers that describe a channel of a window."""

SPREAD_FLOOR = 0.1
"""A feature's spread counts as at least this much of what is usual in its group, so that a channel
which hardly ever moves in the real reactions does not outweigh all others."""

_BLOCK = 4096
"""Windows multiplied at a time."""


class MotionDistance(TypedDict):
    """What `motion_distance` gives."""

    distance: float | None
    """0 for equal sets; lower is better, no upper bound."""
    attributes_distance: float | None
    """The same without the coefficients, to compare with reactions that have none."""
    real_windows: int
    generated_windows: int
    features: int
    """Dimensions compared, coefficients included where both sides have them."""
    reason: str | None
    """Why there is no value, if there is none."""


def motion_distance(predictions: Predictions) -> MotionDistance:
    """FRRea-motion of all reactions against all real ones, over the known attributes.

    The 3DMM coefficients take part where `predictions` has them of both. Clips of less than a
    window take no part.
    """
    real, generated = _sources(predictions)
    groups = _groups(predictions.channels, len(real) > 1)
    known = np.concatenate(groups)
    rows = [_features(clips)[:, known] for clips in zip(*real, strict=True)]
    standard = np.concatenate(rows) if rows else np.empty((0, len(known)))
    if len(standard) < 2:
        return _undefined(len(standard), 0, f"fewer than 2 real windows of {WINDOW} frames")
    scale = _scale(standard, groups)
    told = scale > 0
    if not told.any():
        return _undefined(len(standard), 0, "the real reactions are the same in every window")
    mean = standard[:, told].mean(axis=0)
    fitted_real = _fit([((standard[:, told] - mean) / scale[told], 1)])
    standardise = _Standard(known[told], mean, scale[told])
    fitted = _fit(standardise(clips) for clips in zip(*generated, strict=True))
    if fitted.windows < 2:
        reason = f"fewer than 2 generated windows of {WINDOW} frames"
        return _undefined(len(standard), fitted.windows, reason)
    attributes = int(told[known < ATTRIBUTE_COUNT * KINDS].sum())
    return {
        "distance": _distance(fitted_real, fitted, int(told.sum())),
        "attributes_distance": _distance(fitted_real, fitted, attributes),
        "real_windows": fitted_real.windows,
        "generated_windows": fitted.windows,
        "features": int(told.sum()),
        "reason": None,
    }


def window_features(sequences: np.ndarray) -> np.ndarray:
    """Sequences (M, T, C) to (M, T // 50, C, 4): the four numbers of each window and channel."""
    count, length, channels = sequences.shape
    windows = length // WINDOW
    features = np.empty((count, windows, channels, KINDS))
    for index in range(count):
        values = single(sequences[index, : windows * WINDOW]).astype(np.float64)
        values = values.reshape(windows, WINDOW, channels)
        velocity = values[:, 1:] - values[:, :-1]
        acceleration = velocity[:, 1:] - velocity[:, :-1]
        mean, spread = mean_and_spread(values)
        speed = mean_over_frames(np.abs(velocity, out=velocity))
        change = mean_over_frames(np.abs(acceleration, out=acceleration))
        features[index] = np.stack((mean, spread, speed, change), axis=-1)
    return features


def mean_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the frames of (S, T, C), (S, C) each.

    What never moves has a spread of exactly 0 and a mean of exactly its value: rounding must not
    make a channel that differs nowhere look like one that differs a little.
    """
    moved = values - values[:, :1]
    mean = mean_over_frames(moved)
    moved -= mean[:, None]
    moved *= moved
    return values[:, 0] + mean, np.sqrt(mean_over_frames(moved))


def mean_over_frames(values: np.ndarray) -> np.ndarray:
    """(S, T, C) to (S, C); a product is much faster here than a sum over the middle axis."""
    frames = values.shape[1]
    return np.matmul(np.full((1, frames), 1.0 / frames), values)[:, 0]


def _sources(predictions: Predictions) -> tuple[list[Clips], list[Clips]]:
    real, generated = [predictions.listener], [predictions.prediction]
    if predictions.prediction_3dmm is not None and predictions.listener_3dmm is not None:
        real.append(predictions.listener_3dmm)
        generated.append(predictions.prediction_3dmm)
    return real, generated


def _features(clips: tuple[np.ndarray, ...]) -> np.ndarray:
    """One clip's attributes and, it may be, coefficients, as windows (S, channels * 4)."""
    sequences = [clip if clip.ndim == 3 else clip[None] for clip in clips]
    windows = min(sequence.shape[1] for sequence in sequences) // WINDOW
    features = [window_features(sequence)[:, :windows] for sequence in sequences]
    joined = np.concatenate(features, axis=2)
    return joined.reshape(-1, joined.shape[2] * KINDS)


def _groups(channels: np.ndarray, coefficients: bool) -> list[np.ndarray]:
    """Indices of the features whose spreads are alike: one kind, one sort of channel."""
    sorts = [
        np.arange(ATTRIBUTE_COUNT)[part][channels[part]]
        for part in (ACTION_UNIT_SLICE, AFFECT_SLICE, EXPRESSION_SLICE)
    ]
    if coefficients:
        sorts += [
            ATTRIBUTE_COUNT + np.arange(COEFFICIENT_COUNT)[part]
            for part in (FACE_EXPRESSION_SLICE, ROTATION_SLICE, TRANSLATION_SLICE)
        ]
    return [sort * KINDS + kind for sort in sorts if len(sort) for kind in range(KINDS)]


def _scale(standard: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """The unit of each feature; 0 where nothing in its group differs between the real windows."""
    start = 0
    parts = []
    for group in groups:
        values = standard[:, start : start + len(group)]
        spread = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 0.0)
        usual = np.sqrt(np.mean(spread**2))
        parts.append(np.maximum(spread, SPREAD_FLOOR * usual))
        start += len(group)
    return np.concatenate(parts)


class _Standard:
    """Windows of a clip in units of the real windows' spread, about their mean."""

    def __init__(self, features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> None:
        self._features, self._mean, self._scale = features, mean, scale

    def __call__(self, clips: tuple[np.ndarray, ...]) -> tuple[np.ndarray, int]:
        """(S, D), and how many times over they count."""
        copies = 1
        if all(is_copies(clip) for clip in clips):
            copies = clips[0].shape[0]
            clips = tuple(clip[:1] for clip in clips)
        return (_features(clips)[:, self._features] - self._mean) / self._scale, copies


@dataclass(frozen=True)
class _Fit:
    """Mean (D,) and covariance (D, D) of so many windows, divided by their number."""

    windows: int
    mean: np.ndarray
    covariance: np.ndarray


def _fit(parts: Iterable[tuple[np.ndarray, int]]) -> _Fit:
    """In one pass over windows (S, D), each with how many times over they count."""
    count = 0
    total: np.ndarray | float = 0.0
    products: np.ndarray | float = 0.0
    for windows, weights in _blocks(parts):
        count += int(weights.sum())
        total = total + weights @ windows
        products = products + windows.T @ (weights[:, None] * windows)
    mean = np.asarray(total) / max(count, 1)
    return _Fit(count, mean, np.asarray(products) / max(count, 1) - np.outer(mean, mean))


def _blocks(parts: Iterable[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows with their weights (S,), many at a time: a small product costs as much as a large."""
    held: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for windows, copies in parts:
        held.append(windows)
        weights.append(np.full(len(windows), copies))
        if sum(map(len, held)) >= _BLOCK:
            yield np.concatenate(held), np.concatenate(weights)
            held, weights = [], []
    if held:
        yield np.concatenate(held), np.concatenate(weights)


def _distance(real: _Fit, generated: _Fit, features: int) -> float | None:
    """Over the first `features`, a feature; None where there are none."""
    if not features:
        return None
    # With few windows the correlations of so many features cannot be told: they count less. The
    # weight is the same on both sides, so equal sets stay at distance 0.
    weight = features / (features + min(real.windows, generated.windows))
    shrunk = []
    for fit in (real, generated):
        covariance = (1 - weight) * fit.covariance[:features, :features]
        covariance += weight * np.diag(np.diagonal(fit.covariance)[:features])
        shrunk.append(Gaussian.from_covariance(fit.mean[:features], covariance))
    return frechet_distance(*shrunk) / features


def _undefined(real: int, generated: int, reason: str) -> MotionDistance:
    return {
        "distance": None,
        "attributes_distance": None,
        "real_windows": real,
        "generated_windows": generated,
        "features": 0,
        "reason": reason,
    }
