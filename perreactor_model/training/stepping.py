"""One step of training: the judges learn from a batch, then the generator does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from perreactor_model.training.face_stage import FaceStage
from perreactor_model.training.generic_stage import GenericStage
from perreactor_model.training.options import TrainOptions
from perreactor_model.training.personal_stage import PersonalStage
from perreactor_model.training.updating import AveragedWeights, Updater

Told = dict[str, Tensor]
"""Losses, shares and norms of gradients by name; numbers that stay on the device."""


class Stepper:
    """The networks of a stage with their optimisers; knows nothing of data or of the run."""

    def __init__(
        self,
        stage: GenericStage | PersonalStage | FaceStage,
        options: TrainOptions,
        fabric: Fabric,
    ) -> None:
        self.stage = stage.to(fabric.device).train()
        self._fabric = fabric
        rates, steps = options.optimiser, options.loop.steps
        self.generator = Updater(stage.generator.parameters(), rates, rates.lr, steps, fabric)
        self.judges = Updater(
            stage.judges.parameters(), rates, rates.discriminator_lr, steps, fabric
        )
        self.average = AveragedWeights(stage.generator, rates.ema) if rates.ema else None

    def step(self, batches: Sequence[Any], step: int) -> Told:
        """Learn from this process's share of step number `step`, in one or several parts.

        The generator pays to judges that have just learnt. With several parts its reactions are
        made twice, as holding them all would cost the memory that parts shall save. `batches` are
        of the kind that the stage takes.
        """
        stage, parts = self.stage, len(batches)
        told: Told = {}
        made: Any = None
        for batch in batches:
            with self._fabric.autocast():
                made = stage.react(batch)
                losses, shares = stage.discriminator_losses(batch, made, step)
            _add(told, {f"judge_{name}": loss for name, loss in losses.items()}, parts)
            _add(told, shares, parts)
            if losses:
                self._fabric.backward(_sum(losses) / parts)
        told["judge_gradient"] = self.judges.step(step)
        for batch in batches:
            with self._fabric.autocast():
                if made is None or parts > 1:
                    made = stage.react(batch)
                losses = stage.generator_losses(batch, made, step)
            _add(told, losses, parts)
            self._fabric.backward(_sum(losses) / parts)
        told["gradient"] = self.generator.step(step)
        if self.average:
            self.average.follow(step)
        return told

    @torch.no_grad()
    def judged(self, batch: Any, step: int) -> Told:
        """Losses and shares of the judges on clips that nobody learns from."""
        self.stage.eval()
        try:
            with self._fabric.autocast():
                made: Any = self.stage.react(batch)
                losses, shares = self.stage.discriminator_losses(batch, made, step)
        finally:
            self.stage.train()
        return {**{f"judge_{name}": loss for name, loss in losses.items()}, **shares}

    def weights(self) -> dict[str, Tensor]:
        """The generator to be kept and judged: averaged weights where there are any."""
        state = dict(self.stage.generator.state_dict())
        if self.average:
            state.update(self.average.values)
        if isinstance(self.stage, GenericStage):
            # PAG begins as a copy of GAG; until it is trained, it says what GAG says.
            generic = "decoder_generic."
            for name in [name for name in state if name.startswith(generic)]:
                state[f"decoder_personal.{name[len(generic) :]}"] = state[name]
        return state

    def state(self) -> dict[str, Any]:
        """What `load` takes, beside `weights`."""
        state: dict[str, Any] = {
            "judges": self.stage.judges.state_dict(),
            "optimisers": {"generator": self.generator.state(), "judges": self.judges.state()},
        }
        if self.average:
            state["generator"] = self.stage.generator.state_dict()
        return state

    def load(self, state: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Go on as the stepper that `state` and `weights` were taken from."""
        self.stage.generator.load_state_dict(state.get("generator", weights))
        self.stage.judges.load_state_dict(state["judges"])
        self.generator.load(state["optimisers"]["generator"])
        self.judges.load(state["optimisers"]["judges"])
        if self.average:
            self.average.load(weights)


def _sum(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _add(told: Told, values: dict[str, Tensor], parts: int) -> None:
    for name, value in values.items():
        share = value.detach().float() / parts
        told[name] = told[name] + share if name in told else share
