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
    "FRCorr": MetricName("FRCorr", 1, "follows the best fitting real reaction"),
    "FRDist": MetricName("FRDist", -1, "distance from the nearest fitting real reaction"),
    "FRDiv": MetricName("FRDiv", 1, "samples of one moment differ"),
    "FRVar": MetricName("FRVar", 1, "a reaction moves over time"),
    "FRDvs": MetricName("FRDvs", 1, "reactions to different speakers differ"),
    "FRSyn": MetricName("FRSyn", 0, "lag behind the speaker"),
    "FRSyn_absolute": MetricName("FRSyn, absolute", -1, "size of the lag, s"),
    "FRSyn_undefined": MetricName("FRSyn, undefined", -1, "share without any lag"),
    "FRSyn_first_sample_only": MetricName("FRSyn, first sample", -1, "as the authors' code has it"),
    "lag_error": MetricName("Lag error", -1, "lag against that of the real listener, s"),
    "FRRea": MetricName("FRRea", -1, "realism of rendered pictures"),
    "FRRea-motion": MetricName("FRRea-motion", -1, "realism of the movement"),
    "PMAFRG.FRCorr": MetricName("FRCorr, personal", 1, "the same, this listener only"),
    "PMAFRG.FRDist": MetricName("FRDist, personal", -1, "the same, this listener only"),
}
"""Key in a score, nested keys joined by a dot."""

MODES = {
    "corrected": ("Put right", "perreactor's own definitions: all samples, lags in seconds."),
    "reference": ("As published", "what the authors' code gives, for comparison with papers."),
}

ANCHORS = {
    "ground_truth": "real reaction",
    "random": "random",
    "mime": "mime",
    "mean_sequence": "mean sequence",
    "mean_frame": "mean frame",
    "nearest_neighbour": "nearest neighbour",
}

_REFERENCE_DIRECTIONS = {"FRSyn": -1}


def flat(scores: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested scores as one level: `{"PMAFRG": {"FRCorr": 1}}` becomes `{"PMAFRG.FRCorr": 1}`."""
    found: dict[str, Any] = {}
    for key, value in scores.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, (int, float, str)):
            found[f"{prefix}{key}"] = value
    return found


def described(key: str, mode: str) -> MetricName:
    """How a metric is called; one that is not known here is shown by its key."""
    name = METRICS.get(key)
    if name is None:
        return MetricName(key.replace("_", " ").replace(".", ", "), 0, "")
    if mode == "reference" and key in _REFERENCE_DIRECTIONS:
        return MetricName(
            name.title, _REFERENCE_DIRECTIONS[key], "frames of lag behind the speaker"
        )
    return name


def in_order(keys: set[str]) -> list[str]:
    """Known metrics as above, others after them by name."""
    places = {key: place for place, key in enumerate(METRICS)}
    return sorted(keys, key=lambda key: (places.get(key, len(places)), key))
