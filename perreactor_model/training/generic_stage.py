"""Stage 1: GAG against D_R and D_A^G (Eq. 9-11). One forward of the generator serves both steps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from perreactor_model.contract import SPEAKER_VECTOR_COUNT
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.batch import Batch
from perreactor_model.training.discriminator_options import DiscriminatorOptions
from perreactor_model.training.judging import Judges, Losses
from perreactor_model.training.loss_options import LossOptions
from perreactor_model.training.regularisers import divergence


class Reactions(NamedTuple):
    """Generated reactions (B, M, T, 83), and what they were made from."""

    reaction: Tensor
    token: Tensor
    """(B, T, d)."""
    mean: Tensor
    """Of the latents' distribution, (B, T, d)."""
    deviation: Tensor
    pattern: Tensor | None = None
    """(B, d), in stage 2."""


def speaker_size(options: DiscriminatorOptions, generator: ReactionGenerator) -> int:
    """Values in a frame of what D_A sees of the speaker."""
    if options.speaker == "tokens":
        return generator.config.feature_size
    return SPEAKER_VECTOR_COUNT


def tokens_of(generator: ReactionGenerator, batch: Batch) -> Tensor:
    """Speaker tokens (B, T, d), from pixels or attributes, or from features of a frozen encoder."""
    if batch.visual is not None:
        return generator.encode(batch.visual, batch.audio, batch.face_present, batch.voice_present)
    assert batch.face_token is not None, "a batch holds the face or features of it"
    encoder = generator.frame_encoder
    clips = batch.audio.shape[:2]
    token = encoder.join(
        batch.face_token.flatten(0, 1),
        encoder.voice(batch.audio.flatten(0, 1)),
        batch.face_present.flatten(),
        batch.voice_present.flatten(),
    )
    return token.unflatten(0, clips)


def latent_distribution(
    generator: ReactionGenerator, token: Tensor, stream: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and deviation (B, T, d): of each frame's window, or of the whole clip in all frames."""
    frames = token.shape[-2]
    window = generator.config.window
    step = generator.distribution_of(token, min(window, frames))
    whole = step if frames <= window else generator.distribution_of(token)
    streamed = stream[:, None, None]
    mean = torch.where(streamed, step.mean, whole.mean[:, -1:])
    return mean, torch.where(streamed, step.deviation, whole.deviation[:, -1:])


def decoded(generator: ReactionGenerator, latent: Tensor, token: Tensor, personal: bool) -> Tensor:
    """Reactions (B, M, T, 83) of latents (B, M, T, d)."""
    frames = generator.decode(latent, token, personal)
    return torch.cat([frames.attributes, frames.coefficients], dim=-1)


class GenericStage(nn.Module):
    """What is learnt in stage 1 (`generator`), and who judges it (`judges`). No optimiser here."""

    def __init__(
        self,
        generator: ReactionGenerator,
        losses: LossOptions,
        options: DiscriminatorOptions,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.judges = Judges(losses, options, speaker_size(options, generator))
        self.losses = losses
        generator.requires_grad_(True)
        # PAG begins as a copy of GAG when stage 1 is over; it learns nothing here.
        generator.decoder_personal.requires_grad_(False)
        generator.pattern_encoder.requires_grad_(False)

    def react(self, batch: Batch) -> Reactions:
        """M reactions to each speaker."""
        token = tokens_of(self.generator, batch)
        mean, deviation = latent_distribution(self.generator, token, batch.stream)
        latent = mean.unsqueeze(1) + deviation.unsqueeze(1) * batch.noise
        reaction = decoded(self.generator, latent, token, personal=False)
        return Reactions(reaction, token, mean, deviation)

    def discriminator_losses(
        self, batch: Batch, made: Reactions, step: int
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Losses of the judges, and shares of what they got right; no gradient to the generator."""
        fake = made.reaction.detach()
        wrong = [("inappropriate", batch.inappropriate, batch.inappropriate_weight)]
        realism, told = self.judges.realism_terms(batch, fake, step)
        speaker = self.judges.speaker_view(batch, made.token)
        fitting, more = self.judges.appropriateness_terms(wrong, batch, fake, speaker, None, step)
        return realism | fitting, told | more

    def generator_losses(self, batch: Batch, made: Reactions, step: int) -> Losses:
        """Weighted losses of GAG; no gradient to the judges."""
        with self.judges.at_rest():
            speaker = self.judges.speaker_view(batch, made.token)
            terms = self.judges.generator_terms(batch, made.reaction, speaker, None, step)
        if self.losses.kl:
            terms["kl"] = self.losses.kl * divergence(made.mean, made.deviation)
        return terms
