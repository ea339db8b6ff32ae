"""Do generated traits follow the persona's? Asked of people who were in no corpus.

Simulated people are drawn, each is seen listening for a while, and the networks react to the same
speakers with the pattern of each. What is measured of those reactions is ranked beside what the
people were made of. Beside it: the same measures of the histories themselves, and of the people's
own real reactions; and for nods a counter that knows every nod of the history: what few minutes
tell of a rate is not much, and nobody can do better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE, ROTATION_SLICE
from perreactor_model.evaluation.predicting import (
    pattern_of_rows,
    react,
    speaker_tokens,
)
from perreactor_model.evaluation.ranks import spearman
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.profiles.filling import filled_rows
from perreactor_model.profiles.history import ListenerHistory
from perreactor_model.profiles.traits import measure_traits
from perreactor_model.synthesis.dyad import Behaviour, persona_session
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import Persona, draw_persona
from perreactor_model.synthesis.seeds import stream

TRAITS = {
    "expressivity": "expressivity",
    "baseline_valence": "valence",
    "backchannel_rate": "nods_per_minute",
}
"""Of a persona -> what is measured of a face."""

_COUNTED = "nods_per_minute"

HISTORY_SECONDS = (20.0, 60.0, 120.0)

_PEOPLE, _SESSIONS = 0x7A17, 0x7A18
_LANES = 48
"""Reactions in one pass: what a laptop's memory holds."""


@dataclass(frozen=True)
class Following:
    """Rank correlations with a trait of the personas, means over sets of histories; None: no rank.

    generated: of the reactions. history: the same measure of what the networks were shown. own: of
    the people's real reactions to others, for as long as the generated ones. oracle: of the true
    number of events in the histories (nods only).
    """

    generated: float | None
    history: float | None
    own: float | None
    oracle: float | None = None


@dataclass(frozen=True)
class TraitFollowing:
    """By seconds of history and trait; `persons` of each set, `reactions` of each person."""

    found: Mapping[float, Mapping[str, Following]]
    persons: int
    sets: int
    reactions: int


def follow_traits(
    generator: ReactionGenerator,
    split: PreparedSplit,
    seed: int = 0,
    persons: int = 20,
    mode: str = "offline",
    lengths: Sequence[float] = HISTORY_SECONDS,
    sets: int = 2,
    speakers: int = 4,
    samples: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> TraitFollowing:
    """Let `persons` strangers listen `sets` times, react as each of them to `speakers` of `split`.

    The newest `lengths` seconds of a session are the histories. Raises PredictionError.
    """
    people = [draw_persona(stream((seed, _PEOPLE, n)), f"stranger-{n}") for n in range(persons)]
    told = _speakers(split, speakers)
    tokens = [speaker_tokens(generator, split, recording) for recording in told]
    longest = sum(len(token) for token in tokens) * samples / FRAME_RATE
    found: dict[float, dict[str, list[Following]]] = {s: {t: [] for t in TRAITS} for s in lengths}
    for number in range(sets):
        sessions = [
            _Session(person, max(lengths), (seed, _SESSIONS, number, n))
            for n, person in enumerate(people)
        ]
        own = [
            _own(person, longest, (seed, _SESSIONS, number, n, 1))
            for n, person in enumerate(people)
        ]
        for step, seconds in enumerate(lengths):
            histories = [session.newest(seconds) for session in sessions]
            with torch.no_grad():
                patterns = torch.stack([pattern_of_rows(generator, rows) for rows in histories])
            measured = _measured(generator, tokens, patterns, samples, seed, mode)
            counted = [session.nods(seconds) for session in sessions]
            shown = [measure_traits(rows, (), True) for rows in histories]
            for trait, measure in TRAITS.items():
                true = [float(getattr(person, trait)) for person in people]
                found[seconds][trait].append(
                    Following(
                        generated=spearman(true, [each[measure] for each in measured]),
                        history=spearman(true, [each[measure] for each in shown]),
                        own=spearman(true, [each[measure] for each in own]),
                        oracle=spearman(true, counted) if measure == _COUNTED else None,
                    )
                )
            if progress is not None:
                progress(number * len(lengths) + step + 1, sets * len(lengths))
    return TraitFollowing(
        {s: {t: _mean(each) for t, each in by.items()} for s, by in found.items()},
        persons,
        sets,
        len(tokens) * samples,
    )


def face_traits(face: np.ndarray) -> dict[str, float]:
    """What `profiles.traits` measures, of a reaction (T, 83)."""
    pose = face[:, ATTRIBUTE_COUNT + ROTATION_SLICE.start :]
    rows = np.concatenate([face[:, :ATTRIBUTE_COUNT], pose], axis=1)
    told = measure_traits(rows, (), True)
    return {name: told[name] for name in TRAITS.values()}


class _Session:
    """Somebody listening to a stranger: what is seen of it, and what really happened."""

    def __init__(self, persona: Persona, seconds: float, seed: tuple[int, ...]) -> None:
        self._behaviour: Behaviour = persona_session(persona, seconds, seed)
        self._observed = observe(self._behaviour, (*seed, 1))

    def newest(self, seconds: float) -> np.ndarray:
        """The end of it as a history without holes, (N, 31)."""
        rows = self._observed[-round(seconds * FRAME_RATE) :]
        return filled_rows(ListenerHistory.from_columns(rows, {"kind": "simulated"}))

    def nods(self, seconds: float) -> float:
        """True nods of the end of it."""
        begin = len(self._observed) / FRAME_RATE - seconds
        events = self._behaviour.events
        return float(sum(e.name == "nod" and e.onset >= begin for e in events))


def _own(persona: Persona, seconds: float, seed: tuple[int, ...]) -> dict[str, float]:
    behaviour = persona_session(persona, seconds, seed)
    return face_traits(np.concatenate([behaviour.attributes, behaviour.coefficients], axis=1))


def _speakers(split: PreparedSplit, count: int) -> list[int]:
    """Recordings of speakers that differ in what they tell, as far as there are so many."""
    told: dict[bytes, int] = {}
    for pair, row in enumerate(np.asarray(split.appropriate)):
        told.setdefault(row.tobytes(), int(split.pairs[pair, 0]))
    return list(told.values())[:count]


def _measured(
    generator: ReactionGenerator,
    tokens: Sequence[torch.Tensor],
    patterns: torch.Tensor,
    samples: int,
    seed: int,
    mode: str,
) -> list[dict[str, float]]:
    """Means over speakers and samples of what is measured, of each of the patterns (P, d)."""
    group = max(1, _LANES // samples)
    told: list[list[dict[str, float]]] = [[] for _ in patterns]
    for number, token in enumerate(tokens):
        for first in range(0, len(patterns), group):
            some = patterns[first : first + group, None]
            faces = react(generator, token, samples, seed, f"speaker_{number}", mode, some)
            for index, face in enumerate(faces):
                told[first + index // samples].append(face_traits(face))
    return [
        {name: float(np.mean([each[name] for each in faces])) for name in TRAITS.values()}
        for faces in told
    ]


def _mean(sets: Sequence[Following]) -> Following:
    def over(name: str) -> float | None:
        values = [getattr(each, name) for each in sets]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    return Following(over("generated"), over("history"), over("own"), over("oracle"))
