"""Storage files whose index, end or middle is broken: read from end to end, as far as that goes.

They are read once to learn what they hold, and again for every reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.mcap_records import (
    CDR,
    Channel,
    Message,
    Schema,
    read_records,
    read_summary,
)
from perreactor_ros.bags.sqlite_pages import read_rows
from perreactor_ros.bags.storage import Contents, Record, Storage, in_time_order

_DEFINITION_ENCODINGS = ("ros2msg", "ros2idl", "omgidl")


def salvage(path: Path, reason: str) -> Storage:
    """Open a file whose index is of no use, for `reason`. Raises BagError if all is lost."""
    kind = DamagedMcap if path.suffix == ".mcap" else DamagedSqlite
    return kind(path, reason)


class DamagedMcap:
    """An MCAP file without its index; chunks that are broken are passed over."""

    def __init__(self, path: Path, reason: str) -> None:
        self.contents = Contents()
        self.troubles: list[str] = []
        self._path = path
        lost: list[str] = []
        try:
            self._topics = self._read_topics(lost)
        except BagError as error:
            raise _refusal(path, str(error)) from None
        self._count(lost)
        self.troubles += _told(path, reason, self.contents, lost)

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`."""
        return in_time_order(
            Record(each.time_ns, *self._topics[each.channel], each.cdr)
            for each in self._messages([])
            if each.channel in self._topics and self._topics[each.channel][0] in topics
        )

    def close(self) -> None:
        """See `Storage`: nothing stays open between two readings."""

    def _messages(self, lost: list[str]) -> Iterator[Message]:
        with self._path.open("rb") as file:
            for each in read_records(file, lost):
                if isinstance(each, Message):
                    yield each

    def _read_topics(self, lost: list[str]) -> dict[int, tuple[str, str]]:
        """Channel -> topic and type, from wherever in the file they are told."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with self._path.open("rb") as file:
            for records in (read_records(file, []), read_summary(file)):
                for each in records:
                    if isinstance(each, Schema):
                        schemas[each.number] = each
                    elif isinstance(each, Channel):
                        channels[each.number] = each
        for schema in schemas.values():
            if schema.encoding in _DEFINITION_ENCODINGS and schema.text:
                is_idl = schema.encoding != "ros2msg"
                self.contents.definitions[schema.name] = (schema.text, is_idl)
        foreign = {each.topic: each.encoding for each in channels.values() if each.encoding != CDR}
        lost += [_foreign(topic, encoding) for topic, encoding in foreign.items()]
        return {
            each.number: (each.topic, schemas[each.schema].name)
            for each in channels.values()
            if each.encoding == CDR and each.schema in schemas
        }

    def _count(self, lost: list[str]) -> None:
        homeless = 0
        self.contents.topics.update(dict.fromkeys(self._topics.values(), 0))
        for each in self._messages(lost):
            if each.channel in self._topics:
                self.contents.count(Record(each.time_ns, *self._topics[each.channel], b""))
            else:
                homeless += 1
        if homeless:
            lost.append(f"messages of topics that cannot be read: {homeless}")


class DamagedSqlite:
    """An SQLite file without its tables' trees: whatever row is whole on its pages."""

    def __init__(self, path: Path, reason: str) -> None:
        self.contents = Contents()
        self.troubles: list[str] = []
        self._path = path
        lost: list[str] = []
        try:
            self._topics = self._read_topics()
            for record in self._read(self._topics, lost):
                self.contents.count(record)
        except BagError as error:
            raise _refusal(path, str(error)) from None
        self.troubles += _told(path, reason, self.contents, lost)

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`."""
        wanted = {number: each for number, each in self._topics.items() if each[0] in topics}
        return in_time_order(self._read(wanted, []))

    def close(self) -> None:
        """See `Storage`: nothing stays open between two readings."""

    def _read(self, topics: dict[int, tuple[str, str]], lost: list[str]) -> Iterator[Record]:
        """The messages of these topics. Rows are told apart by what their columns hold."""
        for row in read_rows(self._path, lost):
            match row.columns:
                case (None, int(topic), int(time_ns), bytes(cdr)) if topic in topics:
                    yield Record(time_ns, *topics[topic], cdr)

    def _read_topics(self) -> dict[int, tuple[str, str]]:
        topics: dict[int, tuple[str, str]] = {}
        foreign, strays = set[int](), Counter[int]()
        for row in read_rows(self._path, []):
            match row.columns:
                case (None, str(name), str(kind), str(encoding), *_) if name.startswith("/"):
                    if encoding != CDR:
                        foreign.add(row.number)
                        self.troubles.append(_foreign(name, encoding))
                        continue
                    topics[row.number] = (name, kind)
                    self.contents.topics[name, kind] = 0
                case (None, str(kind), str(encoding), str(text), *_):
                    if encoding in _DEFINITION_ENCODINGS and text:
                        self.contents.definitions[kind] = (text, encoding != "ros2msg")
                case (None, int(topic), int(), bytes()):
                    strays[topic] += 1
        homeless = sum(
            count for topic, count in strays.items() if topic not in topics.keys() | foreign
        )
        if homeless:
            self.troubles.append(
                f"{self._path.name}: {homeless} messages belong to a topic whose name is lost"
            )
        return topics


def _told(path: Path, reason: str, contents: Contents, lost: list[str]) -> list[str]:
    """Sentences on what became of a file. Raises BagError if nothing is left of it."""
    found = sum(contents.topics.values())
    if not contents.topics:
        raise _refusal(path, "; ".join([reason, *lost, "no topic is left in it"]))
    return [
        f"{path.name} cannot be read by its index ({reason}): {found} messages were found in it",
        *(f"{path.name}: {sentence}" for sentence in lost),
    ]


def _foreign(topic: str, encoding: str) -> str:
    return f"{topic} is left out, for its messages are coded as '{encoding}', not as {CDR}"


def _refusal(path: Path, reason: str) -> BagError:
    return BagError(f"{path.name} cannot be read: {reason}")
