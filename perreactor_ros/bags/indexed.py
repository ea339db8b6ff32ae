"""A whole storage file, read by its index (rosbags)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.storage import Contents, Record


class IndexedFile:
    """An .mcap or .db3 file. Raises BagError where its beginning, end or index is broken."""

    def __init__(self, path: Path) -> None:
        self.troubles: list[str] = []
        self._reader = Reader(path)
        try:
            self._reader.open()
        except Exception as error:  # of a broken file anything may come
            reason = str(error).rpartition(f"{path}: ")[2] or type(error).__name__
            raise BagError(reason) from None
        self.contents = self._contents()

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`. Raises BagError where the file is broken in the middle."""
        connections = [each for each in self._reader.connections if each.topic in topics]
        if not connections:
            return
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, time_ns, cdr = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise BagError(str(error) or type(error).__name__) from None
            yield Record(time_ns, connection.topic, connection.msgtype, bytes(cdr))

    def close(self) -> None:
        """See `Storage`."""
        self._reader.close()

    def _contents(self) -> Contents:
        contents = Contents()
        for each in self._reader.connections:
            _, count = contents.topics.get(each.topic, (each.msgtype, 0))
            contents.topics[each.topic] = (each.msgtype, count + each.msgcount)
            if each.msgdef.format != MessageDefinitionFormat.NONE and each.msgdef.data:
                is_idl = each.msgdef.format == MessageDefinitionFormat.IDL
                contents.definitions[each.msgtype] = (each.msgdef.data, is_idl)
        if self._reader.message_count:
            contents.extend(self._reader.start_time, self._reader.end_time - 1)
        return contents
