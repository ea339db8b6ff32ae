"""The section with the scores: one table a mode, a column a robot, anchors beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perreactor_model.report.markup import (
    number,
    paragraph,
    robot_name,
    section,
    table,
    text,
)
from perreactor_model.report.metric_names import ANCHORS, MODES, described, flat, in_order

_ARROWS = {
    1: '<span title="higher is better" aria-label="higher is better">↑</span>',
    -1: '<span title="lower is better" aria-label="lower is better">↓</span>',
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
    return section("scores", "Scores", _introduction(numbers), *tables)


def _introduction(numbers: dict[str, Any]) -> str:
    real = numbers["real"]
    beside = f" from {text(real['source'])}" if real else ""
    sentences = [
        f"The reactions beside the real ones{beside}. ↑ higher is better, ↓ lower is better, "
        "– undefined here. The metrics are defined in <code>docs/metrics.md</code>."
    ]
    if numbers["bundle"]["trained"] is False:
        sentences.append("<strong>Untrained weights: do not quote these numbers.</strong>")
    return paragraph(" ".join(sentences))


def _other_modes(scores: Mapping[str, Any]) -> list[str]:
    found = {mode for robot in scores.values() for mode in robot}
    return sorted(found - set(MODES) - {"anchors"})


def _mode_table(mode: str, numbers: dict[str, Any]) -> str:
    scores = numbers["scores"]
    robots = [(i, r) for i, r in enumerate(numbers["robots"]) if mode in scores.get(r["robot"], {})]
    columns = [flat(scores[robot["robot"]][mode]) for _, robot in robots]
    head = ["", "", *(robot_name(i, robot["robot"], robot["profile"]) for i, robot in robots)]
    anchors = scores[robots[0][1]["robot"]].get("anchors") or {}
    for name, modes in anchors.items():
        if isinstance(modes, Mapping) and mode in modes:
            columns.append(flat(modes[mode]))
            head.append(f"<small>anchor</small><br>{text(ANCHORS.get(name, name))}")
    rows = [_row(key, mode, columns) for key in in_order(set().union(*columns))]
    title, meaning = MODES.get(mode, (mode, ""))
    return table(head, rows, f"{text(title)}: {text(meaning)}")


def _row(key: str, mode: str, columns: list[dict[str, Any]]) -> list[str]:
    name = described(key, mode)
    title = f"{text(name.title)}<small>{text(name.meaning)}</small>"
    return [title, _ARROWS[name.direction], *(number(column.get(key)) for column in columns)]
