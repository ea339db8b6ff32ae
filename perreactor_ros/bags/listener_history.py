"""A listener's history from one topic of a bag, for making a listener profile of it.

Understood are the `SpeakerBehaviour` of a perception that looked at the person, `FacialReaction`,
`hri_msgs/FacialActionUnits`, and a camera's pictures, which the face analyzer looks at.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ACTION_UNITS,
    ATTRIBUTE_COUNT,
    FRAME_NS,
    ROTATION_SLICE,
)
from perreactor_model.face_analysis.affect import derive
from perreactor_model.media.video import PictureFrame
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.history import HISTORY_COLUMNS, ListenerHistory
from perreactor_ros.bags.reader import BagReader, BagTopic
from perreactor_ros.hri_messages import action_unit_attributes
from perreactor_ros.image_messages import compressed_image, raw_image
from perreactor_ros.messages import nanoseconds, reaction, speaker_frame
from perreactor_ros.replay.topics import (
    ACTION_UNITS as HRI_ACTION_UNITS,
)
from perreactor_ros.replay.topics import (
    BEHAVIOUR,
    COMPRESSED_IMAGE,
    IMAGE,
    REACTION,
)

TYPES = (BEHAVIOUR, REACTION, HRI_ACTION_UNITS, IMAGE, COMPRESSED_IMAGE)

_HOLD_NS = 100_000_000
"""A frame takes the nearest message, unless that is further away: then the face is unknown."""

_LONGEST_NS = 6 * 3600 * 1_000_000_000

Progress = Callable[[int, int], None]


def read_listener_history(
    path: Path | str, topic: str | None = None, progress: Progress | None = None
) -> ListenerHistory:
    """The history that a topic of a bag holds; None: of the only topic that it can be.

    People are told apart by `speaker_id`; `source["people"]` has their ids by number. `progress` is
    told messages done and how many there are. Raises BagError, and ProfileError for a topic that
    cannot serve; OSError.
    """
    with BagReader(path) as bag:
        chosen = _topic(bag, topic)
        source = {"kind": "bag", "file": Path(path).name, "topic": chosen.name, "type": chosen.type}
        if chosen.type in (IMAGE, COMPRESSED_IMAGE):
            return _from_pictures(bag, chosen, source, progress)
        rows = _Rows()
        for message in bag.messages([chosen.name]):
            rows.add(message.read(), message.time_ns)
            if progress is not None:
                progress(rows.count, chosen.count)
        return rows.history(source, chosen)


def _topic(bag: BagReader, name: str | None) -> BagTopic:
    """The topic to read. Raises ProfileError with those that there are."""
    usable = [each for each in bag.topics.values() if each.type in TYPES and each.count]
    told = ", ".join(f"{each.name} ({each.type})" for each in usable) or "none"
    if name is None:
        if len(usable) == 1:
            return usable[0]
        raise ProfileError(f"say with --topic where the listener is seen; {bag.path} has {told}")
    found = bag.topics.get(name) or bag.topics.get(f"/{name}")
    if found is None:
        close = difflib.get_close_matches(name, bag.topics, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ProfileError(f"there is no topic {name} in {bag.path}; {hint}Of use are: {told}")
    if found not in usable:
        what = f"is of type {found.type}" if found.count else "holds no message"
        raise ProfileError(
            f"{found.name} {what}: a listener is seen on {', '.join(TYPES)}; of use are: {told}"
        )
    return found


# --- Topics of numbers ---------------------------------------------------------------------------


@dataclass
class _Rows:
    """What messages say of a face, in the order of their coming."""

    stamps: list[int] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    people: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.stamps)

    def add(self, message: Any, received_ns: int) -> None:
        """A message without a stamp counts for when it was recorded."""
        self.stamps.append(nanoseconds(message.header.stamp) or received_ns)
        self.values.append(_row(message))
        self.people.append(str(getattr(message, "speaker_id", "")) if _is_speaker(message) else "")

    def history(self, source: dict[str, Any], topic: BagTopic) -> ListenerHistory:
        """On the 25 Hz grid that begins with the first message."""
        stamps, order = np.unique(np.array(self.stamps, np.int64), return_index=True)
        values = np.stack(self.values)[order]
        if not np.isfinite(values[:, :ATTRIBUTE_COUNT]).any():
            raise ProfileError(
                f"{topic.name} knows no attributes of the face: record it with a perception whose "
                "parameter analyzer is landmarks, or give the camera's topic"
            )
        known = np.isfinite(values[:, :ATTRIBUTE_COUNT]).any(axis=1)
        names = [self.people[place] for place in order]
        numbers = {name: n for n, name in enumerate(_distinct(names, known), 1)}
        person = np.array([numbers.get(name, 0) for name in names], np.int32)
        chosen, served = _on_grid(stamps, topic.name)
        rows = np.where(served[:, None], values[chosen], np.float32(np.nan))
        told = {str(number): name for name, number in numbers.items() if name}
        people = np.where(served, person[chosen], 0).astype(np.int32)
        return ListenerHistory(rows, {**source, "people": told} if told else source, people)


def _distinct(names: list[str], known: np.ndarray) -> list[str]:
    """The ids of people whose face was measured, in order of appearance."""
    seen = (name for name, measured in zip(names, known, strict=True) if measured)
    return list(dict.fromkeys(seen))


def _on_grid(stamps: np.ndarray, topic: str) -> tuple[np.ndarray, np.ndarray]:
    """For each frame the nearest message, the earlier of two, and whether it is near enough."""
    if stamps[-1] - stamps[0] > _LONGEST_NS:
        raise ProfileError(
            f"{topic} spans {(stamps[-1] - stamps[0]) / 3.6e12:.1f} hours: cut the bag down to a "
            "stretch in which the person listens"
        )
    grid = np.arange(stamps[0], stamps[-1] + 1, FRAME_NS)
    after = np.clip(np.searchsorted(stamps, grid), 0, len(stamps) - 1)
    before = np.maximum(after - 1, 0)
    chosen = np.where(grid - stamps[before] <= np.abs(stamps[after] - grid), before, after)
    return chosen, np.abs(stamps[chosen] - grid) <= _HOLD_NS


def _is_speaker(message: Any) -> bool:
    return hasattr(message, "token")


def _row(message: Any) -> np.ndarray:
    """float32 (31,) of a message of any of the types."""
    row = np.full(HISTORY_COLUMNS, np.nan, np.float32)
    if hasattr(message, "intensity"):
        row[:ATTRIBUTE_COUNT] = action_unit_attributes(message)
        row[len(ACTION_UNITS) : ATTRIBUTE_COUNT] = derive(row[ACTION_UNIT_SLICE]).values
        return row
    said = speaker_frame(message) if _is_speaker(message) else reaction(message)
    row[:ATTRIBUTE_COUNT] = said.attributes
    row[ATTRIBUTE_COUNT:] = said.coefficients[ROTATION_SLICE.start :]
    return row


# --- Pictures ------------------------------------------------------------------------------------


def _from_pictures(
    bag: BagReader, topic: BagTopic, source: dict[str, Any], progress: Progress | None
) -> ListenerHistory:
    from perreactor_model.face_analysis.recording import analyze_recording

    pictures = _pictures(bag, topic, progress)
    track = analyze_recording(pictures)
    return ListenerHistory.from_track(track, {**source, "analyzer": "landmarks"})


def _pictures(bag: BagReader, topic: BagTopic, progress: Progress | None) -> Iterator[PictureFrame]:
    """Pictures with rising stamps: one that is older than the one before is left out."""
    newest_ns = -1
    opened = compressed_image if topic.type == COMPRESSED_IMAGE else raw_image
    for message in bag.messages([topic.name]):
        picture = message.read()
        stamp_ns = nanoseconds(picture.header.stamp) or message.time_ns
        if progress is not None:
            progress(message.number, topic.count)
        if stamp_ns > newest_ns:
            newest_ns = stamp_ns
            yield PictureFrame(stamp_ns, opened(picture).rgb())
