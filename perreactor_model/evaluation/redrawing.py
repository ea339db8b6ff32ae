"""What simulated listeners might as well have done: the ceiling of any model, and who they are."""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.evaluation.predicting import beside_real
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.synthesis.corpus import SyntheticCorpus

_TOLERANCE = 0.05
"""Mean difference between what was written and what is simulated again: layouts of another frame
rate are interpolated twice."""


class RedrawError(ValueError):
    """A synthetic corpus that is not the one that was prepared."""


def redraw(corpus: SyntheticCorpus, split: PreparedSplit, samples: int) -> Predictions:
    """Each pair's listener reacts anew, `samples` times. Raises RedrawError."""
    check_same(corpus, split)
    faces = [
        np.stack(
            [
                np.concatenate(corpus.redraw(split.name, row, draw), axis=1)
                for draw in range(1, samples + 1)
            ]
        )
        for row in range(len(split.pairs))
    ]
    return beside_real(split, np.arange(len(faces)), faces)


def true_lags(corpus: SyntheticCorpus, split: PreparedSplit) -> dict[int, float]:
    """Identity of a listener -> the lag they were made with, seconds. Raises RedrawError."""
    check_same(corpus, split)
    lags = {}
    for row, (performance, mirrored) in enumerate(corpus.rows(split.name)):
        persona = corpus.people(performance)[0 if mirrored else 1]
        lags[int(split.listener_identity[row])] = persona.mimicry_lag
    return lags


def check_same(corpus: SyntheticCorpus, split: PreparedSplit) -> None:
    """The rows of a prepared split are those of the corpus, in its order. Raises RedrawError."""
    if split.name not in ("train", "val", "test") or len(corpus.rows(split.name)) != len(
        split.pairs
    ):
        raise RedrawError(
            f"the split '{split.name}' has {len(split.pairs)} pairs, which the synthetic corpus "
            "has not: give the folder that it was prepared from, with its own splits"
        )
    rows = corpus.rows(split.name)
    for row in {0, len(rows) // 2, len(rows) - 1}:
        performance, mirrored = rows[row]
        dyad = corpus.perform(performance)
        simulated = (dyad.speaker if mirrored else dyad.listener).attributes
        recording = int(split.pairs[row, 1])
        written = split.reaction(recording, 0, split.frames(recording))[:, :ATTRIBUTE_COUNT]
        shared = min(len(simulated), len(written))
        if np.abs(simulated[:shared] - written[:shared]).mean() > _TOLERANCE:
            raise RedrawError(
                f"what listener {row} of the split '{split.name}' does is not what the synthetic "
                "corpus simulates: give the folder that it was prepared from, made by this version"
            )
