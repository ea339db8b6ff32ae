"""From a corpus on disk to a prepared one: computed once, stopped and begun again at will.

Each recording is computed by itself and kept; when all are there they are put together. The folder
is named after all that went in, so a changed file or setting makes another one.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from perreactor_model.audio.features import clip_features
from perreactor_model.audio.resample import resample_piece
from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
    FRAME_RATE,
    ROTATION_SLICE,
)
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.reading import (
    read_attributes,
    read_audio,
    read_coefficients,
    read_observed,
    to_contract_rate,
)
from perreactor_model.corpora.recordings import Corpus, CorpusError, Recording, SplitIndex
from perreactor_model.preparation.matrices import appropriate_of
from perreactor_model.preparation.prepared import (
    PREPARED_FORMAT,
    PREPARED_NAME,
    PreparedCorpus,
    open_prepared,
)
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.preparation.storing import About, PreparedRecording, write_about, write_split
from perreactor_model.whole_files import replacing

NEEDED = ("attributes", "coefficients", "audio")
SLACK = 3
"""Frames by which the files of a recording may differ in length; all are cut to the shortest."""

MEAN_FACE = "mean_face.npy"
_WORK = "parts"

Progress = Callable[[int, int], None]


def prepare(
    root: Path,
    cache: Path,
    settings: PreparationSettings,
    workers: int = 1,
    progress: Progress | None = None,
) -> PreparedCorpus:
    """Prepare the corpus in `root` into a folder of its own below `cache`, or open what is there.

    Raises CorpusError, PreparedError and OSError.
    """
    corpus = open_corpus(root, settings.layout)
    refuse_missing(corpus)
    key = key_of(corpus, settings)
    folder = cache / key[:16]
    if (folder / PREPARED_NAME).is_file():
        return open_prepared(folder)
    work = folder / _WORK
    work.mkdir(parents=True, exist_ok=True)
    jobs = [
        (recording, work / f"{name}-{number}.npz")
        for name, split in corpus.splits.items()
        for number, recording in enumerate(split.recordings)
    ]
    _compute(jobs, settings, workers, progress)
    synthetic = (root / "synthetic.json").is_file()
    mean_face = _mean_face(root, corpus, work, synthetic)
    told = {}
    occurrence = True
    for name, split in corpus.splits.items():
        parts = _parts(split, work, mean_face)
        told[name] = write_split(
            folder, name, parts, split.pairs, appropriate_of(split, settings.matrix)
        )
        units = np.load(folder / name / "attributes.npy", mmap_mode="r")[:, ACTION_UNIT_SLICE]
        occurrence &= bool(np.isin(units, (0.0, 1.0)).all())
    about = About(
        key=key,
        settings=settings.to_dict() | {"corpus": root.name, "layout": corpus.layout},
        mean_face=mean_face,
        synthetic=synthetic,
        au_semantics="occurrence" if occurrence else "intensity",
        speaker_view=settings.speaker_view,
    )
    prepared = write_about(folder, told, about)
    shutil.rmtree(work)
    return prepared


def key_of(corpus: Corpus, settings: PreparationSettings) -> str:
    """Changes with the settings, with any file (its name, size and time) and with our format."""
    digest = hashlib.sha256()
    about = {"format": PREPARED_FORMAT, "layout": corpus.layout, **settings.to_dict()}
    digest.update(json.dumps(about, sort_keys=True).encode())
    extra = [corpus.root / MEAN_FACE] if (corpus.root / MEAN_FACE).is_file() else []
    for name, split in corpus.splits.items():
        digest.update(f"{name}{split.pairs.tolist()}".encode())
        extra += [split.matrix] if split.matrix is not None else []
        for recording in split.recordings:
            digest.update(f"{recording.key}\x1f{recording.identity}".encode())
            for kind in (*NEEDED, "observed"):
                if kind in recording.files:
                    _add_file(digest, recording.files[kind])
    for path in extra:
        _add_file(digest, path)
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    state = path.stat()
    digest.update(f"{path.name}\x1f{state.st_size}\x1f{state.st_mtime_ns}".encode())


def refuse_missing(corpus: Corpus) -> None:
    """Raises CorpusError where a recording lacks a file, naming the first ones."""
    missing = [
        f"{kind} of {recording.key} ({name})"
        for name, split in corpus.splits.items()
        for recording in split.recordings
        for kind in NEEDED
        if kind not in recording.files
    ]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if missing[5:] else "")
        raise CorpusError(
            f"{len(missing)} files are missing below {corpus.root}: {shown}. Take these pairs "
            "out of the index, or add the files"
        )


def _compute(
    jobs: list[tuple[Recording, Path]],
    settings: PreparationSettings,
    workers: int,
    progress: Progress | None,
) -> None:
    left = [(recording, path) for recording, path in jobs if not path.is_file()]
    done = len(jobs) - len(left)
    job = partial(_compute_one, settings.audio_rate)
    for _ in _results(job, left, workers):
        done += 1
        if progress is not None:
            progress(done, len(jobs))


def _results(
    job: Callable[[tuple[Recording, Path]], None],
    left: list[tuple[Recording, Path]],
    workers: int,
) -> Iterator[None]:
    if workers <= 1:
        yield from map(job, left)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(job, left, chunksize=8)


def _compute_one(audio_rate: int, given: tuple[Recording, Path]) -> None:
    recording, path = given
    rate = recording.frame_rate
    parts = {
        "attributes": to_contract_rate(read_attributes(recording), rate),
        "coefficients": to_contract_rate(read_coefficients(recording), rate),
    }
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


def _mean_face(root: Path, corpus: Corpus, work: Path, synthetic: bool) -> np.ndarray:
    """(58,): the corpus's own file; none for a synthetic one; else the mean over training."""
    path = root / MEAN_FACE
    if path.is_file():
        mean = np.load(path, allow_pickle=False).reshape(-1)
        if mean.shape != (COEFFICIENT_COUNT,):
            raise CorpusError(f"{path} has {mean.size} values: expected {COEFFICIENT_COUNT}")
        return np.asarray(mean, np.float32)
    if synthetic:
        return np.zeros(COEFFICIENT_COUNT, np.float32)
    name = "train" if "train" in corpus.splits else next(iter(corpus.splits))
    total, frames = np.zeros(COEFFICIENT_COUNT), 0
    for number in range(len(corpus.splits[name].recordings)):
        with np.load(work / f"{name}-{number}.npz") as parts:
            total += parts["coefficients"].sum(axis=0, dtype=np.float64)
            frames += len(parts["coefficients"])
    return (total / frames).astype(np.float32)


def _parts(split: SplitIndex, work: Path, mean_face: np.ndarray) -> Iterator[PreparedRecording]:
    for number, recording in enumerate(split.recordings):
        with np.load(work / f"{split.name}-{number}.npz") as parts:
            attributes = parts["attributes"]
            coefficients = parts["coefficients"] - mean_face
            pose = coefficients[:, ROTATION_SLICE.start :]
            labels = np.concatenate([attributes[:, :ATTRIBUTE_COUNT], pose], axis=1)
            yield PreparedRecording(
                key=recording.key,
                identity=recording.identity,
                session=recording.session,
                attributes=attributes,
                coefficients=coefficients,
                observed=parts["observed"] if "observed" in parts else labels,
                audio=parts["audio"],
            )
