"""What is wrong with the files of one recording."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from perreactor_model.audio.resample import HIGHEST_RATE, LOWEST_RATE
from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    FACE_EXPRESSION_SLICE,
    FRAME_RATE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
    attribute_ranges,
)
from perreactor_model.corpora.reading import (
    UNREADABLE,
    read_attributes,
    read_audio,
    read_coefficients,
    read_observed,
)
from perreactor_model.corpora.recordings import CorpusError, Recording
from perreactor_model.corpus_checks.findings import Fault
from perreactor_model.preparation.computing import SLACK
from perreactor_model.preparation.keys import MEAN_FACE, NEEDED

ROUNDING = 1e-3
"""By how much a value may leave its range: tables are written with few digits."""

UNLIKELY = (
    ("expressions", FACE_EXPRESSION_SLICE, 6.0),
    ("rotation", ROTATION_SLICE, 2 * np.pi),
    ("translation", TRANSLATION_SLICE, 50.0),
)
"""Sizes that coefficients of a face do not reach: REACT's own have deviations below 0.5."""

_SUM_ERROR = 0.05
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass
class Look:
    """What was seen of a recording. frames: at 25 a second, 0 unknown; digest: of attributes."""

    frames: int = 0
    digest: str = ""
    faults: list[Fault] = field(default_factory=list)

    def tell(self, rule: str, example: str, column: str = "") -> None:
        """Note a fault."""
        self.faults.append(Fault(rule, example, column))


def look_into(recording: Recording, quick: bool = False) -> Look:
    """Read all files of a recording; quick: only how long they are, and no tables of text."""
    look = Look()
    for kind in NEEDED:
        if kind not in recording.files:
            look.tell("missing", f"{kind} of {recording.key}", kind)
    lengths: dict[str, float] = {}
    readers: tuple[tuple[str, Callable[[Recording], np.ndarray | None]], ...] = (
        ("attributes", read_attributes),
        ("coefficients", read_coefficients),
        ("observed", read_observed),
    )
    for kind, read in readers:
        path = recording.files.get(kind)
        if path is None or (quick and path.suffix == ".csv"):
            continue
        rows = _rows(recording, read, path, look)
        if rows is not None:
            lengths[kind] = len(rows) * FRAME_RATE / recording.frame_rate
            if not quick:
                _look_at_values(kind, path, rows, look)
    if not quick and "attributes" in lengths:
        look.digest = _digest(recording.files["attributes"])
    if lengths:
        look.frames = round(min(lengths.values()))
    if "audio" in recording.files:
        lengths["audio"] = _look_at_sound(recording, look, quick)
    if "video" in recording.files and not quick:
        lengths["video"] = _look_at_video(recording, look)
    _compare(recording, {kind: count for kind, count in lengths.items() if count}, look)
    return look


def _rows(
    recording: Recording,
    read: Callable[[Recording], np.ndarray | None],
    path: Path,
    look: Look,
) -> np.ndarray | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of tables without rows: told here
            rows = read(recording)
    except CorpusError as error:
        look.tell("shape" if "has the shape" in str(error) else "unreadable", str(error))
        return None
    if rows is None or not len(rows):
        look.tell("shape", f"{path} holds no frame")
        return None
    return rows


def _look_at_values(kind: str, path: Path, rows: np.ndarray, look: Look) -> None:
    if kind == "observed":
        # Unknown is allowed there, infinite is not; head pose follows the attributes.
        _look_at_ranges(path, np.where(np.isinf(rows), 9e9, rows)[:, :ATTRIBUTE_COUNT], look)
        return
    finite = np.isfinite(rows)
    if not finite.all():
        names = ATTRIBUTES if kind == "attributes" else tuple(map(str, range(rows.shape[1])))
        for column in np.flatnonzero(~finite.all(axis=0)):
            count = int((~finite[:, column]).sum())
            told = f"{path}: {kind} {names[column]} in {count} of {len(rows)} frames"
            look.tell("not-finite", told, f"{kind} {names[column]}")
        rows = np.where(finite, rows, np.nan)
    if kind == "attributes":
        _look_at_ranges(path, rows, look)
        _look_at_faces(path, rows, look)
    else:
        for name, part, limit in UNLIKELY:
            largest = _largest(rows[:, part])
            if largest > limit:
                look.tell(
                    "unlikely", f"{path}: {name} up to {largest:.3g}, expected {limit:.3g}", name
                )


def _look_at_ranges(path: Path, rows: np.ndarray, look: Look) -> None:
    low, high = attribute_ranges()
    for column, name in enumerate(ATTRIBUTES):
        known = rows[:, column][~np.isnan(rows[:, column])]
        if not len(known):
            continue
        least, most = float(known.min()), float(known.max())
        if least < low[column] - ROUNDING or most > high[column] + ROUNDING:
            told = f"{path}: {name} from {least:.3g} to {most:.3g}"
            look.tell("range", f"{told}, expected {low[column]:g} to {high[column]:g}", name)


def _look_at_faces(path: Path, rows: np.ndarray, look: Look) -> None:
    sums = rows[:, EXPRESSION_SLICE].sum(axis=1)
    off = np.abs(sums - 1.0) > _SUM_ERROR
    if off.mean() > 0.01:
        look.tell(
            "expressions", f"{path}: {off.mean():.0%} of the frames, such as {sums[off][0]:.3g}"
        )
    if len(rows) > 1 and (rows == rows[0]).all():
        look.tell("still", str(path))


def _largest(values: np.ndarray) -> float:
    known = np.abs(values[~np.isnan(values)])
    return float(known.max()) if len(known) else 0.0


def _look_at_sound(recording: Recording, look: Look, quick: bool) -> float:
    """Its length in frames at 25 a second; 0 where it cannot be read."""
    path = recording.files["audio"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns of what is cut off: its length tells
            samples, rate = read_audio(recording)
    except CorpusError as error:
        look.tell("unreadable", str(error))
        return 0.0
    if not len(samples) or rate <= 0:
        look.tell("unreadable", f"{path} holds no sound")
        return 0.0
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        look.tell("audio-rate", f"{path}: {rate} Hz")
    if not quick:
        if not np.isfinite(samples).all():
            look.tell(
                "not-finite", f"{path}: {int((~np.isfinite(samples)).sum())} samples", "audio"
            )
        elif not samples.any():
            look.tell("silent", str(path))
    return len(samples) * FRAME_RATE / rate


def _look_at_video(recording: Recording, look: Look) -> float:
    """Its length in frames at 25 a second, from its head; 0 where it cannot be read."""
    from perreactor_model.media.video import VideoError, probe

    path = recording.files["video"]
    if path.is_dir():
        pictures = [each for each in path.iterdir() if each.suffix.lower() in PICTURES]
        numbered = [each for each in pictures if each.stem.isdigit()]
        if not pictures or len(numbered) < len(pictures):
            look.tell("unreadable", f"{path} holds no pictures named 1.png, 2.png, ...")
            return 0.0
        return len(pictures) * FRAME_RATE / recording.frame_rate
    try:
        info = probe(path)
    except (VideoError, OSError) as error:
        look.tell("unreadable", f"{path} cannot be read: {error}")
        return 0.0
    if not info.has_pictures:
        look.tell("unreadable", f"{path} holds no pictures")
        return 0.0
    return info.duration * FRAME_RATE


def _compare(recording: Recording, lengths: dict[str, float], look: Look) -> None:
    """As `perreactor prepare` does: tables by frames; sound may end a second early."""
    tables = [
        lengths[kind] for kind in ("attributes", "coefficients", "observed") if kind in lengths
    ]
    if not tables:
        return
    shortest = min(tables)
    apart = max(tables) - shortest > SLACK
    if "audio" in lengths:
        apart |= lengths["audio"] < shortest - FRAME_RATE
    if "video" in lengths:
        apart |= lengths["video"] < shortest - SLACK
    told = ", ".join(f"{kind} {count:.0f} frames" for kind, count in lengths.items())
    if apart:
        look.tell("misaligned", f"{recording.key} at 25 a second: {told}")
    elif max(lengths.values()) > shortest + FRAME_RATE:
        look.tell("uneven", f"{recording.key} at 25 a second: {told}")


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def look_at_mean_face(root: Path) -> Iterator[Fault]:
    """The corpus's own, where it brings one."""
    path = root / MEAN_FACE
    if not path.is_file():
        return
    try:
        mean = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        yield Fault("unreadable", f"{path} cannot be read: {error}")
        return
    if getattr(mean, "size", 0) != COEFFICIENT_COUNT or mean.dtype.kind not in "fiu":
        yield Fault("shape", f"{path}: expected {COEFFICIENT_COUNT} numbers")
    elif not np.isfinite(mean).all():
        yield Fault("not-finite", str(path), "mean face")


def missing_videos(recordings: tuple[Recording, ...]) -> Iterator[Fault]:
    """Recordings without a video, where others have one."""
    lacking = [each for each in recordings if "video" not in each.files]
    if len(lacking) < len(recordings):
        for recording in lacking:
            yield Fault("missing-some", f"video of {recording.key}", "video")
