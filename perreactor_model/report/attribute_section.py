"""The section with the table of attributes, one table a robot."""

from __future__ import annotations

from typing import Any

from perreactor_model.contract import ACTION_UNITS, AFFECTS, EXPRESSIONS
from perreactor_model.report.channels import POSES, UNIT_NAMES
from perreactor_model.report.markup import fixed, paragraph, section, table, text

MOST_TABLES = 12
"""Further robots stand in `report.json`."""

_NOTES = {
    "neutral": "probability",
    "valence": "unpleasant −1, pleasant 1",
    "arousal": "calm −1, excited 1",
    "pitch": "head, degrees, down is positive",
    "yaw": "head, degrees, own left is positive",
    "roll": "head, degrees, own right is positive",
}

_COLUMNS = (
    ("mean", "mean"),
    ("spread", "spread"),
    ("movement", "movement<br>a second"),
    ("real_mean", "real<br>mean"),
    ("real_spread", "real<br>spread"),
    ("concordance", "concordance<br>with real"),
    ("lag_behind_real_s", "lag behind<br>real, s"),
    ("lag_behind_speaker_s", "lag behind<br>speaker, s"),
)


def attributes_section(numbers: dict[str, Any]) -> str:
    """Every attribute of every robot's first sample; the first robot's table is open."""
    robots = [robot for robot in numbers["robots"] if robot["frames"]]
    if not robots:
        return ""
    tables = [_details(robot, open_=place == 0) for place, robot in enumerate(robots[:MOST_TABLES])]
    left_out = len(robots) - MOST_TABLES
    more = f"{left_out} more robots stand in report.json." if left_out > 0 else ""
    return section(
        "attributes",
        "Attribute by attribute",
        paragraph(
            "Mean and standard deviation over the recording; movement is how much the value "
            "changes within a second, up and down added up. "
            + (
                "Concordance is 1 where the reaction equals the real one and 0 where they have "
                "nothing to do with each other. "
                if numbers["real"]
                else ""
            )
            + more
        ),
        *tables,
    )


def _details(robot: dict[str, Any], open_: bool) -> str:
    name = f"{text(robot['robot'])}: {text(robot['profile'])}"
    return f"<details{' open' if open_ else ''}><summary>{name}</summary>{_table(robot)}</details>"


def _table(robot: dict[str, Any]) -> str:
    attributes = robot["attributes"]
    present = {key for values in attributes.values() for key, v in values.items() if v is not None}
    columns = [(key, title) for key, title in _COLUMNS if key in present]
    rows = []
    for name in (*ACTION_UNITS, *AFFECTS, *EXPRESSIONS, *POSES):
        values = attributes[name]
        note = UNIT_NAMES.get(name) or _NOTES.get(name) or "probability"
        cells = [_cell(name, key, values.get(key)) for key, _ in columns]
        rows.append([f"{text(name)}<small>{text(note)}</small>", *cells])
    head = ["attribute", *(title for _, title in columns)]
    title = f"Attributes of {text(robot['robot'])}, {text(robot['profile'])}"
    return table(head, rows, title, "compact", title_shown=False)


def _cell(name: str, key: str, value: float | None) -> str:
    shown = fixed(value, 1 if name in POSES else 2)
    if key != "mean" or value is None or name in POSES or name in AFFECTS:
        return shown
    width = max(0, min(100, round(100 * value)))
    return f'<span class="bar" aria-hidden="true"><i style="width:{width}%"></i></span>{shown}'
