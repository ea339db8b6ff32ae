"""Trained generators and whatever they are compared with, as rows of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.evaluation.asked import METRICS, Asked, Progress
from perreactor_model.evaluation.comparing import ComparisonError, following, ratio_interval
from perreactor_model.evaluation.from_training import (
    mean_frame_of_training,
    mean_sequence_of_training,
    nearest_in_training,
)
from perreactor_model.evaluation.personality import PersonalityError, name_listeners
from perreactor_model.evaluation.redrawing import redraw, true_lags
from perreactor_model.evaluation.spreads import mean_and_spread
from perreactor_model.evaluation.timing import timing
from perreactor_model.evaluation.told_by_history import foretold_manners
from perreactor_model.evaluation.trained import GENERIC, PERSONAL, Trained
from perreactor_model.metrics.anchors import anchor, possible_anchors
from perreactor_model.metrics.evaluation import evaluate
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.preparation.prepared import PreparedCorpus, PreparedError, PreparedSplit
from perreactor_model.synthesis.corpus import SyntheticCorpus

CEILING = "redraw"
ANCHORS = ("ground_truth", "random", "mime")
"""Those of `metrics.anchors` that borrow nothing from the real reactions that are judged."""

BASELINES = (
    "random",
    "mime",
    "mean sequence of training",
    "mean frame of training",
    "nearest in training",
)
"""Answers that know nothing of what is judged, the best of which a model must beat."""

TASKS = {"MAFRG": False, "PMAFRG": True}

Groups = Mapping[str, Sequence[Path]]
"""Name of a method -> checkpoints of its runs; the first is the one that is asked about."""


def score(
    groups: Groups,
    corpus: PreparedCorpus,
    asked: Asked,
    others: Mapping[str, Path] | None = None,
    synthetic: SyntheticCorpus | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """{"rows": {name: {"reference", "corrected", ...}}, "spread", "runs", "ratios", "checkpoints"}.

    GAG's reactions are generic, PAG's those of the pair's listener; both are scored against what
    anybody did (MAFRG) and what this listener did (PMAFRG). Rows of a method called "" are GAG and
    PAG, of another "NAME GAG" and so on; means over its runs, `spread` their standard deviation.
    Rows hold "timing", "personality", "traits" and "judge" too, if asked. `others`: name -> .npz as
    `perreactor metrics` reads, of the same pairs. `synthetic`: where the corpus comes from, for
    `redraw` and true lags.

    Raises PreparedError, CheckpointError, PredictionsError, PredictionError, RedrawError,
    PersonalityError, RankingError, OSError.
    """
    if asked.split not in corpus.splits:
        raise PreparedError(
            f"the prepared corpus has no split '{asked.split}'; it has {', '.join(corpus.splits)}"
        )
    scoring = _Scoring(corpus, asked, synthetic, progress)
    for name, paths in groups.items():
        for path in paths:
            scoring.add_trained(name, Trained.load(path))
    for name, path in (others or {}).items():
        predictions = Predictions.from_file(path)
        if predictions.clips != len(corpus.splits[asked.split].pairs):
            raise PreparedError(
                f"{path} answers {predictions.clips} clips, but the split '{asked.split}' has "
                f"{len(corpus.splits[asked.split].pairs)} pairs: it must answer those, in order"
            )
        scoring.add(name, predictions)
    scoring.add_anchors()
    return scoring.told() | {
        "checkpoints": {name: [str(path) for path in paths] for name, paths in groups.items()}
    }


class _Scoring:
    """Takes one set of predictions after another, and keeps figures of them only."""

    def __init__(
        self,
        corpus: PreparedCorpus,
        asked: Asked,
        synthetic: SyntheticCorpus | None,
        progress: Progress | None,
    ) -> None:
        self._corpus, self._asked, self._synthetic = corpus, asked, synthetic
        self._split: PreparedSplit = corpus.splits[asked.split]
        self._lags = None if synthetic is None else true_lags(synthetic, self._split)
        self._progress = progress
        self._runs: dict[str, list[dict[str, Any]]] = {}
        self._following: dict[str, list[dict[str, np.ndarray]]] = {}
        self._trained: list[str] = []
        self._like: Predictions | None = None

    def add_trained(self, group: str, trained: Trained) -> None:
        """Rows of one checkpoint."""
        asked = self._asked
        for mode in trained.modes(asked):
            made: dict[str, Predictions] = {}
            for generator in trained.generators:
                name = _row(group, generator, mode if asked.mode == "both" else "")
                made[name] = trained.predict(
                    self._split, asked, generator, mode, self._told_of(f"{name} reacts")
                )
                self.add(name, made[name])
                if name not in self._trained:
                    self._trained.append(name)
            self._like = self._like or made[next(iter(made))]
            personal = list(made)[-1]
            if asked.personality and trained.personal:
                self._add_personality(made, trained)
            if asked.traits and trained.personal:
                self._runs[personal][-1]["traits"] = self._traits(trained, mode)
            if asked.judge and trained.personal:
                from perreactor_model.evaluation.ranking import rank_patterns

                ranked = rank_patterns(trained.content, self._split)
                self._runs[personal][-1]["judge"] = asdict(ranked)

    def add(self, name: str, predictions: Predictions) -> None:
        """One more run of a row."""
        asked = self._asked
        metrics = [m for m in METRICS if m != "FRSyn" or predictions.speaker is not None]
        if predictions.prediction_3dmm is None:
            metrics.remove("FRRea-motion")
        table = evaluate(
            predictions,
            asked.modes,
            metrics,
            processes=asked.processes,
            progress=self._told_of(f"judging {name}"),
            seed=asked.seed,
        )
        if asked.timing and predictions.speaker is not None:
            table["timing"] = asdict(timing(predictions, self._lags))
        self._runs.setdefault(name, []).append(table)
        self._follow(name, predictions)

    def add_anchors(self) -> None:
        """Rows of trivial answers, and of what the listeners might as well have done."""
        asked, like = self._asked, self._like
        assert like is not None
        if self._synthetic is not None:
            self.add(CEILING, redraw(self._synthetic, self._split, asked.samples))
        if not asked.anchors:
            return
        for name in [each for each in ANCHORS if each in possible_anchors(like)]:
            self.add(name.replace("_", " "), anchor(like, name, asked.seed))
        if "train" in self._corpus.splits and asked.split != "train":
            known = self._corpus.splits["train"]
            _, _, sequence, frame, nearest = BASELINES
            self.add(sequence, mean_sequence_of_training(known, like))
            self.add(frame, mean_frame_of_training(known, like))
            self.add(nearest, nearest_in_training(known, like, asked.samples))

    def told(self) -> dict[str, Any]:
        """All that was found."""
        both = {name: mean_and_spread(runs) for name, runs in self._runs.items()}
        return {
            "rows": {name: mean for name, (mean, _) in both.items()},
            "spread": {name: spread for name, (_, spread) in both.items() if spread},
            "runs": {name: runs for name, runs in self._runs.items() if len(runs) > 1},
            "ratios": self._ratios(),
        }

    def _follow(self, name: str, predictions: Predictions) -> None:
        tasks = {
            task: following(predictions, personal)
            for task, personal in TASKS.items()
            if predictions.identity is not None or not personal
        }
        self._following.setdefault(name, []).append(tasks)

    def _add_personality(self, made: Mapping[str, Predictions], trained: Trained) -> None:
        try:
            named = name_listeners(made, self._foretold(trained))
        except PersonalityError as error:
            raise PersonalityError(
                f"personality on the split '{self._asked.split}': {error}"
            ) from None
        for name, accuracy in named.accuracy.items():
            told = {key: value for key, value in asdict(named).items() if key != "accuracy"}
            self._runs[name][-1]["personality"] = {"accuracy": accuracy, **told}

    def _foretold(self, trained: Trained) -> list[np.ndarray] | None:
        """What the histories that it is shown tell, if there are others to learn that from."""
        known = self._corpus.splits.get("train")
        if known is None or self._asked.split == "train":
            return None
        frames, view = trained.history(self._asked)
        return foretold_manners(known, self._split, frames, view, self._asked.history_choice)

    def _traits(self, trained: Trained, mode: str) -> dict[str, Any]:
        from perreactor_model.evaluation.traits import follow_traits

        found = follow_traits(
            trained.generator,
            self._split,
            self._asked.seed,
            self._asked.persons,
            mode,
            progress=self._told_of("listening as strangers do"),
        )
        return {
            f"{seconds:g} s": {trait: asdict(each) for trait, each in by.items()}
            for seconds, by in found.found.items()
        }

    def _ratios(self) -> list[dict[str, Any]]:
        """FRCorr of each trained row divided by those that tell whether it is any good."""
        told = []
        for name in self._trained:
            for task in TASKS:
                for other in self._rivals(name, task):
                    one, two = self._mean(name, task), self._mean(other, task)
                    if one is None or two is None:
                        continue
                    try:
                        ratio = ratio_interval(
                            one, two, self._split.listener_identity, self._asked.seed
                        )
                    except ComparisonError:  # a rival that does not follow at all
                        continue
                    told.append({"row": name, "over": other, "task": task, **asdict(ratio)})
        return told

    def _rivals(self, name: str, task: str) -> list[str]:
        ceiling = [CEILING] if CEILING in self._following else []
        known = [each for each in BASELINES if each in self._following]
        best = sorted(known, key=lambda each: self._height(each, task))[-1:]
        place = self._trained.index(name)
        # The same half of other methods: what a row is compared with comes after it.
        kind = [w for w in name.split() if w in (GENERIC, PERSONAL, "offline", "stream")]
        others = [r for r in self._trained[place + 1 :] if r.split()[-len(kind) :] == kind]
        files = [r for r in self._following if r not in (*self._trained, *BASELINES, *ceiling)]
        return [*ceiling, *best, *others, *(r for r in files if r != "ground truth")]

    def _mean(self, name: str, task: str) -> np.ndarray | None:
        """FRCorr of each clip, mean over runs, (N,)."""
        runs = [run[task] for run in self._following[name] if task in run]
        return np.mean(runs, axis=0) if runs else None

    def _height(self, name: str, task: str) -> float:
        scores = self._mean(name, task)
        known = np.array([]) if scores is None else scores[np.isfinite(scores)]
        return float(known.mean()) if len(known) else -np.inf

    def _told_of(self, what: str) -> Any:
        progress = self._progress
        return None if progress is None else lambda done, total: progress(what, done, total)


def _row(group: str, generator: str, mode: str) -> str:
    return " ".join(word for word in (group, generator, mode) if word)
