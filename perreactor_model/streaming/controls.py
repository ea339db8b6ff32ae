"""Control conditions for researchers: reactions that do not come from the networks.

`neutral` is a face at rest, `mime` copies the speaker, `random` moves without regard to the
speaker, `replay:<file>` plays a recorded reaction. Each is chosen like a listener profile.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    attribute_ranges,
    neutral_attributes,
)
from perreactor_model.profiles import REPLAY_PREFIX, read_replay
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_model.streaming.noise import LatentNoise

_RANDOM_SECONDS = 0.5
"""Time constant of the random control: about that of facial movements."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


class Control(ABC):
    """A reaction that needs no network: one frame of the speaker in, one frame of reaction out.

    Controls of the same kind and `key` are equal: chosen again while it still sounds, a control
    goes on.
    """

    key: Hashable = None

    @abstractmethod
    def at(self, frame: SpeakerFrame) -> tuple[np.ndarray, np.ndarray]:
        """Attributes (25,) and coefficients (58,), float32, in answer to this frame."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Control) and (type(self), self.key) == (type(other), other.key)

    def __hash__(self) -> int:
        return hash((type(self), self.key))


class Neutral(Control):
    """A face at rest."""

    def at(self, frame: SpeakerFrame) -> tuple[np.ndarray, np.ndarray]:
        """The neutral face, whatever the speaker does."""
        return neutral_attributes(), np.zeros(COEFFICIENT_COUNT, np.float32)


class Mime(Control):
    """The speaker's own attributes and coefficients; what is unknown of them is neutral."""

    def at(self, frame: SpeakerFrame) -> tuple[np.ndarray, np.ndarray]:
        """What the speaker's face does in this frame."""
        known = np.isfinite(frame.attributes)
        attributes = np.where(known, frame.attributes, neutral_attributes())
        coefficients = np.where(np.isfinite(frame.coefficients), frame.coefficients, 0.0)
        # What others measured may leave the contract's ranges; a reaction never does.
        return np.clip(attributes, *attribute_ranges()).astype(np.float32), coefficients.astype(
            np.float32
        )


class Random(Control):
    """Smooth noise: each attribute is uniform over its range, coefficients stay at zero."""

    def __init__(self, seed: int, robot: str, sample: int) -> None:
        self.key = (seed, robot, sample)
        name = f"{robot}/random-control"
        self._noise = LatentNoise(ATTRIBUTE_COUNT, _RANDOM_SECONDS, seed, name, sample)
        self._low, self._high = attribute_ranges()

    def at(self, frame: SpeakerFrame) -> tuple[np.ndarray, np.ndarray]:
        """Noise of this frame, mapped to uniform marginals; expressions are made to sum to 1."""
        uniform = 0.5 * (1.0 + _erf(self._noise.at(frame.index) / math.sqrt(2.0)))
        attributes = (self._low + (self._high - self._low) * uniform).astype(np.float32)
        attributes[EXPRESSION_SLICE] /= attributes[EXPRESSION_SLICE].sum()
        return attributes, np.zeros(COEFFICIENT_COUNT, np.float32)


class Replay(Control):
    """A recorded reaction (frames, 83), looped: row k answers frame k."""

    def __init__(self, rows: np.ndarray) -> None:
        self.key = id(rows)  # a file that has changed since is another recording
        self._rows = rows

    def at(self, frame: SpeakerFrame) -> tuple[np.ndarray, np.ndarray]:
        """The recorded row for this frame."""
        row = self._rows[frame.index % len(self._rows)]
        return row[:ATTRIBUTE_COUNT], row[ATTRIBUTE_COUNT:]


def make_control(
    name: str, seed: int, robot: str, sample: int, recording: np.ndarray | None = None
) -> Control:
    """The control condition of this name.

    `recording` is what `replay:<file>` plays, if it was read already. Raises ProfileError if it
    cannot be read.
    """
    if name.startswith(REPLAY_PREFIX):
        return Replay(read_replay(name) if recording is None else recording)
    makers: dict[str, Callable[[], Control]] = {
        "neutral": Neutral,
        "mime": Mime,
        "random": lambda: Random(seed, robot, sample),
    }
    return makers[name]()
