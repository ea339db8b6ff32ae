"""From a corpus on disk to a prepared one: computed once, stopped and begun again at will.

Each recording is computed by itself and kept; when all are there they are put together. The folder
is named after all that went in, so a changed file or setting makes another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    ROTATION_SLICE,
)
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.reading import read_mean_face
from perreactor_model.corpora.recordings import Corpus, CorpusError, SplitIndex
from perreactor_model.preparation.computing import Job, compute_recording, in_processes
from perreactor_model.preparation.faces import compute_faces, face_jobs, load_encoder
from perreactor_model.preparation.keys import MEAN_FACE, NEEDED, key_of
from perreactor_model.preparation.matrices import appropriate_of
from perreactor_model.preparation.prepared import (
    PREPARED_NAME,
    PreparedCorpus,
    PreparedError,
    open_prepared,
)
from perreactor_model.preparation.resplitting import by_identity, check_apart
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.preparation.similarity import compare, comparisons, joined
from perreactor_model.preparation.storing import About, PreparedRecording, write_about, write_split

_WORK = "parts"

Progress = Callable[[int, int], None]
"""Told how many steps are done, and how many there are in all."""


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
    if settings.splits == "by-identity":
        if _is_synthetic(corpus):
            raise PreparedError("a synthetic corpus keeps people apart already: use splits=keep")
        corpus = by_identity(corpus)
    else:
        check_apart(corpus.splits)
    refuse_missing(corpus, settings)
    key = key_of(corpus, settings)
    folder = cache / key[:16]
    if (folder / PREPARED_NAME).is_file():
        return open_prepared(folder)
    return _Preparation(corpus, folder, settings, workers, progress).run(key)


def _is_synthetic(corpus: Corpus) -> bool:
    return (corpus.root / "synthetic.json").is_file()


def refuse_missing(corpus: Corpus, settings: PreparationSettings) -> None:
    """Raises CorpusError where a recording lacks a file, naming the first ones."""
    seen = settings.faces != "none"
    missing = []
    for name, split in corpus.splits.items():
        speakers = {int(speaker) for speaker in split.pairs[:, 0]} if seen else set()
        for number, recording in enumerate(split.recordings):
            needed = (*NEEDED, "video") if number in speakers else NEEDED
            missing += [
                f"{kind} of {recording.key} ({name})"
                for kind in needed
                if kind not in recording.files
            ]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if missing[5:] else "")
        raise CorpusError(
            f"{len(missing)} files are missing below {corpus.root}: {shown}. Take these pairs "
            "out of the index, or add the files; `perreactor validate` tells all that is wrong"
        )


class _Preparation:
    """One run; every step leaves a file, by which it is known to be done."""

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        settings: PreparationSettings,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self._corpus, self._folder, self._settings = corpus, folder, settings
        self._workers, self._progress = workers, progress
        self._work = folder / _WORK
        self._done = self._total = 0

    def run(self, key: str) -> PreparedCorpus:
        self._work.mkdir(parents=True, exist_ok=True)
        splits = self._corpus.splits.values()
        # What can be refused without computing anything is refused first.
        if self._settings.faces == "tokens":
            load_encoder(self._settings.encoder)
        fitting = {split.name: self._given_matrix(split) for split in splits}
        recordings = [
            (recording, self._part(split, number))
            for split in splits
            for number, recording in enumerate(split.recordings)
        ]
        compute = partial(compute_recording, self._settings.audio_rate)
        self._do(compute, recordings, [path for _, path in recordings])
        synthetic = _is_synthetic(self._corpus)
        mean_face = self._mean_face(synthetic)
        told, occurrence = {}, True
        for split in splits:
            matrix = fitting[split.name]
            matrix = self._similar(split) if matrix is None else matrix
            parts = self._recordings(split, mean_face)
            told[split.name] = write_split(self._folder, split.name, parts, split.pairs, matrix)
            units = np.load(self._folder / split.name / "attributes.npy", mmap_mode="r")
            occurrence &= bool(np.isin(units[:, ACTION_UNIT_SLICE], (0.0, 1.0)).all())
        self._faces()
        known = {"corpus": self._corpus.root.name, "layout": self._corpus.layout}
        if self._settings.encoder is not None:
            known["encoder"] = str(Path(self._settings.encoder).resolve())
        about = About(
            key=key,
            settings=self._settings.to_dict() | known,
            mean_face=mean_face,
            synthetic=synthetic,
            au_semantics="occurrence" if occurrence else "intensity",
            speaker_view=self._settings.speaker_view,
        )
        prepared = write_about(self._folder, told, about)
        shutil.rmtree(self._work)
        return prepared

    def _do(self, work: Callable[[Job], None], jobs: Sequence[Job], marks: Sequence[Path]) -> None:
        """Do the jobs whose mark, the file they write last, is not there yet."""
        left = [job for job, mark in zip(jobs, marks, strict=True) if not mark.is_file()]
        self._total += len(jobs)
        self._done += len(jobs) - len(left)
        for _ in in_processes(work, left, self._workers):
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)

    def _part(self, split: SplitIndex, number: int) -> Path:
        return self._work / f"{split.name}-{number}.npz"

    def _given_matrix(self, split: SplitIndex) -> np.ndarray | None:
        if self._settings.matrix == "similarity":
            return None
        return appropriate_of(split, self._settings.matrix, self._corpus.root)

    def _similar(self, split: SplitIndex) -> np.ndarray:
        who, places = np.unique(split.pairs[:, 0], return_inverse=True)
        speakers = tuple(self._part(split, int(number)) for number in who)
        rule = (self._settings.threshold, self._settings.per_row)
        jobs = comparisons(speakers, *rule, self._work, split.name)
        self._do(compare, jobs, [job.out for job in jobs])
        alike = joined(jobs)
        places = places.reshape(-1)
        return np.asarray(alike[places[:, None], places[None, :]])

    def _faces(self) -> None:
        if self._settings.faces == "none":
            return
        for name, split in self._corpus.splits.items():
            jobs = face_jobs(split, self._folder / name, self._work, self._settings)
            self._do(compute_faces, jobs, [job.done for job in jobs])

    def _mean_face(self, synthetic: bool) -> np.ndarray:
        """(58,): the corpus's own file; none for a synthetic one; else the mean over training."""
        path = self._corpus.root / MEAN_FACE
        if path.is_file():
            mean = read_mean_face(path)
            if not np.isfinite(mean).all():
                raise CorpusError(f"{path} holds NaN or infinite numbers")
            return mean
        if synthetic:
            return np.zeros(COEFFICIENT_COUNT, np.float32)
        splits = self._corpus.splits
        split = splits["train"] if "train" in splits else next(iter(splits.values()))
        total, frames = np.zeros(COEFFICIENT_COUNT), 0
        for number in range(len(split.recordings)):
            with np.load(self._part(split, number)) as parts:
                total += parts["coefficients"].sum(axis=0, dtype=np.float64)
                frames += len(parts["coefficients"])
        return (total / frames).astype(np.float32)

    def _recordings(self, split: SplitIndex, mean_face: np.ndarray) -> Iterator[PreparedRecording]:
        for number, recording in enumerate(split.recordings):
            with np.load(self._part(split, number)) as parts:
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
