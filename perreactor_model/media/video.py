"""Reading any video file with its sound, in the order in which things happen.

`read_media` yields `PictureFrame` and `SoundBlock` records in the order in which a camera and a
microphone would have sent them: a block of sound is complete with its last sample. Stamps are
integer nanoseconds from the start of the file, the same zero for picture and sound, so both stay in
step. Pictures and sound are demuxed separately: the memory held does not depend on how a file
interleaves them. Frames keep their own presentation times (variable frame rate included) unless a
constant `frame_rate` is asked for.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SECOND_NS = 1_000_000_000
_TIME_BASE = Fraction(1, av.time_base)
_SOUND_GAP_NS = 20_000_000
"""A jump in the sound's stamps above this is a gap; below it, rounding of the container."""


class VideoError(ValueError):
    """A file that cannot be read as video, or an option that does not fit it."""


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds. `frame_rate` is the average one; 0 where there is no such stream."""

    width: int
    height: int
    frame_rate: float
    audio_rate: int
    duration: float

    @property
    def has_pictures(self) -> bool:
        return self.width > 0

    @property
    def has_sound(self) -> bool:
        return self.audio_rate > 0


@dataclass(frozen=True)
class PictureFrame:
    """One picture: RGB uint8 (height, width, 3), shown from `stamp_ns` on."""

    stamp_ns: int
    image: np.ndarray

    @property
    def complete_ns(self) -> int:
        """When a camera could send it."""
        return self.stamp_ns


@dataclass(frozen=True)
class SoundBlock:
    """Consecutive samples, float32 mono in [-1, 1]; `stamp_ns` is that of the first one."""

    stamp_ns: int
    samples: np.ndarray
    rate: int

    @property
    def complete_ns(self) -> int:
        """When a microphone could send it: with its last sample."""
        return self.stamp_ns + len(self.samples) * SECOND_NS // self.rate


def probe(path: str | Path) -> MediaInfo:
    """Size (upright), rates and length of a file; decodes one picture at most.

    Raises VideoError for what is not a readable file.
    """
    with _open(path) as container:
        width = height = 0
        frame_rate = 0.0
        video, sound = _first(container.streams.video), _first(container.streams.audio)
        if video is not None:
            width, height = video.width, video.height
            if _rotation_of(path) % 180:
                width, height = height, width
            frame_rate = float(video.average_rate or video.guessed_rate or 0)
        audio_rate = sound.rate if sound is not None else 0
        duration = float((container.duration or 0) * _TIME_BASE)
    return MediaInfo(width, height, frame_rate, audio_rate, duration)


def read_media(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    audio_rate: int | None = None,
    block_ms: int = 20,
) -> Iterator[PictureFrame | SoundBlock]:
    """Pictures and sound of a file in the order of `complete_ns`.

    `size` is (width, height) of the pictures given out, `frame_rate` puts them on a constant grid
    (each grid point shows the picture that was on screen then), `audio_rate` resamples the sound.
    Raises VideoError for a file without pictures and sound; damaged packets are skipped.
    """
    info = probe(path)
    if not info.has_pictures and not info.has_sound:
        raise VideoError(f"{path} holds neither pictures nor sound")
    parts: list[Iterator[PictureFrame | SoundBlock]] = []
    if info.has_sound:
        parts.append(read_sound(path, rate=audio_rate, block_ms=block_ms))
    if info.has_pictures:
        parts.append(read_pictures(path, size=size, frame_rate=frame_rate))
    return heapq.merge(*parts, key=lambda item: item.complete_ns)


def read_pictures(
    path: str | Path, *, size: tuple[int, int] | None = None, frame_rate: float | None = None
) -> Iterator[PictureFrame]:
    """The pictures of a file, upright, in stamp order (see `read_media`)."""
    if size is not None and min(size) < 2:
        raise VideoError(f"size must be at least 2x2 pixels, not {size[0]}x{size[1]}")
    if frame_rate is not None and frame_rate <= 0:
        raise VideoError(f"frame_rate must be above 0, not {frame_rate}")
    frames = _timed_frames(path)
    if frame_rate is not None:
        frames = _on_constant_grid(frames, frame_rate)
    for stamp_ns, frame in frames:
        yield PictureFrame(stamp_ns, _upright_rgb(frame, size))


def read_sound(
    path: str | Path, *, rate: int | None = None, block_ms: int = 20
) -> Iterator[SoundBlock]:
    """The sound of a file as mono blocks of `block_ms`; the last one may be shorter."""
    if block_ms < 1:
        raise VideoError(f"block_ms must be at least 1, not {block_ms}")
    if rate is not None and rate < 1000:
        raise VideoError(f"the sound's rate must be at least 1000 Hz, not {rate}")
    with _open(path) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        rate = rate or stream.rate
        block = max(1, rate * block_ms // 1000)
        start = _start_seconds(container)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        pending = np.zeros(0, np.float32)
        pending_start_ns = 0
        for stamp_ns, samples in _resampled(container, stream, resampler, start):
            expected = pending_start_ns + len(pending) * SECOND_NS // rate
            if len(pending) and abs(stamp_ns - expected) > _SOUND_GAP_NS:
                yield SoundBlock(pending_start_ns, pending, rate)
                pending = np.zeros(0, np.float32)
            if not len(pending):
                # A rounding error of the container must not become jitter between blocks.
                small = abs(stamp_ns - pending_start_ns) <= _SOUND_GAP_NS
                pending_start_ns = pending_start_ns if small and stamp_ns else stamp_ns
            pending = np.concatenate([pending, samples])
            origin_ns, taken = pending_start_ns, 0
            while len(pending) - taken >= block:
                stamp = origin_ns + taken * SECOND_NS // rate
                yield SoundBlock(stamp, pending[taken : taken + block].copy(), rate)
                taken += block
            pending = pending[taken:]
            pending_start_ns = origin_ns + taken * SECOND_NS // rate
        if len(pending):
            yield SoundBlock(pending_start_ns, pending, rate)


def _open(path: str | Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), metadata_errors="ignore")
    except FileNotFoundError as error:
        raise VideoError(f"there is no video file at {path}") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path} cannot be read as video: {error}") from error


def _first(streams):  # type: ignore[no-untyped-def]
    """The first stream; None where there is none, or of a codec that nobody knows."""
    return streams[0] if streams and streams[0].codec_context is not None else None


def _start_seconds(container: av.container.InputContainer) -> Fraction:
    """Where the file's own time begins: some containers do not start at zero."""
    return (container.start_time or 0) * _TIME_BASE


def _decoded(container: av.container.InputContainer, stream) -> Iterator:  # type: ignore[no-untyped-def]
    """Frames of one stream; a damaged packet costs its own frames only."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _timed_frames(path: str | Path) -> Iterator[tuple[int, av.VideoFrame]]:
    """(stamp in ns, frame) with strictly rising stamps."""
    with _open(path) as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        start = _start_seconds(container)
        step = Fraction(1, 1) / (stream.average_rate or stream.guessed_rate or 25)
        last = None
        for frame in _decoded(container, stream):
            if frame.pts is not None:
                seconds = frame.pts * frame.time_base - start
            else:
                seconds = Fraction(0) if last is None else last + step
            if last is not None and seconds <= last:
                continue
            last = seconds
            if seconds >= 0:
                yield round(seconds * SECOND_NS), frame


def _on_constant_grid(
    frames: Iterator[tuple[int, av.VideoFrame]], frame_rate: float
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Each grid point k / frame_rate with the frame that is on screen at that time."""
    rate = Fraction(frame_rate).limit_denominator(1001)
    index, shown, gap_ns = 0, None, round(SECOND_NS / rate)
    last_ns = 0
    for stamp_ns, frame in frames:
        if shown is None:
            index = int(-(-stamp_ns * rate // SECOND_NS))
        else:
            gap_ns = stamp_ns - last_ns
        while shown is not None and (grid := round(index / rate * SECOND_NS)) < stamp_ns:
            yield grid, shown
            index += 1
        shown, last_ns = frame, stamp_ns
    while shown is not None and (grid := round(index / rate * SECOND_NS)) < last_ns + gap_ns:
        yield grid, shown
        index += 1


def _upright_rgb(frame: av.VideoFrame, size: tuple[int, int] | None) -> np.ndarray:
    turns = round(frame.rotation / 90) % 4
    width, height = size or (None, None)
    if turns % 2:
        width, height = height, width
    image = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _rotation_of(path: str | Path) -> int:
    for _, frame in _timed_frames(path):
        return int(frame.rotation)
    return 0


def _resampled(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    resampler: av.AudioResampler,
    start: Fraction,
) -> Iterator[tuple[int, np.ndarray]]:
    """(stamp in ns, mono samples), with what lies before the file's start cut away."""
    for frame in _decoded(container, stream):
        for out in resampler.resample(frame):
            yield from _cut_before_start(out, start)
    for out in resampler.resample(None):
        yield from _cut_before_start(out, start)


def _cut_before_start(frame: av.AudioFrame, start: Fraction) -> Iterator[tuple[int, np.ndarray]]:
    samples = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
    seconds = (frame.pts or 0) * (frame.time_base or Fraction(1, frame.sample_rate)) - start
    if seconds < 0:
        samples = samples[int(-seconds * frame.sample_rate) :]
        seconds = Fraction(0)
    if len(samples):
        yield round(seconds * SECOND_NS), samples
