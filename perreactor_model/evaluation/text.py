"""What `scoring.score` found, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Lines = list[Sequence[str]]
"""Header, then rows of as many cells."""

_COLUMNS = (
    # title, figure, of PMAFRG, times
    ("FRCorr M", "FRCorr", False, 1.0),
    ("FRCorr P", "FRCorr", True, 1.0),
    ("FRDist M", "FRDist", False, 1.0),
    ("FRDist P", "FRDist", True, 1.0),
    ("FRDiv x100", "FRDiv", False, 100.0),
    ("FRDvs x100", "FRDvs", False, 100.0),
    ("FRVar x100", "FRVar", False, 100.0),
    ("FRRea-motion", "FRRea-motion", False, 1.0),
    ("FRSyn", "FRSyn", False, 1.0),
)


def main_table(told: Mapping[str, Any], mode: str) -> Lines:
    """The paper's Table 1 in one mode of the metrics; of several runs mean and spread."""
    lines: Lines = [["", *(title for title, *_ in _COLUMNS)]]
    for name, row in told["rows"].items():
        if mode in row:
            spread = told["spread"].get(name, {}).get(mode, {})
            lines.append([name, *_cells(row[mode], spread)])
    return lines


def _cells(figures: Mapping[str, Any], spread: Mapping[str, Any]) -> list[str]:
    cells = []
    for _, figure, personal, times in _COLUMNS:
        tables = [t.get("PMAFRG", {}) if personal else t for t in (figures, spread)]
        cells.append(_shown(tables[0].get(figure), tables[1].get(figure), times))
    return cells


def ratio_table(told: Mapping[str, Any]) -> Lines:
    """FRCorr of the trained rows divided by others'."""
    lines: Lines = [["FRCorr of", "over", "task", "ratio", "95 % of draws"]]
    for each in told["ratios"]:
        low, high = (f"{each[end]:.2f}" for end in ("low", "high"))
        lines.append(
            [each["row"], each["over"], each["task"], _shown(each["ratio"]), low + " to " + high]
        )
    return lines


def timing_table(told: Mapping[str, Any]) -> Lines:
    """By how long smiles follow the speaker's."""
    lines: Lines = [["smiles follow after", "made, s", "real, s", "error, s", "rank", "true rank"]]
    for name, row in told["rows"].items():
        found = row.get("timing")
        if found is not None:
            lags = [_shown(found[kind].get("seconds")) for kind in ("made", "real")]
            rest = [_shown(found.get(n)) for n in ("error", "follows", "follows_persona")]
            lines.append([name, *lags, *rest])
    return lines


def personality_table(told: Mapping[str, Any]) -> Lines:
    """How often a classifier names the listener of a reaction."""
    lines: Lines = [["the listener is named", "made", "history", "real", "chance"]]
    for name, row in told["rows"].items():
        found = row.get("personality")
        if found is not None:
            kinds = ("accuracy", "history", "real", "chance")
            lines.append([name, *(_shown(found.get(kind)) for kind in kinds)])
    return lines


def trait_table(told: Mapping[str, Any]) -> Lines:
    """Rank correlations with the traits of simulated strangers."""
    kinds = ("generated", "history", "own", "oracle")
    lines: Lines = [["rank correlation with", "history", *kinds]]
    for name, row in told["rows"].items():
        for seconds, traits in row.get("traits", {}).items():
            for trait, found in traits.items():
                cells = [_shown(found.get(kind)) for kind in kinds]
                lines.append([f"{name}: {trait}", seconds, *cells])
    return lines


def judge_table(told: Mapping[str, Any]) -> Lines:
    """Whether D_A^P ranks a reaction higher with its own listener's pattern."""
    lines: Lines = [["D_A^P, own pattern above others'", "AUC", "pooled AUC", "clips"]]
    for name, row in told["rows"].items():
        found = row.get("judge")
        if found is not None:
            lines.append(
                [name, _shown(found["auc"]), _shown(found["pooled"]), f"{found['clips']:g}"]
            )
    return lines


def as_text(lines: Lines) -> str:
    """Columns side by side, names to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = []
    for cells in lines:
        rest = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
        shown.append("  ".join([f"  {cells[0]:<{widths[0]}}", *rest]).rstrip())
    return "\n".join(shown)


def as_markdown(lines: Lines) -> str:
    """The same as a table in Markdown."""
    shown = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([shown[0], "|" + "---|" * len(lines[0]), *shown[1:]])


def _shown(value: Any, spread: Any = None, times: float = 1.0) -> str:
    if value is None:
        return "-"
    deviation = "" if spread is None else f" ± {spread * times:.3f}"
    return f"{value * times:.3f}{deviation}"
