"""Clips that stay in their file: arrays of an .npz mapped into memory, cut clip by clip.

A test set of 1612 clips with 10 reactions each is 1.2 GB. Mapped, it costs the page cache only, and
a process can be handed the place of an array instead of its content.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, overload

import numpy as np

Clips = Sequence[np.ndarray]
"""One array a clip, the frames on the axis before the last."""

MAPPED_WHOLE = 256 << 20
"""Bytes. Larger arrays are mapped one clip at a time."""

_READ = 1 << 20
"""Bytes read or unpacked at a time."""


@dataclass(frozen=True)
class Place:
    """Where an array lies in a file: enough to map it in another process."""

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    order: Literal["C", "F"] = "C"

    def open(self) -> np.ndarray:
        """The array, read-only, mapped."""
        if math.prod(self.shape) == 0:
            return np.empty(self.shape, self.dtype)
        mapped = np.memmap(self.path, np.uint8, "r", self.offset, (self.bytes,))
        return np.ndarray(self.shape, self.dtype, buffer=mapped, order=self.order)

    def part(self, index: int) -> Place:
        """One item of the first axis, of an array in C order."""
        rest = self.shape[1:]
        size = math.prod(rest) * np.dtype(self.dtype).itemsize
        return Place(self.path, self.offset + index * size, self.dtype, rest)

    @property
    def bytes(self) -> int:
        """How long it is."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class MappedClips(Sequence[np.ndarray]):
    """The first axis of a mapped array as a sequence of clips.

    `frames` (N,) int: how many frames of each clip count, where shorter clips are padded.
    `keep` is held for its lifetime only (a temporary folder, say), and not handed to others.
    """

    def __init__(self, place: Place, frames: np.ndarray | None = None, keep: object = None) -> None:
        self.place = place
        self.frames = frames
        self._keep = keep
        # Pages of a large array would count as this process's memory once it has seen them.
        whole = place.order == "F" or place.bytes <= MAPPED_WHOLE
        self._array = place.open() if whole else None

    def __len__(self) -> int:
        return self.place.shape[0]

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index = int(index) % len(self)
        clip = self.place.part(index).open() if self._array is None else self._array[index]
        if self.frames is not None:
            clip = clip[..., : self.frames[index], :]
        # A member of an .npz lies at any byte: compiled code wants numbers at theirs.
        return clip if clip.flags.aligned else np.array(clip)

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedClips, (self.place, self.frames)


def stored(clips: Clips, folder: Path, name: str) -> MappedClips:
    """`clips` on disk: as they are where they are mapped already, else written into `folder`.

    Shorter clips are padded; equal numbers come back. Raises OSError.
    """
    if isinstance(clips, MappedClips):
        return clips
    frames = np.array([clip.shape[-2] for clip in clips])
    dtype = np.result_type(*{clip.dtype for clip in clips})
    first = clips[0].shape
    shape = (len(clips), *first[:-2], int(frames.max()), first[-1])
    path = folder / f"{name}.bin"
    # Written, not mapped: where the disk is full, writing fails with a message.
    with path.open("wb") as file:
        for clip in clips:
            padded = np.zeros(shape[1:], dtype)
            padded[..., : clip.shape[-2], :] = clip
            file.write(padded.data)
    place = Place(str(path), 0, dtype.str, shape)
    return MappedClips(place, frames)


class MappedArchive:
    """The arrays of an .npz by name, mapped: `place` says where each lies, `load` reads it.

    Members stored as they are (`numpy.savez`) are mapped where they lie; compressed ones are
    unpacked to a temporary folder, which goes when the archive does. Raises ValueError for a file
    that is no .npz or is damaged, and OSError.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._folder: str | None = None
        if not self.path.exists():
            raise FileNotFoundError(f"there is no file {self.path}")
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder: give the .npz file itself")
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._members = {
                    info.filename.removesuffix(".npy"): info
                    for info in archive.infolist()
                    if info.filename.endswith(".npy")
                }
        except zipfile.BadZipFile:
            raise ValueError(
                f"{self.path} is no .npz file, or a damaged one: write it with numpy.savez"
            ) from None
        self._places: dict[str, Place] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The arrays in the file."""
        return list(self._members)

    def place(self, name: str) -> Place:
        """Where the array of that name lies, unpacked if need be."""
        if name not in self._places:
            info = self._members[name]
            try:
                if info.compress_type == zipfile.ZIP_STORED:
                    self._places[name] = self._stored_place(info)
                else:
                    self._places[name] = self._unpacked_place(info)
            except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
                raise ValueError(f"{self.path}: array '{name}' cannot be read: {error}") from None
        return self._places[name]

    def load(self, name: str) -> np.ndarray:
        """The array of that name, in memory."""
        return np.array(self.place(name).open())

    def _stored_place(self, info: zipfile.ZipInfo) -> Place:
        with self.path.open("rb") as file:
            # The local header repeats the name and may carry another extra field than the index.
            file.seek(info.header_offset)
            header = file.read(30)
            if len(header) < 30 or header[:4] != b"PK\x03\x04":
                raise zipfile.BadZipFile("its header is damaged")
            skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            start = info.header_offset + 30 + skip
            file.seek(start)
            place = _npy_place(file, str(self.path))
            if place.offset + place.bytes > start + info.file_size:
                raise zipfile.BadZipFile("it is shorter than its header says")
            if place.offset + place.bytes > self.path.stat().st_size:
                raise zipfile.BadZipFile("the file ends within it")
            file.seek(start)
            if _checksum(file, info.file_size) != info.CRC:
                raise zipfile.BadZipFile("its content is damaged")
            return place

    def _unpacked_place(self, info: zipfile.ZipInfo) -> Place:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="perreactor_metrics_")
            weakref.finalize(self, shutil.rmtree, self._folder, True)
        target = Path(self._folder) / f"{len(self._places)}.npy"
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as source:
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file, _READ)
        except OSError as error:
            raise OSError(
                f"{self.path} is compressed and cannot be unpacked to {self._folder}: "
                f"{error.strerror}. Write it with numpy.savez, or set TMPDIR to another folder"
            ) from None
        with target.open("rb") as file:
            place = _npy_place(file, str(target))
        if place.offset + place.bytes > target.stat().st_size:
            raise zipfile.BadZipFile("it is shorter than its header says")
        return place


def _checksum(file: BinaryIO, size: int) -> int:
    """CRC-32 of the next `size` bytes: nobody else looks at it where an array is mapped."""
    checksum = 0
    while size > 0 and (block := file.read(min(size, _READ))):
        checksum = zlib.crc32(block, checksum)
        size -= len(block)
    return checksum


def _npy_place(file: BinaryIO, path: str) -> Place:
    """Read the header of an .npy at the file's position."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"the .npy version {version} is unknown")
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(
            "it holds Python objects, which are never unpickled: store numbers or text"
        )
    return Place(path, file.tell(), dtype.str, shape, "F" if fortran else "C")
