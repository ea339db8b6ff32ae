"""Watching the person in front of the camera until there is enough for a listener profile.

Time is that of the speaker's frames, so simulated time and recordings count as live conversations
do. Nothing here knows of ROS topics; `enrolment.py` does.
"""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    FRAME_NS,
    FRAME_RATE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.profiles import ListenerHistory
from perreactor_model.profiles.history import HISTORY_COLUMNS
from perreactor_model.profiles.quality import SHORTEST_S
from perreactor_model.streaming.frames import SpeakerFrame

LONGEST_S = 600.0

USUAL_S = 20.0
"""Seconds where none are asked for: a little more than the histories of the paper (19.2 s)."""

LOST_S = 12.0
"""Seconds without a single known attribute, after which it is given up. An analyzer needs some of
them to learn a new face's neutral."""

_PASSING_FRAMES = FRAME_RATE
"""Whoever is seen for less than these (1 s) only passed by."""

_LATE_FRAMES = FRAME_RATE
"""A frame so much older than the last one is late or sent twice; an older one begins anew."""

_MOST_RESTARTS = 10
"""More beginnings than resets, loops and respawns bring about in one recording."""

_COUNTED = re.compile(r"face_\d+")
"""The name of a person whom perception merely counted; it counts from 1 when it starts."""

_NOBODY = 0


class EnrolmentRefused(ValueError):
    """There will be no profile; the message says why, and what would be right."""


def wanted_seconds(asked: float) -> float:
    """The length of a recording that a caller asked for. Raises EnrolmentRefused."""
    if asked == 0.0:
        return USUAL_S
    if not SHORTEST_S <= asked <= LONGEST_S:
        raise EnrolmentRefused(
            f"seconds is {asked:g}: give {SHORTEST_S:g} to {LONGEST_S:g}, or 0 for {USUAL_S:g}"
        )
    return float(asked)


class Enrolling:
    """One recording: `add` frames until it is `complete`, then take the `history`.

    Recorded are the attributes and the head's pose, never pictures or sound. `seconds` counts
    frames that show the face.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds_wanted = seconds
        self._wanted = math.ceil(seconds * FRAME_RATE)
        self._rows: list[np.ndarray] = []
        self._person: list[int] = []
        self._seen: Counter[int] = Counter()
        self._numbers: dict[str, int] = {}
        self._settled = _NOBODY
        self._frame: SpeakerFrame | None = None
        self._restarts = 0
        self._unknown_for = 0
        self._faces_unknown = 0

    # --- How far it is ---------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether the face was seen for as long as was asked for."""
        return self._frames >= self._wanted

    @property
    def seconds_recorded(self) -> float:
        """Seconds that show the face of the person who is recorded."""
        return min(self._frames / FRAME_RATE, self.seconds_wanted)

    @property
    def face_visible(self) -> float:
        """The part of the time in which that face could be measured, 0 to 1."""
        return self._frames / len(self._rows) if self._rows else 0.0

    @property
    def speaker_id(self) -> str:
        """Who is recorded; empty where perception does not know, or nobody was seen."""
        return self._name_of(self._subject)

    @property
    def remark(self) -> str:
        """What a person in front of the camera may want to know now."""
        frame = self._frame
        if frame is None:
            return "waiting for speaker/behaviour"
        if self._unknown_for and frame.face_present:
            return (
                "the face is in view, but not measured (yet): the analyzer learns a new face, or "
                "perception runs without one (its parameter analyzer)"
            )
        if self._unknown_for:
            return "no face is in view"
        if self._person[-1] != self._subject:
            return f"somebody else is in view ('{self._name_of(self._person[-1])}')"
        return "recording"

    def history(self) -> ListenerHistory:
        """What was recorded, from the first frame that shows the face to the last."""
        seen = np.flatnonzero(self._person)
        span = slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0, 0)
        rows = np.array(self._rows, np.float32).reshape(-1, HISTORY_COLUMNS)[span]
        names = {str(number): name for name, number in self._numbers.items() if name}
        source = {"kind": "enrolment", "people": names}
        return ListenerHistory(rows, source, np.array(self._person[span], np.int32))

    # --- Frames ----------------------------------------------------------------------------------

    def add(self, frame: SpeakerFrame) -> None:
        """The next frame. Raises EnrolmentRefused where going on would be of no use."""
        self._refuse_respawn(frame)
        missing = self._missing_before(frame)
        if missing is None or self.complete:
            return
        self._frame = frame
        for _ in range(missing):
            self._append(_row_of(None), _NOBODY)
        row = _row_of(frame)
        if np.isfinite(row[:ATTRIBUTE_COUNT]).any():
            self._append(row, self._number_of(frame.speaker_id))
            self._faces_unknown = 0
        else:
            self._append(row, _NOBODY)
            self._faces_unknown += bool(frame.face_present)
        self._refuse_others()
        self._refuse_loss()

    def _missing_before(self, frame: SpeakerFrame) -> int | None:
        """How many frames were lost before this one; None if it was here already."""
        last = self._frame
        if last is None:
            return 0
        steps = round((frame.stamp_ns - last.stamp_ns) / FRAME_NS)
        anew = frame.epoch != last.epoch or steps < -_LATE_FRAMES
        if not anew and steps <= 0:
            return None
        if anew:
            self._restarts += 1
            if self._restarts > _MOST_RESTARTS:
                raise EnrolmentRefused(
                    "speaker/behaviour begins anew again and again: let one perception publish it"
                )
        if steps - 1 < LOST_S * FRAME_RATE:
            return max(steps - 1, 0)
        if anew:  # the clock jumped
            return 0
        raise EnrolmentRefused(
            f"speaker/behaviour was away for {steps / FRAME_RATE:.0f} s: see that perception keeps "
            "running, and enrol again"
        )

    def _append(self, row: np.ndarray, person: int) -> None:
        self._rows.append(row)
        self._person.append(person)
        if person == _NOBODY:
            self._unknown_for += 1
        else:
            self._unknown_for = 0
            self._seen[person] += 1
            if self._settled == _NOBODY and self._seen[person] >= _PASSING_FRAMES:
                self._settled = person

    def _number_of(self, speaker_id: str) -> int:
        """A frame of nobody in particular is of the person seen last."""
        if not speaker_id and self._numbers:
            return next((each for each in reversed(self._person) if each), 1)
        if speaker_id and list(self._numbers) == [""]:
            self._numbers = {speaker_id: self._numbers[""]}
        return self._numbers.setdefault(speaker_id, len(self._numbers) + 1)

    # --- People ----------------------------------------------------------------------------------

    @property
    def _subject(self) -> int:
        """The person who is recorded: the first who did not merely pass by."""
        return self._settled or max(self._seen, key=self._seen.__getitem__, default=_NOBODY)

    @property
    def _frames(self) -> int:
        return self._seen[self._subject]

    def _name_of(self, number: int) -> str:
        return next((name for name, each in self._numbers.items() if each == number), "")

    # --- Refusals --------------------------------------------------------------------------------

    def _refuse_others(self) -> None:
        subject = self._subject
        for person, frames in self._seen.items():
            if person != subject and frames >= _PASSING_FRAMES:
                raise EnrolmentRefused(
                    f"the person changed from '{self._name_of(subject)}' to "
                    f"'{self._name_of(person)}': enrol again with one person, who stays in view "
                    "(a face that was away for a while counts as somebody else)"
                )

    def _refuse_respawn(self, frame: SpeakerFrame) -> None:
        last = self._frame
        if last is None or frame.stamp_ns <= last.stamp_ns:
            return
        counts_anew = (frame.epoch, frame.index) < (last.epoch, last.index)
        if counts_anew and any(_COUNTED.fullmatch(name) for name in self._numbers):
            raise EnrolmentRefused(
                "perception was started anew and cannot tell whether the person is still the same: "
                "enrol again, or give the person a name by perception's parameter speaker_id"
            )

    def _refuse_loss(self) -> None:
        if self._unknown_for >= LOST_S * FRAME_RATE:
            raise EnrolmentRefused(self._why_lost())
        # As much again may go by without the face, and then the rest could not make it good.
        if len(self._rows) > 2 * self._wanted + LOST_S * FRAME_RATE and not self.complete:
            raise EnrolmentRefused(
                f"the face could be measured in only {self._frames / FRAME_RATE:.0f} s of "
                f"{len(self._rows) / FRAME_RATE:.0f} s: sit nearer, face the camera, take more "
                "light, and enrol again"
            )

    def _why_lost(self) -> str:
        if self._faces_unknown < self._unknown_for / 2:
            return (
                f"no face was in view for {LOST_S:g} s: sit in front of the camera, and enrol again"
            )
        if self._seen:
            return (
                f"the face could not be measured for {LOST_S:g} s: uncover it, sit nearer, face "
                "the camera, take more light, and enrol again"
            )
        return (
            "the face is in view, but speaker/behaviour has no attributes of it: set perception's "
            "parameter analyzer to 'landmarks' (analyzer:=landmarks), or give it attributes by "
            "speaker/attributes"
        )


def _row_of(frame: SpeakerFrame | None) -> np.ndarray:
    """Attributes, rotation and translation, float32 (31,); what is not finite is unknown."""
    if frame is None:
        return np.full(HISTORY_COLUMNS, np.nan, np.float32)
    pose = frame.coefficients[ROTATION_SLICE], frame.coefficients[TRANSLATION_SLICE]
    row = np.concatenate((frame.attributes, *pose)).astype(np.float32)
    row[~np.isfinite(row)] = np.nan
    return row
