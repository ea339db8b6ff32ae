"""Which files a bag consists of, in order, and what its metadata.yaml says about them."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from perreactor_ros.bags.errors import BagError

STORAGES = {".mcap": "mcap", ".db3": "sqlite3"}
"""Suffix of a storage file -> rosbag2's name of the storage."""

_NEWEST_VERSION = 9


@dataclass
class BagFiles:
    """The storage files of a bag. `expected` (topic -> messages) is None without metadata."""

    paths: list[Path]
    expected: dict[str, int] | None = None
    troubles: list[str] = field(default_factory=list)


def find_files(path: Path) -> BagFiles:
    """The files of the bag at `path`: a folder, or one storage file. Raises BagError."""
    if not path.exists():
        raise BagError(f"there is no bag {path}")
    if path.is_file():
        if path.name == "metadata.yaml":
            return find_files(path.parent)
        if path.suffix == ".bag":
            raise BagError(
                f"{path} is a bag of ROS 1: convert it with `rosbags-convert --src {path.name} "
                f"--dst {path.stem}`"
            )
        if _storage_suffix(path) is None:
            raise BagError(
                f"{path} is no bag: give the folder that rosbag2 wrote, or its .mcap or .db3 file"
            )
        return BagFiles([path])
    lying = sorted((each for each in path.iterdir() if _storage_suffix(each)), key=_natural)
    metadata = path / "metadata.yaml"
    if not metadata.is_file():
        if not lying:
            raise BagError(
                f"{path} is no bag: it holds no metadata.yaml, no .mcap and no .db3 file"
            )
        trouble = f"{path.name} has no metadata.yaml (was recording cut off?): its files are read"
        return BagFiles(lying, troubles=[trouble])
    return _listed(path, lying, metadata)


def unpacked(path: Path, folder: Path) -> tuple[Path, str | None]:
    """The file itself, or what it takes to read it, written into `folder`; a sentence on damage.

    Packed files are unpacked, and what SQLite keeps beside its file is put into it. Raises BagError
    where nothing can be unpacked.
    """
    if path.suffix == ".zstd":
        return _unpacked(path, folder / path.stem)
    log = path.with_name(f"{path.name}-wal")
    if path.suffix == ".db3" and log.is_file() and log.stat().st_size:
        return _with_log(path, log, folder / path.name)
    return path, None


def is_unfinished(path: Path) -> bool:
    """Whether SQLite was cut off while it wrote: its tables' trees are not to be trusted then."""
    journal = path.with_name(f"{path.name}-journal")
    return path.suffix == ".db3" and journal.is_file() and journal.stat().st_size > 0


def _unpacked(path: Path, target: Path) -> tuple[Path, str | None]:
    import zstandard

    trouble = None
    with path.open("rb") as packed, target.open("wb") as out:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        try:
            shutil.copyfileobj(reader, out, 1 << 20)
        except zstandard.ZstdError as error:
            trouble = f"{path.name} cannot be unpacked to its end ({error})"
    if not target.stat().st_size:
        raise BagError(trouble or f"{path.name} is empty")
    return target, trouble


def _with_log(path: Path, log: Path, target: Path) -> tuple[Path, str | None]:
    """A copy that holds what SQLite had written into its log only: the end of a recording."""
    shutil.copyfile(path, target)
    shutil.copyfile(log, target.with_name(f"{target.name}-wal"))
    try:
        database = sqlite3.connect(target)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")
        database.close()
    except sqlite3.Error as error:
        return path, f"{log.name} cannot be read ({error}): the end of the recording is missing"
    return target, None


def _listed(path: Path, lying: list[Path], metadata: Path) -> BagFiles:
    """The files in the order of the metadata; where one is missing, those it does not know too."""
    found = BagFiles([])
    try:
        information = yaml.safe_load(metadata.read_text(encoding="utf-8"))
        names = [Path(name).name for name in _entry(information, "relative_file_paths")]
        found.expected = dict(_expected(information))
        version = _entry(information, "version")
    except Exception as error:  # whatever it may hold; of YAML, too, anything may come
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        found.expected = None
        found.troubles.append(f"metadata.yaml cannot be read ({reason}): the files are read alone")
        names, version = [], 0
    if isinstance(version, int) and version > _NEWEST_VERSION:
        found.troubles.append(
            f"metadata.yaml is of version {version}, newer than the {_NEWEST_VERSION} known here"
        )
    missing = [name for name in names if not (path / name).is_file()]
    found.troubles += [f"{name} is listed in metadata.yaml and missing" for name in missing]
    found.paths += [path / name for name in dict.fromkeys(names) if name not in missing]
    others = [each for each in lying if each not in found.paths]
    if missing or not names:  # perhaps they were given other names
        found.paths += others
    else:
        found.troubles += [
            f"{each.name} is left out, for metadata.yaml does not list it" for each in others
        ]
    if not found.paths:
        raise BagError(f"nothing of {path} can be read: {'; '.join(found.troubles)}")
    return found


def _entry(information: Any, name: str) -> Any:
    return information["rosbag2_bagfile_information"][name]


def _expected(information: Any) -> Iterator[tuple[str, int]]:
    for each in _entry(information, "topics_with_message_count"):
        yield each["topic_metadata"]["name"], int(each["message_count"])


def _storage_suffix(path: Path) -> str | None:
    """`.mcap` or `.db3`, also of a file that was packed as a whole; None for any other file."""
    name = path.name.removesuffix(".zstd")
    if name.startswith("._"):  # what macOS leaves beside files that it copies
        return None
    return next((suffix for suffix in STORAGES if name.endswith(suffix)), None)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts bag_10.mcap behind bag_9.mcap."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
