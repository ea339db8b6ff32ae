"""Which of several fitting displays somebody makes.

Faces fit the mood people are in: smiles and frowns of listeners follow what they feel already
(Larsen, Norris, Cacioppo, 2003, as in `rules.mood`). And everybody has favourite movements, the
same ones for years, by which they can be told: J. F. Cohn, K. Schmidt, R. Gross, P. Ekman:
"Individual differences in facial expression: stability over time, relation to self-reported
emotion, and ability to inform person identification", ICMI 2002.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perreactor_model.synthesis.displays import UNITS_OF, VALENCE_OF
from perreactor_model.synthesis.personas import Persona

_HABIT = 2.0


def preferred(
    displays: Mapping[str, float],
    mood: float,
    persona: Persona,
    generator: np.random.Generator,
) -> str:
    """One of `displays` (name -> how likely), tilted towards the own mood and favourite units.

    `mood`: a display that suits the mood fully (valence 1 at a baseline of 1) is e^mood times as
    likely.
    """
    names = list(displays)
    weights = np.array(
        [
            displays[name]
            * np.exp(mood * persona.baseline_valence * VALENCE_OF[name])
            * (1.0 + _HABIT * float(persona.favourites @ UNITS_OF[name]))
            for name in names
        ]
    )
    return str(generator.choice(names, p=weights / weights.sum()))
