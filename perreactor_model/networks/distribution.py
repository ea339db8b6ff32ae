"""The distribution of generic reactions to what the speaker has done so far (Eq. 5).

A Trans-VAE layer in which the two learned distribution tokens are the only queries. What they ask
does not depend on the frame, so a cached key serves every later frame.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from perreactor_model.networks.attention import (
    AgeBias,
    FeedForward,
    as_keys,
    as_values,
    causal_band,
    spread_time_constants,
)
from perreactor_model.networks.config import ModelConfig

LOG_VARIANCE_RANGE = (-10.0, 4.0)


class DistributionStep(NamedTuple):
    """Mean and deviation (..., T, d) per frame; key (..., h, e, T) and value (..., h, T, e)."""

    mean: Tensor
    deviation: Tensor
    key: Tensor
    value: Tensor


class ReactionDistribution(nn.Module):
    """N(mu_t, sigma_t) of each frame from the speaker tokens in its band."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.feature_size
        self.heads = config.heads
        self.embed = nn.Linear(size, size)
        self.tokens = nn.Parameter(torch.randn(2, size) * 0.1)
        self.query = nn.Linear(size, size)
        self.memory = nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        constants = spread_time_constants(config.heads, 8.0, 128.0)
        self.age_bias = AgeBias(config.window, constants)
        self.attention_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, config.feed_forward)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.mean = nn.Linear(size, size)
        self.log_variance = nn.Linear(size, size)

    def remember(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Key (..., h, e, T) and value (..., h, T, e) of embedded frames (..., T, d)."""
        key, value = self.memory(embedded).chunk(2, dim=-1)
        return as_keys(key, self.heads), as_values(value, self.heads)

    def forward(
        self,
        token: Tensor,
        frame: Tensor,
        band: Tensor,
        slot_frame: Tensor,
        key: Tensor,
        value: Tensor,
    ) -> DistributionStep:
        """Distribution of each new frame.

        `token` (..., T, d), `frame` (T,) and `slot_frame` (S,) frame numbers, `band` (): a frame
        sees those that are 0 to band-1 frames old; `key` (..., h, e, S) and `value` (..., h, S, e)
        as returned for earlier frames.
        """
        new_key, new_value = self.remember(self.embed(token))
        token_key, token_value = self.remember(self.tokens)
        query = as_values(self.query(self.tokens), self.heads)
        query = query * query.shape[-1] ** -0.5

        cached_bias = self.age_bias(*causal_band(frame, slot_frame, band))[:, None]
        new_bias = self.age_bias(*causal_band(frame, frame, band))[:, None]
        cached = (query @ key).unsqueeze(-2) + cached_bias
        new = (query @ new_key).unsqueeze(-2) + new_bias
        # The tokens see each other whatever the band, so the first frame has something to weigh.
        own = (query @ token_key).unsqueeze(-2).expand(*new.shape[:-1], 2)
        weights = torch.cat([cached, new, own], dim=-1).softmax(dim=-1).flatten(-3, -2)

        slots, frames = key.shape[-1], token.shape[-2]
        attended = (
            weights[..., :slots] @ value
            + weights[..., slots : slots + frames] @ new_value
            + weights[..., slots + frames :] @ token_value
        )
        attended = attended.unflatten(-2, (2, frames)).movedim(-4, -2).flatten(-2)
        x = self.attention_norm(self.tokens[:, None] + self.out(attended))
        x = self.feed_forward_norm(x + self.feed_forward(x))
        log_variance = self.log_variance(x[..., 1, :, :]).clamp(*LOG_VARIANCE_RANGE)
        deviation = (0.5 * log_variance).exp()
        return DistributionStep(self.mean(x[..., 0, :, :]), deviation, new_key, new_value)

    def empty_memory(self, *clips: int) -> tuple[Tensor, Tensor]:
        """Key and value of no frame at all."""
        size = self.tokens.shape[1] // self.heads
        return (
            self.tokens.new_zeros(*clips, self.heads, size, 0),
            self.tokens.new_zeros(*clips, self.heads, 0, size),
        )
