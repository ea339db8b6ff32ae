"""Something funny, sad, surprising is told: the listener's face answers it.

Smiles are answered by smiles, distress by concern, and most faces by the like: E. Hatfield,
J. T. Cacioppo, R. L. Rapson: "Emotional contagion", Cambridge University Press, 1994; on smiles,
V. B. Hinsz, J. A. Tomhave: "Smile and (half) the world smiles with you, frown and you frown alone",
Personality and Social Psychology Bulletin 17(5), 1991. In conversation faces answer within about a
second: M. Riehle, J. Kempkensteffen, T. M. Lincoln: "Quantifying facial expression synchrony in
face-to-face dyadic interactions", Journal of Nonverbal Behavior 41(2), 2017.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.synthesis.actions import FaceAction, act
from perreactor_model.synthesis.choosing import preferred
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.personas import Persona

ANSWERS = {
    "funny": {"smile": 4.5, "laugh": 3.0, "closed smile": 2.5},
    "sad": {"concern": 5.0, "sadness": 2.0, "thought": 2.0},
    "surprising": {"brows up": 4.0, "surprise": 3.5, "smile": 1.2},
    "annoying": {"thought": 4.0, "anger": 2.5, "concern": 2.0},
    "disgusting": {"disgust": 4.5, "doubt": 2.0, "laugh": 0.6},
    "frightening": {"concern": 4.0, "fear": 2.5, "surprise": 2.0},
    "doubtful": {"thought": 4.0, "doubt": 2.5, "brows up": 2.5},
}
"""Kind of moment -> display -> how likely, before the person's own ways are counted in."""

_MOOD = 2.0
"""Little: what is told decides."""

_STAYS_STILL = 0.18
_LATENCY_SPREAD = 0.3


def answers(
    other: Cues, own: Cues, persona: Persona, generator: np.random.Generator
) -> list[FaceAction]:
    """A face for most moments that the other shows, later by about the persona's lag."""
    faces = []
    for moment in other.moments:
        latency = persona.mimicry_lag * float(generator.lognormal(0.0, _LATENCY_SPREAD))
        seconds = moment.seconds * float(generator.uniform(0.7, 1.4))
        strength = min(1.0, moment.strength * float(generator.uniform(0.55, 1.25)))
        still = generator.random() < _STAYS_STILL
        display = preferred(ANSWERS[moment.kind], _MOOD, persona, generator)
        onset = moment.onset + latency
        if still:
            continue
        if own.talks_at(onset):
            strength *= 0.5  # who talks attends to the own words
        faces.append(act(persona, generator, display, moment.kind, onset, seconds, strength))
    return faces
