"""Who holds the turn, and where the other is invited to respond.

Listeners respond in the pauses of the other's turn, most at the ends of phrases: S. Duncan: "Some
signals and rules for taking speaking turns in conversations", JPSP 23(2), 1972; A. Gravano, J.
Hirschberg: "Turn-taking cues in task-oriented dialogue", Computer Speech and Language 25(3), 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.scripts import Phrase

INVITATIONS_A_MINUTE = 17.0
"""Phrase ends in a minute of scripted talk, on average: turns a rate into a probability."""

_PAUSE_WITHIN_TURN = 1.6


@dataclass(frozen=True)
class Invitation:
    """At `onset` (s) a phrase has ended; `question` if it was one."""

    onset: float
    question: bool


def holds_turn(phrases: Sequence[Phrase], frames: int) -> np.ndarray:
    """(T,) bool: talking, or in a pause of the own turn."""
    held = np.zeros(frames, bool)
    for index, phrase in enumerate(phrases):
        end = phrase.end
        following = phrases[index + 1] if index + 1 < len(phrases) else None
        if following and not phrase.ends_turn:
            if following.onset - end < _PAUSE_WITHIN_TURN:
                end = following.onset
        held[int(phrase.onset * FRAME_RATE) : int(end * FRAME_RATE)] = True
    return held


def invitations(phrases: Sequence[Phrase]) -> list[Invitation]:
    """Ends of phrases after which the other is expected to show that they listen."""
    return [Invitation(phrase.end, phrase.kind == "question") for phrase in phrases]
