"""The records of an MCAP file one after the other, as far as they make sense.

Only what it takes to rescue messages: no index and no summary. Layout: https://mcap.dev/spec.
"""

from __future__ import annotations

import re
import struct
from binascii import crc32
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard

from perreactor_ros.bags.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
CDR = "cdr"
"""How ROS 2 codes messages."""

_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 3, 4, 5, 6, 15
_KNOWN = range(1, 16)
_HEAD = 9
_LARGEST = 1 << 30
"""No record is longer (1 GB): what says so is no record."""

_CHUNK_HEAD = re.compile(
    rb"\x06.{4}\x00{4}.{28}(?:\x00{4}|\x03\x00{3}lz4|\x04\x00{3}zstd)", re.DOTALL
)
"""How a chunk of less than 4 GB begins: kind, length, two times, size, checksum, compression."""

_SEARCH_BYTES = 1 << 20


class Broken(ValueError):
    """Bytes that are no record, or end within one."""


class Schema(NamedTuple):
    """A type: `encoding` is ros2msg, ros2idl or omgidl."""

    number: int
    name: str
    encoding: str
    text: str


class Channel(NamedTuple):
    """A topic; `encoding` tells how its messages are coded."""

    number: int
    schema: int
    topic: str
    encoding: str


class Message(NamedTuple):
    """A message of a channel."""

    channel: int
    time_ns: int
    cdr: bytes


McapRecord = Schema | Channel | Message


def read_records(file: BinaryIO, lost: list[str]) -> Iterator[McapRecord]:
    """Schemas, channels and messages in the order of the file; sentences on losses go to `lost`.

    Where something else lies between the records, the next chunk is sought. Raises BagError for a
    file that does not begin like MCAP.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise BagError("it does not begin like an MCAP file")
    while True:
        place = file.tell()
        head = file.read(_HEAD)
        if len(head) < _HEAD or head[0] == _DATA_END:
            return
        kind, length = head[0], int.from_bytes(head[1:], "little")
        if kind not in _KNOWN or length > _LARGEST:
            found = _next_chunk(file, place)
            lost.append(_gap(place, found))
            if found is None:
                return
            file.seek(found)
            continue
        content = file.read(length)
        if kind == _CHUNK:
            yield from _of_chunk(content, place, length, lost)
        elif len(content) == length:
            try:
                yield from _parsed(kind, content)
            except (Broken, struct.error, UnicodeDecodeError):
                lost.append(f"the record at byte {place} is broken")


def _next_chunk(file: BinaryIO, place: int) -> int | None:
    """Where the first chunk behind `place` begins; None if there is none."""
    start = place + 1
    while True:
        file.seek(start)
        block = file.read(_SEARCH_BYTES)
        for match in _CHUNK_HEAD.finditer(block):
            length, begin, end, size = struct.unpack_from("<QQQQ", block, match.start() + 1)
            if length <= _LARGEST and size <= _LARGEST and begin <= end:
                return start + match.start()
        if len(block) < _SEARCH_BYTES:
            return None
        start += _SEARCH_BYTES - 64  # a head may lie across the end of a block


def _gap(place: int, found: int | None) -> str:
    until = "to the end" if found is None else f"to byte {found}"
    return f"from byte {place} {until} there are no records: what was there is lost"


# --- Chunks --------------------------------------------------------------------------------------


def _of_chunk(content: bytes, place: int, length: int, lost: list[str]) -> Iterator[McapRecord]:
    whole = len(content) == length
    try:
        yield from _inside(_unpacked(content, whole))
    except (Broken, struct.error, UnicodeDecodeError) as error:
        reason = str(error) if whole and isinstance(error, Broken) else ""
        reason = reason or ("its records are damaged" if whole else "the file ends within it")
        lost.append(f"messages of the chunk at byte {place} are lost: {reason}")


def _unpacked(content: bytes, whole: bool) -> bytes:
    """A chunk's records, or those that can be had where it is cut off. Raises Broken."""
    _, _, size, checksum = struct.unpack_from("<QQQI", content)
    compression, at = _text(content, 28)
    packed = content[at + 8 :]
    try:
        if compression == "zstd":
            records = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        elif compression == "lz4":
            records = lz4.frame.LZ4FrameDecompressor().decompress(packed)
        elif compression:
            raise Broken(f"its compression '{compression}' is unknown")
        else:
            records = packed
    except (zstandard.ZstdError, RuntimeError, EOFError):
        raise Broken("it cannot be unpacked") from None
    if whole and (len(records) != size or checksum and crc32(records) != checksum):
        raise Broken("its checksum is wrong")
    return records


def _inside(records: bytes) -> Iterator[McapRecord]:
    at = 0
    while at < len(records):
        kind, length = struct.unpack_from("<BQ", records, at)
        at += _HEAD
        if kind not in _KNOWN or at + length > len(records):
            raise Broken
        yield from _parsed(kind, records[at : at + length])
        at += length


# --- Records -------------------------------------------------------------------------------------


def _parsed(kind: int, content: bytes) -> Iterator[McapRecord]:
    if kind == _MESSAGE:
        channel, _, time_ns = struct.unpack_from("<HIQ", content)
        yield Message(channel, time_ns, content[22:])
    elif kind == _SCHEMA:
        (number,) = struct.unpack_from("<H", content)
        name, at = _text(content, 2)
        encoding, at = _text(content, at)
        yield Schema(number, name, encoding, _text(content, at)[0])
    elif kind == _CHANNEL:
        number, schema = struct.unpack_from("<HH", content)
        topic, at = _text(content, 4)
        yield Channel(number, schema, topic, _text(content, at)[0])


def _text(content: bytes, at: int) -> tuple[str, int]:
    """A text with its length in front, and where it ends."""
    (length,) = struct.unpack_from("<I", content, at)
    at += 4
    if at + length > len(content):
        raise Broken
    return content[at : at + length].decode("utf-8"), at + length
