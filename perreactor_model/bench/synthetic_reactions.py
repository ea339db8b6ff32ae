"""Facial reactions for benchmarks, drawn from nothing but a seed: realistic ones, and noise.

Realistic ones are smooth, mostly neutral and many-valued. A clip has a few episodes (a smile,
raised brows, ...); people who react to it show most of them, each a little earlier or later, longer
or shorter, stronger or weaker, on a face at rest that is their own and never quite still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    EXPRESSION_SLICE,
    FRAME_RATE,
    attribute_ranges,
)

_SHOWN = {
    "smile": {"AU6": 0.8, "AU12": 1.0, "AU25": 0.4, "valence": 0.45, "arousal": 0.15, "happy": 6},
    "raised brows": {"AU1": 0.9, "AU2": 0.8, "valence": 0.05, "arousal": 0.3, "surprise": 4},
    "frown": {"AU4": 0.8, "AU7": 0.5, "valence": -0.35, "arousal": 0.1, "sad": 3},
    "pressed lips": {"AU17": 0.4, "AU23": 0.5, "AU24": 0.7, "valence": -0.15, "contempt": 2.5},
    "open mouth": {"AU25": 0.7, "AU26": 0.8, "arousal": 0.2, "surprise": 2.5},
}
"""What an episode adds at its height; to the expressions, before they are normalised."""

_NEUTRAL_LOGIT = 5.0


@dataclass(frozen=True)
class Episode:
    """Something that most people react to, in frames."""

    name: str
    onset: float
    length: float
    strength: float


def a_few_episodes(generator: np.random.Generator, frames: int) -> list[Episode]:
    """About one in seven seconds, anywhere in the clip."""
    return [
        Episode(
            name=str(generator.choice(list(_SHOWN))),
            onset=generator.uniform(0, frames),
            length=generator.uniform(0.6, 5) * FRAME_RATE,
            strength=generator.uniform(0.3, 1),
        )
        for _ in range(max(1, round(frames / (7 * FRAME_RATE))))
    ]


def realistic(
    generator: np.random.Generator, episodes: Sequence[Episode], count: int, frames: int
) -> np.ndarray:
    """`count` people reacting to the same episodes. (count, frames, 25) float32."""
    return np.stack([_person(generator, episodes, frames) for _ in range(count)])


def noise(generator: np.random.Generator, count: int, frames: int) -> np.ndarray:
    """Every value drawn by itself: no two frames alike. (count, frames, 25) float32."""
    return generator.random((count, frames, ATTRIBUTE_COUNT), np.float32)


def hold_one_channel(generator: np.random.Generator, reactions: np.ndarray) -> np.ndarray:
    """A copy in which each reaction (of (count, T, 25)) has one channel that never moves."""
    held = reactions.copy()
    for reaction in held:
        channel = generator.integers(ATTRIBUTE_COUNT)
        reaction[:, channel] = reaction[0, channel]
    return held


def _person(generator: np.random.Generator, episodes: Sequence[Episode], frames: int) -> np.ndarray:
    """Action units, affect, and the expressions as logits first."""
    values = np.zeros((frames, ATTRIBUTE_COUNT))
    values[:, EXPRESSION_SLICE.start] = _NEUTRAL_LOGIT
    for part, rest, jitter, seconds in (
        (ACTION_UNIT_SLICE, generator.uniform(0, 0.05, 15), 0.03, 0.6),
        (AFFECT_SLICE, generator.normal(0, 0.06, 2), 0.06, 2.0),
        (EXPRESSION_SLICE, generator.normal(0, 0.3, 8), 0.4, 1.0),
    ):
        values[:, part] += rest + jitter * _drift(generator, frames, len(rest), seconds)
    for episode in episodes:
        if generator.random() < 0.75:
            height = _course(generator, episode, frames)
            for name, added in _SHOWN[episode.name].items():
                values[:, ATTRIBUTES.index(name)] += added * height
    logits = np.exp(values[:, EXPRESSION_SLICE])
    values[:, EXPRESSION_SLICE] = logits / logits.sum(1, keepdims=True)
    return np.clip(values, *attribute_ranges()).astype(np.float32)


def _course(generator: np.random.Generator, episode: Episode, frames: int) -> np.ndarray:
    """Onset, apex and offset as one person shows them. (frames,)."""
    onset = episode.onset + generator.normal(0, 0.8) * FRAME_RATE
    length = episode.length * generator.uniform(0.7, 1.4)
    rise, fall = generator.uniform(1, 3), generator.uniform(2, 6)
    frame = np.arange(frames)
    shape = _step((frame - onset) / rise) * _step((onset + length - frame) / fall)
    return episode.strength * generator.uniform(0.4, 1.3) * shape


def _step(place: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(place / 2)


def _drift(
    generator: np.random.Generator, frames: int, channels: int, seconds: float
) -> np.ndarray:
    """Smooth noise of variance 1 that forgets itself in about `seconds`. (frames, channels)."""
    width = max(3, round(seconds * FRAME_RATE))
    bell = np.hanning(width + 2)[1:-1]
    bell /= np.sqrt((bell**2).sum())
    raw = generator.standard_normal((frames + width - 1, channels))
    return np.stack([np.convolve(column, bell, "valid") for column in raw.T], axis=1)
