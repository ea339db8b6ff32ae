"""A graph started for a benchmark, and an observer that notes what its reactions say."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import rclpy
from ament_index_python.packages import get_package_share_directory
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS
from perreactor_ros.bringup.launcher import Launcher
from perreactor_ros.bringup.options import BringupOptions
from perreactor_ros.bringup.processes import process_list
from perreactor_ros.messages import nanoseconds
from perreactor_ros.msg import AudioChunk, FacialReaction
from perreactor_ros.parameters import default_of
from perreactor_ros.qos import AUDIO_IN, REACTION

_NS = 1_000_000_000
_KEPT_CHUNKS = 200


def demo_video() -> Path:
    """The installed video of the demo's speaker."""
    return Path(get_package_share_directory("perreactor_ros")) / "speaker" / "speaker.mp4"


def bundle_to_run(given: str | None) -> Bundle:
    """The bundle of that name or folder, or the one that the nodes load by default."""
    return Bundle.load(given or default_of("bundle"))


def listeners(bundle: Bundle, count: int) -> dict[str, str]:
    """Profiles of so many robots by name: the bundle's own in turn, generic where it has none."""
    own = sorted(path.stem for path in bundle.profiles_path.glob("*.json")) or ["generic"]
    return {f"robot_{number}": own[number % len(own)] for number in range(count)}


@dataclass
class Seen:
    """What one robot's reactions said: times in ms, frames in the speaker's numbering."""

    from_stamp_ms: list[float] = field(default_factory=list)
    from_arrival_ms: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Forget what was seen, for instance while things warmed up."""
        for values in (self.from_stamp_ms, self.from_arrival_ms, self.frames):
            values.clear()

    @property
    def missing(self) -> int:
        """Frames between the first and the last that got no reaction."""
        return self.frames[-1] - self.frames[0] + 1 - len(self.frames) if self.frames else 0


class ObservedGraph:
    """A bringup of some robots with the demo's speaker: `with ObservedGraph(...) as graph`.

    `robots` are names and profiles; the reactions of those that are `watched` (default: all) count.

    Latency *from the stamp* is what the message says: publication minus stamp of the speaker frame.
    Latency *from arrival* counts from the moment the last sample that the frame needs (the sound up
    to the frame's end) was received by this observer until the reaction was.
    """

    def __init__(
        self, bundle: Bundle, robots: Mapping[str, str], watched: Sequence[str] = ()
    ) -> None:
        arguments = {
            "video": str(demo_video()),
            "bundle": str(bundle.path),
            "robots": ",".join(f"{name}:{profile}" for name, profile in robots.items()),
        }
        self.launcher = Launcher(
            process_list(BringupOptions.from_text(arguments)), output=sys.stderr
        )
        self.seen: dict[str, Seen] = defaultdict(Seen)
        self._context = Context()
        self._chunks: dict[int, int] = {}
        self._watched = tuple(watched) or tuple(robots)

    def __enter__(self) -> ObservedGraph:
        rclpy.init(context=self._context)
        self.node = Node("bench_observer", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.node.create_subscription(AudioChunk, "audio", self._hear, AUDIO_IN)
        for robot in self._watched:
            self.node.create_subscription(FacialReaction, f"{robot}/reaction", self._see, REACTION)
        self.started = time.monotonic()
        self.launcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.launcher.stop()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Spin for `seconds`, or until a condition holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            self._executor.spin_once(timeout_sec=0.1)

    def wait_for_reactions(self, limit: float = 60.0) -> float:
        """Seconds from the start of the processes to the first reaction of every watched robot."""
        self.watch(limit, lambda: all(self.seen[robot].frames for robot in self._watched))
        if not all(self.seen[robot].frames for robot in self._watched):
            raise RuntimeError(f"no reactions of {', '.join(self._watched)} within {limit} s")
        return time.monotonic() - self.started

    def process(self, name: str) -> psutil.Process:
        """A process of the graph, to ask for its memory and processor time."""
        pid = self.launcher.pid(name)
        if pid is None:
            raise RuntimeError(f"{name} is not running")
        return psutil.Process(pid)

    def _hear(self, message: AudioChunk) -> None:
        """Note when the sound up to a moment had arrived."""
        width = message.channels * (2 if message.encoding == AudioChunk.INT16 else 4)
        length = len(message.data) // width * _NS // message.sample_rate
        self._chunks[nanoseconds(message.header.stamp) + length] = time.time_ns()
        while len(self._chunks) > _KEPT_CHUNKS:
            del self._chunks[next(iter(self._chunks))]

    def _see(self, message: FacialReaction) -> None:
        now = time.time_ns()
        seen = self.seen[message.robot]
        seen.frames.append(message.frame)
        seen.from_stamp_ms.append(message.latency * 1e3)
        needed = nanoseconds(message.header.stamp) + FRAME_NS
        # A millisecond of tolerance: stamps are rounded where sample periods are no whole ns.
        arrivals = [time_ for end, time_ in self._chunks.items() if end >= needed - 1_000_000]
        if arrivals:
            seen.from_arrival_ms.append((now - min(arrivals)) / 1e6)
