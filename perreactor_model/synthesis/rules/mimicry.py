"""Part of the other's expression comes back, a moment later.

Faces that are seen are copied within half a second, unnoticed: U. Dimberg, M. Thunberg, K. Elmehed:
"Unconscious facial reactions to emotional facial expressions", Psychological Science 11(1), 2000.
How much depends on who mimics, and comes and goes: Hess and Fischer (2013). Talking lips are not
copied.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.motion import lag, smooth, wander
from perreactor_model.synthesis.personas import Persona

_GAIN = 0.3
"""Part of what is seen, for an expressive person who mimics fully."""

_SLUGGISH = 0.24
"""Seconds of the low-pass that muscles and attention make; part of the lag."""


def mimicry(other: Cues, persona: Persona, generator: np.random.Generator) -> np.ndarray:
    """Action units (T, 15) that come back from the other's expression."""
    attention = wander(generator, other.frames, 1, 4.0)
    gain = _GAIN * persona.mimicry_gain * persona.expressivity * (1.0 + 0.3 * np.tanh(attention))
    seconds = persona.mimicry_lag * float(generator.uniform(0.85, 1.15))
    seen = lag(smooth(other.expression, _SLUGGISH), max(0.0, seconds - _SLUGGISH))
    return np.clip(gain * seen, 0.0, 1.0)
