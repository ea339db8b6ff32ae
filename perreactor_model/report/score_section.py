"""The section with the scores: one table a mode, a column a robot, anchors beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.report.markup import (
    count,
    duration,
    number,
    paragraph,
    robot_name,
    section,
    table,
    text,
)
from perreactor_model.report.metric_names import (
    ANCHORS,
    MODES,
    described,
    in_order,
    reasons,
    shown,
)

_ARROWS = {
    1: '<span role="img" aria-label="higher is better">↑</span>',
    -1: '<span role="img" aria-label="lower is better">↓</span>',
    0: "",
}


def scores_section(numbers: dict[str, Any]) -> str:
    """Scores as tables, or why there are none."""
    scores = numbers["scores"]
    if not scores:
        reason = text(numbers["not_scored"] or "there is nothing to score the reactions against")
        return section(
            "scores",
            "Scores",
            paragraph(f"These reactions were not scored: {reason}."),
            _notes(numbers),
            paragraph(
                "Scores need a real listener in the recording: "
                "<code>FacialReaction</code> messages or <code>hri_msgs/FacialActionUnits</code>.",
                "note",
            ),
        )
    tables = [
        _mode_table(mode, numbers)
        for mode in (*MODES, *_other_modes(scores))
        if any(mode in robot for robot in scores.values())
    ]
    return section("scores", "Scores", _introduction(numbers), _notes(numbers), *tables)


def _introduction(numbers: dict[str, Any]) -> str:
    real = numbers["real"]
    beside = f" from {text(real['source'])}" if real else ""
    sentences = [
        f"The reactions beside the real ones{beside}. ↑ higher is better, ↓ lower is better, no "
        "arrow: neither by itself, – undefined. <code>docs/metrics.md</code> defines each of them."
    ]
    if numbers["bundle"]["trained"] is False:
        sentences.append("<strong>Untrained weights: do not quote these numbers.</strong>")
    return paragraph(" ".join(sentences))


def _notes(numbers: dict[str, Any]) -> str:
    """What was judged, and what was left out."""
    judged = numbers["judged"]
    if judged is None:
        return ""
    sentences = []
    if judged["clips"]:
        known = len(judged["attributes"])
        part = "all attributes" if known == ATTRIBUTE_COUNT else count(known, "attribute")
        clips = count(judged["clips"], "clip")
        sentences.append(f"Judged: {clips}, {duration(judged['seconds'])} together, {part}.")
    sentences += [f"{text(note[:1].upper() + note[1:])}." for note in judged["notes"]]
    return paragraph(" ".join(sentences), "note") if sentences else ""


def _other_modes(scores: Mapping[str, Any]) -> list[str]:
    found = {mode for robot in scores.values() for mode in robot}
    return sorted(found - set(MODES) - {"anchors"})


def _mode_table(mode: str, numbers: dict[str, Any]) -> str:
    scores = numbers["scores"]
    robots = [(i, r) for i, r in enumerate(numbers["robots"]) if mode in scores.get(r["robot"], {})]
    columns = [shown(scores[robot["robot"]][mode]) for _, robot in robots]
    head = ["metric", *(robot_name(i, robot["robot"], robot["profile"]) for i, robot in robots)]
    anchors = scores[robots[0][1]["robot"]].get("anchors") or {}
    for name, modes in anchors.items():
        if isinstance(modes, Mapping) and mode in modes:
            columns.append(shown(modes[mode]))
            head.append(f"<small>anchor</small><br>{text(ANCHORS.get(name, name))}")
    keys = in_order(set().union(*columns))
    rows = [_row(key, mode, columns) for key in keys if _is_worth_a_row(key, columns)]
    title, meaning = MODES.get(mode, (mode, ""))
    told = table(head, rows, f"{text(title)}: {text(meaning)}", "compact")
    return told + _why_undefined([scores[robot["robot"]][mode] for _, robot in robots])


def _is_worth_a_row(key: str, columns: list[dict[str, Any]]) -> bool:
    """Shares of what is undefined are told where there are any."""
    return not key.endswith("_undefined") or any(column.get(key) for column in columns)


def _why_undefined(scores: list[Mapping[str, Any]]) -> str:
    said = {f"{name}: {reason}" for each in scores for name, reason in reasons(each).items()}
    if not said:
        return ""
    return paragraph("Undefined or to be noted. " + text(". ".join(sorted(said))) + ".", "note")


def _row(key: str, mode: str, columns: list[dict[str, Any]]) -> list[str]:
    name = described(key, mode)
    title = f"{text(name.title)} {_ARROWS[name.direction]}<small>{text(name.meaning)}</small>"
    return [title, *(number(column.get(key)) for column in columns)]
