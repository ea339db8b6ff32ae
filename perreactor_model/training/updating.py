"""From gradients to weights: shared between processes, clipped, AdamW, averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from perreactor_model.training.options import OptimiserOptions

_LOWEST = 0.01
"""Of the learning rate, what the cosine ends at."""


class Updater:
    """AdamW of one side, generator or discriminators; the other side's weights do not concern it.

    Gradients are averaged over processes here, in one message, and nowhere else: so neither side
    ever waits for gradients of the other.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        options: OptimiserOptions,
        rate: float,
        steps: int,
        fabric: Fabric,
    ) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._options, self._rate, self._steps, self._fabric = options, rate, steps, fabric
        self.optimiser = (
            torch.optim.AdamW(
                self.parameters,
                lr=rate,
                betas=options.betas,
                eps=options.epsilon,
                weight_decay=options.weight_decay,
                fused=True,
            )
            if self.parameters
            else None
        )

    def step(self, step: int) -> Tensor:
        """Apply and clear the gradients of step number `step`; their norm before clipping, ()."""
        if self.optimiser is None:
            return torch.zeros((), device=self._fabric.device)
        self._share()
        limit = self._options.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.parameters, limit)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate * pace(self._options, step, self._steps)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm.detach()

    def state(self) -> dict[str, Any]:
        """What `load` takes."""
        return self.optimiser.state_dict() if self.optimiser else {}

    def load(self, state: dict[str, Any]) -> None:
        """Go on as the one that `state` was taken from."""
        if self.optimiser:
            self.optimiser.load_state_dict(state)

    def _share(self) -> None:
        """The mean over all processes, each of which has seen as many clips."""
        if self._fabric.world_size == 1:
            return
        # What has none here has none anywhere: all processes compute the same graph.
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        mean = self._fabric.all_reduce(flat, reduce_op="mean")
        assert isinstance(mean, Tensor)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, mean.split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))


def pace(options: OptimiserOptions, step: int, steps: int) -> float:
    """Share of the learning rate in a step: up during `warmup`, then held or down a cosine."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    if options.decay == "none":
        return 1.0
    done = min(1.0, (step - options.warmup) / max(1, steps - options.warmup))
    return _LOWEST + (1.0 - _LOWEST) * 0.5 * (1.0 + math.cos(math.pi * done))


class AveragedWeights:
    """Exponential moving average of the weights that learn (`ema`); follows closely at first."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._live = {
            name: parameter
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        self.values = {name: value.detach().clone() for name, value in self._live.items()}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the weights after step number `step`."""
        decay = min(self._decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(
            list(self.values.values()),
            [value.detach() for value in self._live.values()],
            1.0 - decay,
        )

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange average and weights, in place; a second time puts everything back."""
        for name, live in self._live.items():
            kept = live.detach().clone()
            live.copy_(self.values[name])
            self.values[name].copy_(kept)

    def load(self, values: dict[str, Tensor]) -> None:
        """Go on from another's `values`."""
        for name, value in self.values.items():
            value.copy_(values[name])
