"""Seeded stand-ins for people, used to set the gains of untrained networks: nobody was recorded.

Smooth random processes in the contract's ranges, and drawings of faces that are only meant to
change where a face does: mouth, brows, place, light.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ACTION_UNITS,
    AROUSAL,
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    EXPRESSIONS,
    FACE_EXPRESSION_SLICE,
    FRAME_RATE,
    ROTATION_SLICE,
    VALENCE,
)

HEAD_CHANNELS = 6
SMILE = [ACTION_UNITS.index(unit) for unit in ("AU6", "AU12", "AU25")]
FROWN = [ACTION_UNITS.index(unit) for unit in ("AU4", "AU15", "AU17")]


def smooth_noise(
    generator: np.random.Generator, frames: int, channels: int, seconds: float
) -> np.ndarray:
    """Unit-variance noise (frames, channels) that forgets itself in about `seconds`."""
    rho = np.exp(-1.0 / (seconds * FRAME_RATE))
    lead = int(6 * seconds * FRAME_RATE)
    state = generator.standard_normal((frames + lead, channels))
    for _ in range(2):  # filtered twice: velocities are continuous too
        state = lfilter([1 - rho], [1, -rho], state, axis=0)
    noise: np.ndarray = ((state - state.mean(axis=0)) / state.std(axis=0))[lead:]
    return noise


@dataclass(frozen=True)
class Traits:
    """What tells the synthetic listeners apart; all but `valence` (-1..1) are 0 (none) to 1."""

    expressivity: float
    valence: float
    head_motion: float
    seconds: float
    """How long a movement lasts."""


LISTENERS = {
    "warm": Traits(expressivity=0.6, valence=0.6, head_motion=0.4, seconds=0.8),
    "lively": Traits(expressivity=1.0, valence=0.2, head_motion=1.0, seconds=0.3),
    "reserved": Traits(expressivity=0.25, valence=-0.1, head_motion=0.2, seconds=1.2),
    "stoic": Traits(expressivity=0.05, valence=-0.3, head_motion=0.05, seconds=2.0),
}


def listener_history(
    traits: Traits, generator: np.random.Generator, frames: int = 480, head: bool = True
) -> np.ndarray:
    """Attributes, with head pose if `head`, of a synthetic listener: (frames, 25 or 31) float32."""
    return _behaviour(traits, generator, frames)[:, : ATTRIBUTE_COUNT + HEAD_CHANNELS * head]


def speaker_vectors(generator: np.random.Generator, frames: int) -> np.ndarray:
    """25 attributes and 58 coefficients of a synthetic speaker: (frames, 83) float32."""
    traits = Traits(0.8, generator.uniform(-0.5, 0.5), 0.7, 0.4)
    behaviour = _behaviour(traits, generator, frames)
    coefficients = np.zeros((frames, COEFFICIENT_COUNT), np.float32)
    coefficients[:, ROTATION_SLICE.start :] = behaviour[:, ATTRIBUTE_COUNT:]
    coefficients[:, FACE_EXPRESSION_SLICE] = 0.15 * smooth_noise(generator, frames, 52, 0.4)
    return np.concatenate([behaviour[:, :ATTRIBUTE_COUNT], coefficients], axis=1)


def _behaviour(traits: Traits, generator: np.random.Generator, frames: int) -> np.ndarray:
    units = len(ACTION_UNITS)
    movement = smooth_noise(generator, frames, units + 2 + HEAD_CHANNELS, traits.seconds)
    activation = -2.5 + 1.6 * traits.expressivity * (movement[:, :units] + 0.5)
    activation[:, SMILE] += 2.0 * traits.valence
    activation[:, FROWN] -= 1.5 * traits.valence
    rows = np.zeros((frames, ATTRIBUTE_COUNT + HEAD_CHANNELS))
    rows[:, ACTION_UNIT_SLICE] = 1 / (1 + np.exp(-activation))
    mood = 0.4 * traits.expressivity * movement[:, units : units + 2]
    rows[:, VALENCE] = np.tanh(traits.valence + mood[:, 0])
    rows[:, AROUSAL] = np.tanh(0.6 * traits.expressivity - 0.2 + mood[:, 1])
    logits = np.zeros((frames, len(EXPRESSIONS)))
    logits[:, EXPRESSIONS.index("neutral")] = 2.5 - 2.0 * traits.expressivity
    logits[:, EXPRESSIONS.index("happy")] = 3.0 * rows[:, VALENCE]
    logits[:, EXPRESSIONS.index("sad")] = -2.0 * rows[:, VALENCE]
    logits[:, EXPRESSIONS.index("surprise")] = 2.0 * rows[:, AROUSAL]
    weights = np.exp(logits)
    rows[:, EXPRESSION_SLICE] = weights / weights.sum(axis=1, keepdims=True)
    size = np.array([0.12, 0.15, 0.08, 0.05, 0.05, 0.1]) * traits.head_motion
    rows[:, ATTRIBUTE_COUNT:] = size * movement[:, units + 2 :]
    return rows.astype(np.float32)


def voice_features(generator: np.random.Generator, frames: int) -> np.ndarray:
    """Audio features of something like speech with pauses: (frames, 78) float32."""
    order = AUDIO_FEATURE_COUNT // 3
    coefficients = order // 2
    spread = np.concatenate([[1.2, 9.0], np.full(coefficients - 2, 7.0)])
    centre = np.concatenate([[1.5, -26.0], np.full(coefficients - 2, 5.0)])
    syllables = 0.7 * smooth_noise(generator, frames, coefficients, 0.1)
    syllables += 0.7 * generator.standard_normal((frames, coefficients))
    speaking = 1 / (1 + np.exp(-4 * smooth_noise(generator, frames, 1, 0.8)))
    values = centre * (0.3 + 0.7 * speaking) + spread * syllables * (0.15 + 0.85 * speaking)
    rows = np.zeros((frames, AUDIO_FEATURE_COUNT))
    rows[:, :order] = np.repeat(values, 2, axis=1)
    slope = generator.standard_normal((frames, coefficients)) * 0.2 * spread * speaking
    rows[:, :order] += np.stack([-slope, slope], axis=2).reshape(frames, order)
    rows[:, order : 2 * order] = np.repeat(0.8 * slope, 2, axis=1)
    return rows.astype(np.float32)


@dataclass(frozen=True)
class DrawnFaces:
    """Drawings (N, 3, size, size) float32 in [-1, 1], and what was drawn, each (N,).

    `mouth` is how far the mouth is open and `brow` how far the brows are raised, both 0 to 1.
    """

    image: np.ndarray
    mouth: np.ndarray
    brow: np.ndarray


def drawn_faces(
    generator: np.random.Generator, frames: int, size: int, spacing: int = 1
) -> DrawnFaces:
    """One person moving: mouth, brows, eyes, place of the head and light change smoothly.

    Only every `spacing`-th frame is drawn.
    """
    motion = smooth_noise(generator, frames * spacing, 7, 0.3)[::spacing]
    mouth = 1 / (1 + np.exp(-1.5 * motion[:, 0]))
    brow = 1 / (1 + np.exp(-1.5 * motion[:, 1]))
    person = _Person.draw(generator, size)
    images = [person.face(mouth[k], brow[k], motion[k, 2:]) for k in range(frames)]
    return DrawnFaces(np.stack(images), mouth.astype(np.float32), brow.astype(np.float32))


@dataclass(frozen=True)
class _Person:
    """Colours (3,) in [-1, 1], texture (3, size, size), and proportions of a drawn person."""

    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    background: np.ndarray
    width: float
    mouth_width: float

    @classmethod
    def draw(cls, generator: np.random.Generator, size: int) -> "_Person":
        tone = generator.uniform(0.25, 0.9)
        coarse = generator.uniform(0, 1, (3, 8, 8))
        cells = np.arange(size) * 8 // size
        return cls(
            skin=tone * np.array([1.0, 0.78, 0.65]),
            hair=generator.uniform(0.05, 0.5) * np.array([1.0, 0.8, 0.6]),
            lips=tone * np.array([0.8, 0.4, 0.4]),
            background=generator.uniform(0.2, 0.8) * (0.6 + 0.4 * coarse[:, cells][:, :, cells]),
            width=generator.uniform(0.52, 0.66),
            mouth_width=generator.uniform(0.18, 0.26),
        )

    def face(self, mouth: float, brow: float, motion: np.ndarray) -> np.ndarray:
        """(3, size, size); `motion` (5,) is place x and y, light, blink, smile."""
        size = self.background.shape[-1]
        axis = np.linspace(-1, 1, size)
        x = axis[None, :] - 0.04 * motion[0]
        y = axis[:, None] - 0.04 * motion[1]
        soft = size / 8

        def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
            radius = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
            return np.asarray(
                1 / (1 + np.exp(np.clip((radius - 1) * min(rx, ry) * soft * 4, -30, 30)))
            )

        image = self.background.copy()

        def paint(mask: np.ndarray, colour: np.ndarray) -> None:
            image[:] += mask * (colour[:, None, None] - image)

        paint(ellipse(0, -0.15, self.width * 1.2, 0.95), self.hair)
        paint(ellipse(0, 0.05, self.width, 0.85), self.skin)
        lid = 0.05 * (1.2 - 0.6 / (1 + np.exp(-3 * motion[3] + 4)))
        for side in (-1.0, 1.0):
            paint(ellipse(0.25 * side, -0.15, 0.11, lid), np.array([0.95, 0.95, 0.95]))
            paint(ellipse(0.25 * side, -0.15, 0.04, min(lid, 0.045)), np.array([0.1, 0.08, 0.05]))
            paint(ellipse(0.25 * side, -0.3 - 0.1 * brow, 0.15, 0.03), self.hair)
        paint(ellipse(0, 0.15, 0.05, 0.09), self.skin * 0.85)
        wide = self.mouth_width * (1 + 0.15 * np.tanh(motion[4]))
        paint(ellipse(0, 0.5, wide, 0.05 + 0.14 * mouth), self.lips)
        paint(ellipse(0, 0.5, wide * 0.8, 0.01 + 0.12 * mouth), np.array([0.15, 0.05, 0.05]))
        light = 1 + 0.04 * motion[2]
        return (np.clip(image * light, 0, 1) * 2 - 1).astype(np.float32)
