"""Writing a prepared corpus: recordings come one by one, so memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
)
from perreactor_model.preparation.prepared import (
    PREPARED_FORMAT,
    PREPARED_NAME,
    PreparedCorpus,
    open_prepared,
)
from perreactor_model.profiles.filling import filled_rows
from perreactor_model.profiles.history import HISTORY_COLUMNS, ListenerHistory
from perreactor_model.whole_files import replacing

COLUMNS = {
    "attributes": ATTRIBUTE_COUNT,
    "coefficients": COEFFICIENT_COUNT,
    "observed": HISTORY_COLUMNS,
    "history": HISTORY_COLUMNS,
    "audio": AUDIO_FEATURE_COUNT,
}
"""Arrays of every split, and their width."""


@dataclass(frozen=True)
class PreparedRecording:
    """One person in one clip: float32 arrays of equal length T.

    attributes (T, 25), coefficients (T, 58), observed (T, 31; NaN unknown), audio (T, 78); faces
    uint8 (T, S, S, 3) and face_tokens (T, d) where there are any: in all recordings or in none.
    """

    key: str
    identity: str
    session: str
    attributes: np.ndarray
    coefficients: np.ndarray
    observed: np.ndarray
    audio: np.ndarray
    faces: np.ndarray | None = None
    face_tokens: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames = len(self.attributes)
        for name, width in COLUMNS.items():
            if name != "history":
                shape = getattr(self, name).shape
                assert shape == (frames, width), f"{self.key}: {name} is {shape}"


@dataclass(frozen=True)
class About:
    """What is written down about a prepared corpus; see `PreparedCorpus`."""

    key: str
    settings: Mapping[str, Any]
    mean_face: np.ndarray
    synthetic: bool
    au_semantics: str
    speaker_view: str = "observed"


def write_split(
    folder: Path,
    name: str,
    recordings: Iterable[PreparedRecording],
    pairs: np.ndarray,
    appropriate: np.ndarray,
) -> dict[str, Any]:
    """Write the arrays of a split; returns what `write_about` needs to know of it.

    `pairs` (N, 2) number the recordings in the order in which they come; `appropriate` (N, N) bool.
    """
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    keys: list[str] = []
    who: list[str] = []
    sessions: list[str] = []
    start = [0]
    tables: dict[str, _Table] = {}
    try:
        for each in recordings:
            keys.append(each.key)
            who.append(each.identity)
            sessions.append(each.session)
            start.append(start[-1] + len(each.attributes))
            for column, rows in _arrays(each).items():
                if column not in tables:
                    tables[column] = _Table(place / f"{column}.npy", rows)
                tables[column].add(rows)
    finally:
        for table in tables.values():
            table.close()
    names = sorted(set(who))
    known_sessions = {session: index for index, session in enumerate(sorted(set(sessions)))}
    small: dict[str, np.ndarray] = {
        "pairs": np.asarray(pairs, np.int32).reshape(-1, 2),
        "identity": np.array([names.index(each) for each in who], np.int32),
        "session": np.array([known_sessions[each] for each in sessions], np.int32),
        "start": np.array(start, np.int64),
        "appropriate": np.asarray(appropriate, bool),
    }
    assert small["appropriate"].shape == (len(small["pairs"]),) * 2
    for column, array in small.items():
        with replacing(place / f"{column}.npy") as path, path.open("wb") as file:
            np.save(file, array)
    return {"keys": keys, "identity_names": names}


def write_about(folder: Path, splits: Mapping[str, Any], about: About) -> PreparedCorpus:
    """Last of all: a folder without this file is not there yet."""
    content = {
        "perreactor_prepared": PREPARED_FORMAT,
        "key": about.key,
        "settings": dict(about.settings),
        "mean_face": [float(value) for value in about.mean_face],
        "synthetic": about.synthetic,
        "au_semantics": about.au_semantics,
        "speaker_view": about.speaker_view,
        "splits": dict(splits),
    }
    with replacing(folder / PREPARED_NAME) as path:
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return open_prepared(folder)


def whole_history(observed: np.ndarray) -> np.ndarray:
    """Observed rows (T, 31) without holes and without cuts, float32.

    As `profiles.filling`, but frames without a face are bridged however long they are, so that the
    rows stay those of the clip.
    """
    rows = observed.astype(np.float32)
    seen = np.isfinite(rows[:, :ATTRIBUTE_COUNT]).any(axis=1)
    if not seen.any():
        return filled_rows(ListenerHistory(np.zeros_like(rows)))
    places = np.flatnonzero(seen)
    bridged = rows.copy()
    for column in range(HISTORY_COLUMNS):
        known = np.isfinite(rows[:, column])
        if known.any():
            bridged[~seen, column] = np.interp(
                np.flatnonzero(~seen), places, np.interp(places, *_known(rows[:, column], known))
            )
    return filled_rows(ListenerHistory(bridged))


def _known(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.flatnonzero(known), values[known]


def _arrays(recording: PreparedRecording) -> dict[str, np.ndarray]:
    arrays = {
        "attributes": recording.attributes,
        "coefficients": recording.coefficients,
        "observed": recording.observed,
        "history": whole_history(recording.observed),
        "audio": recording.audio,
    }
    told = {name: np.ascontiguousarray(rows, np.float32) for name, rows in arrays.items()}
    if recording.faces is not None:
        told["faces"] = np.ascontiguousarray(recording.faces, np.uint8)
    if recording.face_tokens is not None:
        told["face_tokens"] = np.ascontiguousarray(recording.face_tokens, np.float32)
    return told


class _Table:
    """An .npy file that grows by rows; its header is written again at the end."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self._file = path.open("wb")
        self._shape, self._dtype, self._rows = like.shape[1:], like.dtype, 0
        self._header()

    def add(self, rows: np.ndarray) -> None:
        assert rows.shape[1:] == self._shape and rows.dtype == self._dtype
        self._file.write(rows.tobytes())
        self._rows += len(rows)

    def close(self) -> None:
        self._file.seek(0)
        self._header()
        self._file.close()

    def _header(self) -> None:
        # numpy pads headers so that the number of rows may grow in place.
        described = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, described)
