"""Which real reactions are appropriate for which speaker, in the order of a split's pairs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from perreactor_model.corpora.reading import UNREADABLE
from perreactor_model.corpora.recordings import SplitIndex
from perreactor_model.preparation.prepared import PreparedError

MASTER_MATRICES = ("Approprirate_facial_reaction.npy", "Appropriate_facial_reaction.npy")
"""Of REACT's whole corpus; the first spelling is the published one."""
MASTER_INDEX = "data_indices.csv"
_INDEX_COLUMNS = ("site", "chat_index", "clip_index")


class UnknownClipsError(PreparedError):
    """Clips that the index of the corpus's master matrix does not list."""


def master_files(root: Path) -> tuple[Path, ...]:
    """Matrix and index of the whole corpus, () where one of them is missing."""
    matrix = next((root / name for name in MASTER_MATRICES if (root / name).is_file()), None)
    places = (root / MASTER_INDEX, root / "tool" / MASTER_INDEX)
    index = next((path for path in places if path.is_file()), None)
    return () if matrix is None or index is None else (matrix, index)


def appropriate_of(split: SplitIndex, how: str, root: Path) -> np.ndarray:
    """bool (N, N), [k, j]: the reaction of pair j fits the speaker of pair k.

    how: `file` (the split's own, else the corpus's master matrix), `sessions`, or `auto`. A pair's
    own reaction always fits. Raises PreparedError.
    """
    master = master_files(root)
    if how != "sessions" and split.matrix is not None:
        matrix = np.asarray(read_matrix(split.matrix, split) > 0.5)
    elif how != "sessions" and master:
        matrix = _from_master(split, *master)
    elif how == "file":
        raise PreparedError(
            f"the split '{split.name}' brings no matrix of what is appropriate, nor its corpus "
            f"{MASTER_MATRICES[0]} and {MASTER_INDEX}: use sessions or similarity"
        )
    else:
        matrix = _from_sessions(split)
    np.fill_diagonal(matrix, True)
    return matrix


def read_matrix(path: Path, split: SplitIndex) -> np.ndarray:
    """(N, N) numbers as they are in a split's own file. Raises PreparedError."""
    matrix = _read(path)
    count = len(split.pairs)
    if matrix.shape != (count, count):
        raise PreparedError(
            f"{path} has the shape {matrix.shape}, but '{split.name}' has {count} "
            f"pairs with both directions of each: expected ({count}, {count})"
        )
    return matrix


def _from_master(split: SplitIndex, path: Path, index: Path) -> np.ndarray:
    """The rows and columns of this split's clips: listed ones, then those with roles changed."""
    known = _read_index(index)
    matrix = _read(path)
    if matrix.shape != (2 * len(known),) * 2:
        raise PreparedError(
            f"{path} has the shape {matrix.shape}, but {index} lists {len(known)} clips: expected "
            f"({2 * len(known)}, {2 * len(known)})"
        )
    listed = split.pairs[: len(split.pairs) // 2, 0]
    keys = [split.recordings[int(speaker)].key for speaker in listed]
    unmatched = [key for key in keys if _clip_of(key) not in known]
    if unmatched:
        shown = ", ".join(unmatched[:5]) + (", ..." if unmatched[5:] else "")
        raise UnknownClipsError(
            f"{len(unmatched)} clips of '{split.name}' are not in {index}: {shown}. Take them out "
            f"of {split.name}.csv, or use similarity"
        )
    rows = np.array([known[_clip_of(key)] for key in keys])
    both = np.concatenate([rows, rows + len(known)])
    return np.asarray(matrix[np.ix_(both, both)] > 0.5)


def _read(path: Path) -> np.ndarray:
    try:
        matrix: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise PreparedError(f"{path} cannot be read: {error}") from error
    if matrix.dtype.kind not in "fiub":
        raise PreparedError(f"{path} holds {matrix.dtype}: expected numbers")
    return matrix


def _read_index(path: Path) -> dict[tuple[str, str, str], int]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in _INDEX_COLUMNS if name not in (reader.fieldnames or ())]
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PreparedError(f"{path} cannot be read: {error}") from error
    if missing:
        raise PreparedError(f"{path} lacks the columns {', '.join(missing)}")
    clips = [[row[name].strip() for name in _INDEX_COLUMNS] for row in rows]
    return {(site.upper(), chat, clip): row for row, (site, chat, clip) in enumerate(clips)}


def _clip_of(key: str) -> tuple[str, str, str]:
    """Site, chat and clip of site/chat/person/clip, or of UDIVA/topic/subject/FC1/clip."""
    site, *between, _, clip = key.split("/")
    chat = "_".join(reversed(between)) if site.upper() == "UDIVA" else "/".join(between)
    return site.upper(), chat, clip


def _from_sessions(split: SplitIndex) -> np.ndarray:
    sessions = [split.recordings[int(listener)].session for listener in split.pairs[:, 1]]
    if not all(sessions):
        raise PreparedError(
            f"the split '{split.name}' has neither a matrix of what is appropriate nor sessions: "
            "put neighbour_emotion_<split>.npy beside the index, or use similarity"
        )
    numbers = np.unique(sessions, return_inverse=True)[1]
    return np.asarray(numbers[:, None] == numbers[None, :])
