"""Messages on their way from the graph into a bag: a bounded backlog, and a thread that writes.

Whoever receives messages never waits for the disk. Where the disk falls behind for longer than the
backlog lasts, old messages of the topic that holds most of it are dropped, counted, and recording
goes on. About once a second everything so far is handed to the system, so that a bag which nobody
closed can still be read.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from perreactor_ros.bags.definitions import installed_types, writing_store
from perreactor_ros.bags.errors import BagError
from perreactor_ros.bags.writer import BagWriter

LARGEST_BACKLOG = 256_000_000
"""Bytes of messages that may wait to be written."""

_FLUSH_SECONDS = 1.0


class Waiting(NamedTuple):
    """A serialised message that was received at `time_ns`."""

    topic: str
    cdr: bytes
    time_ns: int


class Backlog:
    """Messages that wait, in the order in which they came; safe between threads.

    `dropped` counts, by topic, those that had to give way to newer ones. It holds `limit` bytes, or
    one message if that is larger.
    """

    def __init__(self, limit: int = LARGEST_BACKLOG) -> None:
        self.dropped = Counter[str]()
        self._limit = limit
        self._held = Counter[str]()
        self._messages: deque[Waiting] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, message: Waiting) -> None:
        """Add the newest message; nothing happens once the backlog is closed."""
        with self._changed:
            if self._closed:
                return
            self._messages.append(message)
            self._held[message.topic] += len(message.cdr)
            while self._held.total() > self._limit and len(self._messages) > 1:
                self._drop()
            self._changed.notify()

    def take(self, seconds: float) -> Waiting | None:
        """The oldest message; None where none came in time, or none will come any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._closed, seconds)
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._held[message.topic] -= len(message.cdr)
            return message

    def close(self) -> None:
        """Take no more messages; those that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def over(self) -> bool:
        """It is closed and empty."""
        with self._changed:
            return self._closed and not self._messages

    def _drop(self) -> None:
        """Drop the oldest message of the topic that holds most: pictures go before states."""
        largest = max(self._held, key=self._held.__getitem__)
        index, message = next(
            (index, each) for index, each in enumerate(self._messages) if each.topic == largest
        )
        del self._messages[index]
        self._held[largest] -= len(message.cdr)
        self.dropped[largest] += 1


@dataclass
class RecordedTopic:
    """A topic, its type as `package/msg/Name`, and the messages and bytes of it in the bag."""

    type: str
    latched: bool
    messages: int = 0
    size: int = 0


class Recording:
    """A new bag that a thread of its own fills: `with Recording(path) as recording`.

    `failure` says why nothing is written any more, `tell` is told (by that thread) of topics that
    cannot be. A bag in which nothing was written is removed at the end. Raises BagError where
    `path` exists already, before anything is done.
    """

    def __init__(
        self,
        path: Path,
        storage: str = "mcap",
        tell: Callable[[str], object] = lambda sentence: None,
        limit: int = LARGEST_BACKLOG,
    ) -> None:
        self.path = path
        self.topics: dict[str, RecordedTopic] = {}
        self.failure: str | None = None
        self._tell = tell
        self._writer = BagWriter(path, storage)
        self._backlog = Backlog(limit)
        self._store = writing_store()
        self._opened = threading.Event()
        self._opening_error: Exception | None = None
        self._unwritable: set[str] = set()
        self._lost = Counter[str]()
        self._thread = threading.Thread(target=self._run, name="bag_writer")

    def __enter__(self) -> Recording:
        """Open the bag. Raises BagError or OSError where it cannot be written."""
        self._thread.start()
        self._opened.wait()
        if self._opening_error is not None:
            self._thread.join()
            raise self._opening_error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits, and close the bag."""
        self._backlog.close()
        self._thread.join()

    @property
    def messages(self) -> int:
        """Messages in the bag so far."""
        return sum(topic.messages for topic in list(self.topics.values()))

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(topic.size for topic in list(self.topics.values()))

    def dropped(self, topic: str) -> int:
        """Messages of a topic that came, or were sent, and are not in the bag."""
        return self._backlog.dropped[topic] + self._lost[topic]

    @property
    def all_dropped(self) -> int:
        """`dropped` of all topics together."""
        return sum(self.dropped(topic) for topic in list(self.topics))

    def refusal(self, type_name: str) -> str | None:
        """Why messages of a type cannot be recorded, in a sentence's end; None if they can."""
        if type_name in self._store.fielddefs:
            return None
        try:
            installed_types(type_name, self._store.fielddefs)
        except BagError as error:
            return str(error)
        except Exception as error:  # what a parser makes of a foreign definition
            return f"its definition cannot be read ({error})"
        return None

    def add_topic(self, topic: str, type_name: str, latched: bool) -> None:
        """Announce a topic before its first message; a later call corrects `latched`."""
        self.topics.setdefault(topic, RecordedTopic(type_name, latched)).latched = latched

    def put(self, topic: str, cdr: bytes, time_ns: int) -> None:
        """Take a message of an announced topic; never waits."""
        self._backlog.put(Waiting(topic, cdr, time_ns))

    def note_lost(self, topic: str, count: int) -> None:
        """Count messages that were sent and did not even arrive."""
        self._lost[topic] += count

    # --- The writing thread ----------------------------------------------------------------------

    def _run(self) -> None:
        # A SQLite database belongs to the thread that opened it, so all is done in this one.
        try:
            self._writer.__enter__()
        except Exception as error:
            self._opening_error = error
            return
        finally:
            self._opened.set()
        try:
            self._write_all()
        except Exception as error:
            self.failure = str(error) or repr(error)
        finally:
            self._backlog.close()
            self._close()

    def _write_all(self) -> None:
        due = time.monotonic() + _FLUSH_SECONDS
        while not self._backlog.over:
            message = self._backlog.take(max(0.0, due - time.monotonic()))
            if message is not None:
                self._write(message)
            if time.monotonic() >= due:
                self._writer.flush()
                due = time.monotonic() + _FLUSH_SECONDS

    def _write(self, message: Waiting) -> None:
        name = message.topic
        topic = self.topics[name]
        if name in self._unwritable:
            return
        try:
            # With the first message: storages do not like topics without any.
            self._writer.add_topic(name, topic.type, topic.latched)
        except BagError as error:
            self._unwritable.add(name)
            self._tell(f"{error}: it is left out")
            return
        self._writer.write(name, topic.type, message.cdr, message.time_ns)
        topic.messages += 1
        topic.size += len(message.cdr)

    def _close(self) -> None:
        try:
            self._writer.__exit__(None, None, None)
        except Exception as error:
            self.failure = self.failure or str(error) or repr(error)
        if not self.messages:
            shutil.rmtree(self.path, ignore_errors=True)  # made by ourselves, and empty
