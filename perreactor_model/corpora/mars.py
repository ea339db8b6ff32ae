"""MARS, the corpus of REACT 2025 and 2026: roles and sessions, arrays of any length at 30 a second.

<root>/<split>/<kind>/{speaker,listener}/session<k>/<stem>.{npy,wav,mp4}; both persons of a dyad
have the same stem. Every listener of the same session is appropriate. Nothing in it says who
somebody is: `identities.csv` in the root does (split,role,session,stem,identity; synthetic corpora
bring one), else each stem counts as one person in each role.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from perreactor_model.corpora.recordings import (
    Corpus,
    CorpusError,
    Recording,
    SplitIndex,
    Told,
    refuse,
    visible,
)

MARS_RATE = 30.0
SPLITS = ("train", "val", "test")
ROLES = ("speaker", "listener")

FOLDERS: Mapping[str, str] = {
    "attributes": "facial-attributes",
    "coefficients": "coefficients",
    "audio": "audio",
    "video": "video-face-crop",
    "observed": "facial-attributes-observed",
}
IDENTITIES = "identities.csv"
_IDENTITY_COLUMNS = ("split", "role", "session", "stem", "identity")

_Who = Mapping[tuple[str, str, str, str], str]


def is_mars(root: Path) -> bool:
    """Whether a folder has a split with attributes by role."""
    return any((root / split / FOLDERS["attributes"] / "listener").is_dir() for split in SPLITS)


def open_mars(root: Path, told: Told = refuse) -> Corpus:
    """Raises CorpusError. Files of other kinds than attributes may be missing."""
    who = read_identities(root / IDENTITIES, told)
    there = [split for split in SPLITS if (root / split / FOLDERS["attributes"]).is_dir()]
    if not there:
        raise CorpusError(f"{root} has no split with a folder {FOLDERS['attributes']}")
    splits = {split: _open_split(root / split, split, who, told) for split in there}
    return Corpus(root, "mars", {name: index for name, index in splits.items() if len(index.pairs)})


def _open_split(folder: Path, split: str, who: _Who, told: Told) -> SplitIndex:
    recordings: list[Recording] = []
    pairs: list[tuple[int, int]] = []
    listeners = folder / FOLDERS["attributes"] / "listener"
    speakers = folder / FOLDERS["attributes"] / "speaker"
    if not listeners.is_dir():
        told(f"{listeners} is missing: the attributes of listeners are expected there")
    sessions = visible(listeners) if listeners.is_dir() else []
    for session in sorted(sessions, key=_number):
        for file in visible(session) if session.is_dir() else []:
            if file.suffix != ".npy" or not (speakers / session.name / file.name).is_file():
                continue
            for role in ROLES:
                recordings.append(_recording(folder, split, role, session.name, file.stem, who))
            pairs.append((len(recordings) - 2, len(recordings) - 1))
    if not pairs:
        told(f"{listeners} holds no session<k>/<stem>.npy that {speakers} holds as well")
    return SplitIndex(split, tuple(recordings), np.array(pairs, np.int32).reshape(-1, 2))


def _number(session: Path) -> tuple[int, str]:
    digits = re.search(r"\d+", session.name)
    return (int(digits.group()) if digits else -1, session.name)


def _recording(
    folder: Path, split: str, role: str, session: str, stem: str, who: _Who
) -> Recording:
    files: dict[str, Path] = {}
    for kind, name in FOLDERS.items():
        for suffix in (".npy", ".wav", ".mp4"):
            path = folder / name / role / session / f"{stem}{suffix}"
            if path.is_file():
                files[kind] = path
                break
    identity = who.get((split, role, session, stem), f"{role}/{stem}")
    return Recording(f"{role}/{session}/{stem}", identity, session, MARS_RATE, files)


def read_identities(path: Path, told: Told = refuse) -> dict[tuple[str, str, str, str], str]:
    """(split, role, session, stem) -> identity, as the file says; {} without one."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = set(_IDENTITY_COLUMNS) - set(reader.fieldnames or ())
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told(f"{path} cannot be read: {error}")
        return {}
    if missing:
        told(
            f"{path} lacks the columns {', '.join(sorted(missing))}; expected "
            f"{', '.join(_IDENTITY_COLUMNS)}"
        )
    who = {}
    for number, row in enumerate(rows, 2):
        split, role, session, stem, identity = (row[name] for name in _IDENTITY_COLUMNS)
        if identity:
            who[split, role, session, stem] = identity
        else:
            told(f"{path}, line {number}: expected {', '.join(_IDENTITY_COLUMNS)}")
    return who
