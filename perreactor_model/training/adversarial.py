"""The adversarial terms of Eq. 9, 10 and 12 in three forms, on logits.

minimax: to the letter; the generator minimises log(1 - D). non_saturating: it minimises -log D
instead (I. Goodfellow et al.: "Generative adversarial nets", NIPS 2014, section 3), which still
teaches when the discriminator is sure. least_squares: X. Mao et al., ICCV 2017, which the authors'
code follows for D_A. Each clip weighs the same, however many reactions it has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


def judged_as(form: str, logit: Tensor, real: bool, smoothing: float = 0.0) -> Tensor:
    """What a discriminator pays for each of its logits (any shape); `real` is the truth."""
    target = torch.full_like(logit, 1.0 - smoothing if real else 0.0)
    if form == "least_squares":
        return (logit - target) ** 2
    return binary_cross_entropy_with_logits(logit, target, reduction="none")


def not_deceived(form: str, logit: Tensor) -> Tensor:
    """What the generator pays for each logit of what it made."""
    if form == "least_squares":
        return (logit - 1.0) ** 2
    if form == "minimax":
        return -softplus(logit)
    return softplus(-logit)


def looks_real(form: str, logit: Tensor, wrong: int = 1) -> Tensor:
    """Bool: what the discriminator takes each for, who was shown `wrong` others for each real one.

    It rightly doubts more the more of them there are: one that knows nothing says 1 / (1 + wrong).
    """
    return logit > (1.0 / (1 + wrong) if form == "least_squares" else -math.log(wrong))


def clip_mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the clips of (B, ...), each the mean over its own values; a number.

    `weight` (B, n) with n the second axis: 0 leaves a value out; a clip without any counts as 0.
    """
    if weight is None:
        return values.flatten(1).mean(dim=1).mean()
    per_item = values if values.ndim == 2 else values.flatten(2).mean(dim=2)
    total = (per_item * weight).sum(dim=1)
    return (total / weight.sum(dim=1).clamp(min=1.0)).mean()
