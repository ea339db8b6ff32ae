"""What `generate` reads: an .npz of recorded speakers, checked once, here."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, AUDIO_FEATURE_COUNT, COEFFICIENT_COUNT

DEFAULT_SAMPLES = 10
"""Reactions to a speaker where neither the noise nor the user says how many."""

_RANGE_SLACK = 1e-3
"""Rounding that images may exceed [-1, 1] by."""

_SHAPES = {
    "speaker_video": "(clips, frames, 3, height, width)",
    "speaker_audio": f"(clips, frames, {AUDIO_FEATURE_COUNT})",
    "speaker_attributes": f"(clips, frames, {ATTRIBUTE_COUNT})",
    "speaker_3dmm": f"(clips, frames, {COEFFICIENT_COUNT})",
    "listener_history": f"(clips, history frames, {ATTRIBUTE_COUNT} or more)",
    "noise": "(clips * samples, feature size)",
    "beta": "()",
}
"""Arrays that are read, by name; every other one is left alone."""

_FIXED_AXES = {
    "speaker_video": (2, 3),
    "speaker_audio": (2, AUDIO_FEATURE_COUNT),
    "speaker_attributes": (2, ATTRIBUTE_COUNT),
    "speaker_3dmm": (2, COEFFICIENT_COUNT),
}

_AXES = {"speaker_video": 5, "noise": 2, "beta": 0}
"""Number of axes of an array; 3 for those not named."""

_MAY_BE_NAN = ("speaker_audio", "speaker_attributes", "speaker_3dmm")
"""Here NaN means unknown, which our own networks understand."""

SPEAKER_ARRAYS = ("speaker_video", "speaker_audio", "speaker_attributes", "speaker_3dmm")


class InputError(ValueError):
    """An input file that cannot be used. The message names the array and what is expected."""


@dataclass(frozen=True)
class GenerationInput:
    """N clips of speakers; float32 arrays, None where the file has none.

    `speaker_video` (N, T, 3, H, W) in [-1, 1]; `speaker_audio` (N, T, 78); `speaker_attributes`
    (N, T, 25) and `speaker_3dmm` (N, T, 58), NaN where unknown; `listener_history` (N, H, C);
    `noise` (N * M, d), row = clip * M + sample; `beta`, the weight of the pattern.
    """

    speaker_video: np.ndarray | None = None
    speaker_audio: np.ndarray | None = None
    speaker_attributes: np.ndarray | None = None
    speaker_3dmm: np.ndarray | None = None
    listener_history: np.ndarray | None = None
    noise: np.ndarray | None = None
    beta: float | None = None
    names: tuple[str, ...] = ()
    """Names of all arrays in the file, for messages."""

    def __post_init__(self) -> None:
        sizes: dict[tuple[int, str], str] = {}
        for name in (*SPEAKER_ARRAYS, "listener_history"):
            array = getattr(self, name)
            if array is None:
                continue
            axes = {0: "clips"} if name == "listener_history" else {0: "clips", 1: "frames"}
            for axis, what in axes.items():
                first = sizes.setdefault((axis, what), name)
                if getattr(self, first).shape[axis] != array.shape[axis]:
                    raise InputError(
                        f"'{name}' has {array.shape[axis]} {what}, '{first}' "
                        f"{getattr(self, first).shape[axis]}: they must agree"
                    )
        if not sizes:
            raise InputError(
                f"nothing to react to: expected {_known()}; found {', '.join(self.names) or 'none'}"
            )

    @property
    def clips(self) -> int:
        """N."""
        arrays = (getattr(self, name) for name in (*SPEAKER_ARRAYS, "listener_history"))
        return next(len(array) for array in arrays if array is not None)

    @property
    def frames(self) -> int:
        """T, 0 if there is no speaker."""
        arrays = (getattr(self, name) for name in SPEAKER_ARRAYS)
        return next((array.shape[1] for array in arrays if array is not None), 0)

    def require(self, name: str, reason: str) -> np.ndarray:
        """An array that must be there. Raises InputError, saying what it is needed for."""
        array = getattr(self, name)
        if array is None:
            raise InputError(
                f"array '{name}' {_SHAPES[name]} is missing: {reason}; "
                f"found {', '.join(self.names) or 'none'}"
            )
        assert isinstance(array, np.ndarray)
        return array

    def samples(self, asked: int | None) -> int:
        """M: as many as there is noise for, else as asked for, else 10. Raises InputError."""
        if asked is not None and asked < 1:
            raise InputError(f"samples is {asked}: give 1 or more")
        if self.noise is None:
            return asked or DEFAULT_SAMPLES
        given, rest = divmod(len(self.noise), self.clips)
        if rest or not given:
            raise InputError(
                f"'noise' has {len(self.noise)} rows: expected a multiple of {self.clips}, "
                "one row for each clip and sample"
            )
        if asked not in (None, given):
            raise InputError(
                f"{asked} samples asked for, but 'noise' has rows for {given} samples of each of "
                f"{self.clips} clips: leave out the one or the other"
            )
        return given

    def noise_of(self, clip: int, sample: int, samples: int, size: int) -> np.ndarray | None:
        """The given eps (size,) of one sample of one clip, None if there is no noise."""
        if self.noise is None:
            return None
        if self.noise.shape[1] != size:
            raise InputError(
                f"'noise' has rows of {self.noise.shape[1]} numbers: the networks' feature size "
                f"is {size}"
            )
        row: np.ndarray = self.noise[clip * samples + sample]
        return row


def read_input(path: Path) -> GenerationInput:
    """Read an .npz without unpickling. Raises InputError, OSError."""
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} is no .npz file ({error})") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise InputError(f"{path} holds a single array: expected an .npz with {_known()}")
    with archive:
        arrays = {name: _read(archive, name) for name in _SHAPES if name in archive.files}
        names = tuple(archive.files)
    beta = arrays.pop("beta", None)
    return GenerationInput(**arrays, beta=None if beta is None else float(beta), names=names)


def _read(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        array = archive[name]
    except (ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"array '{name}' cannot be read ({error})") from error
    return checked_array(name, array)


def checked_array(name: str, array: np.ndarray) -> np.ndarray:
    """`array` as contiguous float32, if its type, shape and range are right for `name`."""
    if not np.issubdtype(array.dtype, np.floating):
        hint = ", pixels as p / 127.5 - 1" if name == "speaker_video" else ""
        raise InputError(f"'{name}' is {array.dtype}: expected floating-point numbers{hint}")
    axis, size = _FIXED_AXES.get(name, (0, None))
    misfit = array.ndim != _AXES.get(name, 3) or (size is not None and array.shape[axis] != size)
    if misfit or 0 in array.shape:
        raise InputError(f"'{name}' has shape {array.shape}: expected {_SHAPES[name]}, none empty")
    if name not in _MAY_BE_NAN and not np.isfinite(array).all():
        raise InputError(f"'{name}' holds NaN or infinite numbers")
    if name in _MAY_BE_NAN and np.isinf(array).any():
        raise InputError(f"'{name}' holds infinite numbers")
    if name == "speaker_video" and max(-array.min(), array.max()) > 1.0 + _RANGE_SLACK:
        raise InputError(
            f"'speaker_video' goes from {array.min():g} to {array.max():g}: expected values in "
            "[-1, 1], pixels as p / 127.5 - 1"
        )
    return np.asarray(array, np.float32, order="C")


def _known() -> str:
    return ", ".join(f"'{name}' {shape}" for name, shape in _SHAPES.items())
