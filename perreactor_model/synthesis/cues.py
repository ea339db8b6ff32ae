"""What one person of a conversation gives the other to react to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.scripts import Moment, Phrase


@dataclass(frozen=True)
class Cues:
    """A person's own behaviour, before they react to anybody; 25 frames a second.

    syllables: (n, 7) as in `talk`. lips, expression: action units (T, 15) of talking, and of all
    else. head: (T, 6), rotation (rad) and translation. moments: as they were shown, `strength`
    times how much this person shows. talking: (T,) bool, pauses within a turn included.
    """

    phrases: tuple[Phrase, ...]
    moments: tuple[Moment, ...]
    syllables: np.ndarray
    lips: np.ndarray
    expression: np.ndarray
    head: np.ndarray
    talking: np.ndarray
    events: tuple[Event, ...]

    @property
    def frames(self) -> int:
        """T."""
        return len(self.lips)

    def talks_at(self, seconds: float) -> bool:
        """Whether this person talks, or pauses within a turn, at a time."""
        frame = int(seconds * FRAME_RATE)
        return 0 <= frame < self.frames and bool(self.talking[frame])
