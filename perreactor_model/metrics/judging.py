"""What one clip, or one look at the whole set, adds to the metrics: the unit of work.

A judge holds what all its jobs share: listeners prepared for comparison, anchors. It is built once
in each process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from perreactor_model.metrics.anchors import anchor
from perreactor_model.metrics.correlation import ConcordanceIndex
from perreactor_model.metrics.diversity import (
    clip_diversity,
    is_copies,
    motion_variance,
    sample_diversity,
)
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.metrics.synchrony import lags

CLIP_METRICS = ("FRCorr", "FRDist", "FRDiv", "FRVar", "FRSyn", "lag_error")
"""Metrics that are gathered clip by clip."""

SET_METRICS = ("FRDvs", "FRRea-motion", "personalisation", "calibration", "seams")
"""Metrics that need a look at all clips together."""


@dataclass(frozen=True)
class Question:
    """What is to be judged, and how."""

    modes: tuple[str, ...]
    metrics: tuple[str, ...]
    seam_step: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """A unit of work: a clip of the predictions or of an anchor, or a metric of the whole set."""

    anchor: str | None
    clip: int | None = None
    metric: str | None = None


@dataclass(frozen=True)
class ClipScores:
    """What a clip scores. M samples; None where it was not asked for.

    concordance (mode, M) is that of the best neighbour, distance (M,) that of the nearest; the
    personal ones are among the real reactions of the same listener. NaN: undefined.
    """

    concordance: dict[str, np.ndarray] | None = None
    personal_concordance: dict[str, np.ndarray] | None = None
    distance: np.ndarray | None = None
    personal_distance: np.ndarray | None = None
    lags: dict[str, np.ndarray] | None = None
    lag_errors: np.ndarray | None = None
    diversity: float | None = None
    variance: np.ndarray | None = None


class Judge:
    """Answers jobs about a set of predictions and its anchors."""

    def __init__(self, predictions: Predictions, question: Question) -> None:
        self._question = question
        self._sources: dict[str | None, Predictions] = {None: predictions}
        self._concordance: ConcordanceIndex | None = None
        self._distance: Any = None

    def __call__(self, job: Job) -> Any:
        """ClipScores for a clip; for a metric of the whole set, what its function gives."""
        source = self._source(job.anchor)
        if job.clip is not None:
            return self._judge_clip(source, job.clip)
        assert job.metric is not None
        return _SET_JUDGES[job.metric](source, self._question)

    def _source(self, name: str | None) -> Predictions:
        if name not in self._sources:
            assert name is not None
            self._sources[name] = anchor(self._sources[None], name, self._question.seed)
        return self._sources[name]

    def _judge_clip(self, source: Predictions, clip: int) -> ClipScores:
        answers = source.prediction[clip]
        count = len(answers)
        reactions = answers[:1] if is_copies(answers) else answers
        metrics = self._question.metrics
        scores: dict[str, Any] = {}
        if "FRCorr" in metrics:
            scores |= self._best_concordance(source, clip, reactions)
        if "FRDist" in metrics:
            scores |= self._nearest(source, clip, reactions)
        if source.speaker is not None:
            scores |= self._timing(source, clip, reactions)
        for name, value in scores.items():
            scores[name] = _repeated(value, count // len(reactions))
        if "FRDiv" in metrics:
            scores["diversity"] = sample_diversity(answers[..., source.channels])
        if "FRVar" in metrics:
            scores["variance"] = motion_variance(answers[..., source.channels])
        return ClipScores(**scores)

    def _best_concordance(
        self, source: Predictions, clip: int, reactions: np.ndarray
    ) -> dict[str, Any]:
        if self._concordance is None:
            self._concordance = ConcordanceIndex(source.listener, source.channels)
        modes = self._question.modes
        rows = source.neighbours(clip)
        table = self._concordance.scores_by_mode(reactions, rows, modes)
        # Where the clip's own listener never moved, its real reaction could not score the maximum
        # against a neighbour that did: the clip says nothing about following.
        table[np.isnan(table[:, :, np.searchsorted(rows, clip)])] = np.nan
        scores = {"concordance": dict(zip(modes, _best(table), strict=True))}
        if source.identity is not None:
            own = table[:, :, source.personal(clip)]
            scores["personal_concordance"] = dict(zip(modes, _best(own), strict=True))
        return scores

    def _nearest(self, source: Predictions, clip: int, reactions: np.ndarray) -> dict[str, Any]:
        if self._distance is None:
            from perreactor_model.metrics.distance import GROUPS, FacialDistance

            known = np.flatnonzero(source.channels)
            groups = [_known_group(members, weight, known) for members, weight in GROUPS]
            self._distance = FacialDistance(source.listener, groups)
        rows = source.neighbours(clip)
        if source.identity is None:
            return {"distance": self._distance.nearest(reactions, rows)[0]}
        # The listener's own reactions first: the nearest of them bounds the nearest of all.
        own = source.personal(clip)
        personal = self._distance.nearest(reactions, rows[own])[0]
        every = self._distance.nearest(reactions, rows[~own], personal)[0]
        return {"distance": np.minimum(every, personal), "personal_distance": personal}

    def _timing(self, source: Predictions, clip: int, reactions: np.ndarray) -> dict[str, Any]:
        assert source.speaker is not None
        metrics, speaker, known = self._question.metrics, source.speaker[clip], source.channels
        modes = set(self._question.modes if "FRSyn" in metrics else ())
        if "lag_error" in metrics:
            modes.add("corrected")
        behind = {mode: lags(reactions, speaker, mode, channels=known) for mode in sorted(modes)}
        scores: dict[str, Any] = {"lags": behind} if "FRSyn" in metrics else {}
        if "lag_error" in metrics:
            real = lags(source.listener[clip][None], speaker, channels=known)
            scores["lag_errors"] = np.abs(behind["corrected"] - real)
        return scores


def _best(table: np.ndarray) -> np.ndarray:
    """(modes, M, K) to (modes, M): the best neighbour that is defined, NaN where none is."""
    undefined = np.isnan(table)
    best = np.where(undefined, -np.inf, table).max(axis=2)
    return np.where(undefined.all(axis=2), np.nan, best)


def _known_group(members: Any, weight: float, known: np.ndarray) -> tuple[np.ndarray, float]:
    """A group of FRDist without its unknown channels; a mean over channels stays one."""
    kept = np.intersect1d(members, known)
    if len(kept) in (0, len(members)) or weight == 1.0:
        return kept, weight
    return kept, 1.0 / len(kept)


def _repeated(value: Any, times: int) -> Any:
    if times == 1:
        return value
    if isinstance(value, dict):
        return {mode: np.repeat(array, times) for mode, array in value.items()}
    return np.repeat(value, times)


def _set_diversity(source: Predictions, question: Question) -> float:
    return clip_diversity(source.prediction, source.channels)


def _set_motion(source: Predictions, question: Question) -> Any:
    from perreactor_model.metrics.motion import motion_distance

    return motion_distance(source)


def _set_personalisation(source: Predictions, question: Question) -> Any:
    from perreactor_model.metrics.personalisation import personalisation

    return personalisation(source)


def _set_calibration(source: Predictions, question: Question) -> Any:
    from perreactor_model.metrics.calibration import calibration

    return calibration(source)


def _set_seams(source: Predictions, question: Question) -> Any:
    from perreactor_model.metrics.seams import seam_smoothness

    assert question.seam_step is not None
    known = source.channels
    sequences = (sample[:, known] for clip in source.prediction for sample in clip)
    return seam_smoothness(sequences, question.seam_step)


_SET_JUDGES: dict[str, Callable[[Predictions, Question], Any]] = {
    "FRDvs": _set_diversity,
    "FRRea-motion": _set_motion,
    "personalisation": _set_personalisation,
    "calibration": _set_calibration,
    "seams": _set_seams,
}
