"""Where histories come from: a video, a file of attributes, a bag.

Only numbers are taken; of the file nothing but its name is told further.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from pathlib import Path

from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.history import ListenerHistory

Progress = Callable[[int, int], None]
"""Frames done, and how many there are (0: unknown)."""

_BAGS = "perreactor_ros.bags.listener_history"


def history_of_video(path: Path, progress: Progress | None = None) -> ListenerHistory:
    """Look at a video of somebody. Raises VideoError, AnalyzerMissing, OSError."""
    from perreactor_model.face_analysis.recording import analyze_recording

    track = analyze_recording(path, progress=progress)
    source = {"kind": "video", "file": path.name, "analyzer": "landmarks"}
    return ListenerHistory.from_track(track, source)


def history_of_attributes(path: Path) -> ListenerHistory:
    """Read a file of attributes. Raises AttributeFileError, OSError."""
    from perreactor_model.face_analysis.attribute_files import read_attributes

    track = read_attributes(path)
    source = {"kind": "attributes", "file": path.name}
    if track.source and track.source != path.name:
        source["measured_in"] = track.source
    return ListenerHistory.from_track(track, source)


def history_of_bag(
    path: Path, topic: str | None, progress: Progress | None = None
) -> ListenerHistory:
    """Read a topic of a bag; None: the only one there can be. Raises ValueError, OSError."""
    from perreactor_model.cli.main import NO_ROS_BUILD

    try:
        module = importlib.import_module(_BAGS)
    except ModuleNotFoundError as error:
        raise ProfileError(
            NO_ROS_BUILD.format(name="profile create --bag", reason=f"no {error.name}")
        ) from None
    history: ListenerHistory = module.read_listener_history(path, topic, progress)
    return history


def choose_people(history: ListenerHistory, chosen: str | None) -> ListenerHistory:
    """The frames of those people who were chosen: `2`, or `1,3` or `all` who are the same person.

    None leaves the history as it is. Raises ProfileError.
    """
    if chosen is None:
        return history
    return history.of_people(history.people() if chosen == "all" else _numbers(chosen))


def _numbers(text: str) -> Collection[int]:
    try:
        return {int(part) for part in text.split(",")}
    except ValueError:
        raise ProfileError(
            f"--person {text}: give a person's number as the report has it, several as 1,3 where "
            "they are the same person, or all"
        ) from None
