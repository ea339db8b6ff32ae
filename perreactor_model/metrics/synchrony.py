"""FRSyn: by how many frames a reaction trails, or leads, the speaker it mirrors.

Each channel of the reaction is correlated with the same channel of the speaker at every lag up to
2 s; the lag with the highest mean correlation counts. Only the frames that overlap at a lag are
used, so a lag's window is a suffix of one sequence and a prefix of the other.

Sums of products are taken directly, in one pass over the frames for several lags; the sums and
variances of the windows follow from those of the whole sequence less a few frames at one end. Where
a window holds so little of the variation that this would cost digits, it is summed again by itself.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.metrics.compiling import compiled
from perreactor_model.metrics.predictions import single

MAX_LAG = 49
"""Frames: the published code tries -49 .. 49, just under 2 s."""

_BLOCK = 8
"""Lags summed in one pass."""

_TIE = 1e-9
"""Mean correlations nearer than this are equal: what is left is rounding."""


def lags(
    reactions: np.ndarray,
    speaker: np.ndarray,
    mode: str = "corrected",
    max_lag: int = MAX_LAG,
    channels: np.ndarray | None = None,
) -> np.ndarray:
    """The lag of each of the reactions (M, T, 25) behind the speaker (T, 25). (M,), float64.

    reference  frames, as published: a reaction that trails by d frames gives -d. A channel that
               does not move in the window of some lag makes that lag undefined, and the first
               undefined lag, from -49 on, wins: 49 for a channel that stands still for long enough
               at the right end, however the others move. Else the highest mean correlation wins,
               the first of equals; correlations are rounded to float32, and so is their mean. Fewer
               than 51 frames leave a window without variation, and give 49 (`max_lag`).
    corrected  seconds, positive where the reaction trails. A channel that does not move in the
               shortest window of either sequence is left out; of equal peaks the lag nearest 0
               counts, and of -d and d the latter. At every lag at least half of the frames overlap,
               so fewer than 98 frames allow fewer lags. NaN where no channel is left. `channels`
               (25,) bool says which attributes are known.

    Sequences of unequal length are compared over the frames they share.
    """
    assert mode in ("reference", "corrected"), mode
    length = min(reactions.shape[1], speaker.shape[0])
    reference = mode == "reference"
    reach = max_lag if reference else min(max_lag, length // 2)
    known = np.ones(ATTRIBUTE_COUNT, bool) if channels is None else channels
    voice = _Signal(speaker[:length])
    results = np.empty(reactions.shape[0])
    for index in range(reactions.shape[0]):
        face = _Signal(reactions[index, :length])
        if mode == "reference":
            results[index] = _published_lag(face, voice, reach)
        else:
            results[index] = _signed_lag(face, voice, reach, known) / FRAME_RATE
    return results


class _Signal:
    """A sequence (T, 25), made ready: float32 values and float64 deviations, (25, T) each."""

    def __init__(self, sequence: np.ndarray) -> None:
        self.values = np.array(single(sequence).T, order="C")
        self.deviations = np.empty(self.values.shape)
        self.still = np.empty((2, ATTRIBUTE_COUNT), np.int64)
        _inspect(self.values, self.deviations, self.still)


def _published_lag(face: _Signal, voice: _Signal, reach: int) -> int:
    undefined = _first_undefined(face.still, voice.still, face.values.shape[1], reach)
    if undefined >= 0:
        return reach - undefined
    every = np.ones(ATTRIBUTE_COUNT, np.bool_)
    correlations = _correlations(face.deviations, voice.deviations, reach, every)
    return reach - int(np.argmax(_published_means(correlations)))


def _signed_lag(face: _Signal, voice: _Signal, reach: int, known: np.ndarray) -> float:
    shortest = face.values.shape[1] - reach
    moving = known & (face.still < shortest).all(axis=0) & (voice.still < shortest).all(axis=0)
    if not moving.any():
        return np.nan
    means = _correlations(face.deviations, voice.deviations, reach, moving)[:, moving].mean(axis=1)
    near = np.flatnonzero(means >= means.max() - _TIE) - reach
    return float(near[np.lexsort((-near, np.abs(near)))[0]])


def _published_means(correlations: np.ndarray) -> np.ndarray:
    """Means over 25 channels of (L, 25), rounded and summed in the published code's order.

    It lets torch average float32 numbers: eight partial sums of every eighth channel, then the last
    channel and the partial sums one after the other.
    """
    rounded = correlations.astype(np.float32)
    partial = (rounded[:, 0:8] + rounded[:, 8:16]) + rounded[:, 16:24]
    total = rounded[:, 24].copy()
    for lane in range(8):
        total += partial[:, lane]
    return total / np.float32(ATTRIBUTE_COUNT)


@compiled()
def _inspect(values: np.ndarray, deviations: np.ndarray, still: np.ndarray) -> None:
    """Fill in deviations from the mean, and for how many frames a channel stands still.

    `still` (2, C): from its first frame on, and up to its last.
    """
    channels, length = values.shape
    for channel in range(channels):
        row, target = values[channel], deviations[channel]
        first = np.float64(row[0])
        total = 0.0
        for index in range(length):
            target[index] = np.float64(row[index]) - first
            total += target[index]
        mean = total / length
        for index in range(length):
            target[index] -= mean
        start = 1
        while start < length and row[start] == row[0]:
            start += 1
        end = 1
        while end < length and row[length - 1 - end] == row[length - 1]:
            end += 1
        still[0, channel] = start
        still[1, channel] = end


@compiled()
def _first_undefined(face: np.ndarray, voice: np.ndarray, length: int, reach: int) -> int:
    """Index of the first lag, from -reach on, with a window that stands still; -1 for none."""
    for index in range(2 * reach + 1):
        lag = index - reach
        window = length - abs(lag)
        # A positive lag compares the end of the reaction with the start of the speaker.
        ours, theirs = (1, 0) if lag > 0 else (0, 1)
        for channel in range(face.shape[1]):
            if face[ours, channel] >= window or voice[theirs, channel] >= window:
                return index
    return -1


@compiled()
def _correlations(
    face: np.ndarray, voice: np.ndarray, reach: int, wanted: np.ndarray
) -> np.ndarray:
    """Pearson correlation at each lag -reach .. reach of each wanted channel: (2 reach + 1, C)."""
    results = np.zeros((2 * reach + 1, face.shape[0]))
    sums = np.empty((reach + 1 + _BLOCK,))
    for channel in range(face.shape[0]):
        if wanted[channel]:
            _products(face[channel], voice[channel], reach, sums)
            _normalise(face[channel], voice[channel], reach, sums, results[reach:, channel])
            _products(voice[channel], face[channel], reach, sums)
            earlier = results[reach::-1, channel]
            _normalise(voice[channel], face[channel], reach, sums, earlier)
    return results


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _products(late: np.ndarray, early: np.ndarray, reach: int, sums: np.ndarray) -> None:
    """sums[lag] = sum over t of late[t + lag] early[t], for lags 0 .. reach."""
    length = len(early)
    for start in range(0, reach + 1, _BLOCK):
        shared = max(length - start - (_BLOCK - 1), 0)
        # One slice a lag, not an index with an offset: only so the loop becomes vector code.
        late_0, late_1 = late[start:], late[start + 1 :]
        late_2, late_3 = late[start + 2 :], late[start + 3 :]
        late_4, late_5 = late[start + 4 :], late[start + 5 :]
        late_6, late_7 = late[start + 6 :], late[start + 7 :]
        sum_0 = sum_1 = sum_2 = sum_3 = sum_4 = sum_5 = sum_6 = sum_7 = 0.0
        for index in range(shared):
            value = early[index]
            sum_0 += late_0[index] * value
            sum_1 += late_1[index] * value
            sum_2 += late_2[index] * value
            sum_3 += late_3[index] * value
            sum_4 += late_4[index] * value
            sum_5 += late_5[index] * value
            sum_6 += late_6[index] * value
            sum_7 += late_7[index] * value
        block = (sum_0, sum_1, sum_2, sum_3, sum_4, sum_5, sum_6, sum_7)
        for offset in range(_BLOCK):
            total = block[offset]
            for index in range(shared, length - start - offset):
                total += late[index + start + offset] * early[index]
            sums[start + offset] = total


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _sums(values: np.ndarray) -> tuple[float, float]:
    """Sum and sum of squares."""
    total = square = 0.0
    for index in range(len(values)):
        total += values[index]
        square += values[index] * values[index]
    return total, square


@compiled()
def _normalise(
    late: np.ndarray, early: np.ndarray, reach: int, sums: np.ndarray, results: np.ndarray
) -> None:
    """Turn sums of products at lags 0 .. reach into correlations of the overlapping windows."""
    length = len(early)
    late_sum, late_square = _sums(late)
    early_sum, early_square = _sums(early)
    # Of less than a thousandth of all variation, a difference of sums keeps too few digits.
    late_floor, early_floor = 1e-3 * late_square, 1e-3 * early_square
    for lag in range(reach + 1):
        if lag > 0:
            gone, cut = late[lag - 1], early[length - lag]
            late_sum -= gone
            late_square -= gone * gone
            early_sum -= cut
            early_square -= cut * cut
        window = length - lag
        late_spread = late_square - late_sum * late_sum / window
        early_spread = early_square - early_sum * early_sum / window
        if late_spread > late_floor and early_spread > early_floor:
            shared = sums[lag] - late_sum * early_sum / window
            correlation = shared / np.sqrt(late_spread * early_spread)
        else:
            correlation = _correlation(late[lag:], early[:window])
        results[lag] = min(1.0, max(-1.0, correlation))


@compiled()
def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation in two passes."""
    first_mean, second_mean = first.mean(), second.mean()
    shared = first_spread = second_spread = 0.0
    for index in range(len(first)):
        one, other = first[index] - first_mean, second[index] - second_mean
        shared += one * other
        first_spread += one * one
        second_spread += other * other
    return shared / (np.sqrt(first_spread) * np.sqrt(second_spread))
