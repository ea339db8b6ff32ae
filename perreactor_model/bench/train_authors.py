"""The judges' half of the authors' training step, in our own words: what `bench train` races.

Sizes, calls and losses are those of their code: one LSTM call for each frame of a clip, with the
reactions of the clip along the LSTM's time axis; pairs of reactions compared one by one; another
pass of the discriminators for every term. Nothing else uses this.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from perreactor_model.contract import AFFECT_SLICE, ATTRIBUTE_COUNT, COEFFICIENT_COUNT
from perreactor_model.training.batch import Batch

SIZE = 128
_DROPOUT = 0.3
_CLIP_NORM = 5.0


class OneHeadAttention(nn.Module):
    """What the listener's frames find in the speaker's."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(SIZE, SIZE // 2), nn.Linear(SIZE, SIZE // 2)
        self.value = nn.Linear(SIZE, SIZE)

    def forward(self, listener: Tensor, speaker: Tensor) -> Tensor:
        """(n, T, d) twice -> (n, T, d)."""
        key = self.key(speaker)
        scores = self.query(listener) @ key.transpose(-2, -1) * key.shape[-1] ** -0.5
        return scores.softmax(dim=-1) @ self.value(speaker)


class FrameByFrameDiscriminator(nn.Module):
    """D_A: 522,753 weights; its LSTM is called for each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes = nn.Linear(ATTRIBUTE_COUNT, SIZE)
        self.coefficients = nn.Linear(COEFFICIENT_COUNT, SIZE)
        self.streams = nn.ModuleList([OneHeadAttention(), OneHeadAttention()])
        self.fuse = nn.Linear(2 * SIZE, SIZE)
        self.over_time = nn.LSTM(SIZE, SIZE, num_layers=3, batch_first=True)
        self.classify = nn.Sequential(
            nn.Linear(SIZE, SIZE), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(SIZE, 1), nn.Sigmoid()
        )

    def forward(self, reaction: Tensor, speaker: Tensor) -> Tensor:
        """Scores (n,) of reactions (n, T, 83) to one speaker (T, 83)."""
        speakers = speaker.expand_as(reaction)
        parts = [ATTRIBUTE_COUNT, COEFFICIENT_COUNT]
        found = []
        embeds = (self.attributes, self.coefficients)
        pairs = zip(reaction.split(parts, -1), speakers.split(parts, -1), strict=True)
        for embed, attend, (mine, theirs) in zip(embeds, self.streams, pairs, strict=True):
            found.append(attend(embed(mine), embed(theirs)))
        fused = self.fuse(torch.cat(found, dim=-1))
        state = None
        for frame in range(fused.shape[1]):
            # The axis of reactions is given where the LSTM expects time.
            hidden, state = self.over_time(fused[:, frame].unsqueeze(0), state)
        return self.classify(hidden[0]).squeeze(-1)


def frame_discriminator() -> nn.Module:
    """D_R: 172,673 weights; sees single frames of coefficients."""
    sizes = (COEFFICIENT_COUNT, 128, 256, 512)
    layers: list[nn.Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2), nn.Dropout(_DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Sigmoid())


class AuthorsStep:
    """One step of both discriminators and of what generated `reactions`, clip by clip."""

    def __init__(self, generator: nn.Module) -> None:
        self.realism, self.appropriateness = frame_discriminator(), FrameByFrameDiscriminator()
        self._modules = [generator, self.realism, self.appropriateness]
        self._optimisers = [
            torch.optim.AdamW(
                [p for p in module.parameters() if p.requires_grad], lr=1e-4, weight_decay=5e-4
            )
            for module in self._modules
        ]

    def learn(self, batch: Batch, reactions: Tensor) -> None:
        """`reactions` (B, M, T, 83) with the generator's graph."""
        generator, realism, appropriateness = range(3)
        clips = list(_clips(batch, reactions))
        self._update(generator, [self.generator_loss(*clip) for clip in clips])
        self._update(realism, [self.realism_loss(*clip) for clip in clips])
        self._update(appropriateness, [self.appropriateness_loss(*clip) for clip in clips])

    def generator_loss(self, speaker: Tensor, right: Tensor, wrong: Tensor, made: Tensor) -> Tensor:
        """Least squares for D_A, cross-entropy for D_R, affect, diversity, smoothness."""
        score = self.appropriateness(made, speaker)
        loss = functional.mse_loss(score, torch.ones_like(score))
        real = self.realism(made[..., ATTRIBUTE_COUNT:])
        loss = loss + 1e-5 * functional.binary_cross_entropy(real, torch.ones_like(real))
        loss = loss + _nearest_affect(made, right)
        for part in (made[..., ATTRIBUTE_COUNT:], made[..., :ATTRIBUTE_COUNT]):
            loss = loss + 10.0 * _alike(part)
        return loss + 0.002 * _jerk(made[..., ATTRIBUTE_COUNT:])

    def realism_loss(self, speaker: Tensor, right: Tensor, wrong: Tensor, made: Tensor) -> Tensor:
        """Cross-entropy of D_R on single frames."""
        real = self.realism(right[..., ATTRIBUTE_COUNT:])
        fake = self.realism(made.detach()[..., ATTRIBUTE_COUNT:])
        told = functional.binary_cross_entropy(real, torch.ones_like(real))
        return told + functional.binary_cross_entropy(fake, torch.zeros_like(fake))

    def appropriateness_loss(
        self, speaker: Tensor, right: Tensor, wrong: Tensor, made: Tensor
    ) -> Tensor:
        """Least squares of D_A: three passes."""
        loss = made.new_zeros(())
        for reactions, target in ((right, 1.0), (made.detach(), 0.0), (wrong, 0.0)):
            score = self.appropriateness(reactions, speaker)
            loss = loss + functional.mse_loss(score, torch.full_like(score, target))
        return loss

    def _update(self, which: int, losses: list[Tensor]) -> None:
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        torch.stack(losses).mean().backward()
        nn.utils.clip_grad_norm_(self._modules[which].parameters(), _CLIP_NORM)
        self._optimisers[which].step()


def _clips(batch: Batch, reactions: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Speaker, right, wrong and made reactions of one clip after the other."""
    yield from zip(batch.speaker, batch.appropriate, batch.inappropriate, reactions, strict=True)


def _nearest_affect(made: Tensor, real: Tensor) -> Tensor:
    total = made.new_zeros(())
    for mine in made[..., AFFECT_SLICE]:
        apart = [functional.mse_loss(mine, theirs) for theirs in real[..., AFFECT_SLICE]]
        total = total + torch.stack(apart).min()
    return total / len(made)


def _alike(made: Tensor) -> Tensor:
    total = made.new_zeros(())
    pairs = list(combinations(range(len(made)), 2))
    for first, second in pairs:
        apart = ((made[first].reshape(-1) - made[second].reshape(-1)) ** 2).sum()
        total = total + torch.exp(-apart / 100.0)
    return total / len(pairs)


def _jerk(made: Tensor) -> Tensor:
    total = made.new_zeros(())
    for each in made:
        total = total + ((each[1:] - each[:-1]) ** 2).sum(dim=-1).mean()
    return total / len(made)
