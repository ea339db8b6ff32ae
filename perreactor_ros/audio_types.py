"""Microphone messages of every usual type to samples; the type is chosen by a parameter.

There are two packages called `audio_common_msgs` with incompatible types, and a workspace holds at
most one of them. So a message class is imported only when its adapter is asked for it, and what a
message holds is found by its attributes. Each adapter turns a message into `Sound` or raises
AudioError naming the format.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from perreactor_ros.sample_formats import AudioError, channels_of, coding_of, parse_pcm

NANOSECONDS = 1_000_000_000

PERREACTOR_CHUNK = "perreactor_ros/AudioChunk"
AUDIO_DATA = "audio_common_msgs/AudioData"
AUDIO_DATA_STAMPED = "audio_common_msgs/AudioDataStamped"
AUDIO_STAMPED = "audio_common_msgs/AudioStamped"

AUDIO_TYPES = (PERREACTOR_CHUNK, AUDIO_DATA, AUDIO_DATA_STAMPED, AUDIO_STAMPED)
"""Choices of the parameter: the message's ROS type, `msg` left out."""


@dataclass(frozen=True)
class Sound:
    """Samples of one message: float32 (n, channels), full scale -1..1, at `rate` Hz.

    `stamp_ns` is the time of the first sample, or None where the message carries none.
    """

    samples: np.ndarray
    rate: int
    stamp_ns: int | None

    @property
    def duration_ns(self) -> int:
        """How long it sounds."""
        return len(self.samples) * NANOSECONDS // self.rate


@dataclass(frozen=True)
class PcmFormat:
    """What ros-drivers' audio messages do not say themselves: Hz, channels, GStreamer's name."""

    rate: int
    channels: int = 1
    sample_format: str = "S16LE"


class AudioAdapter(Protocol):
    """Reads one type of message."""

    type_name: str
    info_type_name: str | None
    """Type of a second topic that tells the format, or None if the messages say it themselves."""

    def read(self, message: Any) -> Sound:
        """The samples of a message. Raises AudioError naming what cannot be read."""
        ...

    def read_info(self, message: Any) -> None:
        """Take in a message of the second topic. Raises AudioError for formats without samples."""
        ...


def audio_adapter(type_name: str, assumed: PcmFormat | None = None) -> AudioAdapter:
    """The adapter for one of AUDIO_TYPES.

    `assumed` is the format of ros-drivers' messages until an AudioInfo says otherwise. Raises
    AudioError for an unknown type.
    """
    if type_name == PERREACTOR_CHUNK:
        return ChunkAdapter()
    if type_name == AUDIO_STAMPED:
        return TypedArraysAdapter()
    if type_name in (AUDIO_DATA, AUDIO_DATA_STAMPED):
        return BytesAdapter(type_name, assumed)
    raise AudioError(
        f"unknown audio message type '{type_name}': choose one of {', '.join(AUDIO_TYPES)}"
    )


def message_class(type_name: str) -> Any:
    """Import the message class `package/Name`. Raises AudioError where it is not installed."""
    package, _, name = type_name.partition("/")
    try:
        module = importlib.import_module(f"{package}.msg")
    except ImportError as error:
        raise AudioError(
            f"{type_name} messages are not installed ({error}): install {package}, "
            f"or choose {PERREACTOR_CHUNK}"
        ) from None
    found = getattr(module, name, None)
    if found is None:
        offered = ", ".join(sorted(each for each in vars(module) if each[:1].isupper()))
        raise AudioError(
            f"the installed {package} has no message {name}, only {offered}: two packages bear "
            "this name, choose a type that the installed one has"
        )
    return found


class ChunkAdapter:
    """Our own AudioChunk: says everything itself."""

    type_name = PERREACTOR_CHUNK
    info_type_name: str | None = None
    _FORMATS = {1: "S16LE", 2: "F32LE"}

    def read(self, message: Any) -> Sound:
        name = self._FORMATS.get(message.encoding)
        if name is None:
            raise AudioError(
                f"AudioChunk has encoding {message.encoding}: send 1 (INT16) or 2 (FLOAT32)"
            )
        samples = parse_pcm(message.data, name, message.channels)
        return Sound(samples, _rate(message.sample_rate), _stamp_ns(message))

    def read_info(self, message: Any) -> None:
        raise AssertionError("AudioChunk has no second topic")


class BytesAdapter:
    """ros-drivers' AudioData and AudioDataStamped: bytes, and an AudioInfo on another topic."""

    info_type_name: str | None = "audio_common_msgs/AudioInfo"

    def __init__(self, type_name: str, assumed: PcmFormat | None = None) -> None:
        self.type_name = type_name
        self._format = assumed
        self._refusal = ""

    def read(self, message: Any) -> Sound:
        inner = getattr(message, "audio", message)
        data = getattr(inner, "data", None)
        if data is None:
            raise AudioError(
                f"{self.type_name} of the installed audio_common_msgs has no field 'data': that is "
                f"the other package of this name, choose {AUDIO_STAMPED}"
            )
        if self._refusal:
            raise AudioError(self._refusal)
        coding = coding_of(data)
        if coding is not None:
            raise AudioError(_not_decoded(coding))
        if self._format is None:
            raise AudioError(
                f"{self.type_name} does not say its format and no AudioInfo has come: publish one, "
                "or set the sampling rate by parameter"
            )
        samples = parse_pcm(data, self._format.sample_format, self._format.channels)
        return Sound(samples, self._format.rate, _stamp_ns(message))

    def read_info(self, message: Any) -> None:
        try:
            self._format, self._refusal = _told_format(message), ""
        except AudioError as error:
            self._refusal = str(error)
            raise


class TypedArraysAdapter:
    """mgonzs13's AudioStamped: arrays by sample type, with PortAudio's number of the type."""

    type_name = AUDIO_STAMPED
    info_type_name: str | None = None
    _FIELDS: dict[int, tuple[str, type, float, float]] = {
        # PortAudio's sample format: field, type, value of silence, full scale
        1: ("float32_data", np.float32, 0.0, 1.0),
        2: ("int32_data", np.int32, 0.0, 2.0**31),
        4: ("int24_data", np.int32, 0.0, 2.0**23),
        8: ("int16_data", np.int16, 0.0, 2.0**15),
        16: ("int8_data", np.int8, 0.0, 2.0**7),
        32: ("uint8_data", np.uint8, 128.0, 2.0**7),
    }

    def read(self, message: Any) -> Sound:
        audio = message.audio
        arrays = getattr(audio, "audio_data", None)
        arrays = getattr(audio, "audio", None) if arrays is None else arrays
        info = getattr(audio, "info", None)
        if arrays is None or info is None:
            raise AudioError(
                f"{AUDIO_STAMPED} of the installed audio_common_msgs has another layout: that is "
                f"the other package of this name, choose {AUDIO_DATA_STAMPED}"
            )
        layout = self._FIELDS.get(info.format)
        if layout is None:
            known = ", ".join(f"{code} ({entry[0]})" for code, entry in self._FIELDS.items())
            raise AudioError(f"PortAudio sample format {info.format} is unknown: send {known}")
        field, kind, silence, full_scale = layout
        if not hasattr(arrays, field):
            raise AudioError(f"AudioData has no field {field} for sample format {info.format}")
        values = np.asarray(getattr(arrays, field), kind).astype(np.float32)
        samples = channels_of((values - silence) / np.float32(full_scale), info.channels, field)
        return Sound(samples, _rate(info.rate), _stamp_ns(message))

    def read_info(self, message: Any) -> None:
        raise AssertionError("AudioStamped has no second topic")


class ReceiveStamps:
    """Stamps for sound that carries none: samples are counted from when they were received.

    A chunk's first sample was taken its length before it came. Arrival jitters and sound does not,
    so the count goes on from chunk to chunk; it follows arrival slowly (the microphone's clock
    drifts) and begins anew after a jump.
    """

    JUMP_NS = 250_000_000
    FOLLOW = 0.02

    def __init__(self) -> None:
        self._next_ns: float | None = None

    def stamp(self, sound: Sound, received_ns: int) -> int:
        """The time of the first sample: the message's own stamp where it has one."""
        if sound.stamp_ns is not None:
            return sound.stamp_ns
        arrived = received_ns - sound.duration_ns
        stamp = float(arrived) if self._next_ns is None else self._next_ns
        error = arrived - stamp
        stamp += error if abs(error) > self.JUMP_NS else self.FOLLOW * error
        self._next_ns = stamp + len(sound.samples) * NANOSECONDS / sound.rate
        return round(stamp)

    def reset(self) -> None:
        """Begin anew with the next chunk."""
        self._next_ns = None


def _stamp_ns(message: Any) -> int | None:
    """The header's stamp; an empty one (nobody filled it) counts as none."""
    header = getattr(message, "header", None)
    if header is None:
        return None
    return int(header.stamp.sec) * NANOSECONDS + int(header.stamp.nanosec) or None


def _rate(rate: Any) -> int:
    if int(rate) != rate or not 8000 <= rate <= 48000:
        raise AudioError(f"sampling rate {rate} Hz: send 8000 to 48000 Hz")
    return int(rate)


def _told_format(info: Any) -> PcmFormat:
    """The format that a ros-drivers AudioInfo tells; its empty fields mean the usual."""
    if (info.coding_format or "wave").lower() not in ("wave", "wav", "pcm", "raw"):
        raise AudioError(_not_decoded(info.coding_format))
    name = info.sample_format or "S16LE"
    parse_pcm(b"", name, info.channels)
    return PcmFormat(_rate(info.sample_rate), int(info.channels), name)


def _not_decoded(coding: str) -> str:
    return (
        f"sound comes coded as '{coding}', which is not decoded here: publish plain samples "
        "(audio_capture: format 'wave')"
    )
