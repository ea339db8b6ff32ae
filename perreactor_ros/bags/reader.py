"""Reading bags: rosbag2 folders and single files, whole or damaged, message by message.

    with BagReader("conversation") as bag:
        for message in bag.messages({"/image", "/audio"}):
            use(message.time_ns, message.read())
        print(bag.troubles)

Messages come in order of the time at which they were recorded and are never all held, so memory
stays flat however long the bag is. Whatever cannot be read becomes a sentence in `troubles`.
"""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import zstandard

from perreactor_ros.bags.damaged import salvage
from perreactor_ros.bags.definitions import Definitions
from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.files import find_files, unpacked
from perreactor_ros.bags.indexed import IndexedFile
from perreactor_ros.bags.storage import ZSTD_MAGIC, Record, Storage

__all__ = ["BagError", "BagMessage", "BagReader", "BagTopic"]


@dataclass(frozen=True)
class BagTopic:
    """A topic, its type as `package/msg/Name`, and how many messages of it there are."""

    name: str
    type: str
    count: int


@dataclass(frozen=True)
class BagMessage:
    """One message: serialised, as recorded at `time_ns`."""

    topic: str
    type: str
    time_ns: int
    cdr: bytes
    definitions: Definitions = field(repr=False, compare=False)

    def read(self) -> Any:
        """The message as an object with the message's fields; arrays are numpy arrays.

        Raises BagError naming the topic and what is wrong.
        """
        try:
            return self.definitions.read(self.cdr, self.type)
        except BagError as error:
            raise BagError(f"{self.topic}: {error}") from None


class BagReader:
    """A bag, open for reading; a context manager.

    `topics` by name, `start_ns` and `end_ns` (first and last message), and `troubles`: sentences on
    what could not be read, which may grow while reading. Topics of our own messages in a layout
    that differs from ours are left out, with a trouble. Raises BagError where nothing can be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.troubles: list[str] = []
        self._closing = ExitStack()
        try:
            self._files = self._open()
            self._definitions = self._read_definitions()
            self.topics = self._read_topics()
            spans = [each.contents for each, _ in self._files]
            starts = [each.start_ns for each in spans if each.start_ns is not None]
            ends = [each.end_ns for each in spans if each.end_ns is not None]
            if not starts or not any(topic.count for topic in self.topics.values()):
                reason = f": {'; '.join(self.troubles)}" if self.troubles else ""
                raise BagError(f"{self.path} holds no message that can be read{reason}")
            self.start_ns, self.end_ns = min(starts), max(ends)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files."""
        self._closing.close()

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """The messages of these topics, in order of `time_ns`."""
        wanted = set(topics) & self.topics.keys()
        streams = [self._records(number, wanted) for number in range(len(self._files))]
        for record in heapq.merge(*streams, key=lambda each: each.time_ns):
            yield BagMessage(
                record.topic, record.type, record.time_ns, record.cdr, self._definitions
            )

    # --- Opening ---------------------------------------------------------------------------------

    def _open(self) -> list[tuple[Storage, Path]]:
        found = find_files(self.path)
        self.troubles += found.troubles
        folder = Path(
            self._closing.enter_context(tempfile.TemporaryDirectory(prefix="perreactor_"))
        )
        files: list[tuple[Storage, Path]] = []
        for path in found.paths:
            try:
                plain, trouble = unpacked(path, folder)
                self.troubles += [trouble] if trouble else []
                files.append((self._opened(plain), plain))
            except BagError as error:
                self.troubles.append(str(error))
        if not files:
            raise BagError(f"nothing of {self.path} can be read: {'; '.join(self.troubles)}")
        self._compare(found.expected, [each for each, _ in files])
        return files

    def _opened(self, path: Path) -> Storage:
        if not path.stat().st_size:
            raise BagError(f"{path.name} is empty: nothing was recorded, or it was not copied")
        storage: Storage
        try:
            storage = IndexedFile(path)
        except BagError as error:
            storage = salvage(path, str(error).rstrip("."))
        self._closing.callback(storage.close)
        self.troubles += storage.troubles
        return storage

    def _compare(self, expected: dict[str, int] | None, files: list[Storage]) -> None:
        """Say where metadata.yaml promises more than there is."""
        if expected is None:
            return
        there = Counter[str]()
        for each in files:
            there.update({topic: count for topic, (_, count) in each.contents.topics.items()})
        for topic, count in expected.items():
            if there[topic] < count:
                self.troubles.append(
                    f"{topic}: metadata.yaml promises {count} messages, the files hold "
                    f"{there[topic]}"
                )

    def _read_definitions(self) -> Definitions:
        embedded: dict[str, tuple[str, bool]] = {}
        for each, _ in self._files:
            embedded |= each.contents.definitions
        definitions = Definitions(embedded)
        self.troubles += definitions.troubles
        return definitions

    def _read_topics(self) -> dict[str, BagTopic]:
        counts = Counter[str]()
        types: dict[str, str] = {}
        for each, _ in self._files:
            for topic, (name, count) in each.contents.topics.items():
                counts[topic] += count
                types.setdefault(topic, name)
        topics: dict[str, BagTopic] = {}
        for topic, name in sorted(types.items()):
            refusal = self._definitions.refusal(name)
            if refusal is not None and counts[topic]:
                self.troubles.append(f"{topic} ({name}) cannot be read: {refusal}")
            if refusal is None or not name.startswith("perreactor_ros/"):
                topics[topic] = BagTopic(topic, name, counts[topic])
        return topics

    # --- Reading ---------------------------------------------------------------------------------

    def _records(self, number: int, topics: Collection[str]) -> Iterator[Record]:
        """One file's messages; where its middle turns out to be broken, what lies behind it too."""
        storage, path = self._files[number]
        newest, given = -1, Counter[tuple[str, bytes]]()
        try:
            for record in storage.records(topics):
                if record.time_ns != newest:
                    newest = record.time_ns
                    given.clear()
                given[record.topic, record.cdr] += 1
                yield _plain(record)
            return
        except BagError as error:
            rest = salvage(path, str(error).rstrip("."))
        self._closing.callback(rest.close)
        self._files[number] = (rest, path)
        self.troubles += rest.troubles
        for record in rest.records(topics):
            if record.time_ns < newest:
                continue
            if record.time_ns == newest and given[record.topic, record.cdr] > 0:
                given[record.topic, record.cdr] -= 1
                continue
            yield _plain(record)


def _plain(record: Record) -> Record:
    """The record, unpacked where the recorder compressed each message."""
    if not record.cdr.startswith(ZSTD_MAGIC):
        return record
    try:
        stream = zstandard.ZstdDecompressor().decompressobj()
        return record._replace(cdr=stream.decompress(record.cdr))
    except zstandard.ZstdError:
        return record  # `read` says that these bytes are no such message
