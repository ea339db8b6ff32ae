"""Listeners nod where a phrase ends, and now and then add a face or a hum.

Nods and "mm" follow phrase ends and pauses, 0.3 to 1 s after the cue: V. H. Yngve: "On getting a
word in edgewise", Chicago Linguistic Society, 1970; N. Ward, W. Tsukahara: "Prosodic features which
cue back-channel responses in English and Japanese", Journal of Pragmatics 32(8), 2000 (0.7 s after
a low pitch). Nods of listeners are one to three cycles at 2 to 4 Hz: U. Hadar, T. J. Steiner, F. C.
Rose: "Head movement during listening turns in conversation", Journal of Nonverbal Behavior 9(4),
1985. Smiles and raised brows are backchannels too: L. J. Brunner: "Smiles can be back channels",
JPSP 37(5), 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.actions import Event, FaceAction, act
from perreactor_model.synthesis.choosing import preferred
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.rules.turn_taking import INVITATIONS_A_MINUTE, invitations

_FACES = {"closed smile": 0.25, "smile": 0.2, "brows up": 0.25, "thought": 0.15, "frown": 0.15}
"""What the face does at the end of a phrase, before mood and favourite units are counted in."""

_FACE_CHANCE = 0.7
"""Share of the phrase ends; nods come at the persona's own rate."""

_MOOD = 5.0
"""Much: nothing that is told asks for one of them."""

_DEPTH = np.radians(5.5)


@dataclass(frozen=True)
class Nod:
    """`cycles` downs and ups of the head, the first `depth` (rad) deep, the others less."""

    event: Event
    cycles: int
    frequency: float
    depth: float


@dataclass(frozen=True)
class Backchannels:
    """What a listener did to show that they listen; `hums`: onsets of "mm" in seconds."""

    nods: tuple[Nod, ...]
    faces: tuple[FaceAction, ...]
    hums: tuple[float, ...]


def backchannels(
    other: Cues, own: Cues, persona: Persona, generator: np.random.Generator
) -> Backchannels:
    """After each phrase of the other: nods at the persona's rate, unless talking oneself."""
    nods: list[Nod] = []
    faces: list[FaceAction] = []
    hums: list[float] = []
    chance = persona.backchannel_rate / INVITATIONS_A_MINUTE
    for invitation in invitations(other.phrases):
        latency = float(np.clip(generator.gamma(6.0, 0.09), 0.2, 1.1))
        onset = invitation.onset + latency * (0.5 + 0.5 * persona.mimicry_lag / 0.65)
        # All drawn whether used or not: one nod more does not change the ones after it.
        happens, hummed = generator.random() < min(0.95, chance), generator.random() < 0.25
        cycles, frequency = int(generator.integers(1, 4)), float(generator.uniform(1.8, 3.0))
        depth = _DEPTH * persona.head_motion**0.6 * float(generator.uniform(0.75, 1.3))
        answered = generator.random() < _FACE_CHANCE
        display = preferred(_FACES, _MOOD, persona, generator)
        strength = float(generator.uniform(0.5, 0.9))
        face = act(persona, generator, display, "phrase end", onset, 1.3, strength)
        if own.talks_at(onset):
            continue
        if answered:
            faces.append(face)
        if not happens:
            continue
        event = Event("nod", "phrase end", onset, cycles / frequency, depth)
        nods.append(Nod(event, cycles, frequency, depth))
        if hummed:
            hums.append(onset)
    return Backchannels(tuple(nods), tuple(faces), tuple(hums))


def pitch_of(nods: tuple[Nod, ...], frames: int) -> np.ndarray:
    """Head pitch (T,) in radians, positive down."""
    pitch = np.zeros(frames)
    for nod in nods:
        first = int(nod.event.onset * FRAME_RATE)
        last = min(frames, int(np.ceil((nod.event.onset + nod.event.seconds) * FRAME_RATE)) + 1)
        cycle = (np.arange(first, last) / FRAME_RATE - nod.event.onset) * nod.frequency
        inside = (cycle >= 0) & (cycle < nod.cycles)
        # sin^2 has no velocity at its ends, as minimum jerk has not.
        shape = np.sin(np.pi * cycle) ** 2 * 0.75 ** np.floor(np.maximum(cycle, 0.0))
        pitch[first:last] += np.where(inside, nod.depth * shape, 0.0)
    return pitch
