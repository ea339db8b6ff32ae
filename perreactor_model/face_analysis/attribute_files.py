"""Facial attributes over time, in memory and in files (.npz, .csv; read also from .npy).

Flow: `analyze_recording` makes an `AttributeTrack`, `write_attributes` writes it, and
`read_attributes` reads it back, as well as what others wrote: the .csv of the REACT challenge (a
line of headings, 25 columns) and plain arrays. docs/attributes.md describes the files.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    FRAME_NS,
    FRAME_RATE,
    ROTATION_SLICE,
    SPEAKER_VECTOR_COUNT,
    TRANSLATION_SLICE,
    attribute_ranges,
)
from perreactor_model.face_analysis.observation import Knowledge
from perreactor_model.whole_files import replacing

WRITTEN = (".npz", ".csv")
"""What a track can be written as: the file's extension says which."""
READ = (*WRITTEN, ".npy")

ROUNDING = 1e-3
"""This far outside its range a value is rounded in; beyond, it is on another scale."""

_HISTORY_COLUMNS = ATTRIBUTE_COUNT + 6
_FORMAT = "perreactor attributes 1"


class AttributeFileError(ValueError):
    """A file, or an array, that does not hold facial attributes as the contract has them."""


@dataclass(frozen=True)
class AttributeTrack:
    """What is known of a face, 25 frames a second without holes.

    `stamp_ns` int64 (T,), each 40 ms after the one before; `attributes` float32 (T, 25) in the
    contract's order and ranges, NaN unknown; `knowledge` uint8 (T, 25), a `Knowledge` each;
    `rotation` (radians) and `translation` float32 (T, 3), NaN unknown; `person` int32 (T,) counts
    the people seen, 0 for nobody; `face_present` bool (T,). `source` names the file it comes from;
    folders are cut off. Raises AttributeFileError.
    """

    stamp_ns: np.ndarray
    attributes: np.ndarray
    knowledge: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    person: np.ndarray
    face_present: np.ndarray
    source: str = ""

    def __post_init__(self) -> None:
        # Folders may tell who somebody is; PureWindowsPath knows both kinds of separator.
        object.__setattr__(self, "source", PureWindowsPath(self.source).name)
        count = len(self.attributes)
        if count == 0:
            raise AttributeFileError("there are no frames: expected one row for each 1/25 s")
        for name, (shape, kind) in _FIELDS.items():
            array = np.asarray(getattr(self, name))
            if array.shape != (count, *shape):
                expected = ", ".join(map(str, (count, *shape)))
                raise AttributeFileError(f"{name} has shape {array.shape}: expected ({expected})")
            if name in _LARGEST:
                _refuse_fractions(name, array)
            # A number too large for float32 becomes infinite here, and is refused as such.
            with np.errstate(over="ignore"):
                object.__setattr__(self, name, array.astype(kind, copy=False))
        _check_grid(self.stamp_ns)
        object.__setattr__(self, "attributes", in_range(self.attributes))
        for name in ("rotation", "translation"):
            _refuse_infinite(getattr(self, name), (f"{name}_x", f"{name}_y", f"{name}_z"))

    def __len__(self) -> int:
        return len(self.attributes)

    @property
    def frame_rate(self) -> int:
        """Frames a second: always 25."""
        return FRAME_RATE

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self) / FRAME_RATE

    @classmethod
    def of_attributes(
        cls,
        attributes: np.ndarray,
        rotation: np.ndarray | None = None,
        translation: np.ndarray | None = None,
        source: str = "",
    ) -> AttributeTrack:
        """A track of (T, 25) values of which nothing else is known, from time 0 on.

        One person is taken to be seen wherever any value is known, and every known value to be
        measured.
        """
        with np.errstate(over="ignore"):
            attributes = np.asarray(attributes, np.float32)
        count = len(attributes)
        known = np.isfinite(attributes)
        present = known.any(axis=1) if attributes.ndim == 2 else np.zeros(count, bool)
        unknown = np.full((count, 3), np.nan, np.float32)
        return cls(
            stamp_ns=np.arange(count, dtype=np.int64) * FRAME_NS,
            attributes=attributes,
            knowledge=np.where(known, Knowledge.MEASURED, Knowledge.UNKNOWN).astype(np.uint8),
            rotation=unknown if rotation is None else rotation,
            translation=unknown if translation is None else translation,
            person=present.astype(np.int32),
            face_present=present,
            source=source,
        )


_FIELDS: dict[str, tuple[tuple[int, ...], type]] = {
    "stamp_ns": ((), np.int64),
    "attributes": ((ATTRIBUTE_COUNT,), np.float32),
    "knowledge": ((ATTRIBUTE_COUNT,), np.uint8),
    "rotation": ((3,), np.float32),
    "translation": ((3,), np.float32),
    "person": ((), np.int32),
    "face_present": ((), np.bool_),
}

_LARGEST = {
    "stamp_ns": np.iinfo(np.int64).max,
    "knowledge": max(Knowledge),
    "person": np.iinfo(np.int32).max,
}
"""Arrays of whole numbers from 0, and how far they go."""


def in_range(attributes: np.ndarray) -> np.ndarray:
    """(T, 25) with rounding errors beyond the contract's ranges cut off, float32.

    Raises AttributeFileError for the first value further out, by row (from 1) and name.
    """
    low, high = attribute_ranges()
    _refuse_infinite(attributes, ATTRIBUTES)
    outside = (attributes < low - ROUNDING) | (attributes > high + ROUNDING)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        hint = " (intensities of 0 to 5 must be divided by 5)" if column < 15 else ""
        raise AttributeFileError(
            f"row {row + 1}: {ATTRIBUTES[column]} is {attributes[row, column]:g}: "
            f"expected {low[column]:g} to {high[column]:g}{hint}"
        )
    return np.clip(attributes, low, high).astype(np.float32, copy=False)


def _refuse_infinite(values: np.ndarray, names: tuple[str, ...]) -> None:
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise AttributeFileError(
            f"row {row + 1}: {names[column]} is infinite: an unknown value is NaN, or an empty cell"
        )


def _refuse_fractions(name: str, array: np.ndarray) -> None:
    """What is no whole number of its range would turn into another when it is converted."""
    # As a float the largest int64 is rounded up to a number that no longer is one: hence >=.
    largest = _LARGEST[name]
    above = array > largest if array.dtype.kind in "iub" else array >= float(largest + 1)
    wrong = ~(array >= 0) | above
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise AttributeFileError(
            f"row {place[0] + 1}: {name} is {array[tuple(place)]}: expected a whole number from 0 "
            f"to {largest}"
        )


def _check_grid(stamp_ns: np.ndarray) -> None:
    steps = np.diff(stamp_ns)
    if (steps != FRAME_NS).any():
        row = int(np.argmax(steps != FRAME_NS))
        raise AttributeFileError(
            f"row {row + 2} comes {steps[row] / 1e6:g} ms after the one before: expected "
            f"{FRAME_NS / 1e6:g} ms, {FRAME_RATE} rows a second without holes"
        )


def check_writable(path: Path) -> None:
    """Raise AttributeFileError or OSError where `write_attributes` could not write there."""
    if path.suffix.lower() not in WRITTEN:
        raise AttributeFileError(
            f"{path}: attributes are written as {' or '.join(WRITTEN)}, not as "
            f"'{path.suffix or path.name}'"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected the name of a file")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.absolute().parent} for {path.name}")


def write_attributes(track: AttributeTrack, path: str | Path) -> None:
    """Write .npz or .csv, all of the file or none of it; an existing one is replaced."""
    path = Path(path)
    check_writable(path)
    with replacing(path) as part:
        if path.suffix.lower() == ".csv":
            from perreactor_model.face_analysis.attribute_tables import write_table

            write_table(track, part)
        else:
            with part.open("wb") as stream:
                arrays = {name: getattr(track, name) for name in _FIELDS}
                np.savez_compressed(
                    stream, allow_pickle=False, format=_FORMAT, source=track.source, **arrays
                )


def read_attributes(path: str | Path) -> AttributeTrack:
    """Read .npz or .csv of ours, a .csv as in the REACT challenge, or a .npy of (T, 25) rows.

    Rows of a .npy may also have 31 columns (then head rotation and translation) or 83 (then the 58
    coefficients). Raises AttributeFileError, which names file, row and column, and OSError.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of attributes at {path}")
    try:
        match path.suffix.lower():
            case ".csv":
                from perreactor_model.face_analysis.attribute_tables import read_table

                return read_table(path)
            case ".npy":
                return _of_rows(_loaded(path), path.name)
            case ".npz":
                return _of_archive(path)
            case other:
                raise AttributeFileError(
                    f"attributes are read from {', '.join(READ)}, not from '{other or path.name}'"
                )
    except AttributeFileError as error:
        raise AttributeFileError(f"{path}: {error}") from error


_UNREADABLE = (
    ValueError,
    EOFError,
    TypeError,  # an array where an archive was expected
    MemoryError,  # a head that tells of more numbers than anybody has
    RuntimeError,  # encrypted, or compressed in a way that is not known
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for a file that is broken, or another kind."""


def _loaded(path: Path) -> np.ndarray:
    try:
        return _numbers("the array", np.load(path, allow_pickle=False))
    except _UNREADABLE as error:
        raise AttributeFileError(f"not a .npy file of numbers ({error})") from error


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        kind = getattr(array, "dtype", type(array).__name__)
        raise AttributeFileError(f"{name} holds {kind}: expected numbers")
    return array


def _of_rows(rows: np.ndarray, source: str) -> AttributeTrack:
    """A plain array of ours or another's making."""
    widths = (ATTRIBUTE_COUNT, _HISTORY_COLUMNS, SPEAKER_VECTOR_COUNT)
    if rows.ndim != 2 or rows.shape[1] not in widths:
        raise AttributeFileError(
            f"an array of shape {rows.shape}: expected (T, {ATTRIBUTE_COUNT}) attributes, "
            f"(T, {_HISTORY_COLUMNS}) with head rotation and translation, or "
            f"(T, {SPEAKER_VECTOR_COUNT}) with the 58 coefficients"
        )
    attributes, rest = rows[:, :ATTRIBUTE_COUNT], rows[:, ATTRIBUTE_COUNT:]
    if rest.shape[1] == 0:
        return AttributeTrack.of_attributes(attributes, source=source)
    rotation, translation = rest[:, :3], rest[:, 3:6]
    if rest.shape[1] > 6:
        rotation, translation = rest[:, ROTATION_SLICE], rest[:, TRANSLATION_SLICE]
    return AttributeTrack.of_attributes(attributes, rotation, translation, source)


def _of_archive(path: Path) -> AttributeTrack:
    """Our .npz; of another's only `attributes` is asked for."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _UNREADABLE as error:
        raise AttributeFileError(f"not a .npz file of numbers ({error})") from error
    if "attributes" not in arrays:
        raise AttributeFileError(
            f"no array 'attributes' in it, but {', '.join(arrays) or 'nothing'}: expected a file "
            "written by `perreactor attributes`"
        )
    source = str(arrays.get("source", path.name))
    numbers = {name: _numbers(name, arrays[name]) for name in _FIELDS if name in arrays}
    plain = _of_rows(numbers["attributes"], source)
    return AttributeTrack(
        **{name: numbers.get(name, getattr(plain, name)) for name in _FIELDS}, source=source
    )
