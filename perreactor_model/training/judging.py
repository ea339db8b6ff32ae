"""What both stages share: their judges' losses, and what a generator pays to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from perreactor_model.contract import SPEAKER_VECTOR_COUNT
from perreactor_model.networks.discriminators import (
    AppropriatenessDiscriminator,
    RealismDiscriminator,
)
from perreactor_model.networks.paces import PER_VALUE
from perreactor_model.networks.scales import face_scale
from perreactor_model.training.adversarial import (
    clip_mean,
    judged_as,
    looks_real,
    not_deceived,
)
from perreactor_model.training.batch import Batch
from perreactor_model.training.discriminator_options import DiscriminatorOptions
from perreactor_model.training.instance_noise import noisy
from perreactor_model.training.loss_options import LossOptions
from perreactor_model.training.regularisers import (
    Manners,
    affect,
    coverage,
    diversity,
    energy,
    manner,
    manner_of_past,
    meet_manners,
    nearest,
    smoothness,
)

Losses = dict[str, Tensor]
"""Name -> weighted loss (a number with a gradient); their sum is what is minimised."""

_REAL, _GENERATED, _TO_DECEIVE, _TO_FIT, _TO_SEEM_FIT = range(5)


class Judges(nn.Module):
    """D_R and D_A of a stage, either absent where its weight is 0, with their losses."""

    scale: Tensor
    manner_spread: Tensor
    manner_weight: Tensor

    def __init__(
        self,
        losses: LossOptions,
        options: DiscriminatorOptions,
        speaker_size: int,
        pattern_size: int = 0,
    ) -> None:
        super().__init__()
        self.losses, self.options = losses, options
        self.register_buffer("scale", face_scale(), persistent=False)
        # How people move; 1 until somebody has measured it (`meet`). Kept with the weights.
        for name in ("manner_spread", "manner_weight"):
            self.register_buffer(name, torch.ones(PER_VALUE * SPEAKER_VECTOR_COUNT))
        self.realism = RealismDiscriminator(options.size) if losses.judged_for_realism else None
        self.appropriateness = (
            AppropriatenessDiscriminator(
                speaker_size, options.size, pattern_size=pattern_size, pool=options.pool
            )
            if losses.judged_for_appropriateness
            else None
        )

    def meet(self, pasts: Tensor, people: Tensor, frames: int) -> None:
        """Measure how people move, from what many truly did: (n, H, 83) of `people` (n,).

        `frames`: length of a clip of training.
        """
        known = meet_manners(pasts, people, frames, self.scale)
        self.manner_spread.copy_(known.spread)
        self.manner_weight.copy_(known.weight)

    def speaker_view(self, batch: Batch, token: Tensor) -> Tensor:
        """What D_A sees of the speaker, (B, T, S): never with a gradient."""
        if self.options.speaker == "tokens":
            return token.detach()
        return batch.speaker / self.scale

    def realism_terms(
        self, batch: Batch, fake: Tensor, step: int
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Eq. 9 for D_R, and its accuracies on real and generated frames of this batch."""
        if self.realism is None:
            return {}, {}
        real = self.realism(self._seen(batch.appropriate, batch, step, _REAL))
        made = self.realism(self._seen(fake, batch, step, _GENERATED))
        form = self.losses.adversarial
        smoothing = self.options.label_smoothing
        weight = batch.appropriate_weight
        loss = clip_mean(judged_as(form, real, True, smoothing), weight)
        loss = loss + clip_mean(judged_as(form, made, False))
        told = {
            "realism_real": clip_mean(looks_real(form, real).float(), weight),
            "realism_generated": clip_mean((~looks_real(form, made)).float()),
        }
        return {"realism": loss}, told

    def appropriateness_terms(
        self,
        wrong: list[tuple[str, Tensor, Tensor]],
        batch: Batch,
        fake: Tensor,
        speaker: Tensor,
        pattern: Tensor | None,
        step: int,
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Eq. 10 or 12 for D_A. `wrong`: name, real reactions (B, n, T, 83) and weights (B, n).

        All reactions of a clip are judged in one call: the speaker is read once.
        """
        if self.appropriateness is None:
            return {}, {}
        form = self.losses.adversarial
        parts = [batch.appropriate, fake, *(reactions for _, reactions, _ in wrong)]
        seen = self._seen(torch.cat(parts, dim=1), batch, step, _TO_FIT)
        logits = self.appropriateness(seen, speaker, pattern)
        right, made, *others = logits.split([part.shape[1] for part in parts], dim=1)
        weight = batch.appropriate_weight
        loss = clip_mean(judged_as(form, right, True), weight) + clip_mean(
            judged_as(form, made, False)
        )
        shown = 1 + len(others)
        told = {
            "appropriate_real": clip_mean(looks_real(form, right, shown).float(), weight),
            "appropriate_generated": clip_mean((~looks_real(form, made, shown)).float()),
        }
        for (name, _, weights), logit in zip(wrong, others, strict=True):
            loss = loss + clip_mean(judged_as(form, logit, False), weights)
            taken = looks_real(form, logit, shown)
            told[f"appropriate_{name}"] = clip_mean((~taken).float(), weights)
        return {"appropriateness": loss}, told

    def generator_terms(
        self, batch: Batch, fake: Tensor, speaker: Tensor, pattern: Tensor | None, step: int
    ) -> Losses:
        """What the generator pays to the judges, and the regularisers of Eq. 11 and 13."""
        options, form = self.losses, self.losses.adversarial
        terms: Losses = {}
        if self.realism is not None:
            logit = self.realism(self._seen(fake, batch, step, _TO_DECEIVE))
            terms["realism"] = options.realism * clip_mean(not_deceived(form, logit))
        if self.appropriateness is not None:
            seen = self._seen(fake, batch, step, _TO_SEEM_FIT)
            logit = self.appropriateness(seen, speaker, pattern)
            terms["appropriateness"] = options.appropriateness * clip_mean(
                not_deceived(form, logit)
            )
        if options.smoothness:
            terms["smoothness"] = options.smoothness * smoothness(fake, self.scale)
        if options.diversity:
            alike = diversity(fake, self.scale, options.diversity_scale)
            terms["diversity"] = options.diversity * alike
        if options.affect:
            terms["affect"] = options.affect * affect(
                fake, batch.appropriate, batch.appropriate_weight
            )
        if options.reconstruction_weight:
            terms["reconstruction"] = options.reconstruction_weight * nearest(
                fake, batch.appropriate, batch.appropriate_weight, self.scale
            )
        if options.coverage:
            terms["coverage"] = options.coverage * coverage(
                fake, batch.appropriate, batch.appropriate_weight, self.scale
            )
        if options.energy:
            terms["energy"] = options.energy * energy(
                fake, batch.appropriate, batch.appropriate_weight, self.scale
            )
        if options.manner:
            unlike = (
                manner(fake, batch.appropriate, batch.appropriate_weight, self.scale)
                if batch.past is None
                else manner_of_past(
                    fake, batch.past, self.scale, Manners(self.manner_spread, self.manner_weight)
                )
            )
            terms["manner"] = options.manner * unlike
        return terms

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Within, the judges judge and do not learn: no gradient reaches their weights."""
        wanted = [parameter.requires_grad for parameter in self.parameters()]
        self.requires_grad_(False)
        try:
            yield
        finally:
            for parameter, learns in zip(self.parameters(), wanted, strict=True):
                parameter.requires_grad_(learns)

    def _seen(self, frames: Tensor, batch: Batch, step: int, which: int) -> Tensor:
        return noisy(frames, self.scale, self.options.noise_at(step), batch.key, which)
