"""How the metrics of a score are called and read, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MetricName:
    """`direction`: 1 higher is better, -1 lower is better, 0 neither."""

    title: str
    direction: int
    meaning: str


METRICS = {
    "FRCorr": MetricName("FRCorr", 1, "follows a fitting real reaction"),
    "FRDist": MetricName("FRDist", -1, "distance from the nearest fitting real reaction"),
    "PMAFRG.FRCorr": MetricName("FRCorr, personal", 1, "the same, this listener only"),
    "PMAFRG.FRDist": MetricName("FRDist, personal", -1, "the same, this listener only"),
    "FRDiv": MetricName("FRDiv", 0, "how much samples of one moment differ"),
    "FRVar": MetricName("FRVar", 0, "how much a reaction varies over time"),
    "FRDvs": MetricName("FRDvs", 0, "how much reactions to different clips differ"),
    "FRSyn": MetricName("FRSyn", 0, "lag behind the speaker, s"),
    "FRSyn_absolute": MetricName("FRSyn, absolute", 0, "size of that lag, s"),
    "FRSyn_first_sample_only": MetricName("FRSyn, first sample", 0, "what papers print"),
    "lag_error": MetricName("Lag error", -1, "lag against the real listener's, s"),
    "FRRea": MetricName("FRRea", -1, "realism of rendered pictures"),
    "FRRea-motion": MetricName("FRRea-motion", -1, "how far from real movement"),
    "FRRea-motion_attributes": MetricName("FRRea-motion, attributes", -1, "without coefficients"),
    "FRRea-motion_windows": MetricName("FRRea-motion, windows", 0, "of 2 s, in the smaller set"),
    "personalisation.accuracy": MetricName("Personalisation", 1, "told whose reaction it is"),
    "personalisation.chance": MetricName("Personalisation, chance", 0, "by guessing"),
    "calibration.error": MetricName("Calibration error", -1, "real ones fall inside the samples"),
    "seams.ratio": MetricName("Seams", -1, "jolts between steps; up to 1.2 is smooth"),
    "FRCorr_undefined": MetricName("FRCorr, undefined", 0, "share of clips without one"),
    "FRSyn_undefined": MetricName("FRSyn, undefined", 0, "share of reactions without one"),
    "lag_error_undefined": MetricName("Lag error, undefined", 0, "share without one"),
}
"""Key in a score, nested keys joined by a dot. What is better: docs/metrics.md."""

_REFERENCE_MEANINGS = {
    "FRCorr": "sum over the samples",
    "FRDist": "sum over the samples",
    "FRSyn": "size of the lag, frames",
}

MODES = {
    "corrected": ("Corrected", "perreactor's definitions: all samples, lags in seconds"),
    "reference": ("Reference", "what the authors' published code gives, to compare with papers"),
}

ANCHORS = {
    "ground_truth": "real reaction",
    "random": "random",
    "mime": "mime",
    "mean_sequence": "mean sequence",
    "mean_frame": "mean frame",
    "nearest_neighbour": "nearest neighbour",
}


def flat(scores: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested scores as one level: `{"PMAFRG": {"FRCorr": 1}}` becomes `{"PMAFRG.FRCorr": 1}`."""
    found: dict[str, Any] = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def shown(scores: Mapping[str, Any]) -> dict[str, float | None]:
    """What a table shows of a robot's scores: figures that have a name, and new ones of one level.

    Details of a metric, lists and reasons stand in `report.json`.
    """
    figures = {
        key: value
        for key, value in flat(scores).items()
        if value is None or isinstance(value, (int, float))
    }
    return {key: value for key, value in figures.items() if key in METRICS or "." not in key}


def reasons(scores: Mapping[str, Any]) -> dict[str, str]:
    """Why figures are undefined, by the name of the metric, and other remarks of the evaluation."""
    return {
        key.removeprefix("undefined.").replace(".undefined", ""): value
        for key, value in flat(scores).items()
        if isinstance(value, str)
    }


def described(key: str, mode: str) -> MetricName:
    """How a metric is called; one that is not known here is shown by its key."""
    name = METRICS.get(key, MetricName(key.replace("_", " "), 0, ""))
    if mode == "reference" and key in _REFERENCE_MEANINGS:
        return MetricName(name.title, name.direction, _REFERENCE_MEANINGS[key])
    return name


def in_order(keys: set[str]) -> list[str]:
    """Known metrics as above, others after them by name."""
    places = {key: place for place, key in enumerate(METRICS)}
    return sorted(keys, key=lambda key: (places.get(key, len(places)), key))
