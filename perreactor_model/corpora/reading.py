"""The files of a recording as arrays: everything as it is in the file, and then at 25 a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT, FRAME_RATE, OBSERVED
from perreactor_model.corpora.recordings import CorpusError, CorpusShapeError, Recording

UNREADABLE = Exception
"""What numpy and scipy raise for files that are cut off or damaged is nearly anything: EOFError,
struct.error, TokenError, ZeroDivisionError, UnboundLocalError, ..."""


def read_attributes(recording: Recording) -> np.ndarray:
    """float32 (T, 25) at the recording's own rate. Raises CorpusError."""
    return _table(recording, "attributes", ATTRIBUTE_COUNT)


def read_coefficients(recording: Recording) -> np.ndarray:
    """float32 (T, 58), not yet deviations from a mean face. Raises CorpusError."""
    return _table(recording, "coefficients", COEFFICIENT_COUNT)


def read_observed(recording: Recording) -> np.ndarray | None:
    """float32 (T, 31) with NaN for unknown, or None where there is no such file.

    A .csv may be one that `perreactor attributes` wrote: of its columns these are taken by name.
    """
    if "observed" not in recording.files:
        return None
    return _table(recording, "observed", len(OBSERVED))


def read_audio(recording: Recording) -> tuple[np.ndarray, int]:
    """float32 mono in [-1, 1], and samples a second. Raises CorpusError."""
    from scipy.io import wavfile

    path = _path(recording, "audio")
    try:
        rate, samples = wavfile.read(path)
    except UNREADABLE as error:
        raise CorpusError(f"{path} cannot be read as WAV: {error}") from error
    if np.issubdtype(samples.dtype, np.integer):
        centre = 128 if samples.dtype == np.uint8 else 0
        largest = 128 if samples.dtype == np.uint8 else np.iinfo(samples.dtype).max + 1
        samples = (samples.astype(np.float32) - centre) / largest
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    return np.asarray(mono, np.float32), int(rate)


def read_mean_face(path: Path) -> np.ndarray:
    """float32 (58,): what coefficients are deviations from. Raises CorpusError."""
    mean = _load(_read_npy, path)
    if mean.size != COEFFICIENT_COUNT or mean.dtype.kind not in "fiu":
        raise CorpusShapeError(
            f"{path} holds {mean.dtype} of shape {mean.shape}: expected {COEFFICIENT_COUNT} numbers"
        )
    return np.asarray(mean, np.float32).reshape(-1)


def contract_frames(count: int, frame_rate: float) -> int:
    """How many whole frames at 25 a second `count` frames at `frame_rate` last."""
    return int(count * FRAME_RATE / frame_rate + 1e-6)


def to_contract_rate(values: np.ndarray, frame_rate: float) -> np.ndarray:
    """(T, C) at `frame_rate` to 25 a second, float32: as long, less what fills no frame.

    By straight lines; a column of zeros and ones, and what touches an unknown value, by the nearest
    frame, so that labels stay labels and nothing is made up beside a gap.
    """
    values = np.asarray(values, np.float32)
    if frame_rate == FRAME_RATE or not len(values):
        return values
    count = contract_frames(len(values), frame_rate)
    places = np.arange(count) * (frame_rate / FRAME_RATE)
    before = np.minimum(places.astype(int), len(values) - 1)
    after = np.minimum(before + 1, len(values) - 1)
    share = (places - before)[:, None].astype(np.float32)
    between = (1 - share) * values[before] + share * values[after]
    nearest = values[np.minimum(np.round(places).astype(int), len(values) - 1)]
    labels = np.isin(values, (0.0, 1.0)).all(axis=0)
    return np.asarray(np.where(labels | np.isnan(between), nearest, between), np.float32)


def _table(recording: Recording, kind: str, columns: int) -> np.ndarray:
    path = _path(recording, kind)
    values = _load(_reader(path), path)
    if not values.size:  # a header and nothing below it
        values = np.empty((0, columns), np.float32)
    if values.ndim == 3 and 1 in values.shape[:2]:
        values = values.reshape(-1, values.shape[-1])
    if values.ndim != 2 or values.shape[1] != columns:
        raise CorpusShapeError(
            f"{path} has the shape {values.shape}: expected rows of {columns} {kind}"
        )
    if values.dtype.kind not in "fiub":
        raise CorpusError(f"{path} holds {values.dtype}: expected numbers")
    return np.asarray(values, np.float32)


def _load(read: Callable[[Path], np.ndarray], path: Path) -> np.ndarray:
    try:
        return read(path)
    except UNREADABLE as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error


def _reader(path: Path) -> Callable[[Path], np.ndarray]:
    return _read_npy if path.suffix == ".npy" else _read_csv


def _read_npy(path: Path) -> np.ndarray:
    """Mapped: what is not looked at is not read, and a head that promises too much is found."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _read_csv(path: Path) -> np.ndarray:
    """Numbers, with a line of names before them or without; an empty cell is NaN."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    skipped = 0 if _is_numbers(first) else 1
    names = first.strip().split(",")
    # Of a table of the analyzer's: what else it tells of a frame is no number.
    told = [names.index(name) for name in OBSERVED] if set(OBSERVED) < set(names) else None
    return np.loadtxt(
        path, np.float32, delimiter=",", skiprows=skipped, ndmin=2, converters=_cell,
        encoding="utf-8-sig", usecols=told,
    )  # fmt: skip


def _cell(text: str) -> float:
    return float(text) if text.strip() else float("nan")


def _is_numbers(line: str) -> bool:
    try:
        [_cell(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True


def _path(recording: Recording, kind: str) -> Path:
    if kind not in recording.files:
        raise CorpusError(f"recording {recording.key} has no file of {kind}")
    return recording.files[kind]
