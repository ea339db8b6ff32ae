"""Stage 2: PAG against D_R and D_A^P (Eq. 9, 12, 13). GAG is frozen and only lends its latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.adversarial import clip_mean, judged_as
from perreactor_model.training.batch import Batch
from perreactor_model.training.discriminator_options import DiscriminatorOptions, NegativesOptions
from perreactor_model.training.generic_stage import (
    Reactions,
    decoded,
    latent_distribution,
    speaker_size,
    tokens_of,
)
from perreactor_model.training.judging import Judges, Losses
from perreactor_model.training.loss_options import LossOptions


class PersonalStage(nn.Module):
    """What is learnt in stage 2: the pattern encoder and PAG's decoder; `judges` are new ones."""

    def __init__(
        self,
        generator: ReactionGenerator,
        losses: LossOptions,
        options: DiscriminatorOptions,
        negatives: NegativesOptions | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        size = generator.config.feature_size
        self.judges = Judges(losses, options, speaker_size(options, generator), pattern_size=size)
        self.losses, self.negatives = losses, negatives or NegativesOptions()
        generator.requires_grad_(False)
        generator.decoder_personal.requires_grad_(True)
        generator.pattern_encoder.requires_grad_(True)

    def train(self, mode: bool = True) -> PersonalStage:
        """What is frozen stays in evaluation mode."""
        super().train(mode)
        self.generator.frame_encoder.eval()
        self.generator.distribution.eval()
        self.generator.decoder_generic.eval()
        return self

    def react(self, batch: Batch) -> Reactions:
        """M reactions of the listener of `batch.history` to each speaker (Eq. 7)."""
        assert batch.history is not None, "stage 2 needs histories"
        with torch.no_grad():
            token = tokens_of(self.generator, batch)
            mean, deviation = latent_distribution(self.generator, token, batch.stream)
            latent = mean.unsqueeze(1) + deviation.unsqueeze(1) * batch.noise
        pattern = self.generator.pattern(batch.history)
        latent = self.generator.personalise(latent, pattern[:, None, None])
        reaction = decoded(self.generator, latent, token, personal=True)
        return Reactions(reaction, token, mean, deviation, pattern)

    def discriminator_losses(
        self, batch: Batch, made: Reactions, step: int
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Losses of the judges, and shares of what they got right; no gradient to PAG."""
        assert made.pattern is not None
        fake = made.reaction.detach()
        realism, told = self.judges.realism_terms(batch, fake, step)
        speaker = self.judges.speaker_view(batch, made.token)
        fitting, more = self.judges.appropriateness_terms(
            self._wrong(batch), batch, fake, speaker, made.pattern.detach(), step
        )
        return realism | fitting, told | more

    def generator_losses(self, batch: Batch, made: Reactions, step: int) -> Losses:
        """Weighted losses of PAG; no gradient to the judges."""
        assert made.pattern is not None
        with self.judges.at_rest():
            speaker = self.judges.speaker_view(batch, made.token)
            # D_A^P is asked about a given listener: the pattern is not bent to please it.
            terms = self.judges.generator_terms(
                batch, made.reaction, speaker, made.pattern.detach(), step
            )
            if self.losses.pattern and self.judges.appropriateness is not None:
                terms["pattern"] = self.losses.pattern * self._telling(batch, speaker, made.pattern)
        return terms

    def _telling(self, batch: Batch, speaker: Tensor, pattern: Tensor) -> Tensor:
        """How badly D_A^P, given this pattern, knows the listener's real reactions from others'."""
        assert self.judges.appropriateness is not None
        form = self.losses.adversarial
        wrong = [(reactions, weight) for name, reactions, weight in self._wrong(batch)]
        parts = [batch.appropriate, *(reactions for reactions, _ in wrong)]
        logits = self.judges.appropriateness(torch.cat(parts, dim=1), speaker, pattern)
        right, *others = logits.split([part.shape[1] for part in parts], dim=1)
        loss = clip_mean(judged_as(form, right, True), batch.appropriate_weight)
        for (_, weight), logit in zip(wrong, others, strict=True):
            loss = loss + clip_mean(judged_as(form, logit, False), weight)
        return loss

    def _wrong(self, batch: Batch) -> list[tuple[str, Tensor, Tensor]]:
        wrong = [("inappropriate", batch.inappropriate, batch.inappropriate_weight)]
        if self.negatives.other_listeners and batch.others is not None:
            assert batch.others_weight is not None
            wrong.append(("others", batch.others, batch.others_weight))
        return wrong
