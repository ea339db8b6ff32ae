"""What is told in a picture of listeners, block by block and row by row, before it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perreactor_model.profiles.comparison import Average, Similarity
from perreactor_model.profiles.traits import TRAITS
from perreactor_model.profiles.wording import TRAIT_WORDS, UNIT_WORDS, against_average, signed

_MOST_UNITS = 7
_MOST_OTHERS = 6
_LONGEST_NAME = 30


@dataclass(frozen=True)
class Portrayed:
    """A listener as drawn: traits and means of action units may be empty."""

    name: str
    traits: dict[str, float]
    units: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One line: what it is, the value of each listener, the average, the axis, and a remark."""

    title: str
    meaning: str
    values: tuple[float | None, ...]
    mark: float | None
    low: float
    high: float
    remark: str


@dataclass(frozen=True)
class Part:
    """A titled block of rows."""

    title: str
    hint: str
    rows: tuple[Row, ...]


def parts_of(
    listeners: Sequence[Portrayed],
    average: Average | None,
    others: Sequence[tuple[str, Similarity]],
) -> list[Part]:
    """The blocks of a picture of one listener or two; those without rows are left out."""
    hint = "" if average is None else f"Black marks: average of {average.title}."
    parts = [
        Part("What the face does while listening", hint, _trait_rows(listeners, average)),
        Part(*_unit_titles(listeners, average), _unit_rows(listeners, average)),
        Part(
            "Whose pattern is alike",
            "Of the numbers that the robot reacts with: 1 is the same, 0 has nothing in common, "
            "\N{MINUS SIGN}1 is the opposite.",
            tuple(
                Row(_short(name), "", (found.cosine,), None, -1.0, 1.0, signed(found.cosine))
                for name, found in others[:_MOST_OTHERS]
            ),
        ),
    ]
    return [part for part in parts if part.rows]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _trait_rows(listeners: Sequence[Portrayed], average: Average | None) -> tuple[Row, ...]:
    rows = []
    for trait in TRAITS:
        words = TRAIT_WORDS[trait]
        values = tuple(each.traits.get(trait) for each in listeners)
        known = [value for value in values if value is not None]
        if not known:
            continue
        mark = average.traits.get(trait) if average else None
        reach = max(words.most, *(1.1 * abs(value) for value in (*known, mark or 0.0)))
        told = ["unknown" if value is None else words.text(value) for value in values]
        if len(listeners) == 1 and mark is not None:
            told += [against_average(trait, known[0], mark)]
        remark = "  ·  ".join(told) if len(listeners) == 1 else "\n".join(told)
        low = -reach if words.signed else 0.0
        rows.append(Row(words.title, words.meaning, values, mark, low, reach, remark))
    return tuple(rows)


def _unit_titles(listeners: Sequence[Portrayed], average: Average | None) -> tuple[str, str]:
    if len(listeners) > 1:
        return "Where they differ most", "Mean of each movement, 0 to 1."
    if average is None:
        return "Most typical movements", "Mean of each movement, 0 to 1."
    return (
        "Movements that stand out",
        "Mean of each movement, 0 to 1: those that are furthest from the average.",
    )


def _unit_rows(listeners: Sequence[Portrayed], average: Average | None) -> tuple[Row, ...]:
    marks = average.units if average else {}
    names = [name for name in UNIT_WORDS if any(name in each.units for each in listeners)]

    def telling(name: str) -> float:
        values = [each.units[name] for each in listeners if name in each.units]
        if len(listeners) > 1:
            return max(values) - min(values)
        return abs(values[0] - marks[name]) if name in marks else values[0]

    chosen = sorted(names, key=telling, reverse=True)[:_MOST_UNITS]
    everything = [each.units.get(name, 0.0) for each in listeners for name in chosen]
    reach = 1.15 * max([0.1, *everything, *(marks.get(name, 0.0) for name in chosen)])
    rows = []
    for name in chosen:
        values = tuple(each.units.get(name) for each in listeners)
        told = ["unknown" if value is None else f"{value:.2f}" for value in values]
        if len(listeners) == 1 and name in marks:
            told = [f"{told[0]}  ·  average {marks[name]:.2f}"]
        title = UNIT_WORDS[name]
        rows.append(
            Row(
                f"{title[0].upper()}{title[1:]}", name, values, marks.get(name), 0.0, reach,
                "\n".join(told),
            )
        )  # fmt: skip
    return tuple(rows)
