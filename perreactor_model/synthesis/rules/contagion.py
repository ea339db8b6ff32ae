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
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.displays import UNITS_OF, VALENCE_OF
from perreactor_model.synthesis.personas import Persona

ANSWERS = {
    "funny": {"smile": 5.0, "laugh": 3.0, "closed smile": 1.5},
    "sad": {"concern": 5.0, "sadness": 3.5, "thought": 0.5},
    "surprising": {"surprise": 5.0, "brows up": 3.5, "smile": 0.6},
    "annoying": {"anger": 4.5, "thought": 2.5, "doubt": 1.0},
    "disgusting": {"disgust": 6.0, "doubt": 1.0, "laugh": 0.5},
    "frightening": {"fear": 5.0, "concern": 2.5, "surprise": 1.0},
    "doubtful": {"doubt": 4.5, "thought": 3.0, "brows up": 1.0},
}
"""Kind of moment -> display -> how likely, before the person's own ways are counted in."""

_STAYS_STILL = 0.08
_LATENCY_SPREAD = 0.22


def answers(
    other: Cues, own: Cues, persona: Persona, generator: np.random.Generator
) -> list[FaceAction]:
    """A face for most moments that the other shows, later by about the persona's lag."""
    faces = []
    for moment in other.moments:
        latency = persona.mimicry_lag * float(generator.lognormal(0.0, _LATENCY_SPREAD))
        seconds = moment.seconds * float(generator.uniform(0.75, 1.15))
        strength = min(1.0, moment.strength * float(generator.uniform(0.75, 1.2)))
        still = generator.random() < _STAYS_STILL
        display = _choice(moment.kind, persona, generator)
        onset = moment.onset + latency
        if still:
            continue
        if own.talks_at(onset):
            strength *= 0.5  # who talks attends to the own words
        faces.append(act(persona, generator, display, moment.kind, onset, seconds, strength))
    return faces


def _choice(kind: str, persona: Persona, generator: np.random.Generator) -> str:
    """Among the answers, tilted towards the own mood and the own favourite units."""
    names = list(ANSWERS[kind])
    weights = np.array(
        [
            ANSWERS[kind][name]
            * np.exp(1.2 * persona.baseline_valence * VALENCE_OF[name])
            * (1.0 + 2.0 * float(persona.favourites @ UNITS_OF[name]))
            for name in names
        ]
    )
    return str(generator.choice(names, p=weights / weights.sum()))
