"""The faces that people make in these conversations, as action units at full strength.

Emotional ones: the units that Du, Tao and Martinez (PNAS 111(15), 2014, Table 1) found in them, and
for contempt Friesen and Ekman (EMFACS-7, 1983). A face of concern for somebody sad draws the inner
brows up and together: N. Eisenberg et al.: "Relation of sympathy and personal distress to prosocial
behavior", JPSP 57(1), 1989. Faces of thought lower the brows and press or purse the lips: C.
Goodwin, M. H. Goodwin: "Gesture and coparticipation in the activity of searching for a word",
Semiotica 62, 1986; P. Ekman: "About brows", in: Human Ethology, 1979. Strengths are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perreactor_model.contract import ACTION_UNITS

_FACES: Mapping[str, Mapping[str, float]] = {
    "smile": {"AU6": 0.5, "AU7": 0.15, "AU12": 0.8, "AU14": 0.15, "AU25": 0.2},
    "laugh": {"AU6": 0.8, "AU7": 0.4, "AU10": 0.2, "AU12": 1.0, "AU25": 0.8, "AU26": 0.5},
    "closed smile": {"AU6": 0.3, "AU12": 0.6, "AU14": 0.4, "AU24": 0.25},
    "concern": {"AU1": 0.7, "AU4": 0.55, "AU15": 0.35, "AU17": 0.3, "AU24": 0.2},
    "sadness": {"AU1": 0.75, "AU4": 0.6, "AU6": 0.15, "AU15": 0.75, "AU17": 0.55},
    "surprise": {"AU1": 0.85, "AU2": 0.9, "AU25": 0.6, "AU26": 0.55},
    "brows up": {"AU1": 0.6, "AU2": 0.7},
    "disgust": {"AU4": 0.35, "AU6": 0.1, "AU7": 0.3, "AU9": 0.7, "AU10": 0.75, "AU17": 0.4},
    "anger": {"AU4": 0.8, "AU7": 0.6, "AU10": 0.15, "AU17": 0.25, "AU23": 0.65, "AU24": 0.5},
    "fear": {"AU1": 0.8, "AU2": 0.4, "AU4": 0.6, "AU25": 0.5, "AU26": 0.25},
    "frown": {"AU4": 0.85, "AU7": 0.2, "AU15": 0.75, "AU17": 0.45, "AU24": 0.35},
    "doubt": {"AU4": 0.3, "AU14": 0.75, "AU15": 0.15, "AU17": 0.35, "AU23": 0.2},
    "thought": {"AU4": 0.5, "AU7": 0.25, "AU14": 0.3, "AU17": 0.3, "AU23": 0.45, "AU24": 0.45},
}

DISPLAYS = tuple(_FACES)


def _row(units: Mapping[str, float]) -> np.ndarray:
    return np.array([units.get(unit, 0.0) for unit in ACTION_UNITS])


UNITS_OF: Mapping[str, np.ndarray] = {name: _row(units) for name, units in _FACES.items()}
"""Display -> (15,) at full strength."""

VALENCE_OF: Mapping[str, float] = {
    "smile": 0.8, "laugh": 1.0, "closed smile": 0.6, "concern": -0.5, "sadness": -0.7,
    "surprise": 0.2, "brows up": 0.1, "disgust": -0.6, "anger": -0.7, "fear": -0.6,
    "frown": -0.7, "doubt": -0.4, "thought": -0.15,
}  # fmt: skip
"""How pleasant such a face is to make, -1..1: signs as Russell and Mehrabian (1977) have them."""
