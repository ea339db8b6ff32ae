"""What is said and what happens in a simulated conversation: who talks when, and about what.

A script holds times and kinds, no words. The same script can be performed by any two people; what
their listeners do is then appropriate for one another.

Turns and gaps: people talk one at a time, and the other begins some 0.2 s after the end, sometimes
before it. H. Sacks, E. A. Schegloff, G. Jefferson: "A simplest systematics for the organization of
turn-taking for conversation", Language 50(4), 1974; T. Stivers et al.: "Universals and cultural
variation in turn-taking in conversation", PNAS 106(26), 2009. Phrases and pauses: stretches of
speech of one to four seconds; pauses within a turn mostly of 0.2 to 1 s: F. Goldman-Eisler:
"Psycholinguistics: experiments in spontaneous speech", Academic Press, 1968; M. Heldner, J. Edlund:
"Pauses, gaps and overlaps in conversations", Journal of Phonetics 38(4), 2010. How often something
funny, sad, ... is told is ours, and denser than life, so that a clip of half a minute has several.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ROLES = ("fixed", "turns")
"""fixed: person 0 talks, person 1 listens. turns: they take turns."""

PHRASE_KINDS = ("statement", "question")

MOMENT_KINDS = (
    "funny", "sad", "surprising", "annoying", "disgusting", "frightening", "doubtful",
)  # fmt: skip


class ScriptError(ValueError):
    """A script that cannot be performed. The message says what was wrong and would be right."""


@dataclass(frozen=True)
class Phrase:
    """Person `role` (0 or 1) talks from `onset` to `end` (s) without a pause.

    `ends_turn`: afterwards the other one may talk.
    """

    role: int
    onset: float
    end: float
    kind: str = "statement"
    ends_turn: bool = False


@dataclass(frozen=True)
class Moment:
    """What person `role` tells at `onset` (s) is funny, sad, ... for `seconds`.

    `strength` 0..1: how much so.
    """

    role: int
    onset: float
    seconds: float
    kind: str
    strength: float


@dataclass(frozen=True)
class Script:
    """`seconds` of a conversation; phrases and moments in order of onset. Raises ScriptError."""

    seconds: float
    roles: str
    phrases: tuple[Phrase, ...]
    moments: tuple[Moment, ...]

    def __post_init__(self) -> None:
        if self.roles not in ROLES:
            raise ScriptError(f"roles must be one of {', '.join(ROLES)}, not {self.roles!r}")
        if not self.seconds > 0:
            raise ScriptError(f"a script lasts longer than 0 s, not {self.seconds!r}")
        for phrase in self.phrases:
            if phrase.role not in (0, 1) or not 0 <= phrase.onset < phrase.end:
                raise ScriptError(f"{phrase} must have role 0 or 1, and end after its onset")
            if phrase.kind not in PHRASE_KINDS:
                raise ScriptError(f"{phrase.kind!r} must be one of {', '.join(PHRASE_KINDS)}")
        for moment in self.moments:
            if moment.role not in (0, 1) or moment.onset < 0 or moment.seconds <= 0:
                raise ScriptError(f"{moment} must have role 0 or 1, and last longer than 0 s")
            if moment.kind not in MOMENT_KINDS:
                raise ScriptError(f"{moment.kind!r} must be one of {', '.join(MOMENT_KINDS)}")
            if not 0 < moment.strength <= 1:
                raise ScriptError(f"the strength of {moment} must be above 0 and at most 1")
        for told in (self.phrases, self.moments):
            onsets = [each.onset for each in told]
            if onsets != sorted(onsets):
                raise ScriptError("phrases and moments must stand in order of their onsets")

    def phrases_of(self, role: int) -> tuple[Phrase, ...]:
        """What person `role` says."""
        return tuple(phrase for phrase in self.phrases if phrase.role == role)

    def moments_of(self, role: int) -> tuple[Moment, ...]:
        """The moments in what person `role` tells."""
        return tuple(moment for moment in self.moments if moment.role == role)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Script:
        """Raises ScriptError where something is missing or unknown."""
        try:
            return cls(
                seconds=float(values["seconds"]),
                roles=values["roles"],
                phrases=tuple(Phrase(**phrase) for phrase in values["phrases"]),
                moments=tuple(Moment(**moment) for moment in values["moments"]),
            )
        except (KeyError, TypeError) as error:
            raise ScriptError(
                f"a script needs seconds, roles, phrases and moments as to_dict() gives them: "
                f"{error!r}"
            ) from error


_KINDS = {
    "funny": 0.30,
    "surprising": 0.18,
    "sad": 0.16,
    "annoying": 0.12,
    "doubtful": 0.10,
    "disgusting": 0.08,
    "frightening": 0.06,
}
_QUESTIONS = 0.18
_QUESTIONS_BEFORE_A_CHANGE = 0.45


def draw_script(generator: np.random.Generator, seconds: float, roles: str = "fixed") -> Script:
    """A conversation of `seconds`. Raises ScriptError.

    roles: `fixed` (person 0 talks some 85 % of the time, person 1 never) or `turns`.
    """
    if roles not in ROLES:
        raise ScriptError(f"roles must be one of {', '.join(ROLES)}, not {roles!r}")
    if not seconds > 0:
        raise ScriptError(f"a script lasts longer than 0 s, not {seconds!r}")
    phrases = _phrases(generator, seconds, roles)
    moments = _moments(generator, seconds, phrases)
    return Script(float(seconds), roles, tuple(phrases), tuple(moments))


def _phrases(generator: np.random.Generator, seconds: float, roles: str) -> list[Phrase]:
    phrases: list[Phrase] = []
    clock = generator.uniform(0.1, 1.2)
    role = 0 if roles == "fixed" else int(generator.integers(2))
    while clock < seconds - 0.6:
        turn_end = clock + generator.uniform(4.0, 11.0)
        while clock < min(turn_end, seconds - 0.6):
            end = min(clock + generator.gamma(6.0, 0.4) + 0.6, seconds)
            last = end >= turn_end - 1.0
            change = last and roles == "turns"
            share = _QUESTIONS_BEFORE_A_CHANGE if change else _QUESTIONS
            kind = "question" if generator.random() < share else "statement"
            phrases.append(Phrase(role, _round(clock), _round(end), kind, change))
            clock = end + generator.gamma(4.0, 0.13)
            if last:
                break
        if roles == "turns":
            clock = phrases[-1].end + float(np.clip(generator.normal(0.22, 0.25), -0.2, 1.2))
            role = 1 - role
        else:
            clock += generator.uniform(0.2, 0.6)
    return phrases


def _moments(generator: np.random.Generator, seconds: float, phrases: list[Phrase]) -> list[Moment]:
    """Something every few seconds, in the middle of somebody's phrase."""
    kinds, shares = list(_KINDS), np.array(list(_KINDS.values()))
    moments: list[Moment] = []
    free_from = generator.uniform(0.5, 2.5)
    last = ""
    for phrase in phrases:
        onset = phrase.onset + generator.uniform(0.2, 0.7) * (phrase.end - phrase.onset)
        if onset < free_from or onset > seconds - 1.0:
            continue
        # Not the same twice in a row: a new moment is news.
        left = shares * [kind != last for kind in kinds]
        last = str(generator.choice(kinds, p=left / left.sum()))
        length = generator.uniform(1.1, 2.6)
        strength = generator.uniform(0.55, 1.0)
        moments.append(Moment(phrase.role, _round(onset), _round(length), last, _round(strength)))
        free_from = onset + length + generator.gamma(2.0, 0.5)
    return moments


def _round(value: float) -> float:
    """To milliseconds: scripts are kept in JSON."""
    return round(float(value), 3)
