"""Writing bags that rosbag2 (`ros2 bag play`, `info`) and everything else can read."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from perreactor_ros.bags.definitions import installed_types, writing_store
from perreactor_ros.bags.errors import BagError

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

_PLUGINS = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
STORAGES = tuple(_PLUGINS)

_NO_LIMIT = QosTime(0, 0)
_LATCHED = (
    "perreactor_ros/msg/EnrolmentState",
    "perreactor_ros/msg/ReactorState",
    "audio_common_msgs/msg/AudioInfo",
)
_LARGE = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_IMAGES, _SMALL = 10, 50
"""Messages that a player keeps for slow subscribers; 50 are half a second of a microphone."""


class BagWriter:
    """A new bag at `path` (a folder that does not exist yet); a context manager.

    The same calls write the same messages, bytes and times. Raises BagError.
    """

    def __init__(self, path: Path | str, storage: str = "mcap") -> None:
        if storage not in _PLUGINS:
            raise BagError(f"storage is '{storage}': choose one of {', '.join(STORAGES)}")
        self.path = Path(path)
        self._store = writing_store()
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(
                self.path,
                version=9,  # what Jazzy writes
                storage_plugin=_PLUGINS[storage],
            )
        except WriterError:
            raise BagError(f"{self.path} exists already: name a folder that does not") from None

    def __enter__(self) -> BagWriter:
        try:
            self._writer.open()
        except WriterError as error:
            raise BagError(f"{self.path} cannot be written: {error}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def add_topic(self, topic: str, type_name: str, latched: bool | None = None) -> None:
        """Announce a topic before its first message.

        `latched`: whether those who come late are played its last message (by default, whether our
        own nodes latch this type). Raises BagError where nobody knows the type.
        """
        if topic in self._connections:
            return
        if type_name not in self._store.fielddefs:
            self._store.register(installed_types(type_name, self._store.fielddefs))
        offered = _offered(type_name, type_name in _LATCHED if latched is None else latched)
        try:
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._store, offered_qos_profiles=[offered]
            )
        except (WriterError, KeyError) as error:
            raise BagError(f"{topic}: {type_name} cannot be written ({error})") from None

    def write(self, topic: str, type_name: str, cdr: bytes, time_ns: int) -> None:
        """Append a serialised message, recorded at `time_ns`."""
        self.add_topic(topic, type_name)
        self._writer.write(self._connections[topic], time_ns, cdr)

    def flush(self) -> None:
        """Hand what was written so far to the system: it is kept if this process is killed."""
        storage = self._writer.storage
        if isinstance(storage, McapWriter):
            if storage.chunk.msgs:
                storage.close_chunk()
            storage.bio.flush()
        elif isinstance(storage, Sqlite3Writer):
            storage.conn.commit()


def _offered(type_name: str, latched: bool) -> Qos:
    """What a player publishes with: reliable, so that subscribers of either kind match."""
    depth = _IMAGES if type_name in _LARGE else _SMALL
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else depth,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_NO_LIMIT,
        lifespan=_NO_LIMIT,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_NO_LIMIT,
        avoid_ros_namespace_conventions=False,
    )
