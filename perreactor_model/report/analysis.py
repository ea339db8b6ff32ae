"""What is computed once from the contents and then shown in several places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perreactor_model.report.attribute_table import attribute_numbers
from perreactor_model.report.contents import ReactionTrack, RealTrack, ReportContents, SpeakerTrack
from perreactor_model.report.lag_windows import LagWindows, lag_windows
from perreactor_model.report.matching import attributes_at
from perreactor_model.report.timeline import Excerpt, Timeline, choose_excerpt


@dataclass(frozen=True)
class Analysis:
    """Axis, excerpt, and per robot what its first sample did."""

    timeline: Timeline
    excerpt: Excerpt
    shown: list[ReactionTrack]
    """The first sample of each robot, in the order given."""
    attributes: dict[str, dict[str, dict[str, float]]]
    """robot -> attribute -> numbers (see `attribute_table`)."""
    lags: dict[str, dict[str, LagWindows]] = field(default_factory=dict)
    """`speaker` and `real` -> robot -> lags, where they can be told."""
    no_lags: dict[str, str] = field(default_factory=dict)
    """`speaker` and `real` -> in a sentence, why they cannot."""


def analyse(contents: ReportContents) -> Analysis:
    """Look at all of it once; needs numba for the lags."""
    timeline = Timeline.of(contents)
    shown = shown_tracks(contents)
    real = contents.real
    attributes = {
        track.robot: attribute_numbers(track, _beside(real, track) if real else None)
        for track in shown
    }
    lags: dict[str, dict[str, LagWindows]] = {}
    no_lags: dict[str, str] = {}
    for against, track, absent in (
        ("speaker", contents.speaker, "perception gave no facial attributes of the speaker"),
        ("real", contents.real, "the recording holds no real reactions"),
    ):
        if track is None or track.attributes is None or not _any_known(track.attributes):
            no_lags[against] = absent
            continue
        found = {each.robot: lag_windows(each, _beside(track, each)) for each in shown}
        found = {robot: lag for robot, lag in found.items() if lag.windows}
        if found:
            lags[against] = found
        else:
            no_lags[against] = "no 10 s without a hole in which both faces are known and move"
    excerpt = choose_excerpt(timeline, shown)
    return Analysis(timeline, excerpt, shown, attributes, lags, no_lags)


def shown_tracks(contents: ReportContents) -> list[ReactionTrack]:
    """The first sample of each robot: what it shows, or would show."""
    first: dict[str, ReactionTrack] = {}
    for track in contents.reactions:
        known = first.get(track.robot)
        if known is None or track.sample < known.sample:
            first[track.robot] = track
    return list(first.values())


def _beside(track: RealTrack | SpeakerTrack, reaction: ReactionTrack) -> np.ndarray:
    assert track.attributes is not None
    return attributes_at(track.stamp_ns, track.attributes, reaction.stamp_ns)


def _any_known(attributes: np.ndarray) -> bool:
    return any(np.isfinite(attributes[:, index]).any() for index in range(attributes.shape[1]))
