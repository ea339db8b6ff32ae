"""Files of a corpus, each there whole or not at all."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from perreactor_model.synthesis.voice import VOICE_RATE
from perreactor_model.whole_files import replacing

Content = np.ndarray | bytes | Callable[[Path], None]
"""An array for an .npy, 16-bit samples for a .wav (int16), text, or what writes the file."""


def store(path: Path, content: Content) -> None:
    """Write a file; its name says which kind. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        if isinstance(content, bytes):
            part.write_bytes(content)
        elif callable(content):
            content(part)
        elif path.suffix == ".wav":
            with wave.open(str(part), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(VOICE_RATE)
                file.writeframes(np.asarray(content, "<i2").tobytes())
        else:
            with part.open("wb") as handle:
                np.save(handle, content)
