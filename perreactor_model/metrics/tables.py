"""From what the clips scored to the figures of a mode.

A figure that is undefined is None, and its reason stands under "undefined".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perreactor_model.metrics.judging import ClipScores
from perreactor_model.metrics.motion import MotionDistance

_FEW = {
    "FRDiv": "one reaction a clip differs from nothing: M must be 2 or more",
    "FRVar": "a clip of one frame does not vary: T must be 2 or more",
    "FRDvs": "one clip differs from nothing: N must be 2 or more",
    "FRCorr": "no known attribute of any clip's own listener moves",
    "FRSyn": "no attribute moves in both a reaction and its speaker",
}


class Table:
    """Figures by name, with the reasons of those that are undefined."""

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}

    def put(self, name: str, value: float | None, reason: str | None = None) -> None:
        """Enter a figure; None, NaN and infinity are undefined, for the reason given."""
        if value is None or not math.isfinite(value):
            self._figures[name] = None
            self._reasons[name] = reason or _FEW[name]
        else:
            self._figures[name] = value if isinstance(value, int) else float(value)

    def put_details(self, name: str, details: dict[str, Any]) -> None:
        """Enter what a further metric gives, with its own reason if it has one."""
        kept = {key: value for key, value in details.items() if key != "reason"}
        self._figures[name] = kept
        if details.get("reason"):
            self._reasons[name] = details["reason"]

    def to_dict(self, **more: Any) -> dict[str, Any]:
        """The figures, and "undefined" where there is something to say."""
        return self._figures | more | ({"undefined": self._reasons} if self._reasons else {})


def reference_table(
    metrics: Sequence[str], clips: Sequence[ClipScores], whole: dict[str, Any]
) -> dict[str, Any]:
    """The published figures.

    FRCorr and FRDist are sums over the samples of a clip, not means, so ten perfect samples would
    score 10. FRDiv of a single sample is 0. FRDiv and FRDvs are those of exact arithmetic: the
    published code's float32 differs by up to a few 1e-6 of the value, and by much more where
    more than 25 vectors differ by next to nothing (below 1e-5). FRSyn is the mean of absolute lags
    in frames, and FRSyn_first_sample_only that of each clip's first sample, which is all that the
    published parallel code looks at: papers print that one. Both have float32's digits.
    """
    table = Table()
    for name in metrics:
        if name == "FRCorr":
            table.put(name, _mean_of_sums([_held(c.concordance)["reference"] for c in clips]))
        elif name == "FRDist":
            table.put(name, _mean_of_sums([_held(clip.distance) for clip in clips]))
        elif name == "FRDiv":
            each = [_held(clip.diversity) for clip in clips]
            table.put(name, 0.0 if math.isnan(each[0]) else float(np.mean(each)))
        elif name == "FRSyn":
            frames = np.stack([np.abs(_held(clip.lags)["reference"]) for clip in clips])
            table.put(name, _single_mean(frames))
            table.put("FRSyn_first_sample_only", _single_mean(frames[:, 0]))
        else:
            _put_common(table, name, clips, whole)
    personal = Table()
    if "FRCorr" in metrics and clips[0].personal_concordance is not None:
        sums = [_held(clip.personal_concordance)["reference"] for clip in clips]
        personal.put("FRCorr", _mean_of_sums(sums))
    if "FRDist" in metrics and clips[0].personal_distance is not None:
        personal.put("FRDist", _mean_of_sums([_held(clip.personal_distance) for clip in clips]))
    return table.to_dict(**_personal(personal))


def corrected_table(
    metrics: Sequence[str], clips: Sequence[ClipScores], whole: dict[str, Any]
) -> dict[str, Any]:
    """The figures as the metrics are meant: means over samples, signed lags in seconds.

    What is undefined for a clip or a sample is left out, and its share is told.
    """
    table = Table()
    for name in metrics:
        if name == "FRCorr":
            _put_concordance(table, [_held(c.concordance)["corrected"] for c in clips])
        elif name == "FRDist":
            table.put(name, float(np.mean([_held(clip.distance).mean() for clip in clips])))
        elif name == "FRDiv":
            table.put(name, float(np.mean([_held(clip.diversity) for clip in clips])))
        elif name == "FRSyn":
            _put_lags(table, np.concatenate([_held(c.lags)["corrected"] for c in clips]))
        elif name == "lag_error":
            _put_lag_error(table, np.concatenate([_held(c.lag_errors) for c in clips]))
        elif name in ("personalisation", "calibration", "seams"):
            if name in whole:
                table.put_details(name, whole[name])
        else:
            _put_common(table, name, clips, whole)
    personal = Table()
    if "FRCorr" in metrics and clips[0].personal_concordance is not None:
        best = [_held(clip.personal_concordance)["corrected"] for clip in clips]
        _put_concordance(personal, best)
    if "FRDist" in metrics and clips[0].personal_distance is not None:
        nearest = [_held(clip.personal_distance).mean() for clip in clips]
        personal.put("FRDist", float(np.mean(nearest)))
    return table.to_dict(**_personal(personal))


def _put_common(
    table: Table, name: str, clips: Sequence[ClipScores], whole: dict[str, Any]
) -> None:
    """Figures that both modes have alike."""
    if name == "FRVar":
        table.put(name, float(np.mean(np.concatenate([_held(clip.variance) for clip in clips]))))
    elif name == "FRDvs":
        table.put(name, whole[name])
    elif name == "FRRea-motion":
        _put_motion(table, whole[name])


def _put_motion(table: Table, told: MotionDistance) -> None:
    """Beside the distance: over how many windows, and, to compare, without the coefficients."""
    table.put("FRRea-motion", told["distance"], told["reason"])
    if told["distance"] is not None and told["attributes_distance"] != told["distance"]:
        reason = "no known attribute differs between the real windows"
        table.put("FRRea-motion_attributes", told["attributes_distance"], reason)
    table.put("FRRea-motion_windows", min(told["real_windows"], told["generated_windows"]))


def _put_concordance(table: Table, best: Sequence[np.ndarray]) -> None:
    """`best`: (M,) a clip, NaN where no neighbour of a sample is defined."""
    means = np.array([one[~np.isnan(one)].mean() if (one == one).any() else np.nan for one in best])
    defined = ~np.isnan(means)
    table.put("FRCorr", float(means[defined].mean()) if defined.any() else None)
    table.put("FRCorr_undefined", float(1.0 - defined.mean()))


def _put_lags(table: Table, seconds: np.ndarray) -> None:
    defined = seconds[~np.isnan(seconds)]
    some = len(defined) > 0
    table.put("FRSyn", float(defined.mean()) if some else None)
    reason = _FEW["FRSyn"]
    table.put("FRSyn_absolute", float(np.abs(defined).mean()) if some else None, reason)
    table.put("FRSyn_undefined", 1.0 - len(defined) / len(seconds))


def _put_lag_error(table: Table, errors: np.ndarray) -> None:
    from perreactor_model.metrics.lag_error import mean_lag_error

    told = mean_lag_error(errors)
    table.put("lag_error", told["seconds"], told["reason"])
    table.put("lag_error_undefined", told["undefined"])


def _personal(table: Table) -> dict[str, Any]:
    figures = table.to_dict()
    return {"PMAFRG": figures} if figures else {}


def _mean_of_sums(samples: Sequence[np.ndarray]) -> float:
    return float(np.mean([one.sum() for one in samples]))


def _single_mean(frames: np.ndarray) -> float:
    """A mean of whole numbers as torch gives it: rounded once, to float32."""
    return float(np.float32(frames.sum()) / np.float32(frames.size))


def _held(value: Any) -> Any:
    """What a question has had computed."""
    assert value is not None
    return value
