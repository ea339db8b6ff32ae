"""Personalisation accuracy: whose reaction is it?

Each sequence has a *signature*: mean, standard deviation and mean |velocity| of each channel, in
spreads of the real reactions. A person is the mean signature of his real reactions. A generated
reaction is right when, of all persons, the one it was generated for is nearest to it. The real
reaction of the same clip takes no part, so copying it gains nothing beyond being like the person.

A person's mean over n clips is itself uncertain, which makes it look farther by 1/n of the spread
within persons. That much is taken off each squared distance: without it, leaving out a clip would
put the own person at a disadvantage, and reactions that say nothing of a person would be right less
often than chance.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from perreactor_model.metrics.diversity import is_copies
from perreactor_model.metrics.motion import mean_and_spread, mean_over_frames
from perreactor_model.metrics.predictions import Predictions, single


class Personalisation(TypedDict):
    """What `personalisation` gives. None where undefined."""

    accuracy: float | None
    """Share of the reactions whose own person is nearest, 0 to 1; higher is better."""
    mean_rank: float | None
    """Mean place of the own person among all, 1 to `identities`; lower is better."""
    real_accuracy: float | None
    """Accuracy of the real reactions, judged alike: what can be reached."""
    chance: float | None
    """Accuracy of a guess: 1 / identities."""
    identities: int
    """Persons to choose from."""
    clips: int
    """Clips judged: those of persons with at least two."""
    reason: str | None
    """Why there is no value, if there is none."""


def personalisation(predictions: Predictions) -> Personalisation:
    """Accuracy over all reactions to clips whose listener has another clip."""
    if predictions.identity is None:
        return _undefined(0, "identity is not given: who the listeners are must be known")
    _, person = np.unique(predictions.identity, return_inverse=True)
    sizes = np.bincount(person)
    judged = np.flatnonzero(sizes[person] >= 2).tolist()
    if len(sizes) < 2:
        return _undefined(len(sizes), "there is only one listener: nobody to be confused with")
    if not judged:
        return _undefined(len(sizes), "no listener has two clips: one to know, one to judge")
    channels = predictions.channels
    real = np.concatenate([signatures(clip[None], channels) for clip in predictions.listener])
    told = np.ptp(real, axis=0) > 0
    scale = real.std(axis=0)
    if not told.any():
        return _undefined(len(sizes), "all real reactions have the same signature")
    mean = real[:, told].mean(axis=0)
    people = _People((real[:, told] - mean) / scale[told], person, sizes)
    ranks, real_ranks = [], []
    for clip in judged:
        reactions = predictions.prediction[clip]
        samples = signatures(reactions[:1] if is_copies(reactions) else reactions, channels)
        ranks.append(people.ranks((samples[:, told] - mean) / scale[told], clip))
        real_ranks.append(people.ranks(people.real[clip][None], clip))
    return {
        "accuracy": float(np.mean([_right(one) for one in ranks])),
        "mean_rank": float(np.mean([one.mean(axis=1).mean() for one in ranks])),
        "real_accuracy": float(np.mean([_right(one) for one in real_ranks])),
        "chance": 1 / len(sizes),
        "identities": len(sizes),
        "clips": len(judged),
        "reason": None,
    }


def signatures(sequences: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Sequences (M, T, 25) to (M, 3 C) over the C known `channels` (25,) bool."""
    rows = []
    for sequence in sequences:
        values = single(sequence[:, channels]).astype(np.float64)[None]
        mean, spread = mean_and_spread(values)
        speed = np.zeros_like(mean)
        if values.shape[1] > 1:
            speed = mean_over_frames(np.abs(values[:, 1:] - values[:, :-1]))
        rows.append(np.concatenate([mean, spread, speed], axis=1))
    return np.concatenate(rows)


class _People:
    """Mean signatures of the persons, and where one stands among them.

    `real` (N, D): signatures of the real reactions; `person` (N,): whose they are, 0 .. P-1;
    `sizes` (P,): clips of each.
    """

    def __init__(self, real: np.ndarray, person: np.ndarray, sizes: np.ndarray) -> None:
        self.real, self._person, self._sizes = real, person, sizes
        self._sums = np.zeros((len(sizes), real.shape[1]))
        np.add.at(self._sums, person, real)
        within = real - (self._sums / sizes[:, None])[person]
        self._spread = float(np.sum(within**2)) / (len(real) - len(sizes))

    def ranks(self, samples: np.ndarray, clip: int) -> np.ndarray:
        """First and last place (S, 2) of the clip's own person for each of `samples` (S, D).

        They differ where others are equally near.
        """
        own = self._person[clip]
        sums, sizes = self._sums.copy(), self._sizes.astype(np.float64)
        sums[own] -= self.real[clip]
        sizes[own] -= 1
        distances = ((samples[:, None] - (sums / sizes[:, None])[None]) ** 2).sum(axis=2)
        distances -= self._spread / sizes
        mine = distances[:, own][:, None]
        tied = np.abs(distances - mine) <= 1e-9 * (np.abs(mine) + self._spread)
        nearer = ((distances < mine) & ~tied).sum(axis=1)
        return np.stack([nearer + 1, nearer + tied.sum(axis=1)], axis=1)


def _right(places: np.ndarray) -> float:
    """Share of first places; one that is shared by k persons counts 1/k."""
    return float(np.mean(np.where(places[:, 0] == 1, 1 / places[:, 1], 0.0)))


def _undefined(identities: int, reason: str) -> Personalisation:
    return {
        "accuracy": None,
        "mean_rank": None,
        "real_accuracy": None,
        "chance": 1 / identities if identities else None,
        "identities": identities,
        "clips": 0,
        "reason": reason,
    }
