"""What a person does before reacting to anybody: talking, and showing what is being told.

The teller's face shows the feeling first: N. Chovil: "Discourse-oriented facial displays in
conversation", Research on Language and Social Interaction 25, 1991. Which display goes with which
moment is ours, after the prototypes in `displays`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from perreactor_model.synthesis.actions import FaceAction, act, perform
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.rules.emphasis import searching, underlining
from perreactor_model.synthesis.rules.head_motion import beats, sway
from perreactor_model.synthesis.rules.questions import asking
from perreactor_model.synthesis.rules.turn_taking import holds_turn
from perreactor_model.synthesis.scripts import Moment, Phrase, Script
from perreactor_model.synthesis.seeds import Seed, stream
from perreactor_model.synthesis.talk import lips, utter

_SHOWS = {
    "funny": ("smile", "laugh"),
    "sad": ("sadness", "concern"),
    "surprising": ("surprise", "brows up"),
    "annoying": ("anger", "anger"),
    "disgusting": ("disgust", "disgust"),
    "frightening": ("fear", "fear"),
    "doubtful": ("doubt", "thought"),
}
"""Kind of moment -> the usual display of whoever tells it, and the other one."""

_USUAL = 0.75
_TIMING = 0.12
"""Seconds by which a performance is off its script (standard deviation)."""

_FACE_AHEAD = 0.25
"""Seconds by which a teller's face begins before the words that it goes with."""

_PHRASES, _SYLLABLES, _MOMENTS, _QUESTIONS, _SWAY, _BEATS, _EMPHASIS, _SEARCHING = range(8)


def perform_script(script: Script, role: int, persona: Persona, seed: Seed, frames: int) -> Cues:
    """Person `role` (0 or 1) of a script, played by `persona`."""
    phrases = _timed(script.phrases_of(role), stream(seed, role, _PHRASES), script.seconds)
    faces, moments = _tell(script.moments_of(role), persona, stream(seed, role, _MOMENTS))
    faces += asking(phrases, persona, stream(seed, role, _QUESTIONS))
    syllables = utter(phrases, moments, persona, stream(seed, role, _SYLLABLES))
    faces += underlining(syllables, persona, stream(seed, role, _EMPHASIS))
    faces += searching(phrases, persona, stream(seed, role, _SEARCHING))
    head = sway(frames, persona, stream(seed, role, _SWAY))
    head += beats(syllables, frames, persona, stream(seed, role, _BEATS))
    return Cues(
        phrases=phrases,
        moments=moments,
        syllables=syllables,
        lips=lips(syllables, persona, frames),
        expression=perform(faces, frames),
        head=head,
        talking=holds_turn(phrases, frames),
        events=tuple(face.event for face in faces),
    )


def _timed(
    phrases: Sequence[Phrase], generator: np.random.Generator, seconds: float
) -> tuple[Phrase, ...]:
    """The same phrases, each a little earlier or later, in the same order and never at once."""
    timed: list[Phrase] = []
    for phrase in phrases:
        off = float(np.clip(generator.normal(0.0, _TIMING), -0.3, 0.3))
        earliest = timed[-1].end + 0.1 if timed else 0.0
        onset = max(earliest, phrase.onset + off)
        end = min(seconds, max(onset + 0.4, phrase.end + off))
        if onset < seconds - 0.4:
            timed.append(dataclasses.replace(phrase, onset=onset, end=end))
    return tuple(timed)


def _tell(
    moments: Sequence[Moment], persona: Persona, generator: np.random.Generator
) -> tuple[list[FaceAction], tuple[Moment, ...]]:
    """The teller's face, and the moments as they were shown."""
    faces, shown = [], []
    for moment in moments:
        off = float(np.clip(generator.normal(0.0, _TIMING), -0.3, 0.3))
        usual, other = _SHOWS[moment.kind]
        display = usual if generator.random() < _USUAL else other
        strength = min(1.0, moment.strength * float(generator.uniform(0.85, 1.15)))
        onset = max(0.0, moment.onset + off)
        first = onset - _FACE_AHEAD
        faces.append(act(persona, generator, display, moment.kind, first, moment.seconds, strength))
        visible = min(1.0, strength * (0.5 + 0.5 * min(1.0, persona.expressivity)))
        shown.append(dataclasses.replace(moment, onset=onset, strength=visible))
    return faces, tuple(sorted(shown, key=lambda moment: moment.onset))
