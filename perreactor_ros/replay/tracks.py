"""Reactions, the speaker and the listener as rows over time, kept in files instead of memory.

A track grows frame by frame in a nameless temporary file and is then seen through a memory map, so
that a recording of hours costs no more memory than one of seconds.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT
from perreactor_model.report.contents import ReactionTrack, RealTrack, SpeakerTrack
from perreactor_ros.hri_messages import action_unit_attributes
from perreactor_ros.messages import nanoseconds, reaction, speaker_frame

_ATTRIBUTES = ("attributes", np.float32, (ATTRIBUTE_COUNT,))

_REACTION = np.dtype(
    [
        ("stamp_ns", np.int64),
        ("epoch", np.int64),
        ("confidence", np.float32),
        _ATTRIBUTES,
        ("coefficients", np.float32, (COEFFICIENT_COUNT,)),
    ]
)
_SPEAKER = np.dtype(
    [("stamp_ns", np.int64), ("face_present", bool), ("voice_present", bool), _ATTRIBUTES]
)
_REAL = np.dtype([("stamp_ns", np.int64), _ATTRIBUTES])


class GrowingRows:
    """Rows of one structured type, appended one by one to a temporary file in `folder`.

    The system's own folder for such (None) may lie in memory.
    """

    def __init__(self, dtype: np.dtype, folder: Path | None) -> None:
        self._dtype = dtype
        self._file = tempfile.TemporaryFile(prefix="perreactor_track_", dir=folder)
        self.count = 0

    def append(self, *values: Any) -> None:
        """Add a row, its fields in order."""
        self._file.write(np.array(values, self._dtype).tobytes())
        self.count += 1

    def rows(self) -> np.ndarray:
        """All rows so far, read-only; structured (count,)."""
        if not self.count:
            return np.empty(0, self._dtype)
        self._file.flush()
        return np.memmap(self._file, self._dtype, "r", shape=(self.count,))


class ReactionRows:
    """What one robot said: `robot`, the profile it began with, and which of its samples."""

    def __init__(
        self, robot: str, profile: str, sample: int = 0, folder: Path | None = None
    ) -> None:
        self.robot = robot
        self.profile = profile
        self.sample = sample
        self._rows = GrowingRows(_REACTION, folder)

    def add(self, message: Any) -> None:
        """Append a `FacialReaction`."""
        said = reaction(message)
        values = (said.stamp_ns, said.epoch, said.confidence, said.attributes, said.coefficients)
        self._rows.append(*values)

    def track(self) -> ReactionTrack:
        """All of it so far."""
        rows = self._rows.rows()
        return ReactionTrack(
            robot=self.robot,
            profile=self.profile,
            sample=self.sample,
            stamp_ns=rows["stamp_ns"],
            attributes=rows["attributes"],
            coefficients=rows["coefficients"],
            epoch=rows["epoch"],
            confidence=rows["confidence"],
        )


class SpeakerRows:
    """What perception said of the speaker."""

    def __init__(self, folder: Path | None = None) -> None:
        self._rows = GrowingRows(_SPEAKER, folder)
        self._knows_attributes = False

    @property
    def count(self) -> int:
        """Frames so far."""
        return self._rows.count

    def add(self, message: Any) -> None:
        """Append a `SpeakerBehaviour`."""
        frame = speaker_frame(message)
        self._knows_attributes |= bool(np.isfinite(frame.attributes).any())
        self._rows.append(frame.stamp_ns, frame.face_present, frame.voice_present, frame.attributes)

    def track(self) -> SpeakerTrack:
        """All of it so far."""
        rows = self._rows.rows()
        return SpeakerTrack(
            stamp_ns=rows["stamp_ns"],
            face_present=rows["face_present"],
            voice_present=rows["voice_present"],
            attributes=rows["attributes"] if self._knows_attributes else None,
        )


class RealRows:
    """What the real listener's face did.

    From `FacialReaction`, `hri_msgs/FacialActionUnits`, or the `SpeakerBehaviour` of a perception
    that looks at the listener.
    """

    def __init__(self, source: str, folder: Path | None = None) -> None:
        self._source = source
        self._rows = GrowingRows(_REAL, folder)

    def add(self, message: Any, received_ns: int) -> None:
        """Append a message; one without a stamp counts for when it was recorded."""
        stamp_ns = nanoseconds(message.header.stamp) or received_ns
        self._rows.append(stamp_ns, _real_attributes(message))

    def track(self) -> RealTrack:
        """All of it so far, in order of stamps; of equal stamps the first counts."""
        rows = self._rows.rows()
        _, order = np.unique(rows["stamp_ns"], return_index=True)
        return RealTrack(self._source, rows["stamp_ns"][order], rows["attributes"][order])


def _real_attributes(message: Any) -> np.ndarray:
    """The 25 attributes of a message of any of these types, NaN where unknown."""
    if hasattr(message, "intensity"):
        return action_unit_attributes(message)
    if hasattr(message, "token"):
        return speaker_frame(message).attributes
    return reaction(message).attributes


def sample_of(topic: str) -> int:
    """Which sample of a robot's reactions a topic carries: `<robot>/sample_3/reaction`."""
    found = re.search(r"/sample_(\d+)/[^/]+$", topic)
    return int(found[1]) if found else 0
