"""The authors' reaction decoder: one latent vector to the reaction over a whole clip."""

import math

import torch
from torch import Tensor, nn

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
)
from perreactor_model.networks.authors.sizes import HEADS, AuthorsSizes

POSITIONS = 5000
"""Rows of the positional table in the file; longer clips go on with the same formula."""


class ReactionDecoder(nn.Module):
    """Positions attend causally to each other and to the latent, then to all of themselves.

    The second layer's cross-attention is not masked: it sees the whole clip, so that a frame of the
    reaction depends on how long the clip is.
    """

    def __init__(self, sizes: AuthorsSizes) -> None:
        super().__init__()
        size = sizes.feature_size
        self.integration = sizes.integration
        self.first = _layer(size)
        self.second = _layer(size)
        self.coefficients = nn.Linear(size, COEFFICIENT_COUNT)
        self.attributes = nn.Sequential(
            nn.Linear(size + COEFFICIENT_COUNT, size), nn.Linear(size, ATTRIBUTE_COUNT)
        )
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(0, POSITIONS, size).unsqueeze(1))
        if self.integration == "summation_beta":
            self.raw_beta = nn.Parameter(torch.zeros(1))
        elif self.integration == "concat":
            self.concat = nn.Linear(2 * size, size)
        elif self.integration in ("self-attn", "residual"):
            self.personal = _layer(size)

    def personalise(self, latent: Tensor, pattern: Tensor, beta: float) -> Tensor:
        """Bring patterns (B, size) into latents (B, size); `beta` is for `summation` (Eq. 7)."""
        if self.integration == "summation":
            return latent + beta * pattern
        if self.integration == "summation_beta":
            return latent + self.raw_beta.sigmoid() * pattern
        if self.integration == "concat":
            return self.concat(torch.cat([latent, pattern], dim=-1))
        return latent

    def forward(
        self, latent: Tensor, frames: int, pattern: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Latents (B, size) to coefficients (B, frames, 58) and attributes (B, frames, 25).

        `pattern` (B, size) is used by the integrations `self-attn` and `residual`, as one more
        position in front of the others. Action units and expressions are probabilities; valence
        and arousal are unbounded.
        """
        queries = self._positions(frames).expand(len(latent), -1, -1)
        future = _future(frames, latent.device)
        hidden = self.first(queries, latent.unsqueeze(1), tgt_mask=future)
        if pattern is not None and self.integration in ("self-attn", "residual"):
            hidden = self._attend_pattern(hidden, pattern)
        hidden = self.second(hidden, hidden, tgt_mask=future)
        coefficients = self.coefficients(hidden)
        raw = self.attributes(torch.cat([coefficients, hidden], dim=-1))
        bounded = [
            raw[..., ACTION_UNIT_SLICE].sigmoid(),
            raw[..., ACTION_UNIT_SLICE.stop : EXPRESSION_SLICE.start],
            raw[..., EXPRESSION_SLICE].softmax(dim=-1),
        ]
        return coefficients, torch.cat(bounded, dim=-1)

    def _attend_pattern(self, hidden: Tensor, pattern: Tensor) -> Tensor:
        sequence = torch.cat([pattern.unsqueeze(1), hidden], dim=1)
        future = _future(sequence.shape[1], hidden.device)
        personal = self.personal(sequence, sequence, tgt_mask=future)[:, 1:]
        return hidden + personal if self.integration == "residual" else personal

    def _positions(self, frames: int) -> Tensor:
        """The first `frames` rows of the positional table, (1, frames, size)."""
        table = self.positions[:, 0]
        if frames > len(table):
            more = sinusoids(len(table), frames, table.shape[1])
            table = torch.cat([table, more.to(table.device)])
        return table[:frames].unsqueeze(0)


def _layer(size: int) -> nn.TransformerDecoderLayer:
    return nn.TransformerDecoderLayer(size, HEADS, 2 * size, batch_first=True)


def _future(frames: int, device: torch.device) -> Tensor:
    """True where a row may not look at a column. Their mask ends at 751 frames; here none does."""
    return torch.ones(frames, frames, dtype=torch.bool, device=device).triu(1)


def sinusoids(first: int, last: int, size: int) -> Tensor:
    """Positional encodings of positions first..last-1, (last - first, size)."""
    positions = torch.arange(first, last, dtype=torch.float32).unsqueeze(1)
    rates = torch.exp(torch.arange(0, size, 2).float() * (-math.log(10000.0) / size))
    return torch.stack([(positions * rates).sin(), (positions * rates).cos()], dim=-1).flatten(1)
