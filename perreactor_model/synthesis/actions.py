"""Single movements of a face, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.synthesis.displays import UNITS_OF, VALENCE_OF
from perreactor_model.synthesis.motion import Course, follow, union
from perreactor_model.synthesis.personas import Persona

_RISE = 0.42
"""Seconds of an onset at tempo 1: spontaneous smiles take 0.4 to 0.7 s (Schmidt et al., 2003)."""

_HABIT = 0.55
"""How much of a favourite unit joins a movement of strength 1."""


_MOOD = 0.7
"""How much larger a face is that suits the own mood fully."""


@dataclass(frozen=True)
class Event:
    """Something that a person did. `onset` and `seconds` in seconds; `cause` says why.

    Names: displays of `displays.DISPLAYS`, "nod", "blink", "look away", "tilt", "hum".
    """

    name: str
    cause: str
    onset: float
    seconds: float
    strength: float


@dataclass(frozen=True)
class FaceAction:
    """`units` (15,) at its height, reached along `course`."""

    event: Event
    course: Course
    units: np.ndarray


def act(
    persona: Persona,
    generator: np.random.Generator,
    display: str,
    cause: str,
    onset: float,
    seconds: float,
    strength: float,
) -> FaceAction:
    """The way this person makes a face of `strength` 0..1 that lasts `seconds`."""
    rise = _RISE / persona.tempo * float(generator.uniform(0.8, 1.3))
    fall = 1.7 * rise
    course = Course(onset, rise, max(0.1, seconds - rise - 0.5 * fall), fall)
    uneven = generator.uniform(0.85, 1.15, len(ACTION_UNITS))
    suits = 1.0 + _MOOD * persona.baseline_valence * VALENCE_OF[display]
    units = strength * suits * persona.expressivity * UNITS_OF[display] * uneven
    habit = _HABIT * strength * np.sqrt(persona.expressivity) * persona.favourites
    event = Event(display, cause, onset, course.end - onset, strength)
    return FaceAction(event, course, np.clip(union(np.clip(units, 0, 1), habit), 0.0, 1.0))


def perform(actions: Iterable[FaceAction], frames: int) -> np.ndarray:
    """Action units (T, 15) of all movements together."""
    units = np.zeros((frames, len(ACTION_UNITS)))
    for action in actions:
        part, height = follow(action.course, frames)
        units[part] = union(units[part], height[:, None] * action.units)
    return units
