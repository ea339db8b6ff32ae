"""What is known of a listener's face over time: what a profile is made from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_RATE
from perreactor_model.profiles.errors import ProfileError

if TYPE_CHECKING:
    from perreactor_model.face_analysis.attribute_files import AttributeTrack

HISTORY_COLUMNS = ATTRIBUTE_COUNT + 6
"""25 attributes, 3 of rotation (rad), 3 of translation (FaceVerse units)."""

POSE_SLICE = slice(ATTRIBUTE_COUNT, HISTORY_COLUMNS)


@dataclass(frozen=True)
class ListenerHistory:
    """Frames of one listener, 25 a second.

    `rows` is float32 (T, 31): 25 attributes in the contract's order, then head rotation and
    translation; NaN is unknown. `source` says where they come from, in words and numbers that JSON
    can hold. `person` int32 (T,) numbers the people that were seen, 0 for nobody; None where there
    is only one. Raises ProfileError.
    """

    rows: np.ndarray
    source: dict[str, Any] = field(default_factory=dict)
    person: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape[1] != HISTORY_COLUMNS:
            raise ProfileError(
                f"a history of shape {self.rows.shape}: expected rows of {ATTRIBUTE_COUNT} "
                "attributes, 3 of rotation and 3 of translation"
            )
        if self.rows.dtype != np.float32:
            raise ProfileError(f"a history of {self.rows.dtype}: expected float32")
        if np.isinf(self.rows).any():
            raise ProfileError("a history holds infinite numbers: unknown is NaN")
        if self.person is not None and self.person.shape != self.rows.shape[:1]:
            raise ProfileError(
                f"a history of {len(self.rows)} frames with {self.person.shape} numbers of people: "
                "expected one for each frame"
            )

    @classmethod
    def from_attributes(
        cls,
        attributes: np.ndarray,
        rotation: np.ndarray | None = None,
        translation: np.ndarray | None = None,
        source: dict[str, Any] | None = None,
        person: np.ndarray | None = None,
    ) -> ListenerHistory:
        """From (T, 25) and, where known, (T, 3) each of head pose. Raises ProfileError."""
        if attributes.ndim != 2 or attributes.shape[1] != ATTRIBUTE_COUNT:
            raise ProfileError(
                f"attributes of shape {attributes.shape}: expected rows of {ATTRIBUTE_COUNT}"
            )
        rows = np.full((len(attributes), HISTORY_COLUMNS), np.nan, np.float32)
        rows[:, :ATTRIBUTE_COUNT] = attributes
        if rotation is not None:
            rows[:, ATTRIBUTE_COUNT : ATTRIBUTE_COUNT + 3] = rotation
        if translation is not None:
            rows[:, ATTRIBUTE_COUNT + 3 :] = translation
        return cls(rows, dict(source or {}), person)

    @classmethod
    def from_columns(
        cls, values: np.ndarray, source: dict[str, Any] | None = None
    ) -> ListenerHistory:
        """From rows of 25 attributes or of 31 columns. Raises ProfileError."""
        if values.ndim == 2 and values.shape[1] == ATTRIBUTE_COUNT:
            return cls.from_attributes(values, source=source)
        return cls(np.asarray(values, np.float32), dict(source or {}))

    @classmethod
    def from_track(cls, track: AttributeTrack, source: dict[str, Any]) -> ListenerHistory:
        """From what was measured in a recording, or read from a file."""
        person = np.where(track.face_present, track.person, 0).astype(np.int32)
        return cls.from_attributes(
            track.attributes, track.rotation, track.translation, source, person
        )

    def to_track(self) -> AttributeTrack:
        """For a file, from time 0 on."""
        from perreactor_model.face_analysis.attribute_files import AttributeTrack

        track = AttributeTrack.of_attributes(
            self.rows[:, :ATTRIBUTE_COUNT],
            self.rows[:, ATTRIBUTE_COUNT : ATTRIBUTE_COUNT + 3],
            self.rows[:, ATTRIBUTE_COUNT + 3 :],
            str(self.source.get("file", "")),
        )
        return track if self.person is None else replace(track, person=self.person)

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.rows) / FRAME_RATE

    @property
    def visible(self) -> np.ndarray:
        """(T,) bool: frames in which the face could be measured."""
        known: np.ndarray = np.isfinite(self.rows[:, :ATTRIBUTE_COUNT]).any(axis=1)
        return known

    def people(self) -> dict[int, float]:
        """Seconds of each person that was measured, by number."""
        if self.person is None:
            return {1: float(self.visible.sum()) / FRAME_RATE} if self.visible.any() else {}
        numbers, frames = np.unique(self.person[self.visible], return_counts=True)
        return {
            int(number): int(count) / FRAME_RATE
            for number, count in zip(numbers, frames, strict=True)
        }

    def called(self, number: int) -> str:
        """What to call a person: the number, and the name that the source has for it."""
        names = self.source.get("people", {})
        name = names.get(str(number)) if isinstance(names, dict) else None
        return f"person {number}" + (f" ('{name}')" if name else "")

    def of_people(self, numbers: Collection[int]) -> ListenerHistory:
        """The same as a history of one person, who has these numbers: the frames of all others are
        unknown. Raises ProfileError.
        """
        people = self.people()
        missing = sorted(set(numbers) - set(people))
        if missing or not numbers:
            known = ", ".join(f"{self.called(k)} for {s:.1f} s" for k, s in people.items())
            raise ProfileError(
                f"there is no person {', '.join(map(str, missing))} in the history: it shows "
                f"{known or 'nobody'}"
            )
        if self.person is None:
            return self
        theirs = np.isin(self.person, list(numbers))
        rows = np.where(theirs[:, None], self.rows, np.float32(np.nan))
        return ListenerHistory(rows, self.source)
