"""Two people perform a script: who they are, what is said, how each reacts to the other.

Each first does what is their own, then reacts to what the other does of their own: no loop of
causes. So the listener can be drawn again while the speaker stays the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    AROUSAL,
    ATTRIBUTE_COUNT,
    AU_SEMANTICS,
    EXPRESSION_SLICE,
    FRAME_RATE,
    VALENCE,
)
from perreactor_model.face_analysis.affect import derive_many
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.coefficients import coefficients_of
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.listening import Face, react
from perreactor_model.synthesis.motion import smooth, wander
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import Persona, draw_persona
from perreactor_model.synthesis.scripts import Script, draw_script
from perreactor_model.synthesis.seeds import Seed, stream
from perreactor_model.synthesis.speaking_face import perform_script
from perreactor_model.synthesis.talk import SpeechTrack, sound

SPEAKER, LISTENER = 0, 1
"""Roles in a script of fixed roles; in one of turns, persons 0 and 1."""

OCCURS = 0.3
"""Intensity from which an action unit counts as there, where labels are occurrences."""

_FELT = 0.35
"""How much of valence is the mood, and not the face that is made at the moment."""

_OWN, _REACTION, _COEFFICIENTS, _UNEVEN = range(4)


@dataclass(frozen=True)
class Behaviour:
    """A person in a conversation; 25 frames a second.

    attributes: float32 (T, 25), true ones. intensities: float32 (T, 15), of the action units, also
    where attributes hold their occurrence. coefficients: float32 (T, 58), deviation from a neutral
    face, signs of the contract. speech: what is heard. gaze: (T, 2) yaw, pitch (rad). lids: (T,)
    closure 0..1. events: what was done, when and why.
    """

    attributes: np.ndarray
    intensities: np.ndarray
    coefficients: np.ndarray
    speech: SpeechTrack
    gaze: np.ndarray
    lids: np.ndarray
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Dyad:
    """Both persons of a performance."""

    speaker: Behaviour
    listener: Behaviour


def simulate(
    script: Script,
    speaker: Persona,
    listener: Persona,
    seed: Seed,
    draw: int = 0,
    seconds: float | None = None,
    units: str = "intensity",
    speaker_draw: int = 0,
) -> Dyad:
    """Perform a script for `seconds` (all of it). The same arguments give the same bytes.

    `draw` numbers performances of the listener: another one is what they might as well have done,
    syllables of their own turns included, while the speaker stays the same to the last bit (who
    reacts to the listener's draw 0 always). `speaker_draw` does so for the speaker, for corpora in
    which both are listeners. `units`: action units as `intensity`, or as `occurrence`: 0 or 1.
    """
    if units not in AU_SEMANTICS:
        raise ValueError(f"units must be one of {', '.join(AU_SEMANTICS)}, not {units!r}")
    frames = round((script.seconds if seconds is None else seconds) * FRAME_RATE)
    numbers = _numbers(seed)
    people = (speaker, listener)
    draws = (speaker_draw, draw)

    def own(role: int, drawn: int) -> Cues:
        return perform_script(script, role, people[role], (*numbers, _OWN, role, drawn), frames)

    seen = [own(role, 0) for role in (SPEAKER, LISTENER)]
    behaviours = []
    for role, drawn in enumerate(draws):
        key = (*numbers, _REACTION, role, drawn)
        mine = own(role, drawn) if drawn else seen[role]
        face = react(seen[1 - role], mine, people[role], key)
        behaviours.append(_behaviour(face, mine, people[role], key, units))
    return Dyad(*behaviours)


def _behaviour(face: Face, own: Cues, persona: Persona, key: Seed, units: str) -> Behaviour:
    frames = len(face.units)
    speech = sound(face.syllables, own.phrases, persona, frames)
    uneven = 1.0 + 0.06 * wander(stream(key, _UNEVEN), frames, face.units.shape[1], 0.5)
    shown = np.clip(face.units * uneven, 0.0, 1.0)
    attributes = np.zeros((frames, ATTRIBUTE_COUNT), np.float32)
    attributes[:, ACTION_UNIT_SLICE] = shown if units == "intensity" else shown >= OCCURS
    derived = derive_many(shown)
    attributes[:, AFFECT_SLICE.start :] = derived
    attributes[:, VALENCE] = (1 - _FELT) * derived[:, 0] + _FELT * face.mood
    awake = 0.25 * smooth(speech.energy, 0.6)
    attributes[:, AROUSAL] = np.clip(derived[:, 1] + awake - 0.05, -1.0, 1.0)
    assert attributes.shape[1] == EXPRESSION_SLICE.stop
    return Behaviour(
        attributes=attributes,
        intensities=shown.astype(np.float32),
        coefficients=coefficients_of(face, stream(key, _COEFFICIENTS)),
        speech=speech,
        gaze=face.gaze.astype(np.float32),
        lids=face.lids.astype(np.float32),
        events=face.events,
    )


def _numbers(seed: Seed) -> tuple[int, ...]:
    return tuple(seed) if isinstance(seed, Sequence) else (int(seed),)


def persona_session(persona: Persona, seconds: float, seed: Seed = 0) -> Behaviour:
    """`persona` listening to a stranger, who is drawn from the seed as what they tell is."""
    numbers = _numbers(seed)
    script = draw_script(stream(numbers, 1), seconds)
    stranger = draw_persona(stream(numbers, 2), "stranger")
    return simulate(script, stranger, persona, (*numbers, 3)).listener


def persona_history(persona: Persona, seconds: float, seed: Seed = 0) -> np.ndarray:
    """What a face analyzer would see of `persona_session`: float32 (T, 31).

    25 attributes, rotation (rad), translation; NaN where unknown.
    """
    return observe(persona_session(persona, seconds, seed), (*_numbers(seed), 4))
