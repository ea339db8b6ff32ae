"""The rows in an SQLite file, page by page, without its tables' trees, which damage breaks first.

Only what it takes to rescue rows. Layout of the pages: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from perreactor_ros.bags.errors import BagError

MAGIC = b"SQLite format 3\0"

Value = int | float | str | bytes | None

_LEAF = 0x0D
_FILE_HEADER = 100
_LARGEST_ROW = 1 << 30
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class Row(NamedTuple):
    """A row of whatever table: its number and its columns (that of the number itself is None)."""

    number: int
    columns: tuple[Value, ...]


def read_rows(path: Path, lost: list[str]) -> Iterator[Row]:
    """Every sound row in the order of the pages; sentences on losses go to `lost`.

    Raises BagError for a file that does not begin like SQLite.
    """
    with path.open("rb") as file:
        head = file.read(_FILE_HEADER)
        if len(head) < _FILE_HEADER or not head.startswith(MAGIC):
            raise BagError("it does not begin like an SQLite file")
        (page_size,) = struct.unpack_from(">H", head, 16)
        page_size = 65536 if page_size == 1 else page_size
        if page_size < 512 or page_size & (page_size - 1):
            raise BagError("its header is broken")
        broken = yield from _Pages(file.fileno(), page_size, page_size - head[20]).rows()
    if broken:
        lost.append(f"rows that are broken or cut off: {broken}")


class _Broken(ValueError):
    """Bytes that are no row."""


class _Pages:
    def __init__(self, file: int, page_size: int, usable: int) -> None:
        self._file = file
        self._page_size = page_size
        self._usable = usable

    def rows(self) -> Generator[Row, None, int]:
        """All rows; what it returns at the end is how many were broken."""
        broken = 0
        for number in range(1, os.fstat(self._file).st_size // self._page_size + 2):
            page = self._page(number)
            start = _FILE_HEADER if number == 1 else 0
            for place in self._cells(page, start):
                try:
                    yield self._row(page, place)
                except (_Broken, struct.error, IndexError, UnicodeDecodeError):
                    broken += 1
        return broken

    def _page(self, number: int) -> bytes:
        return os.pread(self._file, self._page_size, (number - 1) * self._page_size)

    def _cells(self, page: bytes, start: int) -> list[int]:
        """Where the rows of a page begin; none if it is no page of rows."""
        if len(page) < start + 8 or page[start] != _LEAF:
            return []
        (count,) = struct.unpack_from(">H", page, start + 3)
        first, end = start + 8, start + 8 + 2 * count
        if end > len(page):
            return []
        places = struct.unpack_from(f">{count}H", page, first)
        return [place for place in places if end <= place < self._usable]

    def _row(self, page: bytes, place: int) -> Row:
        size, place = _varint(page, place)
        number, place = _varint(page, place)
        if not 0 < size <= _LARGEST_ROW or number < 0:
            raise _Broken
        return Row(number, _columns(self._payload(page, place, size)))

    def _payload(self, page: bytes, place: int, size: int) -> bytes:
        """A row's bytes, of which the page holds only the first ones where they are many."""
        most = self._usable - 35
        local = size
        if size > most:
            least = (self._usable - 12) * 32 // 255 - 23
            local = least + (size - least) % (self._usable - 4)
            local = local if local <= most else least
        parts = [page[place : place + local]]
        if len(parts[0]) < local:
            raise _Broken
        left = size - local
        if left:
            (following,) = struct.unpack_from(">I", page, place + local)
        while left:
            more = self._page(following) if following else b""
            part = more[4 : min(4 + left, self._usable)]
            if not part or len(part) < min(left, self._usable - 4):
                raise _Broken
            parts.append(part)
            left -= len(part)
            (following,) = struct.unpack_from(">I", more)
        return b"".join(parts)


def _columns(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != end or end + sum(map(_length, kinds)) != len(payload):
        raise _Broken
    columns = []
    for kind in kinds:
        length = _length(kind)
        columns.append(_value(kind, payload[at : at + length]))
        at += length
    return tuple(columns)


def _length(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    if kind in (10, 11) or kind < 0:
        raise _Broken
    return 8 if kind == 7 else _INTEGER_BYTES.get(kind, 0)


def _value(kind: int, content: bytes) -> Value:
    if kind >= 12:
        return content.decode("utf-8") if kind % 2 else content
    if kind == 7:
        return float(struct.unpack(">d", content)[0])
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(content, "big", signed=True) if content else None


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | content[place] & 0x7F
        if content[place] < 0x80:
            return value, place + 1
    value = value << 8 | content[at + 8]
    return value - (1 << 64 if value >= 1 << 63 else 0), at + 9
