"""Speakers' faces underline words, and show when they search for one. Listeners let that pass.

Brows rise with pitch accents, some 0.06 s ahead: M. L. Flecha-Garcia: "Eyebrow raises in dialogue
and their relation to discourse structure, utterance function and pitch accents in English", Speech
Communication 52(6), 2010. Faces of thought in pauses: C. Goodwin, M. H. Goodwin: "Gesture and
coparticipation in the activity of searching for a word", Semiotica 62, 1986. Most displays of
people who talk are of this kind and show no feeling: N. Chovil: "Discourse-oriented facial displays
in conversation", Research on Language and Social Interaction 25, 1991.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perreactor_model.synthesis.actions import FaceAction, act
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.scripts import Phrase
from perreactor_model.synthesis.talk import LOUDNESS, ONSET

_UNDERLINED = 0.16
"""Share of the loud syllables."""

_LOUD = 0.6
_SEARCHES = 0.3
"""Share of the pauses within a turn."""

_DISPLAYS = {"brows up": 0.6, "thought": 0.2, "closed smile": 0.2}


def underlining(
    syllables: np.ndarray, persona: Persona, generator: np.random.Generator
) -> list[FaceAction]:
    """Short raises of the brows, and other small faces, with stressed syllables."""
    faces = []
    names, shares = list(_DISPLAYS), list(_DISPLAYS.values())
    for row in syllables:
        happens = generator.random() < _UNDERLINED
        display = str(generator.choice(names, p=shares))
        seconds, strength = generator.uniform(0.7, 1.3), generator.uniform(0.35, 0.8)
        if happens and row[LOUDNESS] > _LOUD:
            onset = float(row[ONSET]) - 0.06
            faces.append(act(persona, generator, display, "emphasis", onset, seconds, strength))
    return faces


def searching(
    phrases: Sequence[Phrase], persona: Persona, generator: np.random.Generator
) -> list[FaceAction]:
    """A face of thought in some pauses of the own turn."""
    faces = []
    for phrase in phrases:
        draws = generator.random(2)
        if draws[0] < _SEARCHES and not phrase.ends_turn:
            strength = 0.5 + 0.4 * float(draws[1])
            faces.append(act(persona, generator, "thought", "pause", phrase.end, 1.1, strength))
    return faces
