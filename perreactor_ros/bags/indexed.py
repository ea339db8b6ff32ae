"""A whole storage file, read by its index (rosbags)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader

from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.storage import Contents, Record

_INDEX_HEAD = 15
"""Bytes of an MCAP message index in front of its entries, of which each has 16."""


class IndexedFile:
    """An .mcap or .db3 file. Raises BagError where its beginning, end or index is broken."""

    def __init__(self, path: Path) -> None:
        self.troubles: list[str] = []
        self._path = path
        self._reader = Reader(path)
        try:
            self._reader.open()
        except Exception as error:  # of a broken file anything may come
            raise _unusable(error) from None
        try:
            self._refuse_gaps()
            self.contents = self._contents()
            self.contents.step_back_ns = self._step_back()
        except Exception as error:
            self._reader.close()
            raise _unusable(error) from None

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See `Storage`. Raises BagError where messages turn out to be broken or missing."""
        connections = [each for each in self._reader.connections if each.topic in topics]
        if not connections:
            return
        messages = self._reader.messages(connections)
        missing = sum(each.msgcount for each in connections)
        while True:
            try:
                connection, time_ns, cdr = next(messages)
                record = Record(int(time_ns), connection.topic, connection.msgtype, bytes(cdr))
            except StopIteration:
                break
            except Exception as error:
                raise _unusable(error) from None
            missing -= 1
            yield record
        if missing > 0:
            raise BagError(f"messages that it lists and that are not there: {missing}")

    def close(self) -> None:
        """See `Storage`."""
        self._reader.close()

    def _refuse_gaps(self) -> None:
        """Raise BagError for what would be read by this index only in part, or wrongly."""
        foreign = [
            each
            for each in self._reader.connections
            if getattr(each.ext, "serialization_format", "cdr") != "cdr"
        ]
        if foreign:
            raise BagError(f"{foreign[0].topic} is not coded as cdr")
        mcap = self._reader.storage
        if isinstance(mcap, McapReader) and self._reader.message_count:
            if not mcap.chunks:
                raise BagError("it has none")
            listed = sum(sum(chunk.channel_count.values()) for chunk in mcap.chunks)
            if listed != self._reader.message_count:
                raise BagError("its index does not list every message")
            if sum(each.msgcount for each in self._reader.connections) != listed:
                raise BagError("its index does not list every topic")

    def _contents(self) -> Contents:
        contents = Contents()
        for each in self._reader.connections:
            topic = each.topic, each.msgtype
            contents.topics[topic] = contents.topics.get(topic, 0) + each.msgcount
            if each.msgdef.format != MessageDefinitionFormat.NONE and each.msgdef.data:
                is_idl = each.msgdef.format == MessageDefinitionFormat.IDL
                contents.definitions[each.msgtype] = (each.msgdef.data, is_idl)
        if self._reader.message_count:
            contents.extend(self._reader.start_time, self._reader.end_time - 1)
        return contents

    # --- Order -----------------------------------------------------------------------------------

    def _step_back(self) -> int:
        """By how many ns a message is older than one that lies before it, at most."""
        mcap = self._reader.storage
        if isinstance(mcap, McapReader):
            return self._step_back_of_chunks(mcap.chunks)
        with sqlite3.connect(f"file:{self._path}?immutable=1", uri=True) as database:
            query = (
                "SELECT max(newest - timestamp) FROM (SELECT timestamp, max(timestamp) "
                "OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS newest FROM messages)"
            )
            step = database.execute(query).fetchone()[0]
        database.close()
        return step or 0

    def _step_back_of_chunks(self, chunks: list[ChunkInfo]) -> int:
        newest, step = 0, 0
        with self._path.open("rb") as file:
            for chunk in sorted(chunks, key=lambda each: each.chunk_start_offset):
                indices = []
                for number, place in chunk.message_index_offsets.items():
                    file.seek(place + _INDEX_HEAD)
                    entries = file.read(16 * chunk.channel_count[number])
                    indices.append(np.frombuffer(entries, "<u8").reshape(-1, 2))
                if not indices:
                    continue
                index = np.concatenate(indices)
                times = index[np.argsort(index[:, 1], kind="stable"), 0].astype(np.int64)
                so_far = np.maximum.accumulate(np.maximum(times, newest))
                step = max(step, int((so_far - times).max()))
                newest = int(so_far[-1])
        return step


def _unusable(error: Exception) -> BagError:
    """Why a file cannot be read by its index, in words that a user can make something of."""
    if isinstance(error, (BagError, ReaderError)):
        return BagError(re.sub("^Cannot open database .*: ", "", str(error)).rstrip("."))
    return BagError("its index makes no sense")
