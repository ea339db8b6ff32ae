"""Eyes blink, more while talking, and where the other's phrase ends.

Some 17 blinks a minute at rest and 26 in conversation: A. R. Bentivoglio et al.: "Analysis of blink
rate patterns in normal subjects", Movement Disorders 12(6), 1997. Listeners blink with the speaker,
0.25 to 0.5 s later, at breaks of speech: T. Nakano, S. Kitazawa: "Eyeblink entrainment at
breakpoints of speech", Experimental Brain Research 205(4), 2010. Lids close faster than they open
and are back after some 0.3 s: K.-A. Kwon et al.: "High-speed camera characterization of voluntary
eye blinking kinematics", Journal of the Royal Society Interface 10(85), 2013.
"""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.cues import Cues
from perreactor_model.synthesis.motion import minimum_jerk
from perreactor_model.synthesis.personas import Persona

_APART = 0.6
_WITH_THE_OTHER = 0.35
_CLOSING, _CLOSED, _OPENING = 0.08, 0.03, 0.19


def blinks(other: Cues, own: Cues, persona: Persona, generator: np.random.Generator) -> list[Event]:
    """Onsets at the persona's rate, half as many again while talking, some at breaks."""
    seconds = own.frames / FRAME_RATE
    share = float(own.talking.mean())
    wanted = persona.blink_rate / 60.0 * (1.0 + 0.5 * share)
    onsets = [
        (phrase.end + float(generator.uniform(0.25, 0.5)), "phrase end")
        for phrase in other.phrases
        if generator.random() < min(0.9, _WITH_THE_OTHER * persona.blink_rate / 17.0)
    ]
    alone = max(0.2 * wanted, wanted - len(onsets) / seconds)
    clock = float(generator.exponential(1.0 / alone))
    while clock < seconds:
        onsets.append((clock, "by itself"))
        clock += _APART + float(generator.exponential(max(0.1, 1.0 / alone - _APART)))
    kept: list[Event] = []
    for onset, cause in sorted(onsets):
        if onset < seconds and (not kept or onset - kept[-1].onset > _APART):
            kept.append(Event("blink", cause, onset, _CLOSING + _CLOSED + _OPENING, 1.0))
    return kept


def eyelids(events: list[Event], frames: int) -> np.ndarray:
    """Closure of the lids (T,), 0 open to 1."""
    closure = np.zeros(frames)
    for event in events:
        first = int(event.onset * FRAME_RATE)
        last = min(frames, int(np.ceil((event.onset + event.seconds) * FRAME_RATE)) + 1)
        seconds = np.arange(first, last) / FRAME_RATE - event.onset
        down = minimum_jerk(seconds / _CLOSING)
        up = minimum_jerk((seconds - _CLOSING - _CLOSED) / _OPENING)
        closure[first:last] = np.maximum(closure[first:last], down - up)
    return closure
