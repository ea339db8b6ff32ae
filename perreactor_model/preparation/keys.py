"""What a prepared corpus is named after: all that went into it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import perreactor_model
from perreactor_model.corpora.recordings import Corpus
from perreactor_model.preparation.matrices import master_files
from perreactor_model.preparation.prepared import PREPARED_FORMAT
from perreactor_model.preparation.settings import PreparationSettings

MEAN_FACE = "mean_face.npy"
NEEDED = ("attributes", "coefficients", "audio")
"""Kinds of files without which a recording is of no use."""

CODE = (
    "audio/features.py",
    "audio/resample.py",
    "corpora/reading.py",
    "preparation/computing.py",
    "preparation/matrices.py",
    "preparation/preparing.py",
    "preparation/similarity.py",
    "preparation/storing.py",
    "profiles/filling.py",
)
FACE_CODE = (
    "media/video.py",
    "preparation/faces.py",
    "vision/crop.py",
    "vision/detector.py",
    "vision/preprocess.py",
)
"""Our own code that makes the arrays: what an older version made is not what this one would."""


def key_of(corpus: Corpus, settings: PreparationSettings) -> str:
    """Changes with the settings, with any file (its name, size and time) and with our code."""
    digest = hashlib.sha256()
    seen = settings.faces != "none"
    about = {"format": PREPARED_FORMAT, "layout": corpus.layout, **settings.to_dict()}
    if settings.encoder is not None:
        about["encoder"] = hashlib.sha256(Path(settings.encoder).read_bytes()).hexdigest()
    digest.update(json.dumps(about, sort_keys=True).encode())
    package = Path(perreactor_model.__file__).parent
    for name in CODE + (FACE_CODE if seen else ()):
        digest.update((package / name).read_bytes())
    kinds = (*NEEDED, "observed", *(("video",) if seen else ()))
    for name, split in corpus.splits.items():
        digest.update(f"{name}{split.pairs.tolist()}".encode())
        if split.matrix is not None:
            _add_file(digest, split.matrix)
        for recording in split.recordings:
            who = (recording.key, recording.identity, recording.session)
            digest.update("\x1f".join(who).encode())
            for kind in kinds:
                if kind in recording.files:
                    _add_file(digest, recording.files[kind])
    for path in (corpus.root / MEAN_FACE, *master_files(corpus.root)):
        if path.is_file():
            _add_file(digest, path)
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    pictures = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in pictures:
        state = file.stat()
        digest.update(f"{file.name}\x1f{state.st_size}\x1f{state.st_mtime_ns}".encode())
