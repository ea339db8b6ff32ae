"""The section about what went wrong: troubles in words, lost frames, gaps, counters."""

from __future__ import annotations

from typing import Any

from perreactor_model.report.curves import clock
from perreactor_model.report.markup import count, number, paragraph, percent, section, table, text

COUNTERS = {
    "frames": "frames of the speaker",
    "steps": "steps of the networks",
    "images": "camera images taken in",
    "audio_chunks": "pieces of sound taken in",
    "attributes": "facial attributes taken in",
    "frames_without_image": "frames without a camera image",
    "frames_without_face": "frames without a face",
    "frames_without_voice": "frames without sound",
    "frames_robot_speaking": "frames in which the robot itself spoke",
    "late_images": "images too late for their frame",
    "late_attributes": "facial attributes too late for their frame",
    "late_samples": "samples of sound too late for their frame",
    "late_frames": "frames too late for the reactor",
    "duplicate_images": "images with a stamp that was there already",
    "duplicate_attributes": "facial attributes with a stamp that was there already",
    "duplicate_samples": "samples of sound that were there already",
    "broken_images": "images that could not be decoded",
    "broken_samples": "samples of sound that were no numbers",
    "missing_samples": "samples of sound missing in gaps",
    "missing_frames": "frames missing before the reactor",
    "audio_gaps": "gaps in the sound",
    "audio_moves": "times the sound's stamps drifted away and were followed",
    "rate_changes": "changes of the sound's rate",
    "clock_jumps": "jumps of the clock: a new epoch each",
    "stray_stamps": "stamps that stood alone and were dropped",
    "overdue_frames": "frames that could not wait longer for their input",
    "overflow_frames": "frames completed early, for want of room",
    "dropped_frames": "frames dropped, for want of room or at a restart",
    "bad_tokens": "encoded frames that were no numbers",
    "restarts": "times the reactor began anew",
    "faces_found": "times a face was found",
    "faces_lost": "times the face was lost",
    "messages_unreadable": "messages that could not be read",
    "messages_refused": "messages of camera, microphone or analyzer that were refused",
    "behaviour_refused": "messages of behaviour that were refused",
    "leaps_of_the_clock": "pauses of all topics after which everything began anew",
    "reactor_frames": "frames that reached the reactor",
}
"""What perception and reactor count, in words. Names that are not here are shown as they are."""


def troubles_section(numbers: dict[str, Any]) -> str:
    """Everything that did not go as it should, and the counters in full."""
    troubles = numbers["troubles"]
    if troubles:
        items = "".join(f"<li>{text(trouble)}</li>" for trouble in troubles)
        said = f'<ul class="troubles">{items}</ul>'
    else:
        said = paragraph("None: the recording was read whole.")
    return section(
        "troubles",
        "Troubles and losses",
        said,
        _dropped(numbers["live"]),
        _continuity(numbers["robots"]),
        _gaps(numbers["robots"]),
        _counters(numbers["counters"]),
    )


def _dropped(live: dict[str, Any] | None) -> str:
    if live is None:
        return ""
    dropped = {name: lost for name, lost in live["dropped"].items() if lost}
    if not dropped:
        return paragraph("No frame was dropped on the way.")
    rows = [[text(COUNTERS.get(name, name)), number(lost)] for name, lost in dropped.items()]
    return "<h3>Dropped</h3>" + table(["what", "how many"], rows, "Lost on the way, live")


def _continuity(robots: list[dict[str, Any]]) -> str:
    if not robots:
        return ""
    rows = [
        [
            text(robot["robot"]),
            number(robot["frames"]),
            number(robot["epochs"]),
            number(robot["gaps"]["count"]),
            number(robot["gaps"]["frames_missing"]),
            percent(robot["without_input_share"]),
        ]
        for robot in robots
    ]
    head = [
        "robot",
        "frames",
        "epochs",
        "gaps",
        "missing<br>frames",
        "neutral for want<br>of input",
    ]
    return "<h3>Continuity</h3>" + table(
        head, rows, "An epoch ends where the clock jumps; a gap is within one"
    )


def _gaps(robots: list[dict[str, Any]]) -> str:
    rows = [
        [text(robot["robot"]), clock(gap["after_s"]), number(gap["frames_missing"])]
        for robot in robots
        for gap in robot["gaps"]["longest"]
    ]
    if not rows:
        return ""
    shown = table(["robot", "after", "missing frames"], rows, "The longest gaps, in order of time")
    return f"<details><summary>{count(len(rows), 'gap')} in detail</summary>{shown}</details>"


def _counters(counters: dict[str, int]) -> str:
    rows = [
        [f"{text(COUNTERS.get(name, name))}<small>{text(name)}</small>", number(counters[name])]
        for name in sorted(counters, key=lambda name: (name not in COUNTERS, name))
        if counters[name]
    ]
    if not rows:
        return ""
    shown = table(["what", "how many"], rows, "What perception and reactor counted; zeros left out")
    return f"<details><summary>All counters</summary>{shown}</details>"
