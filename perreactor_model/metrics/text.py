"""The figures of `perreactor metrics` as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perreactor_model.metrics.predictions import Predictions

_ROWS: dict[str, tuple[str, str, str]] = {
    # figure: better, perfect ("M": as many as samples), what it says
    "FRCorr": ("higher", "1", "follows a fitting real reaction"),
    "FRDist": ("lower", "0", "distance to the nearest fitting real reaction"),
    "FRDiv": ("", "", "differs between samples; noise 0.167, copies 0"),
    "FRVar": ("", "", "moves over time; noise 0.083, a still face 0"),
    "FRDvs": ("", "", "differs between clips; noise 0.167, copies 0"),
    "FRSyn": ("", "", "mean lag behind the speaker, s"),
    "FRSyn_first_sample_only": ("lower", "0", "the same of each first sample: papers print this"),
    "FRSyn_absolute": ("", "", "mean lag either way, s"),
    "FRRea": ("lower", "0", "FID of rendered pictures"),
    "FRRea-motion": ("lower", "0", "moves unlike real faces"),
    "lag_error": ("lower", "0", "lag differs from the real listener's, s"),
    "personalisation.accuracy": ("higher", "1", "its own listener is the nearest; chance {chance}"),
    "calibration.error": ("lower", "0", "real reactions fall outside the samples' spread"),
    "seams.ratio": ("lower", "1", "bends at the joints of the stream; up to 1.2 is good"),
    "FRCorr_undefined": ("lower", "0", "share of clips without FRCorr"),
    "FRSyn_undefined": ("lower", "0", "share of reactions without FRSyn"),
    "lag_error_undefined": ("lower", "0", "share of reactions without lag_error"),
}

_REFERENCE_ROWS = {
    "FRCorr": ("higher", "M", "as corrected, summed over samples; a still channel scores 0"),
    "FRDist": ("lower", "0", "as corrected, summed over samples"),
    "FRSyn": ("lower", "", "frames from the speaker either way; 49 where a channel is still"),
}

_TITLES = {
    "reference": "reference: as the field's published code computes it, to compare with papers",
    "corrected": "corrected: as the metrics are meant",
}


def metrics_text(result: dict[str, Any], predictions: Predictions, source: str) -> str:
    """All of `evaluate`'s result, one table a mode."""
    lines = [_heading(predictions, source)]
    for mode, title in _TITLES.items():
        if mode in result:
            lines += ["", title, ""]
            lines += _table(mode, result, predictions.samples)
            lines += _notes(mode, result)
    if "anchors" in result:
        lines += ["", "The mean sequence and mean frame are those of the real reactions above."]
        if predictions.identity is not None:
            lines += ["Trivial answers are shown for MAFRG; --json has their PMAFRG too."]
    if predictions.speaker is None:
        lines += ["", "FRSyn and lag_error are left out: the file has no array 'speaker'."]
    if predictions.identity is None:
        lines += ["", "PMAFRG and personalisation are left out: the file has no array 'identity'."]
    unknown = int((~predictions.channels).sum())
    if unknown:
        lines += ["", f"{unknown} of 25 attributes are unknown and not judged."]
    return "\n".join(lines)


def _heading(predictions: Predictions, source: str) -> str:
    lengths = {clip.shape[1] for clip in predictions.prediction}
    frames = f"{min(lengths)}" if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"
    fitting = predictions.appropriate.sum() / predictions.clips
    text = (
        f"{source}: {predictions.clips} clips, {predictions.samples} reactions of {frames} frames "
        f"to each, {fitting:.1f} fitting real reactions a clip"
    )
    if predictions.identity is not None:
        text += f", {len(set(predictions.identity.tolist()))} listeners"
    return text


def _table(mode: str, result: dict[str, Any], samples: int) -> list[str]:
    figures = result[mode]
    columns = {"MAFRG": figures}
    if "PMAFRG" in figures:
        columns["PMAFRG"] = figures["PMAFRG"]
    for name, tables in result.get("anchors", {}).items():
        columns[name.replace("_", " ")] = tables[mode]
    rows = [["", *columns, "perfect", "better", ""]]
    rules = _ROWS | (_REFERENCE_ROWS if mode == "reference" else {})
    for name, (better, perfect, meaning) in rules.items():
        value = _figure(figures, name)
        if value is _ABSENT or (name.endswith("_undefined") and value == 0.0):
            continue
        cells = [_shown(_figure(column, name)) for column in columns.values()]
        perfect = str(samples) if perfect == "M" else perfect
        meaning = meaning.format(chance=_shown(_figure(figures, "personalisation.chance")))
        rows.append([name.replace(".", " "), *cells, perfect, better, meaning])
    if "anchors" in result:
        # Their columns say by example what the last one says in words, and fill the line.
        rows = [[*row[:-1], ""] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + _line(row, widths) for row in rows]


def _line(row: list[str], widths: list[int]) -> str:
    """Names and meanings to the left, figures to the right."""
    left = (0, len(row) - 2, len(row) - 1)
    cells = [
        f"{cell:<{width}}" if index in left else f"{cell:>{width}}"
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _notes(mode: str, result: dict[str, Any]) -> list[str]:
    """Why a figure is undefined, each reason once; anchors' own are told by their names."""
    reasons: dict[str, list[str]] = {}
    tables = {"": result[mode], "PMAFRG ": result[mode].get("PMAFRG", {})}
    for name, anchor in result.get("anchors", {}).items():
        tables[f"{name.replace('_', ' ')} "] = anchor[mode]
    for owner, figures in tables.items():
        for figure, reason in figures.get("undefined", {}).items():
            reasons.setdefault(reason, []).append(owner + figure)
    notes = [f"  - {', '.join(figures)}: {reason}" for reason, figures in reasons.items()]
    if "FRRea_warning" in result[mode]:
        notes.append(f"  FRRea: {result[mode]['FRRea_warning']}")
    return ["", *notes] if notes else []


_ABSENT = object()


def _figure(figures: dict[str, Any], name: str) -> Any:
    value: Any = figures
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _shown(value: Any) -> str:
    """Four digits; "-" for undefined, nothing for what was not asked."""
    if value is _ABSENT:
        return ""
    if value is None:
        return "-"
    if 1e-12 < abs(value) < 1e-4:
        return f"{value:.0e}"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.2f}"
