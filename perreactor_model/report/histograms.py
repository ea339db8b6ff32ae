"""How lags and latencies are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.report.analysis import Analysis
from perreactor_model.report.canvas import (
    NARROW_INCHES,
    WIDE_INCHES,
    Drawn,
    drawing,
    new_figure,
    quiet,
    svg_text,
)
from perreactor_model.report.contents import LiveTrack
from perreactor_model.report.numbers import lag_counts, lag_edges
from perreactor_model.report.palette import LIGHT, ROBOT_COLOURS, robot_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AGAINST = {"speaker": "behind the speaker", "real": "behind the real listener"}

_PANEL_INCHES = 1.9


def draw_lags(analysis: Analysis) -> Drawn | None:
    """Windows by their lag, one panel for the speaker and one for the real listener."""
    if not analysis.lags:
        return None
    with drawing():
        wide, narrow = (_lag_figure(analysis, inches) for inches in (WIDE_INCHES, NARROW_INCHES))
        robots = ", ".join(track.robot for track in analysis.shown[:ROBOT_COLOURS])
        against = " and ".join(_AGAINST[against] for against in analysis.lags)
        return Drawn(
            "lags",
            f"Histogram of the lag of {robots} {against}, in windows of ten seconds. "
            "The medians stand in the text.",
            svg_text(wide, "lags-wide"),
            svg_text(narrow, "lags-narrow"),
        )


def _lag_figure(analysis: Analysis, inches: float) -> Figure:
    count = len(analysis.lags)
    height = 0.45 + _PANEL_INCHES * count
    figure = new_figure(inches, height)
    axes = figure.subplots(count, 1, squeeze=False, sharex=True)[:, 0]
    figure.subplots_adjust(
        left=0.48 / inches, right=1 - 0.12 / inches, hspace=0.3,
        top=1 - 0.3 / height, bottom=0.45 / height,
    )  # fmt: skip
    edges = lag_edges()
    for panel, (against, robots) in zip(axes, analysis.lags.items(), strict=True):
        for number, track in enumerate(analysis.shown[:ROBOT_COLOURS]):
            if track.robot in robots:
                counts = lag_counts(robots[track.robot], edges)
                _draw_steps(panel, edges, counts, number, f"{track.robot} · {track.profile}")
        panel.axvline(0.0, color=LIGHT["muted"], linewidth=0.8, linestyle=(0, (3, 3)))
        _name(panel, f"Windows by lag {_AGAINST[against]}")
        _finish(panel)
    axes[-1].set_xlabel("seconds; positive: the reaction trails")
    return figure


def draw_latency(live: LiveTrack) -> Drawn | None:
    """Frames by latency, with the median and the 99th percentile of each robot."""
    values = {
        robot: np.asarray(latency, np.float64)[np.isfinite(latency)] * 1000
        for robot, latency in live.latency_s.items()
    }
    values = {robot: each for robot, each in values.items() if len(each)}
    if not values:
        return None
    with drawing():
        wide, narrow = (_latency_figure(values, size) for size in (WIDE_INCHES, NARROW_INCHES))
        return Drawn(
            "latency",
            f"Histogram of the latency of {', '.join(list(values)[:ROBOT_COLOURS])} in "
            "milliseconds, with median and 99th percentile, which stand in the table.",
            svg_text(wide, "latency-wide"),
            svg_text(narrow, "latency-narrow"),
        )


def _latency_figure(values: dict[str, np.ndarray], inches: float) -> Figure:
    height = 2.5
    figure = new_figure(inches, height)
    axes = figure.subplots()
    figure.subplots_adjust(
        left=0.52 / inches, right=1 - 0.12 / inches, top=1 - 0.3 / height, bottom=0.45 / height
    )
    shown = dict(list(values.items())[:ROBOT_COLOURS])
    top = max(float(np.percentile(each, 99.5)) for each in shown.values()) * 1.15
    edges = np.linspace(0.0, max(top, 1.0), 61)
    for number, (robot, each) in enumerate(shown.items()):
        # The last bin holds all that is slower: nothing disappears beyond the edge.
        counts = np.histogram(np.clip(each, 0.0, edges[-1]), edges)[0]
        _draw_steps(axes, edges, counts, number, robot)
        for percentile, style in ((50, "-"), (99, (0, (1, 1.5)))):
            at = float(np.percentile(each, percentile))
            axes.axvline(at, color=robot_colour(number), linewidth=1.0, linestyle=style)
    _name(axes, "Frames by latency")
    _finish(axes)
    axes.set_xlabel("milliseconds")
    return figure


def _draw_steps(axes: Axes, edges: np.ndarray, counts: np.ndarray, number: int, label: str) -> None:
    colour = robot_colour(number)
    axes.stairs(counts, edges, color=colour, alpha=0.16, fill=True)
    axes.stairs(counts, edges, color=colour, linewidth=1.2, label=label)


def _finish(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    top = axes.get_ylim()[1]
    axes.set_ylim(0, max(top, 1.0) * (1.05 + 0.14 * len(axes.get_legend_handles_labels()[0])))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    quiet(axes)
    axes.legend(
        loc="upper right", frameon=False, handlelength=1.2, borderaxespad=0.1,
        bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip


def _name(axes: Axes, name: str) -> None:
    axes.text(
        0.0, 1.05, name, transform=axes.transAxes, ha="left", va="bottom", color=LIGHT["ink"]
    )  # fmt: skip
