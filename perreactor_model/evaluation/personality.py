"""Whose reaction is it? A classifier that knows real reactions is asked about generated ones.

It knows each listener from their real reactions to other scripts than the one that is judged, so it
can only go by a manner, never by what was said. The same question about the real reactions gives
what can be reached, about generic ones what nothing but luck gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE, ROTATION_SLICE
from perreactor_model.metrics.clips import Clips
from perreactor_model.metrics.predictions import Predictions

WINDOW = 8 * FRAME_RATE
"""Frames that are described together: long enough for several faces."""

LEAST_SPREAD = 0.01
"""Differences below a hundredth of an action unit count as none: nobody sees them. A real unit is
exactly 0 at rest, what a network makes is never; a classifier that went by that would name nobody.
"""

_HOP = WINDOW // 2
_SMOOTH = FRAME_RATE


class PersonalityError(ValueError):
    """Listeners who cannot be told apart with what there is. The message says what is missing."""


@dataclass(frozen=True)
class Named:
    """Shares of the reactions whose listener is named, 0 to 1.

    `accuracy`: of the reactions asked about, by name of their maker. `real`: of real reactions to
    scripts that the classifier has not seen. `history`: of what the histories tell, if that was
    asked (see `told_by_history`). `chance`: 1 / listeners.
    """

    accuracy: Mapping[str, float]
    real: float
    chance: float
    listeners: int
    clips: int
    history: float | None = None


def name_listeners(
    made: Mapping[str, Predictions], foretold: Sequence[np.ndarray] | None = None
) -> Named:
    """Ask about the reactions of each of `made`: they answer the same clips of the same listeners.

    `foretold`: of each clip, windows (W, D) as they were to be expected of its listener's past;
    such are measured with the head. Clips whose listener is known from no other script are left
    out. Raises PersonalityError.
    """
    first = next(iter(made.values()))
    if first.identity is None:
        raise PersonalityError("who the listeners are must be known (array identity)")
    names, who = np.unique(first.identity, return_inverse=True)
    if len(names) < 2:
        raise PersonalityError(f"{len(names)} listener: two are needed to be told apart")
    head = all(each.prediction_3dmm is not None for each in made.values())
    real = [windows(face) for face in _faces(first.listener, first.listener_3dmm, head)]
    asked = {
        name: [
            [windows(sample) for sample in clip]
            for clip in _faces(each.prediction, each.prediction_3dmm, head)
        ]
        for name, each in made.items()
    }
    right: dict[str, list[float]] = {name: [] for name in made}
    right_real: list[float] = []
    right_foretold: list[float] = []
    for clips, known in _folds(first.appropriate, who):
        classifier = ListenerClassifier([real[clip] for clip in known], who[known])
        for clip in clips:
            right_real.append(float(classifier.name(real[clip]) == who[clip]))
            if foretold is not None and head:
                right_foretold.append(float(classifier.name(foretold[clip]) == who[clip]))
            for name, answers in asked.items():
                hits = [classifier.name(sample) == who[clip] for sample in answers[clip]]
                right[name].append(float(np.mean(hits)))
    if not right_real:
        raise PersonalityError(
            "no listener has reactions to two scripts: one to know, one to judge"
        )
    return Named(
        {name: float(np.mean(shares)) for name, shares in right.items()},
        float(np.mean(right_real)),
        1 / len(names),
        len(names),
        len(right_real),
        float(np.mean(right_foretold)) if right_foretold else None,
    )


def listener_face(reaction: np.ndarray) -> np.ndarray:
    """What people are told apart by in a reaction (T, 83): attributes and how the head turns."""
    head = reaction[:, ATTRIBUTE_COUNT:][:, ROTATION_SLICE]
    return np.concatenate([reaction[:, :ATTRIBUTE_COUNT], head], axis=1)


def windows(face: np.ndarray) -> np.ndarray:
    """Features (W, D) of windows of a face (T, C): level, spread, extremes, speed, slow changes.

    A face shorter than `WINDOW` is one window.
    """
    ends = range(min(WINDOW, len(face)), len(face) + 1, _HOP)
    return np.stack([_described(face[max(0, end - WINDOW) : end]) for end in ends])


def _described(frames: np.ndarray) -> np.ndarray:
    values = frames.astype(np.float64)
    speed = np.abs(np.diff(values, axis=0)).mean(axis=0) if len(values) > 1 else 0.0 * values[0]
    whole = max(1, len(values) // _SMOOTH)
    slow = np.stack([part.mean(axis=0) for part in np.array_split(values, whole)])
    low, high = np.quantile(values, (0.1, 0.9), axis=0)
    return np.concatenate(
        [values.mean(axis=0), values.std(axis=0), low, high, speed, slow.std(axis=0)]
    )


class ListenerClassifier:
    """Linear discriminants over windows; the covariance is shrunk as few windows demand."""

    def __init__(self, clips: Sequence[np.ndarray], who: np.ndarray) -> None:
        """`clips`: windows (W, D) of each; `who` (clips,): a number for its listener."""
        rows = np.concatenate(clips)
        owner = np.repeat(np.asarray(who), [len(clip) for clip in clips])
        self._people = np.unique(owner)
        self._centre, spread = rows.mean(axis=0), rows.std(axis=0)
        self._told = spread > 1e-6 * max(float(spread.max()), 1e-12)
        self._scale = np.maximum(spread, LEAST_SPREAD)
        scaled = self._scaled(rows)
        means = np.stack([scaled[owner == person].mean(axis=0) for person in self._people])
        within = scaled - means[np.searchsorted(self._people, owner)]
        freedom = max(1, len(rows) - len(self._people))
        covariance = within.T @ within / freedom
        # Windows of a clip overlap and resemble each other: clips count, not windows.
        trust = len(clips) / (len(clips) + covariance.shape[0])
        diagonal = np.diag(np.maximum(np.diag(covariance), 1e-3))
        self._weights = np.linalg.solve(
            trust * covariance + (1 - trust) * diagonal + 1e-6 * np.eye(len(covariance)), means.T
        )
        self._offsets = -0.5 * np.einsum("pd,dp->p", means, self._weights)

    def name(self, clip: np.ndarray) -> int:
        """The number of the listener whom the windows (W, D) of a clip suit best, together."""
        scores = (self._scaled(clip) @ self._weights + self._offsets).mean(axis=0)
        return int(self._people[int(np.argmax(scores))])

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(((rows - self._centre) / self._scale)[:, self._told])


def _faces(attributes: Clips, coefficients: Clips | None, head: bool) -> list[np.ndarray]:
    """Attributes, and with `head` how it turns: each (..., T, 25 or 28)."""
    if coefficients is None or not head:
        return [np.asarray(clip[..., :ATTRIBUTE_COUNT]) for clip in attributes]
    return [
        np.concatenate([clip, head[..., ROTATION_SLICE]], axis=-1)
        for clip, head in zip(attributes, coefficients, strict=True)
    ]


def _folds(appropriate: np.ndarray, who: np.ndarray) -> list[tuple[list[int], np.ndarray]]:
    """Clips of one script, and the clips of other scripts from which their listeners are known."""
    scripts: dict[bytes, list[int]] = {}
    for clip, row in enumerate(appropriate):
        scripts.setdefault(row.tobytes(), []).append(clip)
    folds = []
    for clips in scripts.values():
        known = np.flatnonzero(~appropriate[clips[0]])
        judged = [clip for clip in clips if who[clip] in who[known]]
        if judged and len(np.unique(who[known])) > 1:
            folds.append((judged, known))
    return folds
