"""A recording as an endless or single stream, decoded ahead of time in a thread of its own."""

import heapq
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from perreactor_model.media.video import (
    SECOND_NS,
    PictureFrame,
    SoundBlock,
    VideoError,
    probe,
    read_pictures,
    read_sound,
)

Item = TypeVar("Item")


@dataclass(frozen=True)
class PlaybackSettings:
    """What to play and how; None for `size` (width, height) or a rate: as it was filmed."""

    path: Path
    loop: bool = False
    size: tuple[int, int] | None = None
    frame_rate: float | None = None
    audio_rate: int | None = None
    block_ms: int = 20

    def __post_init__(self) -> None:
        info = probe(self.path)
        if not info.has_pictures and not info.has_sound:
            raise VideoError(f"{self.path} holds neither pictures nor sound")


def play(settings: PlaybackSettings) -> Iterator[PictureFrame | SoundBlock]:
    """The recording, again and again where it loops. Stamps go on rising from round to round.

    Where there are pictures, a round is as long as they are shown: their rhythm goes on over the
    seam. Sound that is longer is cut there, sound that is shorter leaves silence.
    """
    info = probe(settings.path)
    offset_ns = 0
    while True:
        clock = _RoundClock()
        parts: list[Iterator[PictureFrame | SoundBlock]] = []
        if info.has_sound:
            path, rate, block_ms = settings.path, settings.audio_rate, settings.block_ms
            parts.append(clock.sound(read_sound(path, rate=rate, block_ms=block_ms)))
        if info.has_pictures:
            size, frame_rate = settings.size, settings.frame_rate
            parts.append(
                clock.pictures(read_pictures(settings.path, size=size, frame_rate=frame_rate))
            )
        for item in heapq.merge(*parts, key=lambda item: item.complete_ns):
            if not (settings.loop and clock.is_past_end(item)):
                yield replace(item, stamp_ns=item.stamp_ns + offset_ns)
        if not settings.loop or clock.length_ns == 0:
            return
        offset_ns += clock.length_ns


class _RoundClock:
    """How long one round of a recording lasts, learnt while it is played."""

    def __init__(self) -> None:
        self._picture_ns: int | None = None
        self._pictures_over = False
        self._gap_ns = SECOND_NS // 25
        self._sound_ns = 0

    def pictures(self, pictures: Iterator[PictureFrame]) -> Iterator[PictureFrame]:
        """Pass pictures on and note their times."""
        for picture in pictures:
            if self._picture_ns is not None:
                self._gap_ns = picture.stamp_ns - self._picture_ns
            self._picture_ns = picture.stamp_ns
            yield picture
        self._pictures_over = self._picture_ns is not None

    def sound(self, blocks: Iterator[SoundBlock]) -> Iterator[SoundBlock]:
        """Pass sound on and note its times."""
        for block in blocks:
            self._sound_ns = block.complete_ns
            yield block

    @property
    def length_ns(self) -> int:
        return self._sound_ns if self._picture_ns is None else self._picture_ns + self._gap_ns

    def is_past_end(self, item: PictureFrame | SoundBlock) -> bool:
        """Whether this is sound that goes on after the last picture has been shown."""
        return self._pictures_over and item.complete_ns > self.length_ns


class Prefetched(Generic[Item]):
    """Runs an iterator in its own thread, at most `ahead` items ahead of who takes them.

    What the iterator raises is raised again by `take`.
    """

    _END = object()

    def __init__(self, items: Iterator[Item], ahead: int = 32) -> None:
        self._items = items
        self._queue: queue.Queue = queue.Queue(maxsize=ahead)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        self._thread.start()

    def take(self) -> Item | None:
        """The next item, waiting for it if need be; None after the last one or after `close`."""
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if item is not self._END:
                return item
            self._stop.set()
        if self._error is not None:
            raise self._error
        return None

    def close(self) -> None:
        """Stop decoding and wait for the thread to end."""
        self._stop.set()
        while True:  # make room for a decoder that waits for it
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._thread.join(10.0)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except Exception as error:
            self._error = error
        finally:
            self._items = iter(())  # files are closed here, not by whoever drops the last reference
        self._put(self._END)

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False
