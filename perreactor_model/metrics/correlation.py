"""FRCorr: how well a reaction follows one of the fitting real reactions, value by value.

The concordance correlation of a channel is 2 cov(x, y) / (var x + var y + (mean x - mean y)^2),
averaged over the channels; a reaction counts with its best neighbour. Means, variances and
deviations are computed once a sequence, so a pair costs 25 products of two vectors.

Two modes:

reference  the published numbers. A channel that is constant on either side scores 0, even where
           both sides are equal, so real reactions do not reach 1 against themselves; 1e-8 in the
           denominator pulls channels of tiny variance to 0; means and variances carry the rounding
           of the input's precision (float32 or float64), covariances are float64.
corrected  float64 throughout, no epsilon. A channel that does not move in the real reaction has
           nothing to concord with and is left out; one that is frozen in the prediction alone
           scores its true 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.metrics.compiling import compiled
from perreactor_model.metrics.predictions import single

if TYPE_CHECKING:
    from perreactor_model.metrics.clips import Clips

MODES = ("reference", "corrected")

PUBLISHED_EPSILON = 1e-8
"""What the published code adds to the denominator."""

_MEAN, _VARIANCE, _SCALE, _ROUNDED_MEAN, _ROUNDED_VARIANCE, _ROUNDED_DEVIATION = range(6)
"""Moments of a channel. The scale is 1 / standard deviation, or 0 where nothing moves; rounded ones
are those of the reference mode."""


class ConcordanceIndex:
    """Concordance correlation with a fixed set of listeners, each prepared when first needed.

    `listeners` are N arrays (T, 25); `channels` (25,) bool says which attributes are known.
    Sequences of unequal length are compared over the frames they share.
    """

    def __init__(self, listeners: Clips, channels: np.ndarray | None = None) -> None:
        self._listeners = listeners
        self._channels = np.ones(ATTRIBUTE_COUNT, bool) if channels is None else channels
        self._lengths = np.array([listener.shape[0] for listener in listeners])
        self._ready = np.zeros(len(listeners), bool)
        # Untouched pages of an empty array cost nothing: only neighbours in use take memory.
        self._prepared = _room(len(listeners), int(self._lengths.max()))

    def scores(self, samples: np.ndarray, rows: np.ndarray, mode: str = "corrected") -> np.ndarray:
        """Mean concordance of samples (M, T, 25) with the listeners `rows` (K,). (M, K), float64.

        NaN, in `corrected` only: no known channel of that listener moves.
        """
        return self.scores_by_mode(samples, rows, (mode,))[0]

    def scores_by_mode(
        self, samples: np.ndarray, rows: np.ndarray, modes: Sequence[str] = MODES
    ) -> np.ndarray:
        """The same for several modes at the price of one: (modes, M, K)."""
        wanted = np.array([mode in modes for mode in MODES])
        results = np.empty((len(MODES), samples.shape[0], len(rows)))
        shared = np.minimum(self._lengths[rows], samples.shape[1])
        for length in np.unique(shared):
            columns = np.flatnonzero(shared == length)
            cut = samples[:, :length]
            results[:, :, columns] = self._compare(cut, rows[columns], int(length), wanted)
        return results[[MODES.index(mode) for mode in modes]]

    def _compare(
        self, samples: np.ndarray, rows: np.ndarray, length: int, wanted: np.ndarray
    ) -> np.ndarray:
        own = _room(samples.shape[0], length)
        for index, sample in enumerate(samples):
            _prepare(sample, own, index)
        whole = self._lengths[rows] == length
        for row in rows[whole]:
            if not self._ready[row]:
                _prepare(self._listeners[row], self._prepared, row)
                self._ready[row] = True
        results = np.empty((len(MODES), samples.shape[0], len(rows)))
        results[:, :, whole] = _concordance(
            *own, *self._prepared, rows[whole], self._channels, wanted
        )
        if not whole.all():
            cut = rows[~whole]
            theirs = _room(len(cut), length)
            for index, row in enumerate(cut):
                _prepare(self._listeners[row][:length], theirs, index)
            every = np.arange(len(cut))
            results[:, :, ~whole] = _concordance(*own, *theirs, every, self._channels, wanted)
        return results


def _room(count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Deviations and moments of `count` sequences, to be filled."""
    return np.empty((count, ATTRIBUTE_COUNT, length)), np.empty((count, ATTRIBUTE_COUNT, 6))


def _prepare(sequence: np.ndarray, room: tuple[np.ndarray, np.ndarray], index: int) -> None:
    """Fill row `index` of the room with what a sequence (T, 25) contributes to a pair."""
    deviations, moments = room[0][index], room[1][index]
    channels = np.array(_native(sequence).T, order="C")
    _centre(channels, deviations, moments)
    if sequence.dtype == np.float64:
        moments[:, _ROUNDED_MEAN] = moments[:, _MEAN]
        moments[:, _ROUNDED_VARIANCE] = moments[:, _VARIANCE]
        moments[:, _ROUNDED_DEVIATION] = np.sqrt(moments[:, _VARIANCE])
    else:
        _round_moments(channels, moments)


def _native(sequence: np.ndarray) -> np.ndarray:
    """float64 as it is, anything else as float32."""
    return sequence if sequence.dtype == np.float64 else single(sequence)


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _dots(
    other: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, e: np.ndarray
) -> tuple[float, float, float, float, float]:
    """Products of one vector with five, which stay in the fastest cache from one to the next.

    All five are summed in the same order: a sequence's product with itself is its variance to the
    last bit, whichever of the five it is, so its concordance with itself is exactly 1.
    """
    sum_a = sum_b = sum_c = sum_d = sum_e = 0.0
    for index in range(len(other)):
        value = other[index]
        sum_a += value * a[index]
        sum_b += value * b[index]
        sum_c += value * c[index]
        sum_d += value * d[index]
        sum_e += value * e[index]
    return sum_a, sum_b, sum_c, sum_d, sum_e


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _centre(channels: np.ndarray, deviations: np.ndarray, moments: np.ndarray) -> None:
    """Deviations from the mean, into the first T columns, and exact moments of channels (C, T)."""
    count, length = channels.shape
    for channel in range(count):
        row, target = channels[channel], deviations[channel, :length]
        # Differences from the first value are exactly 0 in a channel that does not move.
        first = np.float64(row[0])
        total = 0.0
        for index in range(length):
            total += row[index] - first
        mean = total / length
        for index in range(length):
            target[index] = row[index] - first - mean
        variance = _dots(target, target, target, target, target, target)[0] / length
        moves = False
        for index in range(length):
            if row[index] != row[0]:
                moves = variance > 0.0
                break
        moments[channel, _MEAN] = first + mean
        moments[channel, _VARIANCE] = variance
        moments[channel, _SCALE] = 1.0 / np.sqrt(variance) if moves else 0.0


@compiled()
def _round_moments(channels: np.ndarray, moments: np.ndarray) -> None:
    """Mean, variance and deviation of float32 channels (C, T) as numpy's float32 gives them.

    The published code takes them so. Where the spread is small beside the mean, the rounding is
    part of its result. Overwrites `channels`.
    """
    count, length = channels.shape
    frames = np.float32(length)
    for channel in range(count):
        row = channels[channel]
        mean = _numpy_sum(row) / frames
        for index in range(length):
            deviation = row[index] - mean
            row[index] = deviation * deviation
        variance = _numpy_sum(row) / frames
        moments[channel, _ROUNDED_MEAN] = mean
        moments[channel, _ROUNDED_VARIANCE] = variance
        moments[channel, _ROUNDED_DEVIATION] = np.sqrt(variance)


@compiled()
def _numpy_sum(values: np.ndarray) -> np.float32:
    """The sum of float32 values in numpy's order: halves, of 128 values and less eight lanes."""
    length = len(values)
    if length < 8:
        total = np.float32(0.0)
        for index in range(length):
            total += values[index]
        return total
    if length <= 128:
        a, b, c, d = values[0], values[1], values[2], values[3]
        e, f, g, h = values[4], values[5], values[6], values[7]
        whole = length - length % 8
        for index in range(8, whole, 8):
            a += values[index]
            b += values[index + 1]
            c += values[index + 2]
            d += values[index + 3]
            e += values[index + 4]
            f += values[index + 5]
            g += values[index + 6]
            h += values[index + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        for index in range(whole, length):
            total += values[index]
        return total
    half = length // 2
    half -= half % 8
    return _numpy_sum(values[:half]) + _numpy_sum(values[half:])


@compiled()
def _corrected(covariance: float, real: np.ndarray, ours: np.ndarray) -> float:
    apart = real[_MEAN] - ours[_MEAN]
    return 2.0 * covariance / (real[_VARIANCE] + ours[_VARIANCE] + apart * apart)


@compiled()
def _published(covariance: float, real: np.ndarray, ours: np.ndarray) -> float:
    correlation = min(1.0, max(-1.0, covariance * real[_SCALE] * ours[_SCALE]))
    top = 2.0 * correlation * real[_ROUNDED_DEVIATION] * ours[_ROUNDED_DEVIATION]
    apart = real[_ROUNDED_MEAN] - ours[_ROUNDED_MEAN]
    bottom = real[_ROUNDED_VARIANCE] + ours[_ROUNDED_VARIANCE] + apart * apart
    return top / (bottom + PUBLISHED_EPSILON)


@compiled()
def _concordance(
    own: np.ndarray,
    own_moments: np.ndarray,
    theirs: np.ndarray,
    their_moments: np.ndarray,
    rows: np.ndarray,
    known: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """(2, M, K): reference and corrected, where wanted."""
    samples, channels, length = own.shape
    results = np.zeros((2, samples, len(rows)))
    moving = np.zeros(len(rows))
    last = samples - 1
    for channel in range(channels):
        if not known[channel]:
            continue
        for start in range(0, samples, 5):
            a, b = own[start, channel], own[min(start + 1, last), channel]
            c, d = own[min(start + 2, last), channel], own[min(start + 3, last), channel]
            e = own[min(start + 4, last), channel]
            for column in range(len(rows)):
                row = rows[column]
                real = their_moments[row, channel]
                if real[_SCALE] == 0.0:
                    continue
                if start == 0:
                    moving[column] += 1.0
                products = _dots(theirs[row, channel, :length], a, b, c, d, e)
                for offset in range(min(5, samples - start)):
                    sample = start + offset
                    ours = own_moments[sample, channel]
                    if ours[_SCALE] == 0.0:
                        continue
                    covariance = products[offset] / length
                    if wanted[1]:
                        results[1, sample, column] += _corrected(covariance, real, ours)
                    if wanted[0]:
                        results[0, sample, column] += _published(covariance, real, ours)
    results[0] /= known.sum()
    for column in range(len(rows)):
        for sample in range(samples):
            results[1, sample, column] = (
                results[1, sample, column] / moving[column] if moving[column] > 0.0 else np.nan
            )
    return results
