"""Bytes of uncompressed sound to float32 samples, by GStreamer's names of the formats."""

from typing import Any

import numpy as np

_FORMATS: dict[str, tuple[str, float, float]] = {
    # name: numpy type, value of silence, full scale
    "S8": ("i1", 0.0, 2.0**7),
    "U8": ("u1", 128.0, 2.0**7),
    "S16LE": ("<i2", 0.0, 2.0**15),
    "S16BE": (">i2", 0.0, 2.0**15),
    "S32LE": ("<i4", 0.0, 2.0**31),
    "S32BE": (">i4", 0.0, 2.0**31),
    "F32LE": ("<f4", 0.0, 1.0),
    "F32BE": (">f4", 0.0, 1.0),
    "F64LE": ("<f8", 0.0, 1.0),
    "F64BE": (">f8", 0.0, 1.0),
}

SAMPLE_FORMATS = tuple(_FORMATS)


class AudioError(ValueError):
    """Sound that cannot be read. The message names its format and what would be right."""


def parse_pcm(data: Any, sample_format: str, channels: int) -> np.ndarray:
    """Interleaved samples, bytes-like, to float32 (n, channels) with full scale -1..1.

    Raises AudioError for an unknown format and for data that ends within a sample.
    """
    layout = _FORMATS.get(sample_format.upper())
    if layout is None:
        raise AudioError(
            f"sample format '{sample_format}' is unknown: send one of {', '.join(SAMPLE_FORMATS)}"
        )
    kind, silence, full_scale = np.dtype(layout[0]), layout[1], layout[2]
    try:
        view = memoryview(data).cast("B")
    except TypeError:
        raise AudioError(f"sound must be bytes, not {type(data).__name__}") from None
    if view.nbytes % kind.itemsize:
        raise AudioError(
            f"{sample_format} sound of {view.nbytes} bytes ends within a sample "
            f"of {kind.itemsize} bytes: it is truncated"
        )
    values = np.frombuffer(view, kind) if view.nbytes else np.empty(0, kind)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = ((values.astype(np.float64) - silence) / full_scale).astype(np.float32)
    return channels_of(scaled, channels, sample_format)


def channels_of(values: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Interleaved values (n * channels,) as (n, channels). Raises AudioError if they do not fit."""
    if channels < 1:
        raise AudioError(f"{name} sound has {channels} channels: send 1 or more")
    if values.size % channels:
        raise AudioError(
            f"{name} sound of {values.size} values does not divide into {channels} channels: "
            "it is truncated"
        )
    return values.reshape(-1, channels)


_CODED = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"RIFF": "WAV file"}
_MP3_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MP3_KBITS_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_RATES = (44100, 48000, 32000, 0)


def coding_of(data: Any) -> str | None:
    """The coding that the first bytes show, or None for what may be plain samples.

    Coded sound would be loud noise if it were taken for samples.
    """
    view = memoryview(data).cast("B")
    start = bytes(view[:4])
    for mark, name in _CODED.items():
        if start.startswith(mark):
            return name
    length = _mp3_frame_length(start)
    if length is None:
        return None
    # Two bytes are no proof: the frame has to end where the data ends or the next one begins.
    follows = bytes(view[length : length + 2])
    return "MP3" if len(view) == length or follows == start[:2] else None


def _mp3_frame_length(header: bytes) -> int | None:
    """Bytes of the MPEG layer III frame that this header begins, or None if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version = header[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    full = version == 3
    kbits = (_MP3_KBITS if full else _MP3_KBITS_LOW)[header[2] >> 4]
    rate = _MP3_RATES[header[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}.get(version, 1)
    if version == 1 or not kbits or not rate:
        return None
    return (144 if full else 72) * kbits * 1000 // rate + (header[2] >> 1 & 1)
