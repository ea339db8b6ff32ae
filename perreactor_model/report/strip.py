"""The video of a report: the speaker and every robot's face side by side, with the sound.

Pictures and sound stream through; nothing is held but the newest picture. Times are those of the
recording, so what is seen together belongs together: the reaction that answers a frame of the
speaker stands beside that frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.contract import COEFFICIENT_COUNT, FRAME_NS, FRAME_RATE
from perreactor_model.media.face_panels import SPEAKER_WIDTH, Panel, compose
from perreactor_model.media.playback import Prefetched
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.view_timeline import STALE_NS
from perreactor_model.report.contents import ReactionTrack, RealTrack, ReportContents, StripMaterial

if TYPE_CHECKING:
    from perreactor_model.media.video import SoundBlock

MOST_FACES = 8

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""What the sound of an mp4 may have."""

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Strip:
    """A video that was written."""

    path: Path
    seconds: float
    has_pictures: bool
    has_sound: bool
    faces: int
    poster: np.ndarray
    """RGB uint8 (H, W, 3): its middle."""


def write_strip(
    path: Path,
    contents: ReportContents,
    tracks: Sequence[ReactionTrack],
    begin_ns: int,
    end_ns: int,
    quality: int = 28,
) -> Strip | None:
    """Write the stretch `begin_ns`..`end_ns` as mp4; None where there is nothing to see.

    `tracks` is one track a robot. Raises VideoError where this machine cannot write mp4, and what
    the material raises.
    """
    material = contents.strip or StripMaterial()
    drawing = _Drawing(contents, tracks, begin_ns, end_ns)
    sound = _Sound(material.sound(begin_ns, end_ns) if material.sound else (), begin_ns)
    # Drawn in a thread of its own while the frame before is being encoded.
    images = Prefetched(drawing.images(), ahead=8)
    try:
        poster = _encode(path, images, sound, quality, drawing.count)
    finally:
        images.close()
    if poster is None:
        return None
    seconds, faces = drawing.count / FRAME_RATE, len(drawing.faces)
    return Strip(path, seconds, drawing.has_pictures, sound.rate > 0, faces, poster)


def _encode(
    path: Path, images: Prefetched[np.ndarray], sound: _Sound, quality: int, count: int
) -> np.ndarray | None:
    """Write all the images with their sound; the middle one comes back."""
    image = images.take()
    if image is None:
        return None
    poster, index = image, 0
    height, width = image.shape[:2]
    with VideoWriter(
        path, width, height, FRAME_RATE, audio_rate=sound.rate, quality=quality, fragmented=False
    ) as writer:
        while image is not None:
            # Sound first: the muxer holds pictures back for as long as sound is missing.
            sound.write(writer, (index + 1) / FRAME_RATE)
            writer.write(image)
            poster = image if index == count // 2 else poster
            image, index = images.take(), index + 1
    return poster


class _Drawing:
    """The images of the video one after the other, with what is in them."""

    def __init__(
        self,
        contents: ReportContents,
        tracks: Sequence[ReactionTrack],
        begin_ns: int,
        end_ns: int,
    ) -> None:
        self._pictures = contents.strip.pictures if contents.strip else None
        self._begin_ns, self._end_ns = begin_ns, end_ns
        self._caption = "untrained weights" if contents.bundle.trained is False else ""
        self.count = max(1, round((end_ns - begin_ns) / FRAME_NS))
        self.has_pictures = False
        self.faces: list[_Face] = [_Face(track) for track in tracks[:MOST_FACES]]
        if contents.real is not None and len(contents.real.stamp_ns):
            self.faces.append(_RealFace(contents.real))

    def images(self) -> Iterator[np.ndarray]:
        """RGB uint8, `count` of them, or none where there is nothing to see.

        All of it runs in one thread: the material may stand on a database that insists on that.
        """
        begin_ns, end_ns = self._begin_ns, self._end_ns
        pictures = _Pictures(self._pictures(begin_ns, end_ns) if self._pictures else ())
        self.has_pictures = pictures.any
        if not self.faces and not pictures.any:
            return
        for index in range(self.count):
            now_ns = begin_ns + index * FRAME_NS
            panels = [face.panel(now_ns) for face in self.faces]
            image = compose(pictures.at(now_ns), panels, self._caption)
            yield image if pictures.any else image[:, SPEAKER_WIDTH:]


class _Face:
    """What one robot shows at a time: its newest reaction, until it has been silent too long."""

    def __init__(self, track: ReactionTrack) -> None:
        self._robot, self._profile = track.robot, track.profile
        self._order = np.argsort(track.stamp_ns, kind="stable")
        self._stamps = track.stamp_ns[self._order]
        self._attributes, self._coefficients = track.attributes, track.coefficients

    def panel(self, now_ns: int) -> Panel:
        place = int(np.searchsorted(self._stamps, now_ns + FRAME_NS // 2, "right")) - 1
        if place < 0 or now_ns - self._stamps[place] > STALE_NS:
            return Panel(self._robot, self._profile)
        row = self._order[place]
        return Panel(self._robot, self._profile, self._attributes[row], self._coefficients[row])


class _RealFace(_Face):
    """The real listener beside them; the head's pose is not known."""

    def __init__(self, real: RealTrack) -> None:
        still = np.broadcast_to(np.zeros(1, np.float32), (len(real.stamp_ns), COEFFICIENT_COUNT))
        count = len(real.stamp_ns)
        super().__init__(
            ReactionTrack(
                robot="real listener",
                profile="recorded",
                sample=0,
                stamp_ns=real.stamp_ns,
                attributes=real.attributes,
                coefficients=still,
                epoch=np.zeros(count, np.int64),
                confidence=np.ones(count, np.float32),
            )
        )


class _Pictures:
    """The speaker's picture at rising times, out of a stream."""

    def __init__(self, stream: object) -> None:
        self._stream: Iterator[tuple[int, np.ndarray]] = iter(stream)  # type: ignore[call-overload]
        self._shown: np.ndarray | None = None
        self._next = next(self._stream, None)
        self.any = self._next is not None

    def at(self, now_ns: int) -> np.ndarray | None:
        while self._next is not None and self._next[0] <= now_ns + FRAME_NS // 2:
            self._shown = self._next[1]
            self._next = next(self._stream, None)
        return self._shown


class _Sound:
    """The sound up to rising times, out of a stream; gaps become silence."""

    def __init__(self, stream: object, begin_ns: int) -> None:
        blocks: Iterator[SoundBlock] = iter(stream)  # type: ignore[call-overload]
        first = next(blocks, None)
        self._blocks = blocks if first is None else chain([first], blocks)
        self._begin_ns = begin_ns
        self._source_rate = first.rate if first else 0
        self.rate = min(_AAC_RATES, key=lambda rate: (abs(rate - self._source_rate), rate))
        if first is None:
            self.rate = 0
        self._next = next(self._blocks, None)
        self._end = 0

    def write(self, writer: VideoWriter, until_s: float) -> None:
        """All that begins before `until_s`, then silence up to there."""
        if not self.rate:
            return
        until_ns = self._begin_ns + round(until_s * SECOND_NS)
        until = round(until_s * self.rate)
        while self._next is not None and self._next.stamp_ns < until_ns:
            self._put(writer, self._next)
            self._next = next(self._blocks, None)
        if self._end < until:
            writer.write_sound(np.zeros(until - self._end, np.float32))
            self._end = until

    def _put(self, writer: VideoWriter, block: SoundBlock) -> None:
        position = round((block.stamp_ns - self._begin_ns) * self.rate / SECOND_NS)
        samples = _at_rate(block.samples, block.rate, self.rate)
        # Rounded stamps must not leave clicks between blocks that follow one another.
        if abs(position - self._end) < 0.02 * self.rate:
            position = self._end
        if position < self._end:
            samples = samples[self._end - position :]
            position = self._end
        if len(samples):
            writer.write_sound(samples, position)
            self._end = position + len(samples)


def _at_rate(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    if rate == target:
        return samples
    count = round(len(samples) * target / rate)
    places = (np.arange(count) + 0.5) * rate / target - 0.5
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
