"""The one core that everything which prints a metric calls: predictions in, figures out.

Two modes stand side by side. `reference` repeats the numbers of the field's published code, quirks
included, so that they can be compared with papers. `corrected` says what the metrics mean to say.
What each metric is, its range and direction: docs/metrics.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import ATTRIBUTES
from perreactor_model.metrics.anchors import possible_anchors
from perreactor_model.metrics.judging import (
    CLIP_METRICS,
    SET_METRICS,
    ClipScores,
    Job,
    Judge,
    Question,
)
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.metrics.processes import in_files, spread
from perreactor_model.metrics.tables import corrected_table, reference_table

MODES = ("reference", "corrected")

METRICS = (
    "FRCorr",
    "FRDist",
    "FRDiv",
    "FRVar",
    "FRDvs",
    "FRSyn",
    "FRRea",
    "FRRea-motion",
    "lag_error",
    "personalisation",
    "calibration",
    "seams",
)
"""All there are. FRRea needs pictures, seams the step of the stream that made the reactions."""

REFERENCE_METRICS = METRICS[:8]
"""Those with a published counterpart, and FRRea-motion, which stands in where FRRea cannot be had.
The others exist in the corrected mode only."""

Progress = Callable[[int, int], None]
"""Called with the units of work that are done and those there are."""


class EvaluationError(ValueError):
    """A question that cannot be answered from these predictions. The message says why."""


@dataclass(frozen=True)
class Pictures:
    """What FRRea is computed from: two folders of pictures and the weights of FID's Inception."""

    rendered: Path
    real: Path
    checkpoint: Path
    device: str = "auto"


def evaluate(
    predictions: Predictions,
    modes: Sequence[str] = ("corrected",),
    metrics: Sequence[str] | None = None,
    anchors: bool = False,
    processes: int = 1,
    progress: Progress | None = None,
    *,
    seam_step: int | None = None,
    pictures: Pictures | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score predictions. The result can go to JSON as it is: what is undefined is None.

    `metrics`: some of METRICS; by default all that these predictions allow. `anchors` scores the
    trivial answers of `anchors.ANCHORS` too; `seed` is that of the random one. `processes` share
    the work and change no digit; see `processes.spread` for what a script must do to use several.

    {"reference": {"FRCorr": ..., ..., "PMAFRG": {"FRCorr": ..., "FRDist": ...}},
     "corrected": {...}, "anchors": {name: {"reference": {...}, "corrected": {...}}}}

    with the modes that were asked for. PMAFRG, where the identity of listeners is known, counts
    only real reactions of the same listener. Where something is undefined, "undefined" says why.

    Raises EvaluationError for a question that cannot be answered, and what FRRea raises.
    """
    question = _checked_question(predictions, modes, metrics, seam_step, pictures, seed)
    if processes < 1:
        raise EvaluationError(f"processes must be 1 or more, not {processes}")
    names = possible_anchors(predictions) if anchors else ()
    realism = _realism(pictures, question)
    jobs = [job for source in (None, *names) for job in _jobs(predictions, question, source)]
    answers = _answers(predictions, question, jobs, processes, progress)
    tables = {
        source: _tables(question, jobs, answers, source, {} if source else realism)
        for source in (None, *names)
    }
    result = tables[None]
    if anchors:
        result["anchors"] = {name: tables[name] for name in names}
    return result


def _answers(
    predictions: Predictions,
    question: Question,
    jobs: Sequence[Job],
    processes: int,
    progress: Progress | None,
) -> list[Any]:
    """The answer to each of the jobs, in their order."""
    # Looking at all clips takes as long as judging some of them.
    weights = [1 if job.metric is None else 1 + predictions.clips // 20 for job in jobs]
    answers: list[Any] = [None] * len(jobs)
    done = 0
    with in_files(predictions) if processes > 1 else nullcontext(predictions) as shared:
        for index, answer in spread(Judge, (shared, question), jobs, processes):
            answers[index] = answer
            done += weights[index]
            if progress is not None:
                progress(done, sum(weights))
    return answers


def _tables(
    question: Question,
    jobs: Sequence[Job],
    answers: Sequence[Any],
    source: str | None,
    realism: dict[str, Any],
) -> dict[str, Any]:
    """The figures of the predictions or of an anchor, in each mode; `realism` is part of all."""
    clips: list[ClipScores] = []
    whole: dict[str, Any] = {}
    for job, answer in zip(jobs, answers, strict=True):
        if job.anchor == source and job.metric is None:
            clips.append(answer)
        elif job.anchor == source and job.metric is not None:
            whole[job.metric] = answer
    made = {"reference": reference_table, "corrected": corrected_table}
    return {mode: made[mode](question.metrics, clips, whole) | realism for mode in question.modes}


def _realism(pictures: Pictures | None, question: Question) -> dict[str, Any]:
    """FRRea, before all else: a wrong folder is told at once."""
    if pictures is None or "FRRea" not in question.metrics:
        return {}
    from perreactor_model.metrics.fid import frechet_inception_distance

    told = frechet_inception_distance(
        pictures.rendered, pictures.real, pictures.checkpoint, pictures.device
    )
    found: dict[str, Any] = {"FRRea": told["distance"]}
    if told["warning"]:
        found["FRRea_warning"] = told["warning"]
    return found


def possible_metrics(
    predictions: Predictions, modes: Sequence[str], seam_step: int | None, pictures: bool
) -> tuple[str, ...]:
    """The metrics for which everything is at hand."""
    lacking = {name for name in METRICS if _missing(predictions, name, seam_step, pictures)}
    if "corrected" not in modes:
        lacking |= set(METRICS) - set(REFERENCE_METRICS)
    return tuple(name for name in METRICS if name not in lacking)


def _missing(
    predictions: Predictions, metric: str, seam_step: int | None, pictures: bool
) -> str | None:
    """What a metric lacks, as the end of a sentence."""
    if metric in ("FRSyn", "lag_error") and predictions.speaker is None:
        return "the speakers' behaviour (array speaker)"
    if metric == "personalisation" and predictions.identity is None:
        return "who the listeners are (array identity)"
    if metric == "seams" and seam_step is None:
        return "the step of the stream in frames (--seam-step)"
    if metric == "FRRea" and not pictures:
        return "rendered and real pictures and Inception weights (--rendered, --real, --inception)"
    return None


def _checked_question(
    predictions: Predictions,
    modes: Sequence[str],
    metrics: Sequence[str] | None,
    seam_step: int | None,
    pictures: Pictures | None,
    seed: int,
) -> Question:
    for mode in modes:
        if mode not in MODES:
            raise EvaluationError(f"there is no mode '{mode}': choose of {', '.join(MODES)}")
    if not modes:
        raise EvaluationError(f"no mode is asked for: choose of {', '.join(MODES)}")
    unknown = [ATTRIBUTES[index] for index in np.flatnonzero(~predictions.channels)]
    if "reference" in modes and unknown:
        raise EvaluationError(
            f"the reference mode needs all {len(ATTRIBUTES)} attributes, as the published code "
            f"does; unknown here: {', '.join(unknown)}. Use the corrected mode"
        )
    if seam_step is not None and seam_step < 1:
        raise EvaluationError(f"the step at seams must be 1 frame or more, not {seam_step}")
    with_pictures = pictures is not None
    if metrics is None:
        chosen = possible_metrics(predictions, modes, seam_step, with_pictures)
    else:
        chosen = tuple(dict.fromkeys(metrics))
    for metric in chosen:
        if metric not in METRICS:
            close = difflib.get_close_matches(metric, METRICS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(METRICS)}"
            raise EvaluationError(f"there is no metric '{metric}': {hint}")
        if missing := _missing(predictions, metric, seam_step, with_pictures):
            raise EvaluationError(f"{metric} needs {missing}")
        if "corrected" not in modes and metric not in REFERENCE_METRICS:
            raise EvaluationError(
                f"{metric} has no published counterpart: it needs the corrected mode"
            )
    ordered = tuple(mode for mode in MODES if mode in modes)
    return Question(ordered, chosen, seam_step, seed)


def _jobs(predictions: Predictions, question: Question, source: str | None) -> Iterator[Job]:
    """The metrics of the whole set first: they take longest."""
    for metric in SET_METRICS:
        if metric in question.metrics and not (metric == "seams" and source is not None):
            yield Job(source, metric=metric)
    if set(CLIP_METRICS) & set(question.metrics):
        for clip in range(predictions.clips):
            yield Job(source, clip)
