"""The records of an MCAP file one after the other, as far as they make sense.

Only what it takes to rescue messages: no index, no checksum, no summary. Layout of the records:
https://mcap.dev/spec.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard

from perreactor_ros.bags.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, _CHUNK, _DATA_END = 3, 4, 5, 6, 15

_KNOWN = range(1, 16)
_LARGEST = 1 << 30
"""No record is longer (1 GB): what says so is no record."""


class Broken(ValueError):
    """Bytes that are no record, or end within one."""


class Schema(NamedTuple):
    """A type: `encoding` is ros2msg, ros2idl or omgidl."""

    number: int
    name: str
    encoding: str
    text: str


class Channel(NamedTuple):
    """A topic."""

    number: int
    schema: int
    topic: str


class Message(NamedTuple):
    """A message of a channel."""

    channel: int
    time_ns: int
    cdr: bytes


McapRecord = Schema | Channel | Message


def read_records(file: BinaryIO, lost: list[str]) -> Iterator[McapRecord]:
    """Schemas, channels and messages in the order of the file; sentences on losses go to `lost`.

    Raises BagError for a file that does not begin like MCAP.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise BagError("it does not begin like an MCAP file")
    while True:
        head = file.read(9)
        if len(head) < 9:
            return
        kind, length = head[0], int.from_bytes(head[1:], "little")
        if kind == _DATA_END:
            return
        if kind not in _KNOWN or length > _LARGEST:
            lost.append(f"there is no record at byte {file.tell() - 9}: what follows is lost")
            return
        content = file.read(length)
        if kind == _CHUNK:
            yield from _of_chunk(content, file.tell(), lost)
        elif len(content) == length:
            record = _parsed(kind, content)
            if record is not None:
                yield record


def _of_chunk(content: bytes, place: int, lost: list[str]) -> Iterator[McapRecord]:
    try:
        yield from _inside(_unpacked(content))
    except (Broken, struct.error, UnicodeDecodeError):
        lost.append(f"the chunk that ends at byte {place} is broken: a part of it is lost")


def _unpacked(content: bytes) -> bytes:
    """What of a chunk's records can be had, also where the chunk is cut off. Raises Broken."""
    at = 28  # after the times, the size and the checksum
    compression, at = _text(content, at)
    packed = content[at + 8 :]
    try:
        if compression == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        if compression == "lz4":
            return lz4.frame.LZ4FrameDecompressor().decompress(packed)
    except (zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise Broken(str(error)) from None
    if compression:
        raise Broken(f"compression {compression!r} is unknown")
    return packed


def _inside(records: bytes) -> Iterator[McapRecord]:
    at = 0
    while at < len(records):
        kind, length = struct.unpack_from("<BQ", records, at)
        at += 9
        if kind not in _KNOWN or at + length > len(records):
            raise Broken("the records end within one")
        record = _parsed(kind, records[at : at + length])
        if record is not None:
            yield record
        at += length


def _parsed(kind: int, content: bytes) -> McapRecord | None:
    if kind == MESSAGE:
        channel, _, time_ns = struct.unpack_from("<HIQ", content)
        return Message(channel, time_ns, content[22:])
    if kind == SCHEMA:
        (number,) = struct.unpack_from("<H", content)
        name, at = _text(content, 2)
        encoding, at = _text(content, at)
        text, _ = _text(content, at)
        return Schema(number, name, encoding, text)
    if kind == CHANNEL:
        number, schema = struct.unpack_from("<HH", content)
        return Channel(number, schema, _text(content, 4)[0])
    return None


def _text(content: bytes, at: int) -> tuple[str, int]:
    """A text with its length in front, and where it ends."""
    (length,) = struct.unpack_from("<I", content, at)
    at += 4
    if at + length > len(content):
        raise Broken("a text is longer than its record")
    return content[at : at + length].decode("utf-8"), at + length
