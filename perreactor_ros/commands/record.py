"""`perreactor record`: record the topics of a running graph into a bag, without rosbag2.

Exit status: 0 once something was recorded, however it was stopped; 1 where nothing was, or the bag
could not be written to its end; 2 where it could not be begun.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from perreactor_ros.bringup.launcher import stop_signals

if TYPE_CHECKING:
    from perreactor_ros.recorder_node import RecorderNode
    from perreactor_ros.recording import Recording

STORAGES = ("mcap", "sqlite3")

_LOOK_SECONDS = 0.25
_SPIN_SECONDS = 0.1
_PROGRESS_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
"""Without a message for so long from the beginning, say what is waited for."""

_DESCRIPTION = """\
Records the topics of a running graph into a bag, until Ctrl-C: camera, microphone, encoded speaker
behaviour, reactions, states, facial action units, robot_speaking and diagnostics, as they appear.
"""

_PRIVACY = """\
What --private still holds: speaker/behaviour has a row of numbers (a token) 25 times a second and,
where an analyzer knows them, the speaker's facial attributes, with the speaker's id. Reactions may
have been measured on a person too. That is no picture and no sound, but it tells how a person
behaved: treat it as such.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _PRIVACY
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write; must not exist")
    parser.add_argument("--topics", default="", help="record only these, whatever their type: a,b")
    parser.add_argument("--exclude", default="", help="leave these out: a,b")
    parser.add_argument(
        "--private",
        action="store_true",
        help="keep SpeakerBehaviour, FacialReaction and ReactorState only: no face and no voice",
    )
    parser.add_argument(
        "--seconds", type=float, help="stop by itself so long after the first message"
    )
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="(default: mcap)")
    parser.add_argument("--namespace", default="/", help="record what is below it (default: all)")
    parser.add_argument(
        "--use-sim-time", action="store_true", help="the bag's time is that of /clock"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the summary as one object on stdout"
    )


def run(arguments: argparse.Namespace) -> int:
    """Record until told to stop. Raises ValueError and OSError for what the user can put right."""
    from perreactor_ros.recorder_node import RecordError

    if importlib.util.find_spec("rosbags") is None:
        raise RecordError(
            "record needs rosbags, which is not installed: `pip install 'perreactor[evaluation]'`, "
            "or `make setup` in a checkout"
        )
    if arguments.seconds is not None and not arguments.seconds > 0:
        raise RecordError(f"--seconds is {arguments.seconds}: give a time above 0")
    from perreactor_ros.recording import Recording

    console = _Console(sys.stderr if arguments.json else sys.stdout)
    recording = Recording(arguments.out, arguments.storage, console.note)
    with _stopping() as stopped, _node(arguments, recording, console) as node:
        with recording:
            until = "" if arguments.seconds is None else f" or for {arguments.seconds:g} s"
            console.tell(f"Recording into {arguments.out}, until Ctrl-C{until}.")
            seconds = _record(node, recording, console, stopped, arguments.seconds)
        return _conclude(arguments, node, recording, console, seconds)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that is set by whatever is to end the recording."""
    stopped = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in stop_signals()
    }
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _node(
    arguments: argparse.Namespace, recording: Recording, console: _Console
) -> Iterator[RecorderNode]:
    import rclpy
    from rclpy.context import Context

    from perreactor_ros.recorder_node import RecorderNode

    context = Context()
    rclpy.init(args=[], context=context)
    try:
        node = RecorderNode(
            recording,
            console.found,
            console.note,
            topics=_names(arguments.topics),
            excluded=_names(arguments.exclude),
            namespace=arguments.namespace,
            private=arguments.private,
            use_sim_time=arguments.use_sim_time,
            context=context,
        )
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        context.try_shutdown()


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _record(
    node: RecorderNode,
    recording: Recording,
    console: _Console,
    stopped: threading.Event,
    limit: float | None,
) -> float:
    """Receive until stopped, or the bag cannot be written; returns for how many seconds.

    The seconds count from the first message, for discovery takes a while; where none comes, from
    the beginning, and a little longer.
    """
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    counted = look = shown = time.monotonic()
    heard = False
    waiting = counted + _PATIENCE_SECONDS
    try:
        while not stopped.is_set() and recording.failure is None:
            now = time.monotonic()
            if not heard and recording.messages:
                heard, counted = True, now
            grace = 0.0 if heard else _PATIENCE_SECONDS
            if limit is not None and now - counted >= limit + grace:
                break
            if not heard and now >= waiting:
                console.tell(f"Still waiting: looking for {node.selection.describe()}.")
                waiting = math.inf
            if now >= look:
                node.look()
                look = time.monotonic() + _LOOK_SECONDS
            if now >= shown:
                console.progress(now - counted, recording)
                shown = now + _PROGRESS_SECONDS
            executor.spin_once(timeout_sec=_SPIN_SECONDS)
    finally:
        executor.shutdown(timeout_sec=0)
    return time.monotonic() - counted


def _conclude(
    arguments: argparse.Namespace,
    node: RecorderNode,
    recording: Recording,
    console: _Console,
    seconds: float,
) -> int:
    """Say what became of it; returns the exit status."""
    recorded = {name: each for name, each in sorted(recording.topics.items()) if each.messages}
    for name in node.missing:
        console.note(f"{name} was asked for and is not recorded: it did not appear")
    for name, topic in sorted(recording.topics.items()):
        width = max(map(len, recording.topics))
        dropped = recording.dropped(name)
        console.tell(
            f"  {name:<{width}}  {topic.messages:>8} messages {topic.size / 1e6:>9.2f} MB"
            + (f"  {dropped} dropped" if dropped else "")
        )
    status = 0
    if recording.failure is not None:
        console.error(
            f"{recording.path} could not be written to its end ({recording.failure}); what is "
            "there can be read"
        )
        status = 1
    elif not recorded:
        silent = ", ".join(sorted(recording.topics))
        found = f"no message came on {silent}" if silent else "none appeared"
        console.error(
            f"nothing was recorded, and there is no bag: looked {seconds:.0f} s for "
            f"{node.selection.describe()}; {found}"
        )
        status = 1
    else:
        console.tell(
            f"{recording.messages} messages ({recording.size / 1e6:.1f} MB) of "
            f"{len(recorded)} topics in {seconds:.1f} s: {recording.path}"
        )
    if arguments.json:
        console.result(_summary(recording, node, console, seconds))
    return status


def _summary(
    recording: Recording, node: RecorderNode, console: _Console, seconds: float
) -> dict[str, object]:
    return {
        "bag": str(recording.path) if recording.messages else None,
        "seconds": round(seconds, 3),
        "messages": recording.messages,
        "bytes": recording.size,
        "dropped": recording.all_dropped,
        "topics": {
            name: {
                "type": topic.type,
                "messages": topic.messages,
                "bytes": topic.size,
                "dropped": recording.dropped(name),
            }
            for name, topic in sorted(recording.topics.items())
        },
        "missing": node.missing,
        "troubles": console.troubles,
    }


class _Console:
    """Facts go to `stream`, the rest to the error output; a closed terminal stops nothing."""

    def __init__(self, stream: TextIO) -> None:
        self.troubles: list[str] = []
        self._stream = stream
        self._progress = sys.stderr.isatty()
        self._shown = False
        self._lock = threading.Lock()

    def tell(self, line: str) -> None:
        """A line for people."""
        self._print(line, self._stream)

    def found(self, topic: str, type_name: str) -> None:
        """A topic is recorded from now on."""
        self._print(f"recording {topic} ({type_name})", sys.stderr)

    def note(self, sentence: str) -> None:
        """Something that is not as it might be."""
        self.troubles.append(sentence)
        self._print(f"perreactor: note: {sentence}", sys.stderr)

    def error(self, sentence: str) -> None:
        """Why the exit status is not 0."""
        self.troubles.append(sentence)
        self._print(f"perreactor: error: {sentence}", sys.stderr)

    def result(self, summary: dict[str, object]) -> None:
        """The summary for programs."""
        self._print(json.dumps(summary), sys.stdout)

    def progress(self, seconds: float, recording: Recording) -> None:
        """Rewrite the line that says how far it is, if someone looks."""
        if not self._progress:
            return
        minutes, rest = divmod(int(seconds), 60)
        line = (
            f"{minutes:02d}:{rest:02d}  {len(recording.topics)} topics  "
            f"{recording.messages} messages  {recording.size / 1e6:.1f} MB  "
            f"{recording.all_dropped} dropped"
        )
        with self._lock:
            self._write(f"\r\x1b[K{line}", sys.stderr)
            self._shown = True

    def _print(self, line: str, stream: TextIO) -> None:
        with self._lock:
            if self._shown:
                self._write("\r\x1b[K", sys.stderr)
                self._shown = False
            self._write(f"{line}\n", stream)

    def _write(self, text: str, stream: TextIO) -> None:
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            pass  # whoever read us is gone; the bag is still to be written to its end
