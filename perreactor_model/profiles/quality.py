"""Whether a history can say what somebody is like, and if not, what would."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ACTION_UNITS,
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    FRAME_RATE,
    attribute_ranges,
)
from perreactor_model.profiles.history import POSE_SLICE, ListenerHistory
from perreactor_model.profiles.traits import mouth_speed

SHORTEST_S = 10.0
"""Seconds with the face in view below which there is no profile."""

ENOUGH_S = 19.2
"""The 480 frames that the paper's histories have; with less a profile is called weak."""

_SEEN_SHARE = 0.8
"""What is known in less than this part of the frames with a face is remarked on."""

KNOWN_SHARE = 0.2
"""An attribute known in less of the frames with a face than this counts as unknown."""

_MOST_UNKNOWN_UNITS = 7
_MANY_UNKNOWN_UNITS = 5

_STILL = 0.02
"""The action unit that moves most spans less: a picture, a mask, or a face asleep."""

_STILL_ON_AVERAGE = 0.004
_CALM = 0.02
"""Mean variation. Our analyzer reads 0 of a still picture, 0.009 of a rendered calm face (or mask)
that turns by 6 degrees, and up to 0.019 of one that turns three times as far."""

_SPEECH = 1.5
"""Change of AU25 and AU26 a second from which on somebody seems to talk (our talking test videos
have 2 to 3; synthetic listeners 0 to 1.2)."""

_ASIDE_SHARE = 0.1
"""Somebody seen for less of the time than this passed by, and is left out."""

_RANGE_SLACK = 1e-3

_MOST_TURNED = 3.2
"""Radians; a head that turns further was measured in degrees."""

OK, WEAK, REFUSED = "ok", "weak", "refused"


@dataclass(frozen=True)
class _Measured:
    """The numbers of a HistoryQuality, which says what they are."""

    seconds: float
    visible_s: float
    longest_gap_s: float
    unknown: tuple[str, ...]
    hidden: tuple[str, ...]
    head_known: bool
    variation: dict[str, float]
    movement: float
    mouth_speed: float
    people: dict[int, float]
    person: int

    @property
    def unknown_units(self) -> list[str]:
        return [name for name in self.unknown if name in ACTION_UNITS]

    @property
    def mean_variation(self) -> float:
        return _mean_variation(self.variation)


@dataclass(frozen=True)
class HistoryQuality(_Measured):
    """What a history is worth.

    `visible_s` of its `seconds` show the face; `longest_gap_s` is the longest stretch without it,
    between the first and the last frame with it. `unknown` names attributes that are unknown
    throughout, or nearly, `hidden` action units that are so for more than a fifth of the frames
    with a face. `variation` is the standard deviation of each known attribute;
    `movement` the span (1st to 99th percentile) of the action unit that moves most; `mouth_speed`
    the change of AU25 and AU26 a second. `people` are the seconds of each person seen, by number;
    `person` is the one that is judged. `verdict` is "ok", "weak" or "refused"; `reasons` say why it
    is not "ok" and what would be right; `notes` tell what was done about the rest.
    """

    verdict: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def visible_share(self) -> float:
        """The part of the history that shows the face, 0 to 1."""
        return self.visible_s / self.seconds if self.seconds else 0.0

    @property
    def mean_variation(self) -> float:
        """Standard deviation of the known action units, averaged."""
        return _mean_variation(self.variation)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: numbers rounded to what they are worth."""
        record = asdict(self)
        record["visible_share"] = self.visible_share
        record["variation"] = {name: round(value, 4) for name, value in self.variation.items()}
        record["people"] = {str(number): seconds for number, seconds in self.people.items()}
        return {key: _plain(value) for key, value in record.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return list(value) if isinstance(value, tuple) else value


def judge(history: ListenerHistory) -> HistoryQuality:
    """Judge a history of one person, or of one and others who merely passed by.

    Nothing is changed; `main_person` is what the numbers are about.
    """
    people = history.people()
    listener = main_person(history)
    visible = listener.visible
    rows = listener.rows[visible]
    known = np.isfinite(rows[:, :ATTRIBUTE_COUNT])
    shares = known.mean(axis=0) if len(rows) else np.zeros(ATTRIBUTE_COUNT)
    unknown = tuple(
        name for name, share in zip(ATTRIBUTES, shares, strict=True) if share < KNOWN_SHARE
    )
    head = np.isfinite(rows[:, POSE_SLICE]).all(axis=1)
    measured = _Measured(
        seconds=listener.seconds,
        visible_s=float(visible.sum()) / FRAME_RATE,
        longest_gap_s=_longest_gap(visible) / FRAME_RATE,
        unknown=unknown,
        hidden=tuple(
            name
            for name, share in zip(ACTION_UNITS, shares[ACTION_UNIT_SLICE], strict=True)
            if KNOWN_SHARE <= share < _SEEN_SHARE
        ),
        head_known=bool(len(head)) and bool(head.mean() >= KNOWN_SHARE),
        variation=_variation(rows, unknown),
        movement=_movement(rows, unknown),
        mouth_speed=mouth_speed(rows),
        people=people,
        person=max(people, key=people.__getitem__, default=0),
    )
    against, doubts, notes = _verdicts(history, measured, rows)
    verdict = REFUSED if against else WEAK if doubts else OK
    return HistoryQuality(
        **asdict(measured), verdict=verdict, reasons=tuple(against or doubts), notes=tuple(notes)
    )


def main_person(history: ListenerHistory) -> ListenerHistory:
    """The history of the person who is in it longest: the others' frames are unknown."""
    people = history.people()
    if len(people) < 2:
        return history
    return history.of_people([max(people, key=people.__getitem__)])


def _verdicts(
    history: ListenerHistory, measured: _Measured, rows: np.ndarray
) -> tuple[list[str], list[str], list[str]]:
    """What speaks against a profile, what makes it weak, and what is merely told."""
    against, notes = _of_people(history, measured)
    against += _of_ranges(rows)
    short, doubts = _of_length(measured)
    against += short
    known = len(ACTION_UNITS) - len(measured.unknown_units)
    told = ", ".join(measured.unknown_units)
    if measured.visible_s >= SHORTEST_S:
        if len(measured.unknown_units) > _MOST_UNKNOWN_UNITS:
            against.append(
                f"only {known} of {len(ACTION_UNITS)} action units are known (not {told}): show "
                "the whole face, uncovered, or take an analyzer that measures more of them"
            )
        elif len(measured.unknown_units) > _MANY_UNKNOWN_UNITS:
            doubts.append(f"{told} are unknown and taken as at rest: show the whole face")
        elif measured.unknown_units:
            notes.append(f"{told} unknown: taken as at rest")
        if measured.hidden:
            part = (
                f"{', '.join(measured.hidden)} unknown for more than a fifth of the time and taken "
                "as the person's median then"
            )
            if len(measured.hidden) > _MANY_UNKNOWN_UNITS:
                doubts.append(f"{part}: show the whole face, uncovered")
            else:
                notes.append(part)
        if not against:
            still, calm = _of_movement(measured)
            against += still
            doubts += calm
    if measured.mouth_speed > _SPEECH:
        notes.append(
            "the mouth opens and closes all the time, as in speech: a pattern is best made of "
            "somebody who listens"
        )
    if not measured.head_known:
        notes.append("the head's pose is unknown: taken as straight and still")
    return against, doubts, notes


def _of_people(history: ListenerHistory, measured: _Measured) -> tuple[list[str], list[str]]:
    others = {k: s for k, s in measured.people.items() if k != measured.person}
    total = sum(measured.people.values())
    if not others:
        return [], []
    told = ", ".join(f"{history.called(k)} for {s:.1f} s" for k, s in measured.people.items())
    if any(seconds >= _ASIDE_SHARE * total for seconds in others.values()):
        return [
            f"several people are in it ({told}): choose with --person N, or record one person "
            "alone; somebody who was out of view for a while is counted anew, and --person 1,2 "
            "takes both for the same"
        ], []
    # Notes are kept in the profile, where the names of others have no place.
    aside = ", ".join(f"person {k} for {s:.1f} s" for k, s in others.items())
    return [], [f"left out who was seen for less than a tenth of the time ({aside})"]


def _of_length(measured: _Measured) -> tuple[list[str], list[str]]:
    seconds, visible = measured.seconds, measured.visible_s
    if seconds < SHORTEST_S:
        return [
            f"it lasts {_just_below(seconds)} s; at least {SHORTEST_S:g} s are needed, "
            "20 s or more are better: record longer"
        ], []
    if visible < SHORTEST_S:
        return [
            f"the face was visible {_just_below(visible)} s of {seconds:.1f} s; at least "
            f"{SHORTEST_S:g} s "
            "are needed: record longer, nearer or with more light"
        ], []
    doubts = []
    if visible < ENOUGH_S:
        doubts.append(
            f"the face was visible {_just_below(visible)} s; {ENOUGH_S:g} s or more make a better "
            "pattern"
        )
    if visible < 0.5 * seconds:
        doubts.append(
            f"the face was visible {visible:.1f} s of {seconds:.1f} s, in pieces that were put "
            "together: sit nearer, face the camera, take more light"
        )
    return [], doubts


def _just_below(seconds: float) -> str:
    """Rounded down: 9.96 s shall not be told as the 10.0 s that they lack."""
    return f"{math.floor(10 * seconds + 1e-6) / 10:.1f}"


def _of_movement(measured: _Measured) -> tuple[list[str], list[str]]:
    if measured.movement < _STILL or measured.mean_variation < _STILL_ON_AVERAGE:
        return [
            "the face never moves: a still picture, a mask or a frozen camera has no way of "
            "reacting; record a person who listens to somebody"
        ], []
    if measured.mean_variation < _CALM:
        return [], [
            "the face moves no more than a calm one, or a mask, does by the analyzer's noise: a "
            "pattern of it says little; record the person listening to something that touches them"
        ]
    return [], []


def _of_ranges(rows: np.ndarray) -> list[str]:
    low, high = attribute_ranges()
    with np.errstate(invalid="ignore"):
        below = (rows[:, :ATTRIBUTE_COUNT] < low - _RANGE_SLACK).any(axis=0)
        above = (rows[:, :ATTRIBUTE_COUNT] > high + _RANGE_SLACK).any(axis=0)
    wrong = np.flatnonzero(below | above)
    if not len(wrong):
        return _of_rotation(rows)
    first = int(wrong[0])
    column = rows[:, first]
    hint = ""
    if first < len(ACTION_UNITS) and np.nanmax(column) > 1.0:
        hint = " (intensities of 0 to 5, as OpenFace gives them, are divided by 5)"
    return [
        f"{ATTRIBUTES[first]} goes from {np.nanmin(column):.3g} to {np.nanmax(column):.3g}"
        + (f", and so do {len(wrong) - 1} others" if len(wrong) > 1 else "")
        + f": expected {low[first]:g} to {high[first]:g}{hint}"
    ]


def _of_rotation(rows: np.ndarray) -> list[str]:
    turns = np.abs(rows[:, ATTRIBUTE_COUNT : ATTRIBUTE_COUNT + 3])
    most = float(np.nanmax(turns)) if np.isfinite(turns).any() else 0.0
    if most <= _MOST_TURNED:
        return []
    return [
        f"the head turns by up to {most:.3g}: expected radians, -3.14 to 3.14 (degrees are "
        "multiplied by 0.01745)"
    ]


def _variation(rows: np.ndarray, unknown: tuple[str, ...]) -> dict[str, float]:
    return {
        name: float(np.nanstd(rows[:, index]))
        for index, name in enumerate(ATTRIBUTES)
        if name not in unknown
    }


def _mean_variation(variation: dict[str, float]) -> float:
    known = [variation[unit] for unit in ACTION_UNITS if unit in variation]
    return float(np.mean(known)) if known else 0.0


def _movement(rows: np.ndarray, unknown: tuple[str, ...]) -> float:
    spans = [
        float(np.subtract(*np.nanpercentile(rows[:, index], (99, 1))))
        for index, name in enumerate(ACTION_UNITS)
        if name not in unknown
    ]
    return max(spans, default=0.0)


def _longest_gap(visible: np.ndarray) -> int:
    """Frames of the longest stretch of False between two True."""
    seen = np.flatnonzero(visible)
    return int(np.diff(seen).max() - 1) if len(seen) > 1 else 0
