"""What a person does in reaction to the other: all rules together, in one face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.synthesis.actions import Event, perform
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.motion import union
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.rules.backchannels import backchannels, pitch_of
from perreactor_model.synthesis.rules.blinks import blinks, eyelids
from perreactor_model.synthesis.rules.contagion import answers
from perreactor_model.synthesis.rules.gaze import HEAD_SHARE, looks_away
from perreactor_model.synthesis.rules.head_motion import head_follows, leaning, tilting
from perreactor_model.synthesis.rules.mimicry import mimicry
from perreactor_model.synthesis.rules.mood import mood, resting_face
from perreactor_model.synthesis.rules.questions import answering
from perreactor_model.synthesis.seeds import Seed, stream
from perreactor_model.synthesis.talk import hums, lips

_ANSWERS, _QUESTIONS, _BACKCHANNELS, _MIMICRY, _MOOD, _BLINKS, _GAZE, _LEANING = range(8)


@dataclass(frozen=True)
class Face:
    """A whole person: own behaviour and reactions.

    units (T, 15) 0..1; mood (T,) -1..1; head (T, 6) rotation (rad) and translation; lids (T,)
    closure 0..1; gaze (T, 2) yaw and pitch (rad); syllables (n, 7) as in `talk`; events by onset.
    """

    units: np.ndarray
    mood: np.ndarray
    head: np.ndarray
    lids: np.ndarray
    gaze: np.ndarray
    syllables: np.ndarray
    events: tuple[Event, ...]


def react(other: Cues, own: Cues, persona: Persona, seed: Seed) -> Face:
    """`persona`, who does `own`, reacts to `other`. Another seed is another reaction."""
    frames = own.frames
    faces = answers(other, own, persona, stream(seed, _ANSWERS))
    asked, tilts = answering(other, own, persona, stream(seed, _QUESTIONS))
    heard = backchannels(other, own, persona, stream(seed, _BACKCHANNELS))
    faces = [*faces, *asked, *heard.faces]
    feeling = mood(other, persona, stream(seed, _MOOD))
    lidded = blinks(other, own, persona, stream(seed, _BLINKS))
    away, gaze = looks_away(own, persona, stream(seed, _GAZE))
    hummed = hums(heard.hums, persona)
    units = resting_face(feeling, persona)
    for more in (
        mimicry(other, persona, stream(seed, _MIMICRY)),
        perform(faces, frames),
        own.expression,
        own.lips,
        lips(hummed, persona, frames),
    ):
        units = union(units, more)
    head = own.head + leaning(other, persona, stream(seed, _LEANING))
    head = head + tilting(tilts, persona, frames) + head_follows(gaze, HEAD_SHARE)
    head[:, 0] += pitch_of(heard.nods, frames)
    events = [*own.events, *(face.event for face in faces), *tilts, *lidded, *away]
    events += [nod.event for nod in heard.nods]
    events += [Event("hum", "phrase end", onset, 0.3, 0.3) for onset in heard.hums]
    return Face(
        units=np.clip(units, 0.0, 1.0),
        mood=feeling,
        head=head,
        lids=eyelids(lidded, frames),
        gaze=gaze,
        syllables=np.concatenate([own.syllables, hummed]),
        events=tuple(sorted(events, key=lambda event: (event.onset, event.name))),
    )
