"""`perreactor attributes`: the 25 facial attributes of a person in a video, to a file."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import ACTION_UNIT_SLICE, ACTION_UNITS, FRAME_RATE
from perreactor_model.shown_progress import shown_progress
from perreactor_model.whole_files import replacing, tidy_when_ended

if TYPE_CHECKING:
    from perreactor_model.face_analysis.attribute_files import AttributeTrack
    from perreactor_model.face_analysis.recording import Progress

_STRONG_UNITS = 5
_PEAK = 95
"""Percentile of a unit that is told as its strength: what it reaches, outliers aside."""

_FILES = """\
A row is written for each 1/25 s: 15 action units (0 to 1), valence and arousal (-1 to 1), 8
probabilities of expressions, head rotation (radians) and translation, the person's number, and for
each attribute whether it is measured, derived or unknown. Pictures are not kept.
docs/attributes.md describes files and overlay, docs/analyzer.md how far to trust the values.
"""


class NoFaceError(ValueError):
    """Nobody's face is in a video."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _FILES
    parser.add_argument("video", type=Path, help="a video of one person, in any format")
    parser.add_argument(
        "--out", type=Path, required=True, help="the .npz or .csv to write; replaced if it exists"
    )
    parser.add_argument(
        "--overlay", type=Path, help="also write an .mp4 that shows what was measured"
    )
    parser.add_argument(
        "--causal",
        action="store_true",
        help="know at each moment only what came before, as a live node; default: learn the "
        "neutral face from the whole video first",
    )
    parser.add_argument("--json", action="store_true", help="print one object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Look, write, tell. Raises ValueError and OSError for what the user can put right."""
    from perreactor_model.face_analysis.attribute_files import check_writable, write_attributes

    check_writable(arguments.out)
    _check_overlay(arguments.video, arguments.out, arguments.overlay)
    with ExitStack() as files:
        files.enter_context(tidy_when_ended())
        watch = None
        if arguments.overlay:
            watch = files.enter_context(_overlay(arguments.video, arguments.overlay))
        began = time.monotonic()
        with shown_progress() as progress:
            track = _analyzed(arguments.video, arguments.causal, progress, watch)
        elapsed = time.monotonic() - began
        if not track.face_present.any():
            raise NoFaceError(
                f"{arguments.video} shows no face in {track.seconds:.1f} s: expected a face that "
                "looks towards the camera, upright and at least some 60 pixels wide"
            )
        write_attributes(track, arguments.out)
    told = _summary(track) | {
        "output": str(arguments.out),
        "overlay": str(arguments.overlay) if arguments.overlay else None,
        "causal": arguments.causal,
        "ms_per_frame": round(1000 * elapsed / len(track), 2),
    }
    print(json.dumps(told) if arguments.json else _text(told))
    return 0


def _analyzed(video: Path, causal: bool, progress: Progress, watch: Any) -> AttributeTrack:
    from perreactor_model.face_analysis.recording import analyze_recording

    return analyze_recording(video, causal=causal, progress=progress, watch=watch)


def _check_overlay(video: Path, out: Path, overlay: Path | None) -> None:
    if overlay is None:
        return
    if overlay.suffix.lower() != ".mp4":
        raise ValueError(f"{overlay}: an overlay is written as .mp4")
    if not overlay.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {overlay.absolute().parent} for the overlay")
    if overlay.exists() and video.exists() and overlay.samefile(video):
        raise ValueError(f"{overlay} is the video itself: give the overlay another name")


@contextmanager
def _overlay(video: Path, path: Path) -> Iterator[Any]:
    """What takes each frame's observation; the file is there in the end, or not at all."""
    from perreactor_model.media.attribute_overlay import AttributeOverlay

    with replacing(path) as part, AttributeOverlay(video, part) as overlay:
        yield overlay.add


def _summary(track: AttributeTrack) -> dict[str, Any]:
    units = track.attributes[track.face_present, ACTION_UNIT_SLICE]
    unknown = np.isnan(units)
    peaks = {
        name: float(np.percentile(values[np.isfinite(values)], _PEAK))
        for name, values in zip(ACTION_UNITS, units.T, strict=True)
        if np.isfinite(values).any()
    }
    strongest = sorted(peaks, key=lambda name: -peaks[name])[:_STRONG_UNITS]
    numbers, frames = np.unique(track.person[track.face_present], return_counts=True)
    return {
        "frames": len(track),
        "seconds": track.seconds,
        "face_visible": round(float(track.face_present.mean()), 4),
        "people": {
            str(number): round(int(count) / FRAME_RATE, 2)
            for number, count in zip(numbers, frames, strict=True)
        },
        "units_unknown": round(float(unknown.mean()), 4),
        "never_known": [
            name for name, lost in zip(ACTION_UNITS, unknown.all(axis=0), strict=True) if lost
        ],
        "strongest": {name: round(peaks[name], 3) for name in strongest},
    }


def _text(told: dict[str, Any]) -> str:
    people = told["people"]
    lines = [
        f"{told['output']}: {told['seconds']:.1f} s, {told['frames']} frames",
        f"  face visible   {100 * told['face_visible']:.0f} %",
        f"  people         {len(people)}"
        + (f" ({_seconds_of(people)})" if len(people) > 1 else ""),
        f"  units unknown  {100 * told['units_unknown']:.0f} % of what a visible face could tell"
        + (f" (never known: {', '.join(told['never_known'])})" if told["never_known"] else ""),
    ]
    if told["strongest"]:
        units = ", ".join(f"{name} {value:.2f}" for name, value in told["strongest"].items())
        lines.append(f"  strongest      {units}")
    lines.append(f"  {told['ms_per_frame']:.1f} ms a frame")
    if told["overlay"]:
        lines.append(f"{told['overlay']}: the video with what was measured")
    return "\n".join(lines)


def _seconds_of(people: dict[str, float]) -> str:
    most = sorted(people.items(), key=lambda item: -item[1])[:4]
    listed = ", ".join(f"{number}: {seconds:.1f} s" for number, seconds in most)
    return listed if len(people) == len(most) else f"{listed}, ..."
