"""How simulated people behave, in numbers that were also measured on real ones.

Counted from the simulation itself, not from files: what was done, when and why is known there. A
listener is who does not talk; in corpora of turns each person counts in both roles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from perreactor_model.contract import ACTION_UNITS, FRAME_RATE
from perreactor_model.synthesis.corpus import SyntheticCorpus
from perreactor_model.synthesis.dyad import Behaviour
from perreactor_model.synthesis.rules.turn_taking import holds_turn
from perreactor_model.synthesis.scripts import Phrase

_SMILING = 0.3
"""AU12 from which somebody is said to smile."""

_LONGEST_LAG = 3.0
_CUE = 2.0
"""Seconds after the end of a phrase within which a nod is taken as its answer."""

_UNITS_TOGETHER = (("AU6", "AU12"), ("AU1", "AU2"), ("AU4", "AU7"), ("AU15", "AU17"))

PUBLISHED = {
    "smiles_answered": "about half, of smiles at strangers (Hinsz & Tomhave 1991)",
    "blinks_a_minute_talking": "26 in conversation (Bentivoglio et al. 1997)",
    "blinks_a_minute_listening": "17 at rest (Bentivoglio et al. 1997)",
    "pause_median": "within turns mostly 0.2 to 1 s (Heldner & Edlund 2010)",
    "gap_median": "0.2 s; means of ten languages 0.0 to 0.5 s (Stivers et al. 2009)",
    "smile_lag": "within about 1 s (Riehle et al. 2017)",
    "nod_lag": "0.7 s after the cue in Japanese and English (Ward & Tsukahara 2000)",
    "gaze_at_speaker": "75 % of listening (Argyle & Cook 1976)",
    "gaze_at_listener": "40 % of talking (Argyle & Cook 1976)",
}
"""What was measured on real people, where we know of it. Cited from memory: not looked up again."""

_NAMES = {
    "smiles_a_minute": "listeners' smiles a minute",
    "listeners_smile_share": "share of the time in which listeners smile",
    "nods_a_minute_listening": "nods a minute of the other's talk",
    "blinks_a_minute_talking": "blinks a minute, talking",
    "blinks_a_minute_listening": "blinks a minute, listening",
    "pause_median": "pauses within a turn, median (s)",
    "pause_lower": "pauses within a turn, lower quartile (s)",
    "pause_upper": "pauses within a turn, upper quartile (s)",
    "gap_median": "gaps between turns, median (s); below 0 is overlap",
    "speaker_share": "share of the time in which the first person talks",
    "listener_share": "share of the time in which the second person talks",
    "smiles_answered": "share of smiles that the other answers within 3 s",
    "smile_lag": "smiles follow the other's by, median (s)",
    "nod_lag": "nods begin after the end of a phrase, median (s)",
    "nods_after_phrases": "share of the nods that follow the end of a phrase",
    "gaze_at_speaker": "share of listening spent looking at the other",
    "gaze_at_listener": "share of talking spent looking at the other",
}


@dataclass(frozen=True)
class Statistics:
    """Figures of a split by name, NaN where nothing of the kind happened.

    together: correlation of pairs of action units over all frames, by "AU6 AU12".
    """

    split: str
    sessions: int
    minutes: float
    values: dict[str, float]
    together: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; None where nothing of the kind happened."""
        told = dataclasses.asdict(self)
        for part in ("values", "together"):
            told[part] = {
                name: None if np.isnan(value) else round(value, 3)
                for name, value in told[part].items()
            }
        return told


def measure(
    corpus: SyntheticCorpus,
    split: str,
    progress: Callable[[int, int], None] | None = None,
) -> Statistics:
    """Perform every session of a split again and count."""
    count = _Count()
    performances = corpus.performances(split)
    for done, performance in enumerate(performances, start=1):
        dyad = corpus.perform(performance)
        people = (dyad.speaker, dyad.listener)
        count.phrases(people[0].speech.phrases, people[1].speech.phrases)
        listeners = (0, 1) if corpus.plan.turns else (1,)
        for role in (0, 1):
            count.person(people[role], people[1 - role], role, role in listeners)
        if progress is not None:
            progress(done, len(performances))
    minutes = len(performances) * corpus.plan.seconds / 60.0
    return count.told(split, len(performances), minutes)


class _Count:
    """Sums over sessions."""

    def __init__(self) -> None:
        self.chances: dict[str, float] = {}
        self.happened: dict[str, float] = {}
        self.smile_lags: list[float] = []
        self.nod_lags: list[float] = []
        self.pauses: list[float] = []
        self.gaps: list[float] = []
        self.units: list[np.ndarray] = []

    def phrases(self, first: tuple[Phrase, ...], second: tuple[Phrase, ...]) -> None:
        """Pauses and gaps between what is said."""
        said = sorted([*first, *second], key=lambda phrase: phrase.onset)
        for one, other in zip(said, said[1:], strict=False):
            silence = other.onset - one.end
            (self.pauses if one.role == other.role else self.gaps).append(silence)

    def person(self, own: Behaviour, other: Behaviour, role: int, listens: bool) -> None:
        """What one person does."""
        frames = len(own.attributes)
        seconds = frames / FRAME_RATE
        talks, heard = (holds_turn(each.speech.phrases, frames) for each in (own, other))
        listening = heard & ~talks
        away = np.abs(own.gaze).max(axis=1) > 0.1
        self._add(f"role {role}", _talking(own.speech.phrases, frames).sum(), frames)
        self._add("blinks talking", _count(own, "blink", talks), talks.sum() / FRAME_RATE)
        self._add("gaze talking", (talks & ~away).sum(), talks.sum())
        self.units.append(own.intensities)
        if not listens:
            return
        self._add("blinks listening", _count(own, "blink", listening), listening.sum() / FRAME_RATE)
        self._add("gaze listening", (listening & ~away).sum(), listening.sum())
        nods = [event.onset for event in own.events if event.name == "nod"]
        self._add("nods", len(nods), heard.sum() / FRAME_RATE)
        ends = np.array([phrase.end for phrase in other.speech.phrases])
        followed = [nod - ends[ends <= nod].max() for nod in nods if (ends <= nod).any()]
        answers = [lag for lag in followed if lag <= _CUE]
        self.nod_lags += answers
        self._add("nods after phrases", len(answers), len(nods))
        mine, theirs = _smiles(own), _smiles(other)
        self._add("smiles", len(_onsets(mine)), seconds)
        self._add("smiling", mine.sum(), frames)
        for onset in _onsets(theirs):
            later = _onsets(mine) - onset
            later = later[(later >= 0) & (later <= _LONGEST_LAG * FRAME_RATE)]
            self._add("smiles answered", float(len(later) > 0), 1.0)
            if len(later):
                self.smile_lags.append(float(later[0]) / FRAME_RATE)

    def told(self, split: str, sessions: int, minutes: float) -> Statistics:
        """All of it."""
        units = np.concatenate(self.units)
        column = {unit: units[:, number] for number, unit in enumerate(ACTION_UNITS)}
        return Statistics(
            split=split,
            sessions=sessions,
            minutes=round(minutes, 1),
            values={
                "smiles_a_minute": 60.0 * self._rate("smiles"),
                "listeners_smile_share": self._rate("smiling"),
                "nods_a_minute_listening": 60.0 * self._rate("nods"),
                "blinks_a_minute_talking": 60.0 * self._rate("blinks talking"),
                "blinks_a_minute_listening": 60.0 * self._rate("blinks listening"),
                "pause_median": _quantile(self.pauses),
                "pause_lower": _quantile(self.pauses, 0.25),
                "pause_upper": _quantile(self.pauses, 0.75),
                "gap_median": _quantile(self.gaps),
                "speaker_share": self._rate("role 0"),
                "listener_share": self._rate("role 1"),
                "smiles_answered": self._rate("smiles answered"),
                "smile_lag": _quantile(self.smile_lags),
                "nod_lag": _quantile(self.nod_lags),
                "nods_after_phrases": self._rate("nods after phrases"),
                "gaze_at_speaker": self._rate("gaze listening"),
                "gaze_at_listener": self._rate("gaze talking"),
            },
            together={
                f"{one} {other}": _correlation(column[one], column[other])
                for one, other in _UNITS_TOGETHER
            },
        )

    def _add(self, name: str, happened: float, over: float) -> None:
        self.happened[name] = self.happened.get(name, 0.0) + float(happened)
        self.chances[name] = self.chances.get(name, 0.0) + float(over)

    def _rate(self, name: str) -> float:
        over = self.chances.get(name, 0.0)
        return self.happened[name] / over if over else float("nan")


def table(statistics: Statistics) -> str:
    """Markdown: ours beside what was published."""
    lines = [
        f"{statistics.split}: {statistics.sessions} sessions, {statistics.minutes:g} minutes",
        "",
        "| | simulated | published |",
        "|---|---|---|",
    ]
    for name, value in statistics.values.items():
        lines.append(f"| {_NAMES[name]} | {_shown(value)} | {PUBLISHED.get(name, '')} |")
    for pair, value in statistics.together.items():
        lines.append(f"| correlation of {pair.replace(' ', ' and ')} | {_shown(value)} | |")
    return "\n".join(lines)


def _shown(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.2f}"


def _talking(phrases: tuple[Phrase, ...], frames: int) -> np.ndarray:
    talks = np.zeros(frames, bool)
    for phrase in phrases:
        talks[round(phrase.onset * FRAME_RATE) : round(phrase.end * FRAME_RATE)] = True
    return talks


def _count(person: Behaviour, name: str, during: np.ndarray) -> int:
    frames = [int(event.onset * FRAME_RATE) for event in person.events if event.name == name]
    return sum(bool(during[frame]) for frame in frames if 0 <= frame < len(during))


def _smiles(person: Behaviour) -> np.ndarray:
    return np.asarray(person.intensities[:, ACTION_UNITS.index("AU12")] >= _SMILING)


def _onsets(active: np.ndarray) -> np.ndarray:
    """Frames at which something begins that was not there before."""
    return np.flatnonzero(active[1:] & ~active[:-1]) + 1


def _quantile(values: list[float], share: float = 0.5) -> float:
    return float(np.quantile(values, share)) if values else float("nan")


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.std() == 0.0 or other.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
