"""The report's folder: `report.html`, `report.json`, `figures/` and the video strip."""

from __future__ import annotations

import json
from pathlib import Path

from perreactor_model.media.video import VideoError
from perreactor_model.report.analysis import Analysis, analyse
from perreactor_model.report.canvas import Drawn, as_file
from perreactor_model.report.contents import ReportContents
from perreactor_model.report.curves import Span, draw_curves
from perreactor_model.report.histograms import draw_lags, draw_latency
from perreactor_model.report.numbers import report_numbers
from perreactor_model.report.page import page
from perreactor_model.report.strip import write_strip
from perreactor_model.report.timeline import EXCERPT_S, SECOND_NS
from perreactor_model.report.video_section import Videos

PAGE = "report.html"
NUMBERS = "report.json"
FIGURES = "figures"
STRIP = "strip.mp4"
EXCERPT = "strip_excerpt.mp4"

LARGEST_IN_PAGE = 6_000_000
"""Bytes of video in the page; a larger excerpt is coded once more, more coarsely."""

COARSE = 36


def write_report(contents: ReportContents, folder: Path | str) -> Path:
    """Write the report into `folder` (made if need be) and return the path of its page.

    Files of the same names are replaced, others are left alone. The same contents give the same
    bytes. Raises OSError where the folder cannot be written. A machine that cannot write mp4 gives
    a report without video, which says so.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    analysis = analyse(contents)
    numbers = report_numbers(contents, analysis)
    text = json.dumps(numbers, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    (folder / NUMBERS).write_text(text + "\n", encoding="utf-8")
    figures = _figures(contents, analysis)
    (folder / FIGURES).mkdir(exist_ok=True)
    for drawn in figures.values():
        (folder / FIGURES / f"{drawn.name}.svg").write_text(as_file(drawn.wide), encoding="utf-8")
    videos = _videos(contents, analysis, folder)
    target = folder / PAGE
    target.write_text(page(numbers, figures, videos), encoding="utf-8")
    return target


def _figures(contents: ReportContents, analysis: Analysis) -> dict[str, Drawn]:
    drawn: list[Drawn | None] = []
    excerpt, length_s = analysis.excerpt, analysis.timeline.length_s
    if any(len(track.stamp_ns) for track in analysis.shown):
        closer = length_s > 2 * EXCERPT_S
        marked = (excerpt.begin_s, excerpt.end_s) if closer else None
        drawn.append(draw_curves("curves", contents, analysis, Span(0.0, length_s, marked)))
        if closer:
            span = Span(excerpt.begin_s, excerpt.end_s)
            drawn.append(draw_curves("closer", contents, analysis, span))
    drawn.append(draw_lags(analysis))
    if contents.live is not None:
        drawn.append(draw_latency(contents.live))
    return {figure.name: figure for figure in drawn if figure is not None}


def _videos(contents: ReportContents, analysis: Analysis, folder: Path) -> Videos | str:
    """The video in the folder and the one in the page, which are one for a short recording."""
    if contents.strip is None:
        return "No video was asked for."
    excerpt, tracks = analysis.excerpt, analysis.shown
    # One stretch without a jump of the clock: a video would show nothing for all its length.
    stretches = analysis.timeline.stretches
    begin_s, end_s = next(
        (each for each in stretches if each[1] - each[0] >= 1.0),
        max(stretches, key=lambda each: each[1] - each[0]),
    )
    begin_ns = analysis.timeline.stamp(begin_s)
    end_ns = begin_ns + round(min(end_s - begin_s, contents.strip.longest_s) * SECOND_NS)
    try:
        whole = write_strip(folder / STRIP, contents, tracks, begin_ns, end_ns)
        if whole is None:
            return "There is nothing to show: neither pictures nor reactions."
        shown = whole
        short = (begin_ns, end_ns) == (excerpt.begin_ns, excerpt.end_ns)
        for quality in (28, COARSE):
            if not short or quality == COARSE:
                written = write_strip(
                    folder / EXCERPT, contents, tracks, excerpt.begin_ns, excerpt.end_ns, quality
                )
                assert written is not None
                shown = written
            if shown.path.stat().st_size <= LARGEST_IN_PAGE:
                break
    except VideoError as error:
        return f"No video could be written: {error}."
    return Videos(whole, shown)
