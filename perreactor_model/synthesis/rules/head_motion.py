"""Heads are never still, beat with stressed syllables, and come nearer when it gets interesting.

U. Hadar, T. J. Steiner, E. C. Grant, F. C. Rose: "Head movement correlates of juncture and stress
at sentence level", Language and Speech 26(2), 1983; K. G. Munhall et al.: "Visual prosody and
speech intelligibility: head movement improves auditory speech perception", Psychological Science
15(2), 2004. Leaning forward with interest: A. Mehrabian: "Nonverbal communication", Aldine, 1972.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.motion import Course, follow, wander
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.talk import LOUDNESS, ONSET

_SWAY = np.array([0.018, 0.03, 0.018, 0.035, 0.02, 0.06])
"""Standard deviations at head_motion 1: pitch, yaw, roll (rad), x, y, z."""

_BEAT = 0.045
_LEAN = {"surprising": 0.15, "sad": 0.18, "funny": -0.12, "frightening": 0.1, "disgusting": -0.2}


def sway(frames: int, persona: Persona, generator: np.random.Generator) -> np.ndarray:
    """(T, 6): slow posture, and small movements on top."""
    slow = wander(generator, frames, 6, 2.5)
    quick = wander(generator, frames, 6, 0.4)
    return np.asarray(persona.head_motion * _SWAY * (0.9 * slow + 0.35 * quick))


def beats(
    syllables: np.ndarray, frames: int, persona: Persona, generator: np.random.Generator
) -> np.ndarray:
    """(T, 6): the head dips with loud syllables, most of them."""
    head = np.zeros((frames, 6))
    for row in syllables:
        sizes = generator.normal(0.0, 1.0, 3)
        if row[LOUDNESS] < 0.6 or sizes[0] < -0.5:
            continue
        part, height = follow(Course(row[ONSET] - 0.08, 0.14, 0.04, 0.22), frames)
        size = _BEAT * persona.head_motion * row[LOUDNESS]
        head[part, 0] += height * size * (0.7 + 0.3 * sizes[0])
        head[part, 1] += height * size * 0.5 * sizes[1]
        head[part, 2] += height * size * 0.3 * sizes[2]
    return head


def leaning(other: Cues, persona: Persona, generator: np.random.Generator) -> np.ndarray:
    """(T, 6): nearer (z) with what is interesting, back with laughter and disgust."""
    head = np.zeros((other.frames, 6))
    for moment in other.moments:
        share = float(generator.uniform(0.4, 1.2)) * moment.strength * persona.head_motion
        course = Course(moment.onset + persona.mimicry_lag, 0.8, moment.seconds, 1.2)
        part, height = follow(course, other.frames)
        head[part, 5] += height * share * _LEAN.get(moment.kind, 0.0)
        if moment.kind == "funny":
            head[part, 0] -= height * share * 0.06
        elif moment.kind == "sad":
            head[part, 2] += height * share * 0.07
    return head


def tilting(tilts: list[Event], persona: Persona, frames: int) -> np.ndarray:
    """(T, 6): the head to one side."""
    head = np.zeros((frames, 6))
    for tilt in tilts:
        rise = 0.45 / persona.tempo
        course = Course(tilt.onset, rise, max(0.1, tilt.seconds - 2 * rise), 1.3 * rise)
        part, height = follow(course, frames)
        head[part, 2] += height * tilt.strength * persona.head_motion
    return head


def head_follows(gaze: np.ndarray, share: float) -> np.ndarray:
    """(T, 6): the part of a look away that the head makes, a little later than the eyes."""
    head = np.zeros((len(gaze), 6))
    delay = round(0.12 * FRAME_RATE)
    late = np.concatenate([np.zeros((delay, 2)), gaze])[: len(gaze)]
    head[:, 1], head[:, 0] = share * late[:, 0], share * late[:, 1]
    return head
