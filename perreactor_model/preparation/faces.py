"""Pictures of speakers' faces, or what a frozen encoder makes of them, for every frame.

Written straight into the arrays of the split: pictures are too many to be written twice. Whoever is
never a speaker takes no room on disk, where the file system leaves out what was never written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.corpora.reading import contract_frames
from perreactor_model.corpora.recordings import CorpusError, Recording, SplitIndex, visible
from perreactor_model.preparation.computing import SLACK
from perreactor_model.preparation.prepared import PreparedError
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.whole_files import replacing

_BATCH = 32
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class FaceJob:
    """One speaker's frames `first` to `last` of the arrays in `folder`; `done` is made at last."""

    recording: Recording
    folder: Path
    first: int
    last: int
    settings: PreparationSettings
    done: Path


def face_jobs(
    split: SplitIndex, folder: Path, work: Path, settings: PreparationSettings
) -> list[FaceJob]:
    """Make the arrays where they are not there yet; what is to be written into them.

    `folder` holds the split's other arrays already.
    """
    start = np.load(folder / "start.npy")
    if settings.faces == "tokens":
        _make(
            folder / "face_tokens.npy", "<f4", (int(start[-1]), load_encoder(settings.encoder)[1])
        )
    else:
        side = settings.image_size
        _make(folder / "faces.npy", "|u1", (int(start[-1]), side, side, 3))
    _make(folder / "face_seen.npy", "|b1", (int(start[-1]),))
    return [
        FaceJob(
            split.recordings[number],
            folder,
            int(start[number]),
            int(start[number + 1]),
            settings,
            work / f"{split.name}-{number}.faces",
        )
        for number in sorted({int(speaker) for speaker in split.pairs[:, 0]})
    ]


def _make(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """All zeros, which take no room yet."""
    if not path.is_file():
        with replacing(path) as part:
            np.lib.format.open_memmap(part, "w+", np.dtype(dtype), shape).flush()


def compute_faces(job: FaceJob) -> None:
    """Write the faces of one recording. Raises CorpusError for a video that is too short."""
    tokens = job.settings.faces == "tokens"
    table = np.load(job.folder / f"{'face_tokens' if tokens else 'faces'}.npy", mmap_mode="r+")
    seen = np.load(job.folder / "face_seen.npy", mmap_mode="r+")
    size = job.settings.image_size
    if tokens:
        size = load_encoder(job.settings.encoder)[2]
    crops: list[np.ndarray] = []
    place = job.first
    for crop in _to_length(job.recording, _crops(job, size), job.last - job.first):
        seen[place + len(crops)] = crop is not None
        crops.append(np.zeros((size, size, 3), np.uint8) if crop is None else crop)
        if len(crops) == _BATCH or place + len(crops) == job.last:
            rows = np.stack(crops)
            table[place : place + len(rows)] = _encoded(job, rows) if tokens else rows
            place += len(rows)
            crops = []
    table.flush()
    seen.flush()
    job.done.touch()


def _crops(job: FaceJob, size: int) -> Iterator[np.ndarray | None]:
    """The face in each frame at 25 a second, as the live path cuts it; None where there is none."""
    from perreactor_model.vision.crop import FaceTracker
    from perreactor_model.vision.preprocess import whole_image

    tracker = FaceTracker(size) if job.settings.pictures == "scenes" else None
    for number, rgb in enumerate(_pictures(job.recording)):
        if tracker is None:
            yield whole_image(rgb, size)
        else:
            tracker.locate(rgb, number * 1_000_000_000 // FRAME_RATE)
            yield tracker.crop(rgb)


def _pictures(recording: Recording) -> Iterator[np.ndarray]:
    from perreactor_model.media.video import VideoError, read_pictures

    path = recording.files["video"]
    try:
        if path.is_dir():
            yield from _from_folder(path, recording.frame_rate)
        else:
            for picture in read_pictures(path, frame_rate=float(FRAME_RATE)):
                yield picture.image
    except (OSError, VideoError) as error:
        raise CorpusError(f"{path} cannot be read: {error}") from error


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures of a video that is a folder of them, in their order. Raises CorpusError."""
    files = [path for path in visible(folder) if path.suffix.lower() in _PICTURE_SUFFIXES]
    if not files or not all(path.stem.isdecimal() for path in files):
        raise CorpusError(f"{folder} holds no pictures named 1.png, 2.png, ...")
    return sorted(files, key=lambda path: int(path.stem))


def _from_folder(folder: Path, frame_rate: float) -> Iterator[np.ndarray]:
    import cv2

    files = numbered_pictures(folder)
    for number in range(contract_frames(len(files), frame_rate)):
        path = files[round(number * frame_rate / FRAME_RATE)]
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise CorpusError(f"{path} cannot be read as a picture")
        yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _to_length(
    recording: Recording, crops: Iterator[np.ndarray | None], frames: int
) -> Iterator[np.ndarray | None]:
    """As many as there are frames; a video that lacks a few at its end keeps its last picture."""
    count, last = 0, None
    for last in crops:
        if count == frames:
            return
        yield last
        count += 1
    if count < frames - SLACK:
        raise CorpusError(
            f"{recording.files['video']} has {count} frames at 25 a second, but its recording "
            f"{frames}"
        )
    for _ in range(frames - count):
        yield last


def _encoded(job: FaceJob, crops: np.ndarray) -> np.ndarray:
    """float32 (n, d)."""
    import torch

    from perreactor_model.vision.preprocess import network_input

    encoder, _, _ = load_encoder(job.settings.encoder)
    images = torch.from_numpy(np.concatenate([network_input(crop) for crop in crops]))
    with torch.inference_mode():
        return np.asarray(encoder(images).numpy())


@lru_cache(maxsize=1)
def load_encoder(checkpoint: str | None) -> tuple[Any, int, int]:
    """The face encoder of a checkpoint, the size of its features and of its image.

    Raises PreparedError, CheckpointError.
    """
    assert checkpoint is not None
    import torch

    from perreactor_model.networks.checkpoint import load_checkpoint

    torch.set_num_threads(1)
    generator = load_checkpoint(checkpoint)
    config = generator.config
    if config.visual_input != "face_image":
        raise PreparedError(
            f"{checkpoint} sees {config.visual_input}: the encoder must be one of face_image"
        )
    return generator.frame_encoder.face, config.feature_size, config.image_size
