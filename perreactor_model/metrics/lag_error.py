"""Reaction lag error: does a generated reaction come as long after the speaker as the real one did?

|lag(generated) - lag(real)| in seconds, where a lag is the `corrected` one of FRSyn: signed, the
peak of the cross-correlation with the speaker. FRSyn asks whether a reaction is simultaneous, which
real listeners are not; this asks whether it has a real listener's timing.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from perreactor_model.metrics.predictions import Predictions
from perreactor_model.metrics.synchrony import lags


class LagError(TypedDict):
    """What `lag_error` gives."""

    seconds: float | None
    """Mean over the reactions that have a lag beside a real one that has; 0 is perfect."""
    undefined: float
    """Share of the reactions left out, 0 to 1: they, or the real one, mirror no moving channel."""
    reason: str | None
    """Why there is no value, if there is none."""


def clip_lag_errors(
    reactions: np.ndarray,
    listener: np.ndarray,
    speaker: np.ndarray,
    channels: np.ndarray | None = None,
) -> np.ndarray:
    """Seconds for each of the reactions (M, T, 25), NaN where a lag is undefined. (M,), float64.

    `listener` and `speaker` are (T, 25); `channels` (25,) bool says which attributes are known.
    """
    real = lags(listener[None], speaker, channels=channels)[0]
    return np.abs(lags(reactions, speaker, channels=channels) - real)


def mean_lag_error(errors: np.ndarray) -> LagError:
    """The mean of any number of errors, NaN where undefined."""
    defined = np.isfinite(errors)
    if not defined.any():
        reason = "no reaction has a lag: nothing it shares with its speaker moves"
        return {"seconds": None, "undefined": 1.0, "reason": reason}
    return {
        "seconds": float(errors[defined].mean()),
        "undefined": float(1.0 - defined.mean()),
        "reason": None,
    }


def lag_error(predictions: Predictions) -> LagError:
    """The mean over all clips and samples."""
    if predictions.speaker is None:
        return {"seconds": None, "undefined": 1.0, "reason": "there is no speaker to react to"}
    clips = zip(predictions.prediction, predictions.listener, predictions.speaker, strict=True)
    return mean_lag_error(
        np.concatenate([clip_lag_errors(*clip, predictions.channels) for clip in clips])
    )
