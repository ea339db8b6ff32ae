"""Moods drift, return to the person's own, and are drawn along by the other's.

Core affect as an Ornstein-Uhlenbeck process around a personal home base: P. Kuppens, Z. Oravecz, F.
Tuerlinckx: "Feelings change: accounting for individual differences in the temporal dynamics of
affect", JPSP 99(6), 2010. Contagion: Hatfield, Cacioppo, Rapson (1994). Good moods smile a little,
bad ones frown: muscle activity over cheek and brow follows valence, J. T. Larsen, C. J. Norris, J.
T. Cacioppo: "Effects of positive and negative affect on electromyographic activity over zygomaticus
major and corrugator supercilii", Psychophysiology 40(5), 2003.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import ACTION_UNITS, FRAME_RATE
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.displays import VALENCE_OF
from perreactor_model.synthesis.motion import smooth, wander
from perreactor_model.synthesis.personas import Persona

_DRIFT = 0.2
_CONTAGION = 0.45
_GOOD = np.array([{"AU6": 0.45, "AU12": 0.8, "AU14": 0.15}.get(unit, 0.0) for unit in ACTION_UNITS])
_BAD = np.array(
    [{"AU4": 0.8, "AU15": 0.7, "AU17": 0.4, "AU24": 0.4}.get(unit, 0.0) for unit in ACTION_UNITS]
)
_MOOD_OF = {
    "funny": VALENCE_OF["laugh"],
    "sad": VALENCE_OF["sadness"],
    "surprising": VALENCE_OF["surprise"],
    "annoying": VALENCE_OF["anger"],
    "disgusting": VALENCE_OF["disgust"],
    "frightening": VALENCE_OF["fear"],
    "doubtful": VALENCE_OF["doubt"],
}


def mood(other: Cues, persona: Persona, generator: np.random.Generator) -> np.ndarray:
    """(T,), -1..1."""
    told = np.zeros(other.frames)
    for moment in other.moments:
        first = int(moment.onset * FRAME_RATE)
        last = int((moment.onset + moment.seconds) * FRAME_RATE)
        told[first:last] = moment.strength * _MOOD_OF[moment.kind]
    drift = _DRIFT * wander(generator, other.frames, 1, 5.0)[:, 0]
    drawn = _CONTAGION * (0.4 + 0.6 * persona.mimicry_gain) * smooth(told, 2.0)
    return np.asarray(np.tanh(persona.baseline_valence + drift + drawn))


def resting_face(mood: np.ndarray, persona: Persona) -> np.ndarray:
    """Action units (T, 15) that a mood keeps up."""
    size = 1.0 * np.sqrt(persona.expressivity)
    good = np.maximum(0.0, mood - 0.08)[:, None] * _GOOD
    bad = np.maximum(0.0, -mood - 0.08)[:, None] * _BAD
    return np.clip(size * (good + bad), 0.0, 1.0)
