"""The records of an MCAP file one after the other, as far as they make sense.

Only what it takes to rescue messages without an index. Layout: https://mcap.dev/spec.
"""

from __future__ import annotations

import os
import re
import struct
from binascii import crc32
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard

from perreactor_ros.bags.errors import BagError

MAGIC = b"\x89MCAP0\r\n"
CDR = "cdr"
"""How ROS 2 codes messages."""

_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 2, 3, 4, 5, 6, 15
_KNOWN = range(1, 16)
_READ = (_SCHEMA, _CHANNEL, _MESSAGE)
_HEAD = 9
_DATA_END_BYTES = 4
_CHUNK_START = 64
"""Enough of a chunk to know its lengths."""

_LARGEST = 1 << 30
"""No record is longer (1 GB): what says so is no record."""

_CHUNK_HEAD = re.compile(
    rb"\x06.{4}\x00{4}.{28}(?:\x00{4}|\x03\x00{3}lz4|\x04\x00{3}zstd)", re.DOTALL
)
"""How a chunk of less than 4 GB begins: kind, length, two times, size, checksum, compression."""

_MESSAGE_HEAD = re.compile(rb"\x05.{4}\x00{4}.{22}\x00[\x00\x01]\x00\x00", re.DOTALL)
"""How a message of CDR begins: kind, length, channel, number, two times, CDR's own head."""

_LARGEST_FILE = 1 << 50
"""Places behind this are nonsense, too large even to ask the system for."""

_SEARCH_BYTES = 1 << 20
_END_BYTES = 37
"""Footer, with its kind and length, and magic."""


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
    size = os.fstat(file.fileno()).st_size
    sound = len(MAGIC)
    while True:
        place = file.tell()
        head = file.read(_HEAD)
        kind, told = (head or b"\0")[0], int.from_bytes(head[1:], "little")
        if kind == _DATA_END and told == _DATA_END_BYTES:
            return
        length = _length(file, kind, told, size)
        if length is None:
            # What led here may have told a wrong length: search from the last that surely did not.
            found = _next_chunk(file, sound)
            found = _next_chunk(file, place) if found == place else found
            if found is not None or place < size:
                lost.append(_gap(place, found))
            if found is None:
                return
            sound = found
            file.seek(found)
        elif kind == _CHUNK:
            yield from _of_chunk(file.read(length), place, length, lost)
            sound = file.tell()
        elif kind in _READ:
            try:
                yield from _parsed(kind, file.read(length))
                sound = file.tell() if kind == _MESSAGE else sound
            except (Broken, struct.error, UnicodeDecodeError):
                lost.append(f"the record at byte {place} is broken")
        else:
            file.seek(length, os.SEEK_CUR)


def _length(file: BinaryIO, kind: int, told: int, size: int) -> int | None:
    """How long the record is that begins here and tells a length; None if there is none.

    The file stays where it is.
    """
    place = file.tell()
    if kind == _CHUNK:
        inside = _length_inside(file.read(_CHUNK_START))
        if told != inside:  # a chunk tells its length twice: what is right leads to a record
            lengths = [each for each in (inside, told) if each is not None]
            told = next((each for each in lengths if _is_record(file, place + each)), _LARGEST + 1)
        file.seek(place)
        return told if told <= _LARGEST else None  # the end of the file may cut it off
    return told if kind in _KNOWN and told <= min(_LARGEST, size - place) else None


def _length_inside(start: bytes) -> int | None:
    """A chunk's length by what it says of its records."""
    try:
        _, at = _text(start, 28)
        (records,) = struct.unpack_from("<Q", start, at)
    except (Broken, struct.error, UnicodeDecodeError):
        return None
    return int(at + 8 + records)


def _is_record(file: BinaryIO, place: int) -> bool:
    if place > _LARGEST_FILE:
        return False
    file.seek(place)
    head = file.read(_HEAD)
    return len(head) == _HEAD and head[0] in _KNOWN and not any(head[5:])


def read_summary(file: BinaryIO) -> Iterator[McapRecord]:
    """The schemas and channels that are repeated at the end of a file; none where that is broken.

    They serve where the first ones are lost.
    """
    size = file.seek(0, os.SEEK_END)
    if size < _END_BYTES:
        return
    file.seek(size - _END_BYTES)
    end = file.read()
    if end[0] != _FOOTER or not end.endswith(MAGIC):
        return
    (start,) = struct.unpack_from("<Q", end, _HEAD)
    file.seek(start if 0 < start < size else size)
    while len(head := file.read(_HEAD)) == _HEAD:
        kind, length = head[0], int.from_bytes(head[1:], "little")
        if kind not in _KNOWN or kind == _FOOTER or length > size:
            return
        try:
            if kind in (_SCHEMA, _CHANNEL):
                yield from _parsed(kind, file.read(length))
            else:
                file.seek(length, os.SEEK_CUR)
        except (Broken, struct.error, UnicodeDecodeError):
            return


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
        begin_ns, end_ns = struct.unpack_from("<QQ", content)
        gaps = yield from _inside(_unpacked(content, whole), begin_ns, end_ns)
        reason = "its records are damaged" if whole else "the file ends within it"
    except (Broken, struct.error, UnicodeDecodeError) as error:
        gaps, reason = 1, str(error) or "its head is damaged"
    if gaps or not whole:
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


def _inside(records: bytes, begin_ns: int, end_ns: int) -> Generator[McapRecord, None, int]:
    """The records of a chunk; where something else lies between them, the next message is sought.

    Returns how often that was so.
    """
    at, gaps = 0, 0
    while at < len(records):
        try:
            kind, length = struct.unpack_from("<BQ", records, at)
            if kind not in _KNOWN or at + _HEAD + length > len(records):
                raise Broken
            found = list(_parsed(kind, records[at + _HEAD : at + _HEAD + length]))
            if any(not begin_ns <= each.time_ns <= end_ns for each in _messages(found)):
                raise Broken
            at += _HEAD + length
        except (Broken, struct.error, UnicodeDecodeError):
            gaps += 1
            at = _next_message(records, at + 1, begin_ns, end_ns)
            continue
        yield from found
    return gaps


def _messages(records: list[McapRecord]) -> list[Message]:
    return [each for each in records if isinstance(each, Message)]


def _next_message(records: bytes, start: int, begin_ns: int, end_ns: int) -> int:
    """Where the next message of a chunk begins; the end of the records if there is none."""
    for match in _MESSAGE_HEAD.finditer(records, start):
        at = match.start()
        length, _, _, time_ns = struct.unpack_from("<QHIQ", records, at + 1)
        if at + _HEAD + length <= len(records) and begin_ns <= time_ns <= end_ns:
            return at
    return len(records)


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
