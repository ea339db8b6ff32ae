"""By how long smiles of a reaction follow smiles of the speaker, beside how the listener did it.

FRSyn looks at each reaction by itself and at all channels. Here all reactions of a listener are
pooled and only smiles are looked at: a slower but far steadier clock, good enough to tell who
answers after 0.5 s from who answers after 1 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS, FRAME_RATE
from perreactor_model.evaluation.ranks import spearman
from perreactor_model.metrics.predictions import Predictions

EARLIEST, LATEST = -FRAME_RATE, 3 * FRAME_RATE
"""Frames: the lags that are tried."""

_SMILE = ACTION_UNITS.index("AU12")


class TimingError(ValueError):
    """Smiles that cannot be compared. The message says why."""


@dataclass(frozen=True)
class SmileLag:
    """Seconds by which smiles come later than the speaker's, and the correlation at that lag.

    None where nobody smiles.
    """

    seconds: float | None
    correlation: float | None


@dataclass(frozen=True)
class Timing:
    """Smiles of generated reactions against those of real ones.

    `error`: mean over listeners of the difference between their lag and that of the reactions made
    for them, seconds. `follows`: rank correlation between the two over listeners, and
    `follows_persona` with the lag that was set, where listeners are simulated.
    """

    made: SmileLag
    real: SmileLag
    error: float | None
    follows: float | None
    follows_persona: float | None
    real_follows_persona: float | None
    listeners: int


def smile_lag(reactions: Sequence[np.ndarray], speakers: Sequence[np.ndarray]) -> SmileLag:
    """The lag of all reactions together, each (M, T, 25), behind their speakers (T, 25)."""
    lags = np.arange(EARLIEST, LATEST + 1)
    products = np.zeros(len(lags))
    ours, theirs = np.zeros(len(lags)), np.zeros(len(lags))
    for samples, speaker in zip(reactions, speakers, strict=True):
        frames = min(samples.shape[-2], len(speaker))
        spoken = _deviation(speaker[:frames, _SMILE])
        faces = _deviation(samples[:, :frames, _SMILE])
        for index, lag in enumerate(lags.tolist()):
            if abs(lag) >= frames:
                continue
            late = faces[:, max(lag, 0) : frames + min(lag, 0)]
            early = spoken[max(-lag, 0) : frames - max(lag, 0)]
            products[index] += float((late @ early).sum())
            ours[index] += float((late**2).sum())
            theirs[index] += len(faces) * float((early**2).sum())
    scale = np.sqrt(ours * theirs)
    if not (scale > 1e-12).all():
        return SmileLag(None, None)
    correlation = products / scale
    best = int(np.argmax(correlation))
    return SmileLag(float(lags[best] / FRAME_RATE), float(correlation[best]))


def timing(predictions: Predictions, personas: Mapping[int, float] | None = None) -> Timing:
    """Lags over all clips, and listener by listener. `personas`: identity -> true lag in seconds.

    Raises TimingError without speakers.
    """
    if predictions.speaker is None:
        raise TimingError("smiles are timed against the speakers': array speaker is missing")
    count = predictions.clips
    speakers = [np.asarray(predictions.speaker[clip]) for clip in range(count)]
    real = [np.asarray(predictions.listener[clip])[None] for clip in range(count)]
    made = [np.asarray(predictions.prediction[clip]) for clip in range(count)]
    who = predictions.identity
    pairs: dict[int, tuple[float, float]] = {}
    for person in () if who is None else np.unique(who).tolist():
        clips = np.flatnonzero(who == person).tolist()
        ours = smile_lag([made[c] for c in clips], [speakers[c] for c in clips]).seconds
        theirs = smile_lag([real[c] for c in clips], [speakers[c] for c in clips]).seconds
        if ours is not None and theirs is not None:
            pairs[person] = (ours, theirs)
    known = [person for person in pairs if personas is not None and person in personas]
    true = [personas[person] for person in known] if personas is not None else []
    return Timing(
        made=smile_lag(made, speakers),
        real=smile_lag(real, speakers),
        error=float(np.mean([abs(a - b) for a, b in pairs.values()])) if pairs else None,
        follows=spearman(*zip(*pairs.values(), strict=True)) if len(pairs) > 2 else None,
        follows_persona=spearman([pairs[p][0] for p in known], true) if len(known) > 2 else None,
        real_follows_persona=(
            spearman([pairs[p][1] for p in known], true) if len(known) > 2 else None
        ),
        listeners=len(pairs),
    )


def _deviation(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.float64)
    return np.asarray(wide - wide.mean(axis=-1, keepdims=True))
