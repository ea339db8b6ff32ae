"""One replay: a bag through the pipeline, its reactions into another bag, and what was counted."""

from __future__ import annotations

import logging
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.report.contents import ReactionTrack, RealTrack, SpeakerTrack
from perreactor_ros.replay.pipeline import Pipeline, RobotSpec, Said
from perreactor_ros.replay.serialised import reaction_bytes
from perreactor_ros.replay.settings import NodeSettings
from perreactor_ros.replay.topics import REACTION, Sources
from perreactor_ros.replay.tracks import ReactionRows, RealRows, SpeakerRows

if TYPE_CHECKING:
    from perreactor_ros.bags.reader import BagMessage, BagReader
    from perreactor_ros.bags.writer import BagWriter

_MOST_SENTENCES = 100


@dataclass(frozen=True)
class Plan:
    """What is replayed: which topics, through which bundle, for which robots and how."""

    bundle: Bundle
    robots: Sequence[RobotSpec]
    samples: int
    sources: Sources
    settings: NodeSettings


@dataclass(frozen=True)
class Outcome:
    """What a replay gave. Times in ns of the bag; `compute_s` is how long it took."""

    reactions: list[ReactionTrack]
    speaker: SpeakerTrack | None
    real: RealTrack | None
    counters: dict[str, int]
    troubles: list[str]
    begin_ns: int
    end_ns: int
    compute_s: float
    stopped: bool
    """The user stopped it: everything ends at `end_ns`, before the bag does."""

    @property
    def duration_s(self) -> float:
        """Seconds of the recording that were replayed."""
        return (self.end_ns - self.begin_ns) / 1e9


class Sentences:
    """What nodes and readers had to say, each sentence once; takes the place of a node's log."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def info(self, message: str) -> None:
        """Of no interest offline."""

    def warning(self, message: str) -> None:
        """Keep a sentence."""
        if message in self._counts or len(self._counts) < _MOST_SENTENCES:
            self._counts[message] += 1

    error = warning

    def said(self) -> list[str]:
        """All of them, with how often where it was more than once."""
        return [
            text if times == 1 else f"{text} ({times} times)"
            for text, times in self._counts.items()
        ]


class _ModelLog(logging.Handler):
    """Passes on what the model side warns of."""

    def __init__(self, sentences: Sentences) -> None:
        super().__init__(logging.WARNING)
        self._sentences = sentences

    def emit(self, record: logging.LogRecord) -> None:
        self._sentences.warning(record.getMessage())


@contextmanager
def _model_log(sentences: Sentences) -> Iterator[None]:
    log, handler = logging.getLogger("perreactor_model"), _ModelLog(sentences)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def replay(
    reader: BagReader,
    plan: Plan,
    writer: BagWriter,
    progress: Callable[[int], None] = lambda time_ns: None,
    scratch: Path | None = None,
) -> Outcome:
    """Run a bag through the pipeline; `progress` is told the bag's time now and then.

    Tracks are kept in nameless files in the folder `scratch` (None: the system's for such).

    Ctrl-C ends it after the message at hand; a second one raises KeyboardInterrupt. Raises what
    `Pipeline` does.
    """
    return _Session(reader, plan, writer, scratch).run(progress)


class _Session:
    def __init__(
        self, reader: BagReader, plan: Plan, writer: BagWriter, scratch: Path | None
    ) -> None:
        self._reader = reader
        self._plan = plan
        self._writer = writer
        self._log, self._reactors_log = Sentences(), Sentences()
        self._unreadable: Counter[str] = Counter()
        self._speaker = SpeakerRows(scratch)
        self._real = RealRows(", ".join(plan.sources.real), scratch)
        self._reactions = {
            (robot.name, sample): ReactionRows(robot.name, robot.profile, sample, scratch)
            for robot in plan.robots
            for sample in range(plan.samples)
        }
        self._pipeline = Pipeline(
            plan.bundle,
            plan.robots,
            plan.samples,
            plan.sources,
            plan.settings,
            (self._log, self._reactors_log),
            self._speaker.add,
            self._say,
        )

    def run(self, progress: Callable[[int], None]) -> Outcome:
        began = time.monotonic()
        times: list[int] = []
        kinds = self._plan.sources.kinds
        real = set(self._plan.sources.real)
        with _model_log(self._log), _stop_on_interrupt() as stop:
            try:
                for message in self._reader.messages([*kinds, *sorted(real - kinds.keys())]):
                    if stop:
                        break
                    times = [times[0] if times else message.time_ns, message.time_ns]
                    progress(message.time_ns)
                    self._take(message, kinds.get(message.topic), message.topic in real)
                if not stop:
                    self._pipeline.finish()
            finally:
                self._pipeline.close()
            return self._outcome(times or [0, 0], time.monotonic() - began, bool(stop))

    def _take(self, message: BagMessage, kind: str | None, real: bool) -> None:
        content = self._read(message)
        if content is None:
            return
        if real:
            self._real.add(content, message.time_ns)
        if kind is not None:
            self._pipeline.deliver(kind, content, message.time_ns)

    def _read(self, message: BagMessage) -> Any | None:
        try:
            return message.read()
        except ValueError as error:
            self._unreadable[message.topic] += 1
            if self._unreadable[message.topic] == 1:
                self._log.warning(str(error))
            return None

    def _say(self, said: Said) -> None:
        self._reactions[said.robot.name, said.sample].add(said.message)
        self._writer.write(said.topic, REACTION, reaction_bytes(said.message), said.time_ns)

    def _outcome(self, times: list[int], seconds: float, stopped: bool) -> Outcome:
        counters = self._pipeline.counters
        counters["messages_unreadable"] = sum(self._unreadable.values())
        real = self._real.track() if self._plan.sources.real else None
        return Outcome(
            reactions=[rows.track() for rows in self._reactions.values()],
            speaker=self._speaker.track() if self._speaker.count else None,
            real=real if real is not None and len(real.stamp_ns) else None,
            counters=counters,
            troubles=self._troubles(counters),
            begin_ns=times[0],
            end_ns=times[1],
            compute_s=seconds,
            stopped=stopped,
        )

    def _troubles(self, counters: dict[str, int]) -> list[str]:
        lost = [
            f"{topic}: {count} messages could not be read"
            for topic, count in self._unreadable.items()
        ]
        counted = [
            sentence.format(counters[name]) for name, sentence in _COUNTED if counters.get(name)
        ]
        read = [*self._reader.troubles, *self._plan.sources.notes, *lost]
        said = [*self._log.said(), *self._reactors_log.said()]
        return list(dict.fromkeys([*read, *said, *counted]))


_COUNTED = (
    ("broken_images", "{} images could not be decoded: they count as frames without a face"),
    ("messages_refused", "{} messages of camera, microphone or analyzer were refused"),
    ("behaviour_refused", "{} messages of behaviour were refused"),
    (
        "late_samples",
        "{} samples of sound came after their frame had been answered; a longer max_wait "
        "(--params-file) waits for them",
    ),
    ("dropped_frames", "{} frames were dropped, for more came at once than can be held"),
    ("clock_jumps", "the stamps jumped {} times: the conversation began anew each time"),
    ("leaps_of_the_clock", "{} pauses of all topics lasted over a minute: all began anew after"),
    ("stray_stamps", "{} messages with a stray stamp were left out"),
)


class _Stop:
    """True once Ctrl-C was pressed."""

    def __init__(self) -> None:
        self._pressed = False

    def __bool__(self) -> bool:
        return self._pressed

    def press(self, number: int, frame: Any) -> None:
        """The signal's handler; the second Ctrl-C does not wait."""
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True


@contextmanager
def _stop_on_interrupt() -> Iterator[_Stop]:
    stop = _Stop()
    try:
        before = signal.signal(signal.SIGINT, stop.press)
    except ValueError:  # not in the main thread: whoever called decides about signals
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
