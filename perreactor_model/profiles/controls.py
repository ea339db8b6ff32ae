"""Control conditions that are chosen by name, and the recording that one of them plays.

What they do is in `streaming/controls.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, SPEAKER_VECTOR_COUNT
from perreactor_model.profiles.errors import ProfileError

GENERIC = "generic"
"""GAG alone: appropriate reactions of nobody in particular."""

MIME = "mime"
"""The speaker's own face, as far as it is measured."""

REPLAY_PREFIX = "replay:"

_LARGEST_REPLAY = 64 << 20
"""Bytes; a robot reads the file between two messages."""


def control_names(visual_input: str) -> list[str]:
    """Names of the control conditions; mimicking needs a speaker whose attributes are measured."""
    mime = [MIME] if visual_input == "facial_attributes" else []
    return [GENERIC, "neutral", *mime, "random"]


def read_replay(name: str) -> np.ndarray:
    """What `replay:<file>` plays: float32 (frames, 83), attributes and then coefficients.

    The file holds rows of 25 attributes, or 25 + 58 coefficients, as .npy or as .csv with a header
    line. Raises ProfileError.
    """
    path = Path(name.removeprefix(REPLAY_PREFIX))
    try:
        if not path.is_file():
            raise OSError(f"there is no file {path.absolute()}")
        if path.stat().st_size > _LARGEST_REPLAY:
            raise OSError(f"it must be a file of at most {_LARGEST_REPLAY >> 20} MiB")
        if path.suffix == ".npy":
            rows = np.asarray(np.load(path, allow_pickle=False), np.float64)
        else:
            rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise ProfileError(f"profile '{name}' cannot be read as .npy or .csv: {error}") from error
    widths = (ATTRIBUTE_COUNT, SPEAKER_VECTOR_COUNT)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] not in widths:
        raise ProfileError(
            f"{path}: array of shape {rows.shape}, expected rows of 25 attributes, "
            "or of 25 attributes and 58 coefficients"
        )
    if not np.isfinite(rows).all():
        raise ProfileError(
            f"{path}: row {int(np.argwhere(~np.isfinite(rows))[0][0])} is not finite"
        )
    padded = np.zeros((len(rows), SPEAKER_VECTOR_COUNT), np.float32)
    padded[:, : rows.shape[1]] = rows
    return padded
