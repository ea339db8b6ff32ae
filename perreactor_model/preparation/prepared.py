"""A prepared corpus: one folder, a JSON file that says what it is, and arrays mapped into memory.

<folder>/prepared.json            what it was made from, and the recordings of each split
<folder>/<split>/attributes.npy   (F, 25), and so on: all recordings of the split, one after another
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    FACE_EXPRESSION_SLICE,
    ROTATION_SLICE,
    SPEAKER_VECTOR_COUNT,
)

PREPARED_FORMAT = 1
PREPARED_NAME = "prepared.json"
CACHE = "prepared"
"""Folder in a corpus where what is prepared of it is put, unless it is told otherwise."""

SPEAKER_VIEWS = ("observed", "true")
"""What the generator is shown of the speaker: as a face analyzer sees them, or the labels."""


class PreparedError(ValueError):
    """A folder that is no prepared corpus, or a question that it cannot answer."""


@dataclass(frozen=True)
class PreparedSplit:
    """R recordings and N pairs of them; frames come at 25 a second.

    Holds no arrays itself, so that it can be sent to a worker process at no cost: they are mapped
    when first asked for.
    """

    folder: Path
    name: str
    keys: tuple[str, ...]
    """Of each recording, unique in the split."""
    identity_names: tuple[str, ...]
    speaker_view: str = "observed"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def pairs(self) -> np.ndarray:
        """int32 (N, 2): recording of the speaker, recording of the listener."""
        return self._array("pairs")

    @cached_property
    def identity(self) -> np.ndarray:
        """int32 (R,): who is to be seen, as an index of `identity_names`."""
        return self._array("identity")

    @cached_property
    def session(self) -> np.ndarray:
        """int32 (R,): equal numbers are the same session or script, -1 unknown."""
        return self._array("session")

    @cached_property
    def start(self) -> np.ndarray:
        """int64 (R + 1,): recording r has the frames start[r] to start[r + 1]."""
        return self._array("start")

    @cached_property
    def appropriate(self) -> np.ndarray:
        """bool (N, N): [k, j] says that the reaction of pair j fits the speaker of pair k."""
        return self._array("appropriate")

    @cached_property
    def attributes(self) -> np.ndarray:
        """float32 (F, 25): the labels."""
        return self._array("attributes")

    @cached_property
    def coefficients(self) -> np.ndarray:
        """float32 (F, 58), deviation from the corpus's mean face."""
        return self._array("coefficients")

    @cached_property
    def observed(self) -> np.ndarray:
        """float32 (F, 31): attributes and pose as a face analyzer sees them, NaN where unknown."""
        return self._array("observed")

    @cached_property
    def history(self) -> np.ndarray:
        """float32 (F, 31): `observed` without holes, filled as profiles are."""
        return self._array("history")

    @cached_property
    def audio(self) -> np.ndarray:
        """float32 (F, 78)."""
        return self._array("audio")

    @cached_property
    def faces(self) -> np.ndarray | None:
        """uint8 (F, S, S, 3): face crops, where they were prepared."""
        return self._optional("faces")

    @cached_property
    def face_tokens(self) -> np.ndarray | None:
        """float32 (F, d): features of the face from a frozen encoder, where they were prepared."""
        return self._optional("face_tokens")

    @cached_property
    def face_seen(self) -> np.ndarray | None:
        """bool (F,): a face was found, where faces were prepared; others hold zeros."""
        return self._optional("face_seen")

    @cached_property
    def listener_identity(self) -> np.ndarray:
        """int32 (N,): who the listener of each pair is."""
        return np.asarray(self.identity)[np.asarray(self.pairs)[:, 1]]

    @cached_property
    def personal(self) -> np.ndarray:
        """bool (N, N): [k, j]: fitting, and by the listener of pair k."""
        who = self.listener_identity
        return np.asarray(self.appropriate) & (who[:, None] == who[None, :])

    def frames(self, recording: int) -> int:
        """Length of a recording."""
        return int(self.start[recording + 1] - self.start[recording])

    def speaker_visual(self, recording: int, start: int, stop: int) -> np.ndarray:
        """What the generator sees of a speaker's face: float32 (n, 83), NaN where unknown.

        Of a face that is observed, the 52 expression coefficients are unknown.
        """
        if self.speaker_view == "true":
            return self.reaction(recording, start, stop)
        rows = self._rows("observed", recording, start, stop)
        visual = np.full((len(rows), SPEAKER_VECTOR_COUNT), np.nan, np.float32)
        visual[:, :ATTRIBUTE_COUNT] = rows[:, :ATTRIBUTE_COUNT]
        visual[:, ATTRIBUTE_COUNT + FACE_EXPRESSION_SLICE.stop :] = rows[:, ATTRIBUTE_COUNT:]
        return visual

    def reaction(self, recording: int, start: int, stop: int) -> np.ndarray:
        """Labels and coefficients: float32 (n, 83)."""
        parts = [
            self._rows(name, recording, start, stop) for name in ("attributes", "coefficients")
        ]
        return np.concatenate(parts, axis=1)

    def speaker_audio(self, recording: int, start: int, stop: int) -> np.ndarray:
        """float32 (n, 78)."""
        return self._rows("audio", recording, start, stop)

    def history_rows(
        self, recording: int, start: int, stop: int, view: str = "observed"
    ) -> np.ndarray:
        """A listener's past without holes: float32 (n, 31), `observed` or `true` labels."""
        if view == "true":
            rows = self.reaction(recording, start, stop)
            pose = rows[:, ATTRIBUTE_COUNT + ROTATION_SLICE.start :]
            return np.concatenate([rows[:, :ATTRIBUTE_COUNT], pose], axis=1)
        assert view == "observed", view
        return self._rows("history", recording, start, stop)

    def other_recordings(self, pair: int) -> np.ndarray:
        """Recordings that may serve as the past of the pair's listener, int (k,).

        Never the listener's clip of this pair, nor another one that fits its speaker: what is to be
        met must not be known beforehand.
        """
        listeners = np.asarray(self.pairs)[:, 1]
        own = np.unique(listeners[self.listener_identity == self.listener_identity[pair]])
        return np.setdiff1d(own, np.append(listeners[self.appropriate[pair]], listeners[pair]))

    def _rows(self, name: str, recording: int, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.frames(recording), (recording, start, stop)
        first = int(self.start[recording])
        return np.array(getattr(self, name)[first + start : first + stop])

    def _optional(self, name: str) -> np.ndarray | None:
        return self._array(name) if self._path(name).is_file() else None

    def _array(self, name: str) -> np.ndarray:
        try:
            array: np.ndarray = np.load(self._path(name), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise PreparedError(
                f"{self._path(name)} cannot be read ({error}): prepare the corpus again"
            ) from error
        return array

    def _path(self, name: str) -> Path:
        return self.folder / self.name / f"{name}.npy"


@dataclass(frozen=True)
class PreparedCorpus:
    """All splits, and what they were made from."""

    folder: Path
    key: str
    """Changes with anything that went into the arrays."""
    settings: Mapping[str, Any]
    mean_face: np.ndarray
    """float32 (58,): what the coefficients deviate from."""
    splits: Mapping[str, PreparedSplit]
    synthetic: bool
    au_semantics: str


def open_prepared(folder: Path | str) -> PreparedCorpus:
    """Open what `prepare` wrote, by its folder, or one in which it is the only one, as the corpus.

    Raises PreparedError.
    """
    folder = _found(Path(folder))
    path = folder / PREPARED_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PreparedError(
            f"{folder} holds no prepared corpus (no {PREPARED_NAME}): `perreactor prepare` makes "
            "one of recordings"
        ) from None
    except (OSError, ValueError) as error:
        raise PreparedError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("perreactor_prepared") != PREPARED_FORMAT:
        found = content.get("perreactor_prepared") if isinstance(content, dict) else None
        raise PreparedError(
            f"{path} has format {found!r}, this version reads {PREPARED_FORMAT}: prepare it again"
        )
    view = content["speaker_view"]
    splits = {
        name: PreparedSplit(
            folder, name, tuple(split["keys"]), tuple(split["identity_names"]), view
        )
        for name, split in content["splits"].items()
    }
    mean_face = np.asarray(content["mean_face"], np.float32)
    assert mean_face.shape == (COEFFICIENT_COUNT,)
    return PreparedCorpus(
        folder=folder,
        key=content["key"],
        settings=content["settings"],
        mean_face=mean_face,
        splits=splits,
        synthetic=content["synthetic"],
        au_semantics=content["au_semantics"],
    )


def _found(folder: Path) -> Path:
    """The folder itself, or the only prepared one in it or in its folder `prepared`."""
    if (folder / PREPARED_NAME).is_file():
        return folder
    below = [*folder.glob(f"*/{PREPARED_NAME}"), *folder.glob(f"{CACHE}/*/{PREPARED_NAME}")]
    if len(below) > 1:
        names = ", ".join(sorted(str(path.parent) for path in below))
        raise PreparedError(f"{folder} holds {len(below)} prepared corpora: give one of {names}")
    return below[0].parent if below else folder
