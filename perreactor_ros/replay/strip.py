"""Pictures and sound of a bag for the report's video; read again when the video is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.media.video import SoundBlock
from perreactor_model.report.contents import Pictures, Sound, StripMaterial
from perreactor_model.vision.encodings import ImageError
from perreactor_ros.audio_types import AUDIO_TYPES, PcmFormat, ReceiveStamps, audio_adapter
from perreactor_ros.image_messages import compressed_image, raw_image
from perreactor_ros.messages import nanoseconds
from perreactor_ros.replay.topics import Sources

_WAY_NS = 10_000_000_000
"""A message is recorded at most so much earlier or later than its stamp says, on one clock."""


def strip_material(bag: Path, sources: Sources, assumed: PcmFormat | None) -> StripMaterial:
    """What the bag has to show of the speaker; `assumed` is as in `NodeSettings`."""
    return StripMaterial(
        pictures=None if sources.image is None else _pictures(bag, sources),
        sound=None if sources.audio is None else _sound(bag, sources, assumed),
    )


def _pictures(bag: Path, sources: Sources) -> Pictures:
    decode = compressed_image if sources.compressed else raw_image

    def pictures(begin_ns: int, end_ns: int) -> Iterator[tuple[int, np.ndarray]]:
        newest = -1
        for content, time_ns, _ in _contents(bag, [sources.image], begin_ns, end_ns):
            stamp_ns = nanoseconds(content.header.stamp) or time_ns
            if begin_ns <= stamp_ns < end_ns and stamp_ns > newest:
                newest = stamp_ns
                try:
                    yield stamp_ns, decode(content).rgb()
                except ImageError:
                    continue

    return pictures


def _sound(bag: Path, sources: Sources, assumed: PcmFormat | None) -> Sound:
    def sound(begin_ns: int, end_ns: int) -> Iterator[SoundBlock]:
        adapter = audio_adapter(sources.audio_type or AUDIO_TYPES[0], assumed)
        stamps = ReceiveStamps()
        topics = [sources.audio, sources.audio_info]
        for content, time_ns, topic in _contents(bag, topics, begin_ns, end_ns):
            try:
                if topic == sources.audio_info:
                    adapter.read_info(content)
                    continue
                heard = adapter.read(content)
            except ValueError:
                continue
            stamp_ns = stamps.stamp(heard, time_ns)
            if stamp_ns < end_ns and stamp_ns + heard.duration_ns > begin_ns:
                yield SoundBlock(stamp_ns, heard.samples.mean(axis=1), heard.rate)

    return sound


def _contents(
    bag: Path, topics: list[str | None], begin_ns: int, end_ns: int
) -> Iterator[tuple[Any, int, str]]:
    """Messages of some topics that may have a stamp in [begin, end), with time and topic."""
    from perreactor_ros.bags.reader import BagReader

    with BagReader(bag) as reader:
        one_clock = reader.start_ns - _WAY_NS <= begin_ns <= reader.end_ns + _WAY_NS
        for message in reader.messages([topic for topic in topics if topic is not None]):
            if one_clock and message.time_ns > end_ns + _WAY_NS:
                return
            # What tells a format may have come long before.
            if one_clock and message.time_ns < begin_ns - _WAY_NS and len(topics) == 1:
                continue
            try:
                yield message.read(), message.time_ns, message.topic
            except ValueError:
                continue
