"""Everything that a report shows, as numbers: the object in `report.json`, and all the page reads.

Keys are stable; what is undefined is null; times are seconds on the report's axis, which begins
with the recording.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import perreactor_model
from perreactor_model.contract import ATTRIBUTES, FRAME_NS
from perreactor_model.report.analysis import Analysis
from perreactor_model.report.contents import (
    Judged,
    LiveTrack,
    ReactionTrack,
    RealTrack,
    ReportContents,
    SpeakerTrack,
)
from perreactor_model.report.lag_windows import LONGEST_LAG_S, WINDOW, LagWindows
from perreactor_model.report.timeline import SECOND_NS, Timeline, steps

LAG_BIN_S = 0.2
LATENCY_PERCENTILES = {"median_ms": 50, "p90_ms": 90, "p99_ms": 99, "largest_ms": 100}
MOST_GAPS = 20
"""So many gaps of a robot are listed, the longest ones."""


def report_numbers(contents: ReportContents, analysis: Analysis) -> dict[str, Any]:
    """One JSON object without NaN, equal for equal contents."""
    duration_s = (contents.end_ns - contents.begin_ns) / SECOND_NS
    excerpt = analysis.excerpt
    return plain(
        {
            "title": contents.title,
            "command": contents.command,
            "perreactor_version": perreactor_model.__version__,
            "bundle": {
                "name": contents.bundle.name,
                "model_id": contents.bundle.model_id,
                "trained": contents.bundle.trained,
                "visual_input": contents.bundle.visual_input,
                "au_semantics": contents.bundle.au_semantics,
            },
            "provenance": dict(contents.provenance),
            "duration_s": duration_s,
            "axis": {"seconds": analysis.timeline.length_s, "cut_s": analysis.timeline.jumps_s},
            "compute_s": contents.compute_s,
            "times_real_time": _ratio(duration_s, contents.compute_s),
            "excerpt": {"begin_s": excerpt.begin_s, "end_s": excerpt.end_s, "why": excerpt.why},
            "speaker": _speaker(contents.speaker),
            "real": _real(contents.real),
            "robots": [_robot(track, contents, analysis) for track in analysis.shown],
            "scores": contents.scores,
            "not_scored": contents.not_scored,
            "judged": _judged(contents.judged),
            "lags": _lags(analysis),
            "live": _live(contents.live),
            "counters": {name: int(count) for name, count in contents.counters.items()},
            "troubles": list(contents.troubles),
        }
    )


def plain(value: Any) -> Any:
    """The same for JSON: numpy's numbers as Python's, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return _rounded(value) if math.isfinite(value) else None
    return value


def _rounded(value: float) -> float:
    """Seven significant digits: what float32 holds, so that sums in another order agree."""
    return float(f"{value:.7g}")


def _ratio(whole: float, part: float | None) -> float | None:
    return whole / part if part else None


def _share(flags: np.ndarray) -> float:
    return float(np.mean(flags)) if len(flags) else math.nan


def _speaker(speaker: SpeakerTrack | None) -> dict[str, Any] | None:
    if speaker is None:
        return None
    return {
        "frames": len(speaker.stamp_ns),
        "face_share": _share(speaker.face_present),
        "voice_share": _share(speaker.voice_present),
        "attributes_known": _known(speaker.attributes),
    }


def _real(real: RealTrack | None) -> dict[str, Any] | None:
    if real is None:
        return None
    intervals = np.diff(real.stamp_ns)
    rate = SECOND_NS / float(np.median(intervals)) if (intervals > 0).any() else math.nan
    return {
        "source": real.source,
        "frames": len(real.stamp_ns),
        "rate_hz": rate,
        "attributes_known": _known(real.attributes),
    }


def _judged(judged: Judged | None) -> dict[str, Any] | None:
    if judged is None:
        return None
    return {
        "clips": judged.clips,
        "seconds": judged.seconds,
        "attributes": list(judged.attributes),
        "notes": list(judged.notes),
    }


def _known(attributes: np.ndarray | None) -> list[str]:
    if attributes is None:
        return []
    return [name for i, name in enumerate(ATTRIBUTES) if np.isfinite(attributes[:, i]).any()]


def _robot(track: ReactionTrack, contents: ReportContents, analysis: Analysis) -> dict[str, Any]:
    moved, joined = steps(track)
    attributes = {name: dict(numbers) for name, numbers in analysis.attributes[track.robot].items()}
    for against, lag in analysis.lags.items():
        if track.robot in lag:
            for name, value in zip(ATTRIBUTES, lag[track.robot].attribute_medians(), strict=True):
                attributes[name][f"lag_behind_{against}_s"] = value
    return {
        "robot": track.robot,
        "profile": track.profile,
        "samples": sum(other.robot == track.robot for other in contents.reactions),
        "frames": len(track.stamp_ns),
        "epochs": len(np.unique(track.epoch)),
        "confidence_mean": float(np.mean(track.confidence)) if len(track.confidence) else None,
        "without_input_share": _share(np.asarray(track.confidence) <= 0),
        "movement": float(np.median(moved[joined])) if joined.any() else None,
        "gaps": _gaps(track, analysis.timeline),
        "attributes": attributes,
    }


def _gaps(track: ReactionTrack, timeline: Timeline) -> dict[str, Any]:
    """Where reactions are missing within an epoch: more than one frame and a half apart."""
    distance = np.diff(track.stamp_ns)
    missing = np.where(np.diff(track.epoch) == 0, np.round(distance / FRAME_NS) - 1, 0)
    missing = np.where(distance > 1.5 * FRAME_NS, missing, 0).astype(np.int64)
    places = np.flatnonzero(missing > 0)
    longest = places[np.argsort(-missing[places], kind="stable")][:MOST_GAPS]
    return {
        "count": len(places),
        "frames_missing": int(missing.sum()),
        "longest": [
            {
                "after_s": float(timeline.seconds(track.stamp_ns[place : place + 1])[0]),
                "frames_missing": int(missing[place]),
            }
            for place in np.sort(longest)
        ],
    }


def _lags(analysis: Analysis) -> dict[str, Any]:
    edges = lag_edges()
    return {
        "window_s": WINDOW * FRAME_NS / SECOND_NS,
        "bin_edges_s": edges,
        "why_not": dict(analysis.no_lags),
        "against": {
            against: {
                robot: {
                    "windows": lag.windows,
                    "median_s": lag.median_s,
                    "windows_per_bin": lag_counts(lag, edges),
                }
                for robot, lag in robots.items()
            }
            for against, robots in analysis.lags.items()
        },
    }


def lag_edges() -> np.ndarray:
    """Bins that lie evenly around 0, in seconds."""
    half = math.ceil(LONGEST_LAG_S / LAG_BIN_S + 0.5)
    return (np.arange(-half, half) + 0.5) * LAG_BIN_S


def lag_counts(lag: LagWindows, edges: np.ndarray) -> np.ndarray:
    """Windows in each bin."""
    return np.histogram(lag.overall[np.isfinite(lag.overall)], edges)[0]


def _live(live: LiveTrack | None) -> dict[str, Any] | None:
    if live is None:
        return None
    return {
        "latency": {robot: _latency(values) for robot, values in live.latency_s.items()},
        "dropped": {name: int(count) for name, count in live.dropped.items()},
        "difference_from_offline": {
            robot: {
                "frames_compared": each.frames_compared,
                "identical_share": each.identical_share,
                "largest_difference": each.largest_difference,
                "tolerance": each.tolerance,
                "missing": each.missing,
                "extra": each.extra,
            }
            for robot, each in live.difference.items()
        },
    }


def _latency(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    seconds = np.asarray(values, np.float64)
    finite = seconds[np.isfinite(seconds)] * 1000
    numbers: dict[str, Any] = {"frames": len(finite)}
    for name, percentile in LATENCY_PERCENTILES.items():
        numbers[name] = float(np.percentile(finite, percentile)) if len(finite) else None
    return numbers
