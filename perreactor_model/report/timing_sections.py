"""Sections about time: curves, lags, latency."""

from __future__ import annotations

from typing import Any

from perreactor_model.contract import FRAME_NS
from perreactor_model.report.canvas import Drawn, in_page
from perreactor_model.report.curves import clock
from perreactor_model.report.markup import (
    count,
    fixed,
    number,
    paragraph,
    percent,
    section,
    table,
    text,
)
from perreactor_model.report.palette import ROBOT_COLOURS

_LATENCY_CAPTION = (
    "Line: the median. Dots: 99 of 100 frames are faster. The last bar holds all that took longer."
)

_AGAINST = {"speaker": "the speaker", "real": "the real listener"}


def figure(drawn: Drawn | None, caption: str) -> str:
    """A figure for desk and phone with its caption (HTML), or nothing."""
    if drawn is None:
        return ""
    description = text(drawn.description)
    return (
        f'<figure class="card">{in_page(drawn.wide, description, "wide")}'
        f"{in_page(drawn.narrow, description, 'narrow')}"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def curves_section(numbers: dict[str, Any], figures: dict[str, Drawn]) -> str:
    """All of it, and a closer look where that is too dense."""
    if "curves" not in figures:
        return section("time", "Over time", paragraph("There are no reactions to draw."))
    closer = figures.get("closer")
    excerpt = numbers["excerpt"]
    parts = [paragraph(_how_to_read(numbers))]
    whole = "The whole recording."
    if closer is not None:
        whole += " The tinted stretch is drawn larger below."
        whole += " Where it is dense, a curve spans the lowest to the highest value."
    if numbers["axis"]["cut_s"]:
        jumps = ", ".join(f"{seconds:,.0f} s" for seconds in numbers["axis"]["cut_s"])
        whole += f" Cut out of the axis, where the clock jumped: {jumps}."
    parts.append(figure(figures["curves"], whole))
    if closer is not None:
        span = f"{clock(excerpt['begin_s'])} to {clock(excerpt['end_s'])}"
        parts.append(figure(closer, f"A closer look: {span}, {text(excerpt['why'])}."))
    return section("time", "Over time", *parts)


def _how_to_read(numbers: dict[str, Any]) -> str:
    robots = numbers["robots"]
    sentences = ["Each line is one robot's face."]
    if numbers["real"]:
        sentences.append("The dark or white line is the real listener.")
    samples = max(robot["samples"] for robot in robots)
    if samples > 4:
        sentences.append("The band spans all samples of the same moment.")
    elif samples > 1:
        sentences.append("Thin lines are further samples of the same moment.")
    if numbers["speaker"]:
        sentences.append("Bars on top: the speaker's face was seen, the microphone was heard.")
    if any(robot["epochs"] > 1 for robot in robots):
        sentences.append("Dashed verticals: the clock jumped or the reactor began anew.")
    if len(robots) > ROBOT_COLOURS:
        sentences.append(f"Only the first {ROBOT_COLOURS} of {len(robots)} robots are drawn.")
    return " ".join(sentences)


def lag_section(numbers: dict[str, Any], figures: dict[str, Drawn]) -> str:
    """Lags against the speaker and the real listener, or why they cannot be told."""
    lags = numbers["lags"]
    parts = []
    if lags["against"]:
        parts.append(
            paragraph(
                f"In windows of {lags['window_s']:.0f} s: by how much the reaction has to be "
                "shifted to go along best. A narrow peak is a steady lag; a flat spread means "
                "that the two do not move together, and the median says nothing."
            )
        )
        parts.append(figure(figures.get("lags"), _medians(lags)))
    for against, reason in lags["why_not"].items():
        parts.append(paragraph(f"Not told against {_AGAINST[against]}: {text(reason)}.", "note"))
    return section("lag", "Lag", *parts)


def _medians(lags: dict[str, Any]) -> str:
    sentences = []
    for against, robots in lags["against"].items():
        each = [
            f"{text(robot)} {fixed(lag['median_s'])} s in {count(lag['windows'], 'window')}"
            for robot, lag in robots.items()
        ]
        sentences.append(f"Median behind {_AGAINST[against]}: {', '.join(each[:12])}.")
    return " ".join(sentences)


def latency_section(numbers: dict[str, Any], figures: dict[str, Drawn]) -> str:
    """What a live run took, or why an offline one has no latency."""
    live = numbers["live"]
    if live is None:
        return section(
            "latency",
            "Latency",
            paragraph(
                "Latency has no meaning here: the recording was computed as fast as the machine "
                "can, not while somebody spoke. <code>perreactor replay --live</code> plays it to "
                "running nodes and measures."
            ),
        )
    parts = []
    if "latency" in figures:
        parts.append(
            paragraph(
                "From the moment a speaker's frame begins, which lasts "
                f"{FRAME_NS / 1e6:.0f} ms, until its reaction is published."
            )
        )
        parts.append(figure(figures["latency"], _LATENCY_CAPTION))
        parts.append(_latency_table(live["latency"]))
    else:
        parts.append(paragraph("The live reactions carry no latency."))
    if live["difference_from_offline"]:
        parts.append("<h3>Live against offline</h3>")
        parts.append(_difference_table(live["difference_from_offline"]))
    return section("latency", "Latency", *parts)


def _latency_table(latency: dict[str, Any]) -> str:
    rows = [
        [
            text(robot),
            number(each["frames"]),
            *(fixed(each[key], 1) for key in ("median_ms", "p90_ms", "p99_ms", "largest_ms")),
        ]
        for robot, each in latency.items()
    ]
    head = ["robot", "frames", "median", "90 %", "99 %", "largest"]
    return table(head, rows, "Latency in milliseconds")


def _difference_table(difference: dict[str, Any]) -> str:
    rows = [
        [
            text(robot),
            number(each["frames_compared"]),
            percent(each["identical_share"]),
            number(each["largest_difference"]),
            number(each["tolerance"]),
            number(each["missing"]),
            number(each["extra"]),
        ]
        for robot, each in difference.items()
    ]
    head = [
        "robot", "frames compared", "the same", "largest<br>difference", "tolerance",
        "missing live", "only live",
    ]  # fmt: skip
    caption = "Frames of the same stamp; the same means no value differs by more than the tolerance"
    return table(head, rows, caption)
