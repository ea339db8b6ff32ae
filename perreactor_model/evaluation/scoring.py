"""A trained generator and whatever it is compared with, as rows of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.evaluation.nearest import nearest_in_training
from perreactor_model.evaluation.predicting import predict
from perreactor_model.metrics.evaluation import evaluate
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.networks.checkpoint import (
    CheckpointError,
    generator_from_content,
    is_checkpoint,
    read_content,
)
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.preparation.prepared import PreparedCorpus, PreparedError, PreparedSplit

METRICS = ("FRCorr", "FRDist", "FRDiv", "FRDvs", "FRVar", "FRRea-motion", "FRSyn")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the units of it that are done, and those there are."""


@dataclass(frozen=True)
class Asked:
    """What to evaluate: see `perreactor evaluate --help`."""

    split: str = "test"
    samples: int = 10
    mode: str = "offline"
    seed: int = 0
    history_frames: int = 480
    modes: tuple[str, ...] = ("reference", "corrected")
    anchors: bool = False
    processes: int = 1


def load_generator(checkpoint: Path) -> tuple[ReactionGenerator, bool]:
    """The generator of a checkpoint, and whether its PAG has been trained.

    Raises CheckpointError and OSError.
    """
    content = read_content(checkpoint)
    if not (isinstance(content, dict) and is_checkpoint(content)):
        raise CheckpointError(f"{checkpoint} is no checkpoint of perreactor")
    generator = generator_from_content(content, str(checkpoint))
    options = content.get("training", {}).get("options", {})
    return generator, options.get("stage", "pag") == "pag"


def score(
    checkpoint: Path,
    corpus: PreparedCorpus,
    asked: Asked,
    others: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Rows by name: {"GAG": {"reference": {...}, "corrected": {...}}, "PAG": ..., ...}.

    GAG's reactions are generic, PAG's those of the pair's listener; both are scored against what
    anybody did (MAFRG) and what this listener did (PMAFRG). `others`: name -> .npz as `perreactor
    metrics` reads. Raises PreparedError, CheckpointError, PredictionsError, OSError.
    """
    if asked.split not in corpus.splits:
        raise PreparedError(
            f"the prepared corpus has no split '{asked.split}'; it has {', '.join(corpus.splits)}"
        )
    split = corpus.splits[asked.split]
    generator, personal = load_generator(checkpoint)
    made: dict[str, Predictions] = {}
    for name, wanted in (("GAG", True), ("PAG", personal)):
        if wanted:
            made[name] = _predicted(generator, split, asked, name, progress)
    if asked.anchors and "train" in corpus.splits and asked.split != "train":
        made["nearest in training"] = nearest_in_training(
            corpus.splits["train"], made["GAG"], _speakers(split), asked.samples
        )
    for name, path in (others or {}).items():
        made[name] = Predictions.from_file(path)
    rows: dict[str, Any] = {}
    for name, predictions in made.items():
        table = _judged(predictions, asked, name == "GAG" and asked.anchors, name, progress)
        anchors = table.pop("anchors", {})
        rows[name] = table
        for anchor, figures in anchors.items():
            # This one borrows from the split that is judged, the truth included.
            if anchor != "nearest_neighbour":
                rows[anchor.replace("_", " ")] = figures
    return rows


def _predicted(
    generator: ReactionGenerator,
    split: PreparedSplit,
    asked: Asked,
    name: str,
    progress: Progress | None,
) -> Predictions:
    return predict(
        generator,
        split,
        samples=asked.samples,
        seed=asked.seed,
        personal=name == "PAG",
        mode=asked.mode,
        history_frames=asked.history_frames,
        progress=None if progress is None else lambda n, m: progress(f"{name} reacts", n, m),
    )


def _judged(
    predictions: Predictions, asked: Asked, anchors: bool, name: str, progress: Progress | None
) -> dict[str, Any]:
    metrics = [m for m in METRICS if m != "FRSyn" or predictions.speaker is not None]
    if predictions.prediction_3dmm is None and "FRRea-motion" in metrics:
        metrics.remove("FRRea-motion")
    return evaluate(
        predictions,
        asked.modes,
        metrics,
        anchors,
        asked.processes,
        None if progress is None else lambda n, m: progress(f"judging {name}", n, m),
        seed=asked.seed,
    )


def _speakers(split: PreparedSplit) -> list[np.ndarray]:
    return [
        split.reaction(int(speaker), 0, split.frames(int(speaker)))[:, :25]
        for speaker in np.asarray(split.pairs)[:, 0]
    ]


def table_rows(rows: Mapping[str, Any], mode: str) -> list[Sequence[str]]:
    """Header and cells of a table as the paper's Table 1, of one mode."""
    header = ["", "FRCorr M", "FRCorr P", "FRDist M", "FRDist P", "FRDiv x100", "FRDvs x100"]
    header += ["FRVar x100", "FRRea-motion", "FRSyn"]
    lines: list[Sequence[str]] = [header]
    for name, modes in rows.items():
        figures = modes.get(mode)
        if figures is None:
            continue
        personal = figures.get("PMAFRG", {})
        cells = [name]
        for metric in ("FRCorr", "FRDist"):
            cells += [_cell(figures.get(metric)), _cell(personal.get(metric))]
        cells += [_cell(figures.get(metric), 100.0) for metric in ("FRDiv", "FRDvs", "FRVar")]
        cells += [_cell(figures.get(metric)) for metric in ("FRRea-motion", "FRSyn")]
        lines.append(cells)
    return lines


def _cell(value: Any, times: float = 1.0) -> str:
    return "-" if value is None else f"{value * times:.3f}"
