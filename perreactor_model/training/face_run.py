"""`train face` from its first step to its last: a run like any other, on single pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from perreactor_model.training.collating import ahead
from perreactor_model.training.face_frames import FaceBatch, FaceFrames
from perreactor_model.training.face_stage import FaceStage
from perreactor_model.training.face_start import face_stage, resumed_face_stage
from perreactor_model.training.loop import HELD_OUT, TRAIN, Run, split_of
from perreactor_model.training.options import OptionError, TrainOptions
from perreactor_model.training.stepping import Stepper
from perreactor_model.training.tensorboard import Board

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedSplit

_MET = 4096
"""Frames that the teacher's features are measured on."""

_AT_ONCE = 128
"""Pictures that are encoded together when they are scored."""


class FaceRun(Run):
    """One process of a run of stage `face`; `gag` of `Run` is the teacher here."""

    def _clips(self) -> FaceFrames:
        return FaceFrames(split_of(self._corpus, TRAIN), self.options)

    def _stage(self, begin_from: Path | None, resumed: dict[str, Any] | None) -> FaceStage:
        frames = self._maker
        assert isinstance(frames, FaceFrames)
        if resumed is not None:
            self._teacher = resumed["training"]["teacher"]
            return resumed_face_stage(self.options)
        assert begin_from is not None, "a new run has a teacher"
        stage, self._teacher = face_stage(begin_from, self.options)
        self._refuse_other_units()
        stage.begin(frames.visual(frames.spread(_MET)))
        return stage

    def _scorer(self) -> HeldOutFaces:
        return HeldOutFaces(split_of(self._corpus, HELD_OUT), self.options)

    def _batches_of(
        self, shares: Iterable[Sequence[tuple[int, int]]]
    ) -> Generator[FaceBatch, None, None]:
        frames, device = self._maker, self._fabric.device
        assert isinstance(frames, FaceFrames)
        return ahead(lambda share: frames.batch(share, device), shares, self.options.loop.workers)

    def _picture(self, board: Board, batch: FaceBatch) -> None:
        board.pictures("faces as they are learnt from", batch.picture, self.step)

    def _record(self) -> dict[str, Any]:
        """What reactions are made of is told by the teacher's corpus; this one held the faces."""
        own = super()._record()
        return {
            "corpus": self._teacher["corpus"] or own["corpus"],
            "faces_synthetic": self._corpus.synthetic,
            "teacher": self._teacher,
        }

    def _refuse_other_units(self) -> None:
        """Raises OptionError where teacher and corpus mean different things by action units."""
        learnt = self._teacher["corpus"]
        if learnt and learnt["au_semantics"] != self._corpus.au_semantics:
            raise OptionError(
                f"the teacher knows action units as {learnt['au_semantics']}, the corpus in "
                f"{self._corpus.folder} has them as {self._corpus.au_semantics}: prepare one whose "
                "action units are the teacher's"
            )


class HeldOutFaces:
    """Scores an encoder on the same pictures of people whom nobody learns from."""

    def __init__(self, split: PreparedSplit, options: TrainOptions) -> None:
        """Raises OptionError where the split holds no pictures."""
        self._frames = FaceFrames(split, options, held_out=True)
        self._share = self._frames.spread(options.face.held_out)

    @torch.no_grad()
    def score(self, stepper: Stepper, step: int) -> dict[str, float]:
        """`explained`: share of the variance of the teacher's features that pictures give.

        1 is a pupil who knows all that the teacher does, 0 one who always gives the mean.
        """
        stage = stepper.stage
        assert isinstance(stage, FaceStage)
        if stepper.average:
            stepper.average.swap()
        try:
            missed, wanted = zip(*self._compared(stage), strict=True)
        finally:
            if stepper.average:
                stepper.average.swap()
        varies = torch.cat(wanted).var(dim=0, correction=0).sum()
        return {"explained": float(1.0 - torch.cat(missed).mean() / varies)}

    def _compared(
        self, stage: FaceStage
    ) -> Generator[tuple[torch.Tensor, torch.Tensor], None, None]:
        """Squared errors (n,) and what was wanted (n, d), as tokens see both."""
        device = next(stage.parameters()).device
        for first in range(0, len(self._share), _AT_ONCE):
            batch = self._frames.batch(self._share[first : first + _AT_ONCE], device)
            wanted = stage.wanted(batch)
            apart = stage.judges.taken(stage.react(batch) - wanted)
            yield apart.square().sum(dim=-1), stage.judges.taken(wanted)
