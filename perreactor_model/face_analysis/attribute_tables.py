"""Tracks of facial attributes as .csv, ours and that of the REACT challenge.

Ours has a heading for each column, in this order: `seconds`, the 25 attributes by name, head
rotation and translation, `face` (0 or 1), `person`, `knowledge` (25 letters: m measured, d derived,
u unknown). An empty cell is unknown. The 25 names suffice; the other columns may be missing.

REACT's has one line of headings, whatever they say, and 25 columns in the contract's order.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, ATTRIBUTES, FRAME_NS, OBSERVED
from perreactor_model.face_analysis.attribute_files import AttributeFileError, AttributeTrack
from perreactor_model.face_analysis.observation import Knowledge

POSE_COLUMNS = OBSERVED[ATTRIBUTE_COUNT:]
COLUMNS = ("seconds", *OBSERVED, "face", "person", "knowledge")
"""Headings of our .csv."""

_LETTERS = {Knowledge.UNKNOWN: "u", Knowledge.MEASURED: "m", Knowledge.DERIVED: "d"}
_KNOWLEDGE = {letter: int(knowledge) for knowledge, letter in _LETTERS.items()}
_OFF_GRID_NS = 2_000_000
"""Stamps rounded to a millisecond, by others, are put back on the grid."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_MOST = np.iinfo(np.int32).max
_LATEST = 9_000_000_000
"""Seconds; more nanoseconds than these have do not fit into int64."""


def write_table(track: AttributeTrack, path: Path) -> None:
    """Write our .csv. Numbers are short and yet exactly those of the track."""
    letters = np.array([_LETTERS[knowledge] for knowledge in Knowledge])
    numbers = np.concatenate([track.attributes, track.rotation, track.translation], axis=1)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in range(len(track)):
            whole, rest = divmod(int(track.stamp_ns[row]), 1_000_000_000)
            cells = ["" if math.isnan(number) else str(number) for number in numbers[row]]
            seen = (int(track.face_present[row]), int(track.person[row]))
            knowledge = "".join(letters[track.knowledge[row]])
            writer.writerow([f"{whole}.{rest:09d}", *cells, *seen, knowledge])


def read_table(path: Path) -> AttributeTrack:
    """Read either kind of .csv. Raises AttributeFileError, which names row and column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream) if any(cell.strip() for cell in line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise AttributeFileError(f"not a .csv text ({error})") from error
    if not lines:
        raise AttributeFileError("the file is empty: expected a line of headings, then rows")
    headings = [cell.strip() for cell in lines[0]]
    lower = {heading.lower(): column for column, heading in enumerate(headings)}
    if all(name.lower() in lower for name in ATTRIBUTES):
        _check_width(lines[1:], len(headings))
        return _by_name(lines[1:], lower, path.name)
    return _by_position(lines, path.name)


def _by_position(lines: list[list[str]], source: str) -> AttributeTrack:
    """The REACT challenge's kind. A first line of numbers that count 0, 1, 2... is headings too."""
    headings, width = lines[0], len(lines[0])
    if width != ATTRIBUTE_COUNT:
        missing = [name for name in ATTRIBUTES if name not in headings]
        what = f"no column {missing[0]}, and " if len(missing) < ATTRIBUTE_COUNT else ""
        other = next((sign for sign in _OTHER_SEPARATORS if sign in headings[0]), None)
        if width == 1 and other is not None:
            raise AttributeFileError(
                f"cells are separated by {_OTHER_SEPARATORS[other]}: expected commas between them, "
                "and points within numbers"
            )
        raise AttributeFileError(
            f"{what}{width} columns: expected columns named {ATTRIBUTES[0]}, {ATTRIBUTES[1]}, ... "
            f"{ATTRIBUTES[-1]}, or just {ATTRIBUTE_COUNT} columns in that order"
        )
    rows = lines if _is_data(headings) else lines[1:]
    _check_width(rows, width)
    return AttributeTrack.of_attributes(
        _numbers(rows, range(ATTRIBUTE_COUNT), ATTRIBUTES), source=source
    )


def _is_data(line: list[str]) -> bool:
    """Whether a first line holds values rather than headings."""
    try:
        values = [float(cell or "nan") for cell in line]
    except ValueError:
        return False
    return values != list(range(len(values)))


def _by_name(rows: list[list[str]], lower: dict[str, int], source: str) -> AttributeTrack:
    """Ours, or another with our names; `lower` gives the column of each name in small letters."""

    def columns(names: tuple[str, ...]) -> np.ndarray:
        if not all(name.lower() in lower for name in names):
            return np.full((len(rows), len(names)), np.nan)
        return _numbers(rows, [lower[name.lower()] for name in names], names)

    pose = columns(POSE_COLUMNS)
    plain = AttributeTrack.of_attributes(columns(ATTRIBUTES), pose[:, :3], pose[:, 3:], source)
    knowledge, present, person = plain.knowledge, plain.face_present, plain.person
    if "knowledge" in lower:
        knowledge = _knowledge([row[lower["knowledge"]] for row in rows])
    if "face" in lower:
        present = _whole(columns(("face",))[:, 0], "face") > 0
        person = present.astype(np.int32)
    if "person" in lower:
        person = _whole(columns(("person",))[:, 0], "person")
    stamps = _stamps([row[lower["seconds"]] for row in rows]) if "seconds" in lower else None
    return AttributeTrack(
        stamp_ns=plain.stamp_ns if stamps is None else stamps,
        attributes=plain.attributes,
        knowledge=np.where(np.isnan(plain.attributes), Knowledge.UNKNOWN, knowledge),
        rotation=plain.rotation,
        translation=plain.translation,
        person=person,
        face_present=present,
        source=source,
    )


def _numbers(
    rows: list[list[str]], columns: list[int] | range, names: tuple[str, ...]
) -> np.ndarray:
    """float64 (T, n) of these columns, an empty cell as NaN."""
    numbers = np.empty((len(rows), len(columns)))
    for number, row in enumerate(rows):
        for place, column in enumerate(columns):
            cell = row[column].strip()
            try:
                numbers[number, place] = float(cell) if cell else math.nan
            except ValueError as error:
                raise AttributeFileError(
                    f"row {number + 1}: {names[place]} is '{cell}': expected a number, or an empty "
                    "cell where it is unknown"
                ) from error
    return numbers


def _check_width(rows: list[list[str]], width: int) -> None:
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise AttributeFileError(f"row {number} has {len(row)} cells: expected {width}")


def _whole(values: np.ndarray, name: str) -> np.ndarray:
    whole = np.where(np.isnan(values), 0.0, values)
    wrong = (whole < 0) | (whole > _MOST) | (whole != np.floor(whole))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise AttributeFileError(
            f"row {row + 1}: {name} is {whole[row]:g}: expected a whole number from 0 to {_MOST}"
        )
    return whole.astype(np.int32)


def _stamps(cells: list[str]) -> np.ndarray:
    """int64 ns on the grid that begins with the first."""
    stamps = np.zeros(len(cells), np.int64)
    for number, cell in enumerate(cells):
        whole, _, rest = cell.strip().partition(".")
        if not (whole + rest).isdecimal() or len(cell) > 40 or int(whole or 0) > _LATEST:
            raise AttributeFileError(
                f"row {number + 1}: seconds is '{cell}': expected a decimal number such as 0.04, "
                f"at most {_LATEST}"
            )
        stamps[number] = int(whole or 0) * 1_000_000_000 + int(f"{rest:0<9}"[:9])
    grid = stamps[:1] + np.arange(len(stamps), dtype=np.int64) * FRAME_NS
    rounded = np.abs(stamps - grid).max(initial=0) <= _OFF_GRID_NS
    return grid if rounded else stamps


def _knowledge(cells: list[str]) -> np.ndarray:
    knowledge = np.zeros((len(cells), ATTRIBUTE_COUNT), np.uint8)
    for number, cell in enumerate(cells):
        letters = cell.strip()
        if len(letters) != ATTRIBUTE_COUNT or not set(letters) <= set(_KNOWLEDGE):
            raise AttributeFileError(
                f"row {number + 1}: knowledge is '{cell}': expected {ATTRIBUTE_COUNT} letters of "
                f"{', '.join(_KNOWLEDGE)}"
            )
        knowledge[number] = [_KNOWLEDGE[letter] for letter in letters]
    return knowledge
