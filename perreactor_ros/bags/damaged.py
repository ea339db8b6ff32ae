"""A storage file whose index, end or middle is broken: read record by record, as far as it goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.mcap_records import Channel, Message, Schema, read_records
from perreactor_ros.bags.storage import Contents, Record, Storage, in_time_order


def salvage(path: Path, reason: str) -> Storage:
    """Open a file whose index is of no use, for `reason`. Raises BagError if all is lost."""
    kind = DamagedMcap if path.suffix == ".mcap" else DamagedSqlite
    return kind(path, reason)


class DamagedMcap:
    """An MCAP file read from its beginning to where it breaks; broken chunks are passed over."""

    def __init__(self, path: Path, reason: str) -> None:
        self.contents = Contents()
        self.troubles: list[str] = []
        self._path = path
        self._lost: list[str] = []
        try:
            for record in self._read():
                self.contents.count(record)
        except BagError as error:
            raise BagError(f"{path.name} cannot be read: {error}") from None
        found = sum(count for _, count in self.contents.topics.values())
        if not found and not self.contents.topics:
            raise BagError(f"{path.name} is broken ({reason}) and holds nothing that can be read")
        self.troubles.append(f"{path.name} is damaged ({reason}): {found} messages can be read")
        self.troubles += [f"{path.name}: {sentence}" for sentence in self._lost]

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`."""
        return in_time_order(each for each in self._read() if each.topic in topics)

    def close(self) -> None:
        """See `Storage`: nothing stays open between two readings."""

    def _read(self) -> Iterator[Record]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        self._lost.clear()
        with self._path.open("rb") as file:
            for each in read_records(file, self._lost):
                if isinstance(each, Schema):
                    schemas[each.number] = each
                    self._define(each)
                elif isinstance(each, Channel) and each.schema in schemas:
                    channels[each.number] = each
                    name = schemas[each.schema].name
                    self.contents.topics.setdefault(each.topic, (name, 0))
                elif isinstance(each, Message) and each.channel in channels:
                    channel = channels[each.channel]
                    name = schemas[channel.schema].name
                    yield Record(each.time_ns, channel.topic, name, each.cdr)

    def _define(self, schema: Schema) -> None:
        if schema.encoding in ("ros2msg", "ros2idl", "omgidl") and schema.text:
            self.contents.definitions[schema.name] = (schema.text, schema.encoding != "ros2msg")


class DamagedSqlite:
    """An SQLite file read row by row; where rows are broken, the next sound ones are sought."""

    _FARTHEST = 1 << 20

    def __init__(self, path: Path, reason: str) -> None:
        self.contents = Contents()
        self.troubles: list[str] = []
        self._name = path.name
        self._database = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
        # Without it, a file shorter than its header says is refused altogether.
        self._database.execute("PRAGMA writable_schema=ON")
        self._database.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            rows = self._database.execute("SELECT id, name, type FROM topics")
            self._topics = {number: (name, kind) for number, name, kind in rows}
        except sqlite3.Error as error:
            self._database.close()
            raise BagError(
                f"{path.name} is broken ({reason}) and its topics cannot be read ({error})"
            ) from None
        self.contents.topics = {name: (kind, 0) for name, kind in self._topics.values()}
        self._read_definitions()
        for time_ns, number, _ in self._rows("length(data)"):
            self.contents.count(Record(time_ns, *self._topics[number], b""))
        found = sum(count for _, count in self.contents.topics.values())
        self.troubles.append(f"{path.name} is damaged ({reason}): {found} messages can be read")

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`."""
        wanted = {number: each for number, each in self._topics.items() if each[0] in topics}
        return in_time_order(
            Record(time_ns, *wanted[number], bytes(cdr))
            for time_ns, number, cdr in self._rows("data")
            if number in wanted
        )

    def close(self) -> None:
        """See `Storage`."""
        self._database.close()

    def _rows(self, what: str) -> Iterator[tuple[int, int, bytes]]:
        query = f"SELECT id, timestamp, topic_id, {what} FROM messages WHERE id > ? ORDER BY id"
        last, step = 0, 0
        while step <= self._FARTHEST:
            try:
                for row in self._database.execute(query, (last + step,)):
                    number, time_ns, topic, content = row
                    if number <= last + step:
                        raise sqlite3.DatabaseError("broken pages lead in a circle")
                    last, step = number, 0
                    if topic in self._topics and isinstance(time_ns, int):
                        yield time_ns, topic, content
                return
            except sqlite3.Error:
                step = max(1, 2 * step)

    def _read_definitions(self) -> None:
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        try:
            for kind, encoding, text in self._database.execute(query):
                if text:
                    self.contents.definitions[kind] = (text, encoding != "ros2msg")
        except sqlite3.Error:
            return  # bags from before ROS 2 Iron have no such table
