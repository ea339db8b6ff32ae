"""People look away: more while talking than while listening, most when they begin to talk or think.

A. Kendon: "Some functions of gaze-direction in social interaction", Acta Psychologica 26, 1967; M.
Argyle, M. Cook: "Gaze and mutual gaze", Cambridge University Press, 1976 (looking at the other for
some 75 % of listening and 40 % of talking); S. Andrist et al.: "Conversational gaze aversion for
humanlike robots", HRI 2014 (lengths of 1 to 4 s, up while thinking, sideways else).
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.motion import Course, follow
from perreactor_model.synthesis.personas import Persona

HEAD_SHARE = 0.4
"""Part of a look away that the head makes."""

_AT_TURN_BEGIN = 0.6


def looks_away(
    own: Cues, persona: Persona, generator: np.random.Generator
) -> tuple[list[Event], np.ndarray]:
    """Events, and the direction of gaze (T, 2): yaw, pitch in radians; 0 looks at the other."""
    seconds = own.frames / FRAME_RATE
    events: list[Event] = []
    gaze = np.zeros((own.frames, 2))
    for begin, cause in _onsets(own, persona, generator, seconds):
        length = float(np.clip(generator.gamma(4.0, 0.35), 0.5, 3.0))
        yaw = float(generator.choice([-1.0, 1.0]) * generator.uniform(0.15, 0.38))
        pitch = float(generator.uniform(-0.15, 0.18))
        if events and begin < events[-1].onset + events[-1].seconds + 0.5:
            continue
        events.append(Event("look away", cause, begin, length + 0.4, abs(yaw)))
        part, height = follow(Course(begin, 0.2, max(0.1, length - 0.2), 0.2), own.frames)
        gaze[part] += height[:, None] * np.array([yaw, pitch])
    return events, gaze


def _onsets(
    own: Cues, persona: Persona, generator: np.random.Generator, seconds: float
) -> list[tuple[float, str]]:
    turns = np.flatnonzero(np.diff(own.talking.astype(np.int8), prepend=np.int8(0)) == 1)
    onsets = [
        (max(0.0, float(frame) / FRAME_RATE - 0.2), "turn begins")
        for frame in turns
        if generator.random() < _AT_TURN_BEGIN
    ]
    clock = 0.0
    while clock < seconds:
        doubled = 2.0 if own.talks_at(clock) else 1.0
        share = min(0.6, persona.gaze_aversion * doubled)
        clock += float(generator.exponential(1.8 * (1.0 - share) / max(share, 0.01))) + 0.3
        onsets.append((clock, "by itself"))
    return sorted(onset for onset in onsets if onset[0] < seconds)
