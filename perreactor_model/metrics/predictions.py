"""Reactions to be judged, beside the real ones: the input of every metric, checked once."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, ATTRIBUTES, COEFFICIENT_COUNT, COEFFICIENTS
from perreactor_model.metrics.clips import Clips, MappedArchive, MappedClips

REQUIRED = ("prediction", "listener", "appropriate")
"""Arrays an .npz must hold; without `speaker`, what compares with the speaker is left out."""

LARGEST = 1e15
"""Values beyond, of either sign, are refused: squared and summed in float32 they would overflow."""

_CHANNELS = {ATTRIBUTE_COUNT: ATTRIBUTES, COEFFICIENT_COUNT: COEFFICIENTS}


class PredictionsError(ValueError):
    """Predictions that cannot be judged. The message names the array, the place and the fault."""


@dataclass(frozen=True)
class Predictions:
    """N clips with M reactions each, what the real listeners did, and which of those are fitting.

    Frames come at 25 a second; clips may differ in length. Build it with `from_arrays` or
    `from_file`, which check everything (PredictionsError); the constructor checks nothing.
    """

    prediction: Clips
    """N arrays (M, T_k, 25), any float."""
    listener: Clips
    """N arrays (T, 25): what listener k really did. Its length may differ from the prediction's."""
    speaker: Clips | None
    """N arrays (T, 25): the speaker of clip k."""
    appropriate: np.ndarray
    """(N, N) bool: [k, j] says that listener j's reaction fits speaker k. Need not be symmetric."""
    identity: np.ndarray | None = None
    """(N,): who listener k is; equal values are one person."""
    prediction_3dmm: Clips | None = None
    """N arrays (M, T_k, 58)."""
    listener_3dmm: Clips | None = None
    """N arrays (T, 58)."""
    channels: np.ndarray = field(default_factory=lambda: np.ones(ATTRIBUTE_COUNT, bool))
    """(25,) bool: which attributes are known. Unknown ones may hold anything and are not judged."""

    @property
    def clips(self) -> int:
        """N."""
        return len(self.prediction)

    @property
    def samples(self) -> int:
        """M."""
        return self.prediction[0].shape[0]

    def neighbours(self, clip: int) -> np.ndarray:
        """Indices of the listeners whose reactions fit the speaker of `clip`, ascending."""
        return np.flatnonzero(self.appropriate[clip])

    def personal(self, clip: int) -> np.ndarray:
        """(K,) bool: which of `neighbours` are the clip's own listener. Needs `identity`."""
        assert self.identity is not None
        return self.identity[self.neighbours(clip)] == self.identity[clip]

    @classmethod
    def from_arrays(
        cls,
        prediction: Clips | np.ndarray,
        listener: Clips | np.ndarray,
        speaker: Clips | np.ndarray | None,
        appropriate: np.ndarray,
        identity: np.ndarray | Sequence[Any] | None = None,
        frames: np.ndarray | Sequence[int] | None = None,
        prediction_3dmm: Clips | np.ndarray | None = None,
        listener_3dmm: Clips | np.ndarray | None = None,
        channels: np.ndarray | None = None,
    ) -> Predictions:
        """Check and hold arrays as described at the fields.

        A sequence of clips is one array with a first axis of N, or a list. `frames` (N,) says how
        many frames of each clip count where the shorter ones are padded. Raises PredictionsError.
        """
        count = len(prediction)
        counted = None if frames is None else _checked_frames(np.asarray(frames), count)
        held = {
            name: None if clips is None else _cut(name, clips, counted)
            for name, clips in (
                ("prediction", prediction),
                ("listener", listener),
                ("speaker", speaker),
                ("prediction_3dmm", prediction_3dmm),
                ("listener_3dmm", listener_3dmm),
            )
        }
        return _checked(held, appropriate, identity, channels)

    @classmethod
    def from_file(cls, path: Path | str) -> Predictions:
        """Read an .npz (see `perreactor metrics --help`); large arrays stay in the file.

        Raises PredictionsError and OSError.
        """
        try:
            return _read(Path(path))
        except PredictionsError:
            raise
        except (ValueError, zipfile.BadZipFile) as error:
            raise PredictionsError(str(error)) from None


def single(array: np.ndarray) -> np.ndarray:
    """`array` as contiguous float32: the precision in which the published code takes its input."""
    return np.require(array, np.float32, ("C", "A"))


def _read(path: Path) -> Predictions:
    archive = MappedArchive(path)
    missing = [name for name in REQUIRED if name not in archive]
    if missing:
        raise PredictionsError(
            f"{path} lacks {', '.join(missing)}: it must hold {', '.join(REQUIRED)}, and speaker "
            f"for FRSyn; it holds {', '.join(archive.names) or 'no arrays'}"
        )
    frames = None
    if "frames" in archive:
        shape = archive.place("prediction").shape
        frames = _checked_frames(archive.load("frames"), shape[0] if shape else 0)
    names = ("prediction", "listener", "speaker", "prediction_3dmm", "listener_3dmm")
    held: dict[str, Clips | None] = {}
    for name in names:
        held[name] = None
        if name in archive:
            place = archive.place(name)
            _check_shape(name, place.shape, np.dtype(place.dtype), clips=True)
            if frames is not None:
                _check_padding(name, frames, len(frames), place.shape[0], place.shape[-2])
            held[name] = MappedClips(place, frames, archive)
    return _checked(
        held,
        archive.load("appropriate"),
        archive.load("identity") if "identity" in archive else None,
        archive.load("channels") if "channels" in archive else None,
    )


def _checked_frames(frames: np.ndarray, count: int) -> np.ndarray:
    if frames.shape != (count,) or frames.dtype.kind not in "iu":
        raise PredictionsError(
            f"frames must hold one whole number for each of the {count} clips, "
            f"not {frames.dtype} of shape {frames.shape}"
        )
    if count and frames.min() < 1:
        clip = int(np.argmin(frames))
        raise PredictionsError(f"frames[{clip}] is {frames[clip]}: a clip has at least 1 frame")
    return frames.astype(np.int64)


def _check_padding(name: str, frames: np.ndarray, wanted: int, clips: int, length: int) -> None:
    if clips != wanted:
        raise PredictionsError(f"{name} holds {clips} clips, frames {wanted}: they must be equal")
    if frames.max() > length:
        clip = int(np.argmax(frames))
        raise PredictionsError(
            f"frames[{clip}] is {frames[clip]}, but {name} holds {length} frames a clip"
        )


def _check_shape(name: str, shape: tuple[int, ...], dtype: np.dtype, clips: bool) -> None:
    """`clips`: with the axis of clips in front."""
    width = COEFFICIENT_COUNT if name.endswith("3dmm") else ATTRIBUTE_COUNT
    axes = (["N"] if clips else []) + (["M"] if name.startswith("prediction") else [])
    right = f"({', '.join([*axes, 'T', str(width)])})"
    if len(shape) != len(axes) + 2 or shape[-1] != width:
        hint = ""
        if name.startswith("prediction") and len(shape) == len(axes) + 1:
            hint = "; one reaction a clip still needs its axis of samples: array[:, None]"
        raise PredictionsError(f"{name} must have shape {right}, not {shape}{hint}")
    if 0 in shape:
        raise PredictionsError(f"{name} of shape {shape} is empty: it must have shape {right}")
    if dtype.kind not in "fiub":
        raise PredictionsError(f"{name} must hold real numbers, not {dtype}")


def _cut(name: str, clips: Clips | np.ndarray, frames: np.ndarray | None) -> Clips:
    if isinstance(clips, MappedClips):
        return clips
    if isinstance(clips, np.ndarray):
        _check_shape(name, clips.shape, clips.dtype, clips=True)
    arrays = [np.asarray(clip) for clip in clips]
    for clip in arrays:
        _check_shape(name, clip.shape, clip.dtype, clips=False)
    if frames is not None:
        for clip in arrays:
            _check_padding(name, frames, len(frames), len(arrays), clip.shape[-2])
        arrays = [clip[..., :count, :] for clip, count in zip(arrays, frames, strict=True)]
    return arrays


def _checked(
    held: dict[str, Clips | None],
    appropriate: np.ndarray,
    identity: np.ndarray | Sequence[Any] | None,
    channels: np.ndarray | None,
) -> Predictions:
    prediction, listener = held["prediction"], held["listener"]
    assert prediction is not None and listener is not None
    count = len(prediction)
    if count == 0:
        raise PredictionsError("prediction holds no clips: there is nothing to judge")
    known = _checked_channels(channels)
    for name, clips in held.items():
        if clips is not None:
            _check_clips(name, clips, count, known)
    predictions = Predictions(
        prediction=prediction,
        listener=listener,
        speaker=held["speaker"],
        appropriate=_checked_appropriate(np.asarray(appropriate), count),
        identity=None if identity is None else _checked_identity(np.asarray(identity), count),
        prediction_3dmm=held["prediction_3dmm"],
        listener_3dmm=held["listener_3dmm"],
        channels=known,
    )
    return predictions


def _check_clips(name: str, clips: Clips, count: int, known: np.ndarray) -> None:
    if len(clips) != count:
        raise PredictionsError(
            f"{name} holds {len(clips)} clips, prediction {count}: they must be equal"
        )
    samples = clips[0].shape[0]
    everything = bool(known.all()) or clips[0].shape[-1] != ATTRIBUTE_COUNT
    for index in range(count):
        clip = clips[index]
        if name.startswith("prediction") and clip.shape[0] != samples:
            raise PredictionsError(
                f"{name} holds {samples} samples for clip 0 and {clip.shape[0]} for clip {index}: "
                "every clip must have as many"
            )
        if not _usable(clip if everything else clip[..., known]).all():
            raise PredictionsError(_where_not_usable(name, index, clip, known))


def _usable(values: np.ndarray) -> np.ndarray:
    """Which are finite and not too large, bool."""
    if values.dtype.itemsize <= 2:  # float16 and short integers end long before
        return np.asarray(np.isfinite(values))
    return np.asarray((values >= -LARGEST) & (values <= LARGEST))


def _where_not_usable(name: str, index: int, clip: np.ndarray, known: np.ndarray) -> str:
    fault = ~_usable(clip)
    if clip.shape[-1] == ATTRIBUTE_COUNT:
        fault &= known
    *sample, frame, channel = (int(axis[0]) for axis in np.nonzero(fault))
    value = clip[(*sample, frame, channel)]
    place = [f"clip {index}", *(f"sample {one}" for one in sample), f"frame {frame}"]
    label = _CHANNELS[clip.shape[-1]][channel]
    more = int(fault.sum()) - 1
    also = f" ({more} more in this clip)" if more else ""
    return (
        f"{name} is {value} at {', '.join(place)}, channel {channel} ({label}){also}: "
        f"every value must be a finite number within {LARGEST:.0e} of 0"
    )


def _checked_channels(channels: np.ndarray | None) -> np.ndarray:
    if channels is None:
        return np.ones(ATTRIBUTE_COUNT, bool)
    known = np.asarray(channels)
    if known.shape != (ATTRIBUTE_COUNT,) or known.dtype != bool:
        raise PredictionsError(
            f"channels must be ({ATTRIBUTE_COUNT},) bool, not {known.dtype} of shape {known.shape}"
        )
    if not known.any():
        raise PredictionsError("channels: no attribute is known, so there is nothing to judge")
    return known.copy()


def _checked_appropriate(matrix: np.ndarray, count: int) -> np.ndarray:
    if matrix.shape != (count, count):
        raise PredictionsError(
            f"appropriate must have shape ({count}, {count}), a row for each of the {count} clips "
            f"of prediction and a column for each listener, not {matrix.shape}"
        )
    if matrix.dtype != bool and not (matrix.dtype.kind in "iuf" and np.isin(matrix, (0, 1)).all()):
        raise PredictionsError(f"appropriate must hold only true and false, not {matrix.dtype}")
    fits = matrix.astype(bool)
    empty = np.flatnonzero(~fits.any(axis=1))
    if len(empty):
        raise PredictionsError(
            f"row {empty[0]} of appropriate is empty: at least the clip's own listener "
            f"([{empty[0]}, {empty[0]}]) must fit{_others(empty)}"
        )
    missing = np.flatnonzero(~np.diagonal(fits))
    if len(missing):
        raise PredictionsError(
            f"appropriate[{missing[0]}, {missing[0]}] is false: what the listener of a clip really "
            f"did fits its own speaker{_others(missing)}"
        )
    return fits


def _others(rows: np.ndarray) -> str:
    return f" ({len(rows) - 1} more rows like it)" if len(rows) > 1 else ""


def _checked_identity(identity: np.ndarray, count: int) -> np.ndarray:
    if identity.shape != (count,):
        raise PredictionsError(
            f"identity must hold one name or number for each of the {count} clips, "
            f"not shape {identity.shape}"
        )
    if identity.dtype.kind not in "iubSUf" or (identity != identity).any():
        raise PredictionsError(f"identity must hold whole numbers or text, not {identity.dtype}")
    return identity.copy()
