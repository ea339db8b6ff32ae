"""Brows go up with questions: the speaker's while asking, the listener's in answer.

P. Ekman: "About brows: emotional and conversational signals", in: Human Ethology, 1979; M. L.
Flecha-Garcia: "Eyebrow raises in dialogue and their relation to discourse structure, utterance
function and pitch accents in English", Speech Communication 52(6), 2010; N. Nota, J. P. Trujillo,
J. Holler: "Facial signals and social actions in multimodal face-to-face interaction", Brain
Sciences 11(8), 2021 (raised brows, frowns and tilted heads with questions).
"""

from __future__ import annotations

import numpy as np

from perreactor_model.synthesis.actions import Event, FaceAction, act
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.scripts import Phrase

_ASKED = 0.85
_ANSWERED = 0.7


def asking(
    phrases: tuple[Phrase, ...], persona: Persona, generator: np.random.Generator
) -> list[FaceAction]:
    """The speaker's brows at most questions, from before the last words until after them."""
    faces = []
    for phrase in phrases:
        if phrase.kind == "question":
            happens = generator.random() < _ASKED
            onset = max(phrase.onset, phrase.end - float(generator.uniform(0.9, 1.3)))
            strength = float(generator.uniform(0.6, 1.0))
            seconds = phrase.end - onset + 0.6
            if happens:
                faces.append(
                    act(persona, generator, "brows up", "question", onset, seconds, strength)
                )
    return faces


def answering(
    other: Cues, own: Cues, persona: Persona, generator: np.random.Generator
) -> tuple[list[FaceAction], list[Event]]:
    """The listener's face at a question: raised brows, or thought. And tilts of the head."""
    faces, tilts = [], []
    for phrase in other.phrases:
        if phrase.kind != "question":
            continue
        draws = generator.random(4)
        onset = phrase.end - 0.35 + persona.mimicry_lag * (0.7 + 0.6 * float(draws[0]))
        display = "brows up" if draws[1] < 0.65 else "thought"
        if draws[2] < _ANSWERED:
            strength = 0.55 + 0.35 * float(draws[0])
            faces.append(act(persona, generator, display, "question", onset, 1.5, strength))
        if draws[3] < 0.4 and not own.talks_at(onset):
            side = 1.0 if draws[1] < 0.4 else -1.0
            tilts.append(Event("tilt", "question", onset, 1.8, side * float(np.radians(5))))
    return faces, tilts
