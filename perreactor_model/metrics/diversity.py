"""FRDiv, FRDvs and FRVar: how reactions differ within a clip, between clips, and over time.

None of the three looks at real reactions: noise scores high (uniform noise in [0, 1]: FRDiv and
FRDvs 1/6, FRVar 1/12), so they mean something only beside FRCorr and FRDist.

All pairs are never formed. Over M vectors, the squared distances of all ordered pairs sum to
2 M times the squared deviations from their mean.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.metrics.clips import Clips


def is_copies(reactions: np.ndarray) -> bool:
    """One reaction M times over, as `numpy.broadcast_to` gives it: one need only be computed."""
    return reactions.shape[0] > 1 and reactions.strides[0] == 0


def sample_diversity(reactions: np.ndarray) -> float:
    """FRDiv of one clip: mean squared difference between its reactions (M, T, C).

    NaN for a single reaction, which differs from nothing.
    """
    count = reactions.shape[0]
    if count == 1:
        return float("nan")
    if is_copies(reactions):
        return 0.0
    values = reactions.astype(np.float64)
    values -= values.mean(axis=0)
    values *= values
    return float(2.0 * values.sum() / ((count - 1) * values[0].size))


def motion_variance(reactions: np.ndarray) -> np.ndarray:
    """FRVar of each of the reactions (M, T, C): variance over time (T - 1), mean over channels.

    (M,), float64; NaN for a single frame.
    """
    if reactions.shape[1] == 1:
        return np.full(reactions.shape[0], np.nan)
    if is_copies(reactions):
        return np.repeat(motion_variance(reactions[:1]), reactions.shape[0])
    return reactions.astype(np.float64).var(axis=1, ddof=1).mean(axis=1)


def clip_diversity(predictions: Clips, channels: np.ndarray) -> float:
    """FRDvs: mean squared difference between reactions to different clips, sample by sample.

    Clips of unequal length are compared over the frames they share. In linear time: from the
    longest clip to the shortest, each is compared with the sums over those before it. NaN for a
    single clip, which differs from nothing.
    """
    count = len(predictions)
    if count == 1:
        return float("nan")
    lengths = np.array([clip.shape[1] for clip in predictions])
    copies = all(is_copies(predictions[index]) for index in range(count))
    samples = 1 if copies else predictions[0].shape[0]
    shape = (samples, int(lengths.max()), int(channels.sum()))
    centre = _centre(predictions, lengths, channels, shape)
    sums, squares = np.zeros(shape), np.zeros(shape[1])
    total = 0.0
    for before, index in enumerate(np.argsort(-lengths, kind="stable")):
        length = int(lengths[index])
        values = predictions[index][:samples][..., channels].astype(np.float64)
        values -= centre[:, :length]
        own = (values * values).sum(axis=(0, 2))
        if before:
            # |a - b|^2 over all earlier a; nothing cancels much, as the common mean is gone.
            apart = squares[:length].sum() + before * own.sum()
            apart -= 2.0 * (values * sums[:, :length]).sum()
            total += max(apart, 0.0) / values.size
        sums[:, :length] += values
        squares[:length] += own
    return 2.0 * total / (count * (count - 1))


def _centre(
    predictions: Clips, lengths: np.ndarray, channels: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Mean over the clips that reach a frame, of each sample, frame and channel."""
    sums, counts = np.zeros(shape), np.zeros((shape[1], 1))
    for index, length in enumerate(lengths):
        sums[:, :length] += predictions[index][: shape[0]][..., channels]
        counts[:length] += 1
    return sums / counts
