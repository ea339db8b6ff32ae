"""Reactions of running nodes against those computed offline from the same bag, frame by frame.

Frames belong together by robot and stamp: both sides take their stamps from the recording. What is
compared are the 25 attributes and the 58 coefficients. Frame grid, networks and noise are the same
on both sides, so where the nodes received every input, the frames are equal to the last bit.
"""

import array
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.report.contents import LiveDifference, LiveTrack, ReactionTrack
from perreactor_ros.bags.reader import BagError, BagReader
from perreactor_ros.replay.tracks import ReactionRows, sample_of

REACTION_TYPE = "perreactor_ros/msg/FacialReaction"

TOLERANCE = 1e-5
"""Largest difference of a value at which two frames count as the same: float32 networks round
differently on another processor or with other threads. Between two runs on one machine it is 0."""

AGREEMENT = 0.95
"""Share of the offline frames that a live run on a machine that keeps up answers the same."""


class ComparisonError(ValueError):
    """Live reactions that cannot be compared; the message says why and what would be right."""


class HeardReactions:
    """What one robot was heard to show: grows message by message, in a file."""

    def __init__(self, robot: str) -> None:
        self._rows = ReactionRows(robot, "")
        self._latencies = array.array("f")

    def add(self, message: Any) -> None:
        """Take in a `FacialReaction`, received or read from a bag."""
        self._rows.add(message)
        self._latencies.append(message.latency)

    @property
    def count(self) -> int:
        """Frames so far."""
        return len(self._latencies)

    @property
    def latency_s(self) -> np.ndarray:
        """(T,) float32, seconds, as the messages say; NaN where they do not."""
        return np.array(self._latencies, np.float32)

    def track(self) -> ReactionTrack:
        """All of it so far."""
        return self._rows.track()


def compare(
    offline: Iterable[ReactionTrack],
    live: Mapping[str, HeardReactions],
    dropped: Mapping[str, int] | None = None,
) -> LiveTrack:
    """What each robot showed live against its first offline sample.

    `dropped` counts by name what the nodes lost; it is passed on. Raises ComparisonError where no
    robot of `offline` was heard.
    """
    tracks = {track.robot: track for track in offline if track.sample == 0}
    heard = {name: each for name, each in live.items() if name in tracks and each.count}
    if not heard:
        others = ", ".join(name for name, each in live.items() if each.count)
        if not others:
            raise ComparisonError(
                "no robot showed a live reaction; what the nodes said (live.log) tells why"
            )
        raise ComparisonError(
            f"there are no live reactions of {' or '.join(tracks)}, only of {others}: the live "
            "robots must bear the names robot_a, robot_b ... in the order of the profiles, for "
            "the reactions' variation depends on the name"
        )
    return LiveTrack(
        latency_s={name: each.latency_s for name, each in heard.items()},
        dropped=dict(dropped or {}),
        difference={
            name: _difference(track, heard.get(name, HeardReactions(name)).track())
            for name, track in tracks.items()
        },
    )


def reactions_in(bag: Path) -> dict[str, HeardReactions]:
    """What each robot shows in a bag that was recorded live, by either tool that records.

    Its first sample only. Raises BagError for a bag that cannot be read.
    """
    heard: dict[str, HeardReactions] = {}
    with BagReader(bag) as reader:
        topics = [
            topic.name
            for topic in reader.topics.values()
            if topic.type == REACTION_TYPE and sample_of(topic.name) == 0
        ]
        for recorded in reader.messages(topics):
            try:
                message = recorded.read()
            except BagError:
                continue  # a frame that is missing then
            if message.model_id:  # without one it is a real listener's
                heard.setdefault(message.robot, HeardReactions(message.robot)).add(message)
    return heard


def describe(live: LiveTrack) -> list[str]:
    """Lines for a terminal: one a robot, what was lost, and why robots may disagree that do."""
    lines = []
    for robot, difference in live.difference.items():
        latency = live.latency_s.get(robot, np.empty(0, np.float32))
        latency = latency[np.isfinite(latency)]
        words = [
            f"{difference.frames_compared} frames compared, "
            f"{100 * difference.identical_share:.1f} % the same, "
            f"largest difference {difference.largest_difference:.2g}",
            f"{difference.missing} missing live, {difference.extra} only live",
        ]
        if latency.size:
            half, most = 1000 * np.percentile(latency, (50, 95))
            words.append(f"latency {half:.0f} ms, 95 % within {most:.0f} ms")
        lines.append(f"{robot}: {'; '.join(words)}")
    lost = [f"{count} {what}" for what, count in live.dropped.items() if count]
    if live.dropped:
        lines.append(f"Lost: {', '.join(lost) or 'nothing'}")
    apart = [robot for robot, difference in live.difference.items() if not agrees(difference)]
    if apart:
        lines.append(
            f"Less than {AGREEMENT:.0%} of the frames of {' and '.join(apart)} agree: frames were "
            "lost, bundle, profile or seed are not the same, or pictures or sound came later than "
            "image_wait or max_wait allow (give both runs longer ones with --params-file)"
        )
    return lines


def agrees(difference: LiveDifference) -> bool:
    """Whether at least AGREEMENT of the offline frames were shown live within TOLERANCE."""
    frames = difference.frames_compared + difference.missing
    return difference.frames_compared * difference.identical_share >= AGREEMENT * frames


def _difference(offline: ReactionTrack, live: ReactionTrack) -> LiveDifference:
    places = {moment: place for place, moment in enumerate(_moments(offline.stamp_ns))}
    pairs = [
        (places[moment], place)
        for place, moment in enumerate(_moments(live.stamp_ns))
        if moment in places
    ]
    largest = np.array([_distance(offline, ours, live, theirs) for ours, theirs in pairs])
    return LiveDifference(
        frames_compared=len(pairs),
        identical_share=float(np.mean(largest <= TOLERANCE)) if pairs else 0.0,
        largest_difference=float(largest.max()) if pairs else math.nan,
        tolerance=TOLERANCE,
        missing=len(places) - len(pairs),
        extra=len(live.stamp_ns) - len(pairs),
    )


def _distance(offline: ReactionTrack, ours: int, live: ReactionTrack, theirs: int) -> float:
    """The largest difference of two frames in any attribute or coefficient."""
    return max(
        float(np.abs(one.astype(np.float64) - other).max())
        for one, other in (
            (offline.attributes[ours], live.attributes[theirs]),
            (offline.coefficients[ours], live.coefficients[theirs]),
        )
    )


def _moments(stamps_ns: np.ndarray) -> list[tuple[int, int]]:
    """Each stamp with how often it was there before: a recording may go back in time."""
    seen: Counter[int] = Counter()
    moments = []
    for stamp_ns in stamps_ns.tolist():
        moments.append((stamp_ns, seen[stamp_ns]))
        seen[stamp_ns] += 1
    return moments
