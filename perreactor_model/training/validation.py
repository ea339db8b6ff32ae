"""How good a generator in training is, on clips that nobody learns from.

FRCorr, corrected as in `metrics`, decides which checkpoint is the best: over all listeners'
fitting reactions for GAG, over those of the listener itself for PAG. Beside it, FRDiv, which falls
to 0 where all reactions become one, and what the discriminators know of held-out clips: a judge
that knows only those it has learnt by heart teaches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from perreactor_model.training.collating import batches
from perreactor_model.training.items import ClipMaker
from perreactor_model.training.options import TrainOptions
from perreactor_model.training.sampling import ClipOrder
from perreactor_model.training.stepping import Stepper

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedSplit

_SAMPLES = 4
_ROWS = 0x5C0
_JUDGED_BATCHES = 4


class Validation:
    """Scores a generator on the same clips with the same noise each time."""

    def __init__(self, split: PreparedSplit, options: TrainOptions) -> None:
        """Raises OptionError where the split allows no clip."""
        self._split = split
        self._personal = options.stage == "pag"
        self._seed, self._batch = options.loop.seed, options.loop.shares
        streams = options.data.latents != "offline" and options.model.decoder == "aligned"
        self._mode = "stream" if streams else "offline"
        self._history, self._view = options.data.history_frames, options.data.history_view
        self._maker = ClipMaker(split, options, held_out=True)
        pairs = list(range(len(split.pairs)))
        if self._personal:
            pairs = [pair for pair in pairs if len(split.other_recordings(pair))]
        key = np.random.SeedSequence((self._seed, _ROWS))
        shuffled = np.random.Generator(np.random.Philox(key)).permutation(pairs)
        self.rows = np.sort(shuffled[: options.loop.validate_clips])

    def score(self, stepper: Stepper, step: int) -> dict[str, float]:
        """FRCorr, FRDiv, and losses and shares of the judges, means over held-out clips."""
        return {**self._followed(stepper), **self._judged(stepper, step)}

    def _followed(self, stepper: Stepper) -> dict[str, float]:
        from perreactor_model.evaluation.predicting import predict
        from perreactor_model.metrics.evaluation import evaluate

        generator = stepper.stage.generator
        average = stepper.average
        if average:
            average.swap()
        stepper.stage.eval()
        try:
            predictions = predict(
                generator,
                self._split,
                samples=_SAMPLES,
                seed=self._seed,
                personal=self._personal,
                mode=self._mode,
                rows=self.rows,
                history_frames=self._history,
                history_view=self._view,
            )
        finally:
            stepper.stage.train()
            if average:
                average.swap()
        table = evaluate(predictions, ("corrected",), ("FRCorr", "FRDiv"))["corrected"]
        score = table["PMAFRG"]["FRCorr"] if self._personal else table["FRCorr"]
        return {"FRCorr": float(score or 0.0), "FRDiv": float(table["FRDiv"])}

    def _judged(self, stepper: Stepper, step: int) -> dict[str, float]:
        order = ClipOrder(self._maker.items, self._seed)
        shares = [order.share(index, self._batch, 0, 1) for index in range(_JUDGED_BATCHES)]
        device = next(stepper.stage.parameters()).device
        told = [stepper.judged(batch, step) for batch in batches(self._maker, shares, device)]
        return {name: float(torch.stack([each[name] for each in told]).mean()) for name in told[0]}
