"""Reactions over time, beside the real ones, under the speaker's presence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from perreactor_model.report.channels import CURVES, Channel
from perreactor_model.report.contents import ReactionTrack, ReportContents, SpeakerTrack
from perreactor_model.report.palette import LIGHT, ROBOT_COLOURS, robot_colour
from perreactor_model.report.timeline import HOLE_NS, Timeline, joined_to_next

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_POINTS = 500
NARROW_POINTS = 200
"""Pairs of lowest and highest value that a curve keeps."""

THIN_LINES = 3
"""Up to so many further samples are lines; more are a band from the lowest to the highest."""

_TICKS_S = (0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True)
class Span:
    """The stretch of the axis that is drawn, in seconds, and one that is marked in it."""

    begin_s: float
    end_s: float
    marked: tuple[float, float] | None = None


def draw_curves(name: str, contents: ReportContents, analysis: Analysis, span: Span) -> Drawn:
    """Small multiples, one a channel, on one axis of time."""
    with drawing():
        wide = _figure(contents, analysis, span, WIDE_INCHES, WIDE_POINTS)
        narrow = _figure(contents, analysis, span, NARROW_INCHES, NARROW_POINTS)
        return Drawn(
            name,
            _description(contents, analysis, span),
            svg_text(wide, f"{name}-wide"),
            svg_text(narrow, f"{name}-narrow"),
        )


def _description(contents: ReportContents, analysis: Analysis, span: Span) -> str:
    robots = ", ".join(f"{t.robot} ({t.profile})" for t in analysis.shown[:ROBOT_COLOURS])
    channels = ", ".join(channel.key.replace("_", " and ") for channel in CURVES)
    real = " beside the real listener" if contents.real else ""
    return (
        f"Curves over time from {clock(span.begin_s)} to {clock(span.end_s)} of {robots}{real}: "
        f"{channels}. The table of attributes holds the same in numbers."
    )


def _figure(
    contents: ReportContents, analysis: Analysis, span: Span, inches: float, points: int
) -> Figure:
    timeline, lane = analysis.timeline, 0.55 if contents.speaker else 0.0
    entries = min(len(analysis.shown), ROBOT_COLOURS) + (contents.real is not None)
    columns = 5 if inches > 5 else 2
    panel, legend, foot = 1.02, 0.24 + 0.17 * -(-entries // columns), 0.45
    height = legend + lane + panel * len(CURVES) + foot
    figure = new_figure(inches, height)
    left, right = 0.48 / inches, 1 - 0.12 / inches
    rows = [lane] * bool(lane) + [panel] * len(CURVES)
    grid = figure.add_gridspec(
        len(rows), 1, height_ratios=rows, hspace=0.28,
        left=left, right=right, top=1 - legend / height, bottom=foot / height,
    )  # fmt: skip
    all_axes = [figure.add_subplot(grid[row]) for row in range(len(rows))]
    if contents.speaker is not None:
        _draw_presence(all_axes[0], contents.speaker, timeline, span)
    for channel, axes in zip(CURVES, all_axes[-len(CURVES) :], strict=True):
        _draw_channel(axes, channel, contents, analysis, span, points)
    for axes in all_axes:
        _draw_time(axes, span, last=axes is all_axes[-1], ticks=9 if inches > 5 else 5)
        _draw_epochs(axes, analysis, span)
    _draw_legend(figure, contents, analysis, left, columns)
    return figure


def _draw_presence(axes: Axes, speaker: SpeakerTrack, timeline: Timeline, span: Span) -> None:
    for place, (name, present) in enumerate(
        (("face", speaker.face_present), ("voice", speaker.voice_present))
    ):
        bars = [
            (begin, length)
            for begin, length in presence_bars(speaker.stamp_ns, present, timeline)
            if begin + length >= span.begin_s and begin <= span.end_s
        ]
        axes.broken_barh(bars, (1.1 - place - 0.3, 0.6), color=LIGHT["muted"], linewidth=0)
        axes.text(
            -0.012, 1.1 - place, name, transform=axes.get_yaxis_transform(),
            ha="right", va="center", color=LIGHT["muted"],
        )  # fmt: skip
    axes.set_ylim(-0.6, 1.8)
    axes.set_yticks([])
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def presence_bars(
    stamp_ns: np.ndarray, present: np.ndarray, timeline: Timeline
) -> list[tuple[float, float]]:
    """(begin, length) in seconds of every stretch in which something was there without a hole."""
    if not len(stamp_ns) or not present.any():
        return []
    joined = joined_to_next(stamp_ns) & present[:-1] & present[1:]
    begins = present & ~np.concatenate([[False], joined])
    ends = present & ~np.concatenate([joined, [False]])
    seconds = timeline.seconds(stamp_ns)
    return [
        (float(begin), max(float(end - begin), 0.0) + 0.04)
        for begin, end in zip(seconds[begins], seconds[ends], strict=True)
    ]


def _draw_channel(
    axes: Axes,
    channel: Channel,
    contents: ReportContents,
    analysis: Analysis,
    span: Span,
    points: int,
) -> None:
    timeline = analysis.timeline
    drawn: list[np.ndarray] = []
    if contents.real is not None and channel.coefficient is None:
        values = channel.of(contents.real.attributes)
        # A real listener may come at any rate: only a second without a row is a hole.
        line = _line(contents.real.stamp_ns, values, None, timeline, span, points, 5 * HOLE_NS)
        drawn.append(_plot(axes, line, LIGHT["real"], 1.0, 1.0))
    for number, track in enumerate(analysis.shown[:ROBOT_COLOURS]):
        others = [t for t in contents.reactions if t.robot == track.robot and t is not track]
        drawn += _draw_robot(axes, channel, track, others, number, timeline, span, points)
    finite = np.concatenate([values[np.isfinite(values)] for values in drawn] or [np.empty(0)])
    low, high = _limits(finite, channel)
    axes.set_ylim(low, high)
    axes.set_yticks(_levels(low, high))
    quiet(axes)
    axes.text(
        0.0, 1.03, channel.name, transform=axes.transAxes, ha="left", va="bottom",
        color=LIGHT["ink"],
    )  # fmt: skip


def _draw_robot(
    axes: Axes,
    channel: Channel,
    track: ReactionTrack,
    others: Sequence[ReactionTrack],
    number: int,
    timeline: Timeline,
    span: Span,
    points: int,
) -> list[np.ndarray]:
    def line(one: ReactionTrack) -> tuple[np.ndarray, np.ndarray]:
        values = channel.of(one.attributes, one.coefficients)
        return _line(one.stamp_ns, values, one.epoch, timeline, span, points, HOLE_NS)

    colour = robot_colour(number)
    if len(others) > THIN_LINES:
        drawn = _draw_band(axes, [line(one) for one in (track, *others)], colour)
    else:
        drawn = [_plot(axes, line(one), colour, 0.6, 0.45) for one in others]
    return [*drawn, _plot(axes, line(track), colour, 1.15, 1.0)]


def _draw_band(
    axes: Axes, lines: list[tuple[np.ndarray, np.ndarray]], colour: str
) -> list[np.ndarray]:
    """From the lowest to the highest sample, of those that lie on the first one's moments."""
    seconds = lines[0][0]
    same = [v for s, v in lines if s.shape == seconds.shape and np.array_equal(s, seconds, True)]
    stack = np.stack(same)
    known = np.isfinite(stack).any(axis=0)
    low = np.where(known, np.min(np.where(np.isfinite(stack), stack, np.inf), axis=0), np.nan)
    high = np.where(known, np.max(np.where(np.isfinite(stack), stack, -np.inf), axis=0), np.nan)
    axes.fill_between(seconds, low, high, color=colour, alpha=0.18, linewidth=0)
    return [low, high]


def _plot(
    axes: Axes, line: tuple[np.ndarray, np.ndarray], colour: str, width: float, alpha: float
) -> np.ndarray:
    seconds, values = line
    marker = "." if np.isfinite(values).sum() < 40 else ""
    axes.plot(
        seconds, values, color=colour, linewidth=width, alpha=alpha, marker=marker, markersize=2.5
    )
    return values


def _line(
    stamp_ns: np.ndarray,
    values: np.ndarray,
    epoch: np.ndarray | None,
    timeline: Timeline,
    span: Span,
    points: int,
    hole_ns: int,
) -> tuple[np.ndarray, np.ndarray]:
    """What is drawn of a curve: seconds and values, NaN where the pen is lifted."""
    seconds = timeline.seconds(stamp_ns)
    inside = (seconds >= span.begin_s - 0.04) & (seconds <= span.end_s + 0.04)
    seconds, values, stamps = seconds[inside], values[inside], np.asarray(stamp_ns)[inside]
    gaps = np.diff(stamps)
    lifted = (gaps <= 0) | (gaps > hole_ns)
    if epoch is not None:
        lifted |= np.diff(np.asarray(epoch)[inside]) != 0
    places = np.flatnonzero(lifted) + 1
    seconds = np.insert(seconds, places, seconds[places - 1] if len(places) else [])
    return thinned(seconds, np.insert(values, places, np.nan), points)


def thinned(seconds: np.ndarray, values: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `2 * points` points: of each piece of the curve its lowest and its highest value.

    A piece in which the pen is lifted anywhere keeps what is known of it.
    """
    if len(values) <= 2 * points:
        return seconds, values
    size = -(-len(values) // points)
    rows = -(-len(values) // size)
    padded = np.full(rows * size, np.nan)
    padded[: len(values)] = values
    pieces = padded.reshape(rows, size)
    known = np.isfinite(pieces)
    low = np.where(known, pieces, np.inf).min(axis=1)
    high = np.where(known, pieces, -np.inf).max(axis=1)
    begin = seconds[np.arange(rows) * size]
    middle = seconds[np.minimum(np.arange(rows) * size + size // 2, len(seconds) - 1)]
    some = known.any(axis=1)
    pairs = np.column_stack([np.where(some, low, np.nan), np.where(some, high, np.nan)])
    return np.column_stack([begin, middle]).ravel(), pairs.ravel()


def _limits(values: np.ndarray, channel: Channel) -> tuple[float, float]:
    """A little more than what is drawn, within what the contract allows."""
    lowest, highest = channel.limits
    if not len(values):
        middle = 0.0 if lowest < 0 else channel.least_span / 2
        return middle - channel.least_span / 2, middle + channel.least_span / 2
    low, high = float(values.min()), float(values.max())
    span = max(high - low, channel.least_span)
    middle = (low + high) / 2
    low, high = middle - 0.55 * span, middle + 0.55 * span
    if low < lowest:
        low, high = lowest - 0.03 * span, max(high, lowest + span)
    if high > highest:
        low, high = min(low, highest - span), highest + 0.03 * span
    return low, high


def _levels(low: float, high: float) -> list[float]:
    """Two or three round values."""
    from matplotlib.ticker import MaxNLocator

    levels = MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(level) for level in levels if low <= level <= high]


def _draw_time(axes: Axes, span: Span, last: bool, ticks: int) -> None:
    length = max(span.end_s - span.begin_s, 0.04)
    axes.set_xlim(span.begin_s - 0.002 * length, span.begin_s + 1.002 * length)
    step = next((tick for tick in _TICKS_S if length / tick <= ticks), _TICKS_S[-1])
    first = np.ceil(span.begin_s / step - 1e-6)
    places = np.arange(first, (span.begin_s + length) / step + 1e-6) * step
    axes.set_xticks(places, [clock(place) for place in places] if last else [""] * len(places))
    if not last:
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_xlabel("minutes:seconds" if span.end_s < 3600 else "hours:minutes:seconds")
    if span.marked is not None:
        tint, edge = LIGHT["tint"], LIGHT["accent"]
        axes.axvspan(*span.marked, facecolor=tint, edgecolor=edge, linewidth=0.5, zorder=0)


def _draw_epochs(axes: Axes, analysis: Analysis, span: Span) -> None:
    for at_s in epoch_starts(analysis):
        if span.begin_s <= at_s <= span.end_s:
            axes.axvline(at_s, color=LIGHT["warn"], linewidth=0.7, linestyle=(0, (2, 2)))


def epoch_starts(analysis: Analysis, most: int = 50) -> list[float]:
    """Where new epochs of any robot begin, in seconds; the first ones where there are many."""
    found = set()
    for track in analysis.shown:
        places = np.flatnonzero(np.diff(track.epoch) != 0) + 1
        found |= set(np.round(analysis.timeline.seconds(track.stamp_ns[places]), 2).tolist())
    return sorted(found)[:most]


def _draw_legend(
    figure: Figure, contents: ReportContents, analysis: Analysis, left: float, columns: int
) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=robot_colour(number), label=f"{track.robot} · {track.profile}")
        for number, track in enumerate(analysis.shown[:ROBOT_COLOURS])
    ]
    if contents.real is not None:
        entries.append(Line2D([], [], color=LIGHT["real"], label="real listener"))
    figure.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(left, 1.0), ncols=columns,
        frameon=False, borderaxespad=0.2, handlelength=1.2, columnspacing=1.2, borderpad=0.0,
    )  # fmt: skip


def clock(seconds: float) -> str:
    """3:07, or 1:02:03 from an hour on; tenths only where they matter."""
    whole, tenth = divmod(round(10 * seconds), 10)
    tenths = f".{tenth}" if tenth else ""
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}{tenths}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}{tenths}"
