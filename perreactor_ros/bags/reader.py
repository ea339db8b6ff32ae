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
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import zstandard

from perreactor_ros.bags.damaged import salvage
from perreactor_ros.bags.definitions import Definitions
from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.files import find_files, is_unfinished, unpacked
from perreactor_ros.bags.indexed import IndexedFile
from perreactor_ros.bags.storage import ZSTD_MAGIC, Record, Storage

__all__ = ["BagError", "BagMessage", "BagReader", "BagTopic"]

_SECOND_NS = 1_000_000_000
_GAP_NS = 60 * _SECOND_NS
"""A pause of all topics from which on it is told: the clock may have been set."""

_DISORDER_NS = _SECOND_NS
"""Messages that lie behind newer ones by more are told: less is usual, and put in order."""

_MOST_TROUBLES = 100


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
    number: int
    """Among the topic's messages in order of time, from 1."""
    definitions: Definitions = field(repr=False, compare=False)

    def read(self) -> Any:
        """The message as an object with the message's fields; arrays are numpy arrays.

        Raises BagError naming the topic, the message's number and what is wrong.
        """
        try:
            return self.definitions.read(self.cdr, self.type)
        except BagError as error:
            raise BagError(f"{self.topic}, message {self.number}: {error}") from None


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
        except OSError as error:
            self.close()
            raise BagError(f"{self.path} cannot be read: {error}") from None
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
        """The messages of these topics, in order of `time_ns`.

        Long gaps in time become troubles, and so does what cannot be put in order.
        """
        wanted = set(topics) & self.topics.keys()
        streams = [self._records(number, wanted) for number in range(len(self._files))]
        numbers = Counter[str]()
        newest_ns: int | None = None
        for record in heapq.merge(*streams, key=lambda each: each.time_ns):
            if record.type != self.topics[record.topic].type:
                continue  # `troubles` say so
            if newest_ns is not None and not 0 <= record.time_ns - newest_ns < _GAP_NS:
                self._note(_jump(newest_ns, record.time_ns))
            newest_ns = record.time_ns
            numbers[record.topic] += 1
            yield BagMessage(
                record.topic,
                record.type,
                record.time_ns,
                record.cdr,
                numbers[record.topic],
                self._definitions,
            )

    def _note(self, trouble: str) -> None:
        """Tell a trouble once, and not too many of them."""
        if trouble not in self.troubles and len(self.troubles) < _MOST_TROUBLES:
            self.troubles.append(trouble)

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
                files.append((self._opened(plain, is_unfinished(path)), plain))
            except BagError as error:
                self.troubles.append(str(error))
        if not files:
            raise BagError(f"nothing of {self.path} can be read: {'; '.join(self.troubles)}")
        self._compare(found.expected, [each for each, _ in files])
        return files

    def _opened(self, path: Path, unfinished: bool) -> Storage:
        if not path.stat().st_size:
            raise BagError(f"{path.name} is empty: nothing was recorded, or it was not copied")
        storage: Storage
        try:
            if unfinished:
                raise BagError("its recording was cut off")
            storage = IndexedFile(path)
        except BagError as error:
            storage = salvage(path, str(error))
        self._closing.callback(storage.close)
        self.troubles += storage.troubles
        if storage.contents.step_back_ns > _DISORDER_NS:
            self.troubles.append(
                f"{path.name}: messages lie up to {storage.contents.step_back_ns / 1e9:.1f} s "
                "behind newer ones (a clock that was set back, or a tool that wrote one topic "
                "after the other); they are read in order of time"
            )
        return storage

    def _compare(self, expected: dict[str, int] | None, files: list[Storage]) -> None:
        """Say where metadata.yaml promises more than there is."""
        if expected is None:
            return
        there = Counter[str]()
        for each in files:
            for (topic, _), count in each.contents.topics.items():
                there[topic] += count
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
        counts: dict[str, Counter[str]] = {}
        for each, _ in self._files:
            for (topic, name), count in each.contents.topics.items():
                counts.setdefault(topic, Counter())[name] += count
        topics: dict[str, BagTopic] = {}
        for topic, types in sorted(counts.items()):
            name, count = types.most_common(1)[0]
            self.troubles += [
                f"{topic}: {others} messages of type {other} are left out, for most are {name}"
                for other, others in types.items()
                if other != name and others
            ]
            refusal = self._definitions.refusal(name)
            if refusal is not None and count:
                self.troubles.append(f"{topic} ({name}) cannot be read: {refusal}")
            if refusal is None or not name.startswith("perreactor_ros/"):
                topics[topic] = BagTopic(topic, name, count)
        return topics

    # --- Reading ---------------------------------------------------------------------------------

    def _records(self, number: int, topics: Collection[str]) -> Iterator[Record]:
        """One file's messages; where its middle turns out to be broken, what lies behind it too."""
        storage, path = self._files[number]
        newest, given = -1, Counter[str]()
        try:
            for record in storage.records(topics):
                if record.time_ns != newest:
                    newest = record.time_ns
                    given.clear()
                given[record.topic] += 1
                yield _plain(record)
            return
        except BagError as error:
            reason = str(error)
        rest = self._rest(number, reason)
        for record in rest.records(topics) if rest is not None else ():
            if record.time_ns < newest:
                continue
            if record.time_ns == newest and given[record.topic] > 0:
                given[record.topic] -= 1
                continue
            yield _plain(record)

    def _rest(self, number: int, reason: str) -> Storage | None:
        """A file that turned out to be broken, to be read without its index from now on."""
        path = self._files[number][1]
        try:
            rest = salvage(path, reason)
        except BagError as error:
            self._note(str(error))
            return None
        self._closing.callback(rest.close)
        self._files[number] = (rest, path)
        for trouble in rest.troubles:
            self._note(trouble)
        return rest


def _plain(record: Record) -> Record:
    """The record, unpacked where the recorder compressed each message."""
    if not record.cdr.startswith(ZSTD_MAGIC):
        return record
    try:
        stream = zstandard.ZstdDecompressor().decompressobj()
        return record._replace(cdr=stream.decompress(record.cdr))
    except zstandard.ZstdError:
        return record  # `read` says that these bytes are no such message


def _jump(from_ns: int, to_ns: int) -> str:
    """What to tell about two messages that follow each other, far apart or not in order."""
    seconds = abs(to_ns - from_ns) / _SECOND_NS
    if to_ns < from_ns:
        return (
            f"messages are {seconds:.1f} s older than those before them at {_moment(from_ns)}: "
            "they are too far out of place to be put in order"
        )
    return (
        f"there is nothing for {seconds:.1f} s after {_moment(from_ns)}: recording paused, or the "
        "clock was set"
    )


def _moment(time_ns: int) -> str:
    """A time of the bag for people: UTC."""
    return f"{datetime.fromtimestamp(time_ns // _SECOND_NS, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
