"""REACT 2023 and 2024: clips of half a minute at 25 frames a second, and an index of pairs.

<root>/<split>.csv lists pairs as paths without folder and suffix:     ,speaker_path,listener_path
0,NoXI/010_2016-03-25_Paris/Expert_video/1,NoXI/010_2016-03-25_Paris/Novice_video/1 Files lie in
<root>/<split>/<folder of the kind>/<path>.<suffix>. Every pair counts twice, the second time with
roles changed; all matrices have the listed pairs first and then the changed ones.

In the published features the person is P1 or P2 instead, which is looked for where the listed name
is not there. Only the person's part of the path is renamed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.corpora.recordings import (
    Corpus,
    CorpusError,
    Recording,
    SplitIndex,
    Told,
    refuse,
)

SPLITS = ("train", "val", "test")

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "attributes": ("Emotion", "Emotions", "Emotion_files"),
    "coefficients": ("3D_FV_files", "3D_FVs", "3D_FV"),
    "audio": ("Audio_files", "Audios", "Audio"),
    "video": ("Video_files", "Videos", "Video"),
    "observed": ("Emotion_observed",),
}
"""Names under which the folders of each kind are found in the wild, in any case."""

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "attributes": (".csv", ".npy"),
    "coefficients": (".npy",),
    "audio": (".wav",),
    "video": (".mp4", ".avi", ""),
    "observed": (".csv", ".npy"),
}
"""A video may also be a folder of pictures."""

PERSON_OF: Mapping[str, str] = {
    "Expert_video": "P1", "P25": "P1", "P41": "P1", "P45": "P1",
    "Novice_video": "P2", "P26": "P2", "P42": "P2", "P46": "P2",
}  # fmt: skip
"""Person as listed (NoXI, RECOLA) -> as the published features name it."""

MATRICES = (
    "neighbour_emotion_{split}.npy",
    "neighbour_emotion_new_{split}.npy",
    "neighbor_emotion_{split}.npy",
)
"""In the root, in its `tool` or in the split's folder. Those of single persons are derived."""


def is_react(root: Path) -> bool:
    """Whether a folder has an index as REACT's."""
    return any((root / f"{split}.csv").is_file() for split in SPLITS)


def open_react(root: Path, told: Told = refuse) -> Corpus:
    """Raises CorpusError for an index that cannot be followed. Files may be missing."""
    if not is_react(root):
        names = ", ".join(f"{split}.csv" for split in SPLITS)
        raise CorpusError(f"{root} has no index of pairs: one of {names} is expected")
    listed = {
        split: _read_index(root / f"{split}.csv", told)
        for split in SPLITS
        if (root / f"{split}.csv").is_file()
    }
    splits = {split: _open_split(root, split, pairs) for split, pairs in listed.items() if pairs}
    return Corpus(root, "react2024", splits)


def _open_split(root: Path, split: str, listed: list[tuple[str, str]]) -> SplitIndex:
    places: dict[str, int] = {}
    for pair in listed:
        for place in pair:
            places.setdefault(place, len(places))
    folders = _folders(root / split)
    recordings = tuple(_recording(folders, place) for place in places)
    forward = [(places[speaker], places[listener]) for speaker, listener in listed]
    mirrored = [(listener, speaker) for speaker, listener in forward]
    pairs = np.array(forward + mirrored, np.int32).reshape(-1, 2)
    return SplitIndex(split, recordings, pairs, _matrix_of(root, split))


def _matrix_of(root: Path, split: str) -> Path | None:
    places = (root, root / "tool", root / split)
    found = (place / name.format(split=split) for place in places for name in MATRICES)
    return next((path for path in found if path.is_file()), None)


def _read_index(path: Path, told: Told) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told(f"{path} cannot be read: {error}")
        return []
    pairs = []
    # The first line is a header, unless it lists a pair already.
    begin = 0 if rows and "/" in rows[0][-1] else 1
    for number, row in enumerate(rows[begin:], begin + 1):
        if not row:
            continue
        if len(row) < 2:
            told(f"{path}, line {number}: expected a number and two paths, got {row}")
            continue
        places = [_cleaned(cell) for cell in row[-2:]]
        for cell, place in zip(row[-2:], places, strict=True):
            if place is None:
                told(f"{path}, line {number}: {cell!r} is no path such as site/chat/person/clip")
        if places[0] is not None and places[1] is not None:
            pairs.append((places[0], places[1]))
    if not pairs:
        told(f"{path} lists no pair")
    return pairs


def _cleaned(cell: str) -> str | None:
    """site/chat/person/clip, or None where it is no such path."""
    parts = [part for part in cell.strip().replace("\\", "/").split("/") if part]
    return None if len(parts) < 3 or ".." in parts else "/".join(parts)


def _folders(split: Path) -> dict[str, list[Path]]:
    inside = [path for path in split.iterdir() if path.is_dir()] if split.is_dir() else []
    found = {path.name.lower(): path for path in sorted(inside)}
    return {
        kind: [found[name.lower()] for name in names if name.lower() in found]
        for kind, names in FOLDERS.items()
    }


def _recording(folders: Mapping[str, list[Path]], place: str) -> Recording:
    *before, person, clip = place.split("/")
    names = [person] + ([PERSON_OF[person]] if person in PERSON_OF else [])
    files: dict[str, Path] = {}
    for kind, found in folders.items():
        for folder in found:
            for name in names:
                stem = folder.joinpath(*before, name, clip)
                path = _existing(stem, SUFFIXES[kind])
                if path is not None:
                    files.setdefault(kind, path)
    identity = "/".join([*before, person])
    return Recording(place, identity, "", float(FRAME_RATE), files)


def _existing(stem: Path, suffixes: tuple[str, ...]) -> Path | None:
    for suffix in suffixes:
        path = stem.with_name(stem.name + suffix)
        if path.is_file() or (suffix == "" and path.is_dir()):
            return path
    return None
