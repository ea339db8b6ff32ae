"""What reading one storage file gives, however it is read."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""How a message begins that was compressed by itself; serialised ones begin with a zero."""

_HELD_BYTES = 64 << 20
_HELD_MESSAGES = 20_000


class Record(NamedTuple):
    """One serialised message as it lies in the file. `time_ns` is when it was recorded."""

    time_ns: int
    topic: str
    type: str
    cdr: bytes


@dataclass
class Contents:
    """What a file holds: (topic, type) -> messages, and the definitions in it.

    `definitions`: type -> (text, whether it is IDL). Times are None where there is no message.
    `step_back_ns` is by how much a message is older than one before it in the file, at most.
    """

    topics: dict[tuple[str, str], int] = field(default_factory=dict)
    definitions: dict[str, tuple[str, bool]] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    step_back_ns: int = 0

    def count(self, record: Record) -> None:
        """Take a message into account."""
        topic = record.topic, record.type
        self.topics[topic] = self.topics.get(topic, 0) + 1
        if self.end_ns is not None:
            self.step_back_ns = max(self.step_back_ns, self.end_ns - record.time_ns)
        self.extend(record.time_ns, record.time_ns)

    def extend(self, start_ns: int, end_ns: int) -> None:
        """Let the span reach from `start_ns` to `end_ns` at least."""
        self.start_ns = start_ns if self.start_ns is None else min(self.start_ns, start_ns)
        self.end_ns = end_ns if self.end_ns is None else max(self.end_ns, end_ns)


class Storage(Protocol):
    """One file that is open for reading."""

    contents: Contents
    troubles: list[str]

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """The messages of these topics in order of time, without holding the file in memory."""

    def close(self) -> None:
        """Let go of the file."""


def in_time_order(records: Iterable[Record]) -> Iterator[Record]:
    """Records that are nearly in order, in order: what is out of place is held for a while.

    At most 64 MB (or 20 000 messages) are held. One that comes later than that keeps its place.
    """
    held: list[tuple[int, int, Record]] = []
    size = 0
    for number, record in enumerate(records):
        heapq.heappush(held, (record.time_ns, number, record))
        size += len(record.cdr)
        while size > _HELD_BYTES or len(held) > _HELD_MESSAGES:
            oldest = heapq.heappop(held)[2]
            size -= len(oldest.cdr)
            yield oldest
    while held:
        yield heapq.heappop(held)[2]
