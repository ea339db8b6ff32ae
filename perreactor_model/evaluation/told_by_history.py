"""What a listener's past tells of their manner, whatever is made of it.

Who sees somebody for 20 s, through a face analyzer that takes their resting face for nobody's
business, cannot know them as their reactions show them. A ridge regression, fitted on the listeners
of the training split, reads from measures of a history how its listener truly moved meanwhile: a
mark for networks that are shown the same and no more.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, ROTATION_SLICE
from perreactor_model.evaluation.personality import windows
from perreactor_model.evaluation.predicting import past_rows
from perreactor_model.preparation.prepared import PreparedSplit

RIDGE = 30.0
"""Penalty in standard deviations of some 1000 histories; 5 to 100 give the same within 2 %."""

LEAST_SPREAD = 1e-3

ANGLES = ROTATION_SLICE.stop - ROTATION_SLICE.start
"""Values of a history after the attributes that `personality.listener_face` has, too."""


def foretold_manners(
    known: PreparedSplit,
    asked: PreparedSplit,
    frames: int,
    view: str = "observed",
    choice: int = 0,
) -> list[np.ndarray]:
    """Of each pair of `asked`, `personality.windows` of a reaction of its listener as foretold,
    (1, D), from the history that `predict` would show; learnt from the histories of `known`.

    Raises PredictionError where a listener has no other recording.
    """
    # Two histories of each: what one of them happens to show is not the person.
    shown = [(pair, choice) for choice in (0, 1) for pair in range(len(known.pairs))]
    histories = np.array([_measures(known, pair, frames, view, c) for pair, c in shown])
    manners = np.array([_manner(known, pair, frames, c) for pair, c in shown])
    centre, spread = histories.mean(axis=0), np.maximum(histories.std(axis=0), LEAST_SPREAD)
    usual = manners.mean(axis=0)
    scaled = (histories - centre) / spread
    penalty = RIDGE * np.eye(scaled.shape[1])
    weights = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (manners - usual))
    asked_of = [_measures(asked, p, frames, view, choice) for p in range(len(asked.pairs))]
    return [((row - centre) / spread @ weights + usual)[None] for row in asked_of]


def _manner(split: PreparedSplit, pair: int, frames: int, choice: int) -> np.ndarray:
    """What the listener of a pair truly did in a history, (D,)."""
    rows = past_rows(split, pair, frames, "true", choice)
    return np.asarray(windows(rows[:, : ATTRIBUTE_COUNT + ANGLES]).mean(axis=0))


def _measures(split: PreparedSplit, pair: int, frames: int, view: str, choice: int) -> np.ndarray:
    """Level, spread, speed and quantiles of each value of a history, (6 C,)."""
    rows = past_rows(split, pair, frames, view, choice).astype(np.float64)
    speed = np.abs(np.diff(rows, axis=0)).mean(axis=0)
    low, middle, high = np.quantile(rows, (0.1, 0.5, 0.9), axis=0)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0), speed, low, middle, high])
