"""What is computed of each recording by itself, and by how many processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from pathlib import Path
from typing import TypeVar

import numpy as np

from perreactor_model.audio.features import clip_features
from perreactor_model.audio.resample import resample_piece
from perreactor_model.contract import AUDIO_FEATURE_COUNT, FRAME_RATE
from perreactor_model.corpora.reading import (
    read_attributes,
    read_audio,
    read_coefficients,
    read_observed,
    to_contract_rate,
)
from perreactor_model.corpora.recordings import CorpusError, Recording
from perreactor_model.whole_files import replacing

SLACK = 3
"""Frames by which the files of a recording may differ in length; all are cut to the shortest."""

Job = TypeVar("Job")
Done = TypeVar("Done")


def in_processes(work: Callable[[Job], Done], jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    """What comes of each job, in their order; what was not begun is dropped on an error."""
    if workers <= 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(jobs))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield from pool.map(work, jobs, chunksize=1 if len(jobs) < 50 * count else 8)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """A process that waits for work must not stay when its parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def compute_recording(audio_rate: int, given: tuple[Recording, Path]) -> None:
    """Write attributes, coefficients, audio and, where known, observed at 25 a second, as .npz.

    Raises CorpusError for files that cannot be read or differ in length.
    """
    recording, path = given
    rate = recording.frame_rate
    parts = {
        "attributes": to_contract_rate(read_attributes(recording), rate),
        "coefficients": to_contract_rate(read_coefficients(recording), rate),
    }
    for name, rows in parts.items():
        if not np.isfinite(rows).all():
            raise CorpusError(f"{recording.files[name]} holds NaN or infinite numbers")
    seen = read_observed(recording)
    if seen is not None:
        parts["observed"] = to_contract_rate(seen, rate)
    frames = _shortest(recording, parts)
    parts = {name: rows[:frames] for name, rows in parts.items()}
    parts["audio"] = _audio_features(recording, frames, audio_rate)
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **parts)  # type: ignore[arg-type]


def _shortest(recording: Recording, parts: dict[str, np.ndarray]) -> int:
    lengths = {name: len(rows) for name, rows in parts.items()}
    if max(lengths.values()) - min(lengths.values()) > SLACK or not min(lengths.values()):
        told = ", ".join(f"{name} {count} frames" for name, count in lengths.items())
        raise CorpusError(
            f"the files of recording {recording.key} do not belong together at 25 frames a second: "
            f"{told}"
        )
    return min(lengths.values())


def _audio_features(recording: Recording, frames: int, audio_rate: int) -> np.ndarray:
    """float32 (frames, 78); silence where the sound ends early, by at most a second."""
    samples, rate = read_audio(recording)
    wanted = frames * audio_rate // FRAME_RATE
    count = len(samples) * audio_rate // rate
    if count < wanted - audio_rate:
        raise CorpusError(
            f"{recording.files['audio']} lasts {len(samples) / rate:.1f} s, but its recording "
            f"{frames / FRAME_RATE:.1f} s"
        )
    heard = resample_piece(samples, rate, audio_rate, min(count, wanted))
    features = clip_features(np.pad(heard, (0, max(0, wanted - len(heard)))), audio_rate)[:frames]
    if len(features) < frames:
        missing = np.zeros((frames - len(features), AUDIO_FEATURE_COUNT), np.float32)
        features = np.concatenate([features, missing])
    return features
