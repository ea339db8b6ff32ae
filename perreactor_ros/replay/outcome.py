"""What a replay leaves behind: a folder with the bag of reactions and the report."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.report.contents import (
    BundleFacts,
    Judged,
    LiveTrack,
    ReportContents,
    StripMaterial,
)
from perreactor_ros.replay.scoring import Scores
from perreactor_ros.replay.session import Outcome
from perreactor_ros.replay.topics import ReplayError

REACTIONS = "reactions"
"""Folder of the bag."""

LIVE_LOG = "live.log"
"""What the nodes of a live replay said."""

PAGE = "report.html"
_REPORT = {PAGE, "report.json", "figures", "strip.mp4", "strip_excerpt.mp4"}
_OURS = {REACTIONS, LIVE_LOG, *_REPORT}
_PART = ".part-"
"""Begins the name of what is not complete yet, or was never to be: the machine went down."""


class OutputFolder:
    """A folder whose contents appear in it when they are complete, or not at all.

    Until then they are in a hidden folder: inside, where the folder is there already (it may be
    somebody's working directory, or a mount, and stays the same one), otherwise beside it. An
    earlier replay is replaced; a folder that holds anything else is refused with ReplayError.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._check()
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        try:
            inside = self.path.is_dir()
            place = self.path if inside else self.path.parent
            place.mkdir(parents=True, exist_ok=True)
            prefix = _PART if inside else f".{self.path.name}{_PART}"
            self._temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        except OSError as error:
            raise ReplayError(
                f"--out: {self.path} cannot be made or written ({error.strerror}); give another "
                "folder"
            ) from None
        self._temporary.chmod(0o755)
        return self._temporary

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._temporary is not None
        if kind is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            return
        self._check()
        if not self.path.exists():
            self._temporary.rename(self.path)
            return
        for name in _OURS:
            _remove(self.path / name)
        for entry in self._temporary.iterdir():
            entry.rename(self.path / entry.name)
        self._temporary.rmdir()

    def _check(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise ReplayError(f"--out: {self.path} is a file; give a folder")
        names = sorted(entry.name for entry in self.path.iterdir())
        others = [name for name in names if name not in _OURS and not name.startswith(_PART)]
        if others:
            raise ReplayError(
                f"--out: {self.path} holds something else ({', '.join(others[:3])}); give a new "
                "folder, or that of an earlier replay"
            )


def discard_report(folder: Path) -> None:
    """Remove what there is of a report that was not finished."""
    for name in _REPORT:
        _remove(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def report_contents(
    title: str,
    command: str,
    bundle: Bundle,
    outcome: Outcome,
    scores: Scores,
    strip: StripMaterial | None,
    provenance: Mapping[str, str | int | float],
    live: LiveTrack | None = None,
) -> ReportContents:
    """Everything that the report shows of a replay."""
    stamps = [int(track.stamp_ns[0]) for track in outcome.reactions if len(track.stamp_ns)]
    # Stamps may be of another clock than the bag: then the report begins with the reactions.
    shift = 0
    if stamps and abs(min(stamps) - outcome.begin_ns) > _OTHER_CLOCK_NS:
        shift = min(stamps) - outcome.begin_ns
    return ReportContents(
        title=title,
        command=command,
        bundle=BundleFacts.of(bundle),
        reactions=outcome.reactions,
        begin_ns=outcome.begin_ns + shift,
        end_ns=outcome.end_ns + shift,
        compute_s=outcome.compute_s,
        speaker=outcome.speaker,
        real=outcome.real,
        scores=scores.robots or None,
        not_scored=scores.why_not,
        counters=outcome.counters,
        judged=Judged(scores.clips, scores.seconds, scores.channels, scores.notes),
        troubles=outcome.troubles,
        live=live,
        strip=strip,
        provenance=provenance,
    )


_OTHER_CLOCK_NS = 3_600_000_000_000
"""Reactions that begin further from the bag's beginning are stamped by another clock."""
