"""A run from its first step to its last, or from where it was interrupted."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric import Fabric

from perreactor_model.training.checkpoints import (
    BEST,
    LAST,
    options_of,
    read_checkpoint,
    refuse_other_data,
    refuse_other_options,
    sweep,
    write_checkpoint,
)
from perreactor_model.training.collating import batches
from perreactor_model.training.items import ClipMaker, Listeners
from perreactor_model.training.options import SCORES, OptionError, TrainOptions
from perreactor_model.training.progress import Progress, summary
from perreactor_model.training.sampling import ClipOrder
from perreactor_model.training.stages import build_stage
from perreactor_model.training.stepping import Stepper, Told
from perreactor_model.training.stopping import StopRequest, stop_requests
from perreactor_model.training.tensorboard import Board
from perreactor_model.training.validation import Validation
from perreactor_model.training.watch import JudgeWatch, refuse_nonfinite

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedCorpus, PreparedSplit

TRAIN, HELD_OUT = "train", "val"
_MET = 1024
"""Pasts that a pattern encoder is begun with."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `step`: steps done; `best`: held-out score, None if there was none."""

    step: int
    best: float | None
    stopped_by: int | None = None
    """The signal that asked it to end early."""


class Run:
    """One process of a run. Make it after `fabric.launch()`, then call `go`."""

    def __init__(
        self,
        fabric: Fabric,
        options: TrainOptions,
        corpus: PreparedCorpus,
        folder: Path,
        gag: Path | None = None,
    ) -> None:
        """Goes on from `folder`/last.ckpt where that is.

        Raises OptionError, CheckpointError and OSError for what the user can put right.
        """
        self._fabric, self.options, self._folder = fabric, options, folder
        self._corpus = corpus
        loop = options.loop
        self._maker = self._clips()
        self._order = ClipOrder(self._maker.items, loop.seed)
        content = None
        if (folder / LAST).is_file():
            content = self._resumable(folder / LAST)
        self.stepper = Stepper(self._stage(gag, content), options, fabric)
        self.step = 0
        self.best: float | None = None
        self._scored: tuple[int, float] | None = None
        self._watch = JudgeWatch()
        if content is not None:
            self._load(content)
        self._first = fabric.is_global_zero
        self._validation = self._scorer() if loop.validate and self._first else None
        self._told: list[Told] = []

    def go(self) -> Outcome:
        """Train until the last step, or until somebody asks to stop."""
        loop = self.options.loop
        if self._first:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep(self._folder)
        progress = Progress(self._folder, self.step, loop.steps, self._first)
        board = Board(self._folder if self._first else None, self.step)
        asked = StopRequest()
        clips = self._batches()
        try:
            with stop_requests() as asked:
                while self.step < loop.steps and not asked:
                    share = [next(clips) for _ in range(loop.accumulate)]
                    self._told.append(self.stepper.step(share, self.step))
                    self.step += 1
                    progress.step()
                    self._after(share[-1], progress, board)
            if self.step % loop.save or asked:
                self._save(LAST)
        finally:
            clips.close()
            board.close()
            progress.close()
        return Outcome(self.step, self.best, asked.signal)

    # What is particular to a stage: these learn from clips, `face_run.FaceRun` from pictures.

    def _clips(self) -> Any:
        """What is learnt from; its `items` are numbers."""
        return ClipMaker(split_of(self._corpus, TRAIN), self.options)

    def _stage(self, begin_from: Path | None, resumed: dict[str, Any] | None) -> Any:
        """The networks, new or for what a checkpoint holds."""
        if resumed is not None:
            # Its GAG is needed no more: its networks are in the checkpoint.
            return build_stage(self.options, None, self._face_encoder())
        return build_stage(self.options, begin_from, self._face_encoder(), self._listeners())

    def _scorer(self) -> Any:
        return Validation(split_of(self._corpus, HELD_OUT), self.options)

    def _batches_of(
        self, shares: Iterable[Sequence[tuple[int, int]]]
    ) -> Generator[Any, None, None]:
        return batches(self._maker, shares, self._fabric.device, self.options.loop.workers)

    def _picture(self, board: Board, batch: Any) -> None:
        board.reactions(self.stepper, batch, self.step)

    def _record(self) -> dict[str, Any]:
        """What a checkpoint tells of what the networks were trained on."""
        return {
            "corpus": {
                "mean_face": [float(value) for value in self._corpus.mean_face],
                "au_semantics": self._corpus.au_semantics,
                "synthetic": self._corpus.synthetic,
            }
        }

    def _batches(self) -> Generator[Any, None, None]:
        loop, fabric = self.options.loop, self._fabric
        shares = (
            self._order.share(
                step, loop.batch, fabric.global_rank, fabric.world_size, part, loop.accumulate
            )
            for step in range(self.step, loop.steps)
            for part in range(loop.accumulate)
        )
        return self._batches_of(shares)

    def _after(self, batch: Any, progress: Progress, board: Board) -> None:
        """What is due after a step: a line, a score, a picture, a checkpoint."""
        loop, step = self.options.loop, self.step
        last = step == loop.steps
        if _due(step, loop.log, last):
            told = self._means()
            progress.line(step, told)
            board.scalars("train", told, step)
            for warning in self._watch.look(told):
                progress.say(f"perreactor: warning: step {step}: {warning}")
        if _due(step, loop.picture, last) and self._first:
            self._picture(board, batch)
        if _due(step, loop.validate, last):
            self._validate(progress, board)
        if _due(step, loop.save, last):
            self._save(LAST)

    def _means(self) -> dict[str, float]:
        """Means since the last line over all processes. Raises TrainingStopped at NaN."""
        names = list(self._told[0])
        table = torch.stack([torch.stack([told[name] for name in names]) for told in self._told])
        shared = self._fabric.all_reduce(table, reduce_op="mean")
        assert isinstance(shared, torch.Tensor)
        for row, values in enumerate(shared.tolist()):
            step = self.step - len(self._told) + row + 1
            refuse_nonfinite(step, dict(zip(names, values, strict=True)), self._precision)
        self._told.clear()
        return dict(zip(names, shared.mean(dim=0).tolist(), strict=True))

    @property
    def _precision(self) -> str:
        return self.options.loop.precision

    def _validate(self, progress: Progress, board: Board) -> None:
        """Score the generator on held-out clips; the first process does, the others wait."""
        self._refuse_broken()
        if self._validation is not None:
            told = self._validation.score(self.stepper, self.step)
            board.scalars("held_out", told, self.step)
            score = told[SCORES[self.options.stage]]
            self._scored = self.step, score
            better = self.best is None or score > self.best
            progress.line(self.step, told, held_out=True)
            standing = "the best so far" if better else f"the best was {self.best:.4f}"
            progress.say(f"step {self.step}: held out: {summary(told)}; {standing}")
            if better:
                self.best = score
                self._save(BEST)
        self._fabric.barrier()

    def _refuse_broken(self) -> None:
        """Steps that no line has told of yet must be sound before anything is kept of them."""
        if self._told:
            total = sum(sum(value for value in told.values()) for told in self._told)
            if not bool(torch.isfinite(torch.as_tensor(total))):
                self._means()

    def _save(self, name: str) -> None:
        self._refuse_broken()
        if not self._first:
            return
        cuda = self._fabric.device.type == "cuda"
        training: dict[str, Any] = {
            "options": self.options.to_dict(),
            "data": self._corpus.key,
            **self._record(),
            "step": self.step,
            "best": self.best,
            "score": self._score(),
            "watch": self._watch.state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self._fabric.device) if cuda else None,
            **self.stepper.state(),
        }
        write_checkpoint(
            self._folder / name, self.stepper.stage.generator, self.stepper.weights(), training
        )

    def _score(self) -> float | None:
        """Of the weights as they are, if this step has been scored: what a bundle may claim."""
        if self._scored is None or self._scored[0] != self.step:
            return None
        return self._scored[1]

    def _listeners(self) -> Listeners | None:
        """Those of all the corpus, in stage 2."""
        return None if self.options.stage == "gag" else self._maker.listeners(_MET)

    def _face_encoder(self) -> Path | None:
        """The checkpoint whose encoder made the corpus's features of faces, if it holds any."""
        encoder = self._corpus.settings.get("encoder")
        seen = self.options.model.visual_input == "face_image"
        return Path(encoder) if encoder and seen else None

    def _resumable(self, path: Path) -> dict[str, Any]:
        content = read_checkpoint(path)
        refuse_other_options(self.options, options_of(content), str(path))
        refuse_other_data(self._corpus.key, content["training"]["data"], str(path))
        return content

    def _load(self, content: dict[str, Any]) -> None:
        training = content["training"]
        self.stepper.load(training, content["state_dict"])
        self.step, self.best = training["step"], training["best"]
        if training["score"] is not None:
            self._scored = self.step, training["score"]
        self._watch.load(training["watch"])
        torch.set_rng_state(training["random"])
        if self._fabric.device.type == "cuda" and training["random_cuda"] is not None:
            torch.cuda.set_rng_state(training["random_cuda"], self._fabric.device)


def _due(step: int, every: int, last: bool) -> bool:
    return bool(every) and (step % every == 0 or last)


def split_of(corpus: PreparedCorpus, name: str) -> PreparedSplit:
    """Raises OptionError where the corpus has no such split."""
    if name not in corpus.splits:
        raise OptionError(
            f"the prepared corpus in {corpus.folder} has no split '{name}' (it has "
            f"{', '.join(corpus.splits) or 'none'}): training needs '{TRAIN}', and '{HELD_OUT}' "
            "unless loop.validate=0"
        )
    return corpus.splits[name]
