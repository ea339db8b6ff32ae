"""What is wrong with the files of one recording."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from perreactor_model.audio.resample import HIGHEST_RATE, LOWEST_RATE
from perreactor_model.contract import (
    ATTRIBUTES,
    COEFFICIENTS,
    EXPRESSION_SLICE,
    FACE_EXPRESSION_SLICE,
    FRAME_RATE,
    OBSERVED,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
    attribute_ranges,
)
from perreactor_model.corpora.reading import (
    contract_frames,
    read_attributes,
    read_audio,
    read_coefficients,
    read_mean_face,
    read_observed,
)
from perreactor_model.corpora.recordings import CorpusError, CorpusShapeError, Recording, SplitIndex
from perreactor_model.corpus_checks.findings import Fault
from perreactor_model.preparation.computing import SLACK
from perreactor_model.preparation.faces import numbered_pictures
from perreactor_model.preparation.keys import MEAN_FACE, NEEDED

ROUNDING = 1e-3
"""By how much a value may leave its range: tables are written with few digits."""

UNLIKELY = (
    ("expressions", FACE_EXPRESSION_SLICE, 6.0),
    ("rotation", ROTATION_SLICE, 2 * np.pi),
    ("translation", TRANSLATION_SLICE, 50.0),
)
"""Sizes that coefficients of a face do not reach: REACT's own have deviations below 0.5."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "attributes": ATTRIBUTES,
    "coefficients": COEFFICIENTS,
    "observed": OBSERVED,
}
"""Their names, by kind of file."""

_SUM_ERROR = 0.05


@dataclass
class Look:
    """What was seen of a recording. frames: at 25 a second, 0 unknown; digest: of attributes."""

    frames: int = 0
    digest: str = ""
    faults: list[Fault] = field(default_factory=list)

    def tell(self, rule: str, example: str, column: str = "") -> None:
        """Note a fault."""
        self.faults.append(Fault(rule, example, column))

    def tell_error(self, error: Exception) -> None:
        """Note that a file cannot be read."""
        self.faults.append(_fault_of(error))


def _fault_of(error: Exception) -> Fault:
    return Fault("shape" if isinstance(error, CorpusShapeError) else "unreadable", str(error))


def look_into(quick: bool, given: tuple[str, Recording]) -> Look:
    """Read all files of a split's recording; quick: only their lengths, and no tables of text."""
    split, recording = given
    look = Look()
    for kind in NEEDED:
        if kind not in recording.files:
            look.tell("missing", f"{kind} of {recording.key} ({split})", kind)
    lengths: dict[str, int] = {}
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
            lengths[kind] = contract_frames(len(rows), recording.frame_rate)
            if not quick:
                _look_at_values(kind, path, rows, look)
    if not quick and "attributes" in lengths:
        look.digest = _digest(recording.files["attributes"])
    if lengths:
        look.frames = min(lengths.values())
    if "audio" in recording.files:
        lengths["audio"] = _look_at_sound(recording, look, quick)
    if "video" in recording.files and not quick:
        lengths["video"] = _look_at_video(recording, look)
    lengths = {kind: count for kind, count in lengths.items() if count}
    _compare(f"{recording.key} ({split})", lengths, look)
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
        look.tell_error(error)
        return None
    if rows is None or not len(rows):
        look.tell("shape", f"{path} holds no frame")
        return None
    return rows


def _look_at_values(kind: str, path: Path, rows: np.ndarray, look: Look) -> None:
    # Only what is observed may be unknown.
    bad = np.isinf(rows) if kind == "observed" else ~np.isfinite(rows)
    for column in np.flatnonzero(bad.any(axis=0)):
        name = COLUMNS[kind][column]
        told = f"{path}: {name} in {bad[:, column].sum()} of {len(rows)} frames"
        look.tell("not-finite", told, name)
    rows = np.where(bad, np.nan, rows)
    if kind != "coefficients":
        _look_at_ranges(path, rows, look)
    if kind == "attributes":
        _look_at_faces(path, rows, look)
    if kind == "coefficients":
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


def _look_at_sound(recording: Recording, look: Look, quick: bool) -> int:
    """Its length in frames at 25 a second; 0 where it cannot be read."""
    path = recording.files["audio"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns of what is cut off: its length tells
            samples, rate = read_audio(recording)
    except CorpusError as error:
        look.tell_error(error)
        return 0
    if not len(samples) or rate <= 0:
        look.tell("unreadable", f"{path} holds no sound")
        return 0
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        look.tell("audio-rate", f"{path}: {rate} Hz")
    if not quick:
        if not np.isfinite(samples).all():
            look.tell(
                "not-finite", f"{path}: {int((~np.isfinite(samples)).sum())} samples", "audio"
            )
        elif not samples.any():
            look.tell("silent", str(path))
    return contract_frames(len(samples), rate)


def _look_at_video(recording: Recording, look: Look) -> int:
    """Its length in frames at 25 a second, from its head; 0 where it cannot be read."""
    from perreactor_model.media.video import VideoError, probe

    path = recording.files["video"]
    try:
        if path.is_dir():
            return contract_frames(len(numbered_pictures(path)), recording.frame_rate)
        info = probe(path)
    except (CorpusError, VideoError) as error:
        look.tell_error(error)
        return 0
    if not info.has_pictures:
        look.tell("unreadable", f"{path} holds no pictures")
        return 0
    return round(info.duration * FRAME_RATE)


def _compare(place: str, lengths: Mapping[str, int], look: Look) -> None:
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
    told = ", ".join(f"{kind} {count} frames" for kind, count in lengths.items())
    if apart:
        look.tell("misaligned", f"{place} at 25 a second: {told}")
    elif max(lengths.values()) > shortest + FRAME_RATE:
        look.tell("uneven", f"{place} at 25 a second: {told}")


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def look_at_mean_face(root: Path) -> Iterator[Fault]:
    """The corpus's own, where it brings one."""
    path = root / MEAN_FACE
    if not path.is_file():
        return
    try:
        mean = read_mean_face(path)
    except CorpusError as error:
        yield _fault_of(error)
        return
    if not np.isfinite(mean).all():
        yield Fault("not-finite", str(path), "mean face")


def missing_videos(split: SplitIndex) -> Iterator[Fault]:
    """Recordings without a video, where others have one."""
    lacking = [each for each in split.recordings if "video" not in each.files]
    if len(lacking) < len(split.recordings):
        for recording in lacking:
            yield Fault("missing-some", f"video of {recording.key} ({split.name})", "video")
