"""The personalised pattern encoder (paper, "Learning Personalised Behaviour Pattern").

A history of one listener is split into 2**K segments. Segment k meets segment k + 2**(K-1) in a
shared cross-attention, which keeps what both have in common and loses what only one of them shows;
the results meet in the same way until one is left.
"""

import torch
from torch import Tensor, nn

from perreactor_model.networks.attention import FeedForward
from perreactor_model.networks.config import ModelConfig

CHANGE_GAIN = 5.0
"""The change from frame to frame is shown per 0.2 s, to weigh about as much as the state."""


class SharedCrossAttention(nn.Module):
    """What the first segment of a pair finds of itself in the second; residual and norm."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size)
        self.memory = nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, hidden)
        self.feed_forward_norm = nn.LayerNorm(size)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two of shape (..., n, d) -> (..., n, d)."""
        key, value = self.memory(second).chunk(2, dim=-1)
        scores = self.query(first) @ key.transpose(-2, -1) * key.shape[-1] ** -0.5
        x = self.attention_norm(first + self.out(scores.softmax(dim=-1) @ value))
        return self.feed_forward_norm(x + self.feed_forward(x))


class PatternEncoder(nn.Module):
    """A listener's history to the listener's pattern."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.feature_size
        self.exponent = config.pattern_exponent
        self.embed = nn.Sequential(
            nn.Linear(2 * config.pattern_channels, 2 * size), nn.GELU(), nn.Linear(2 * size, size)
        )
        self.meet = SharedCrossAttention(size, config.feed_forward)
        self.summarise = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, size))
        self.norm = nn.LayerNorm(size, elementwise_affine=False)

    def forward(self, history: Tensor) -> Tensor:
        """Pattern (..., d) of a history (..., H, C) with H >= 2**K frames; root mean square 1.

        Of a history that is no multiple of 2**K the oldest frames are left out.
        """
        return self.norm(self.summary(history))

    def summary(self, history: Tensor) -> Tensor:
        """The pattern (..., d) before it is normalised."""
        segments = 2**self.exponent
        length = history.shape[-2] // segments
        history = history[..., history.shape[-2] - segments * length :, :]
        change = history[..., 1:, :] - history[..., :-1, :]
        change = torch.cat([torch.zeros_like(history[..., :1, :]), change], dim=-2)
        x = self.embed(torch.cat([history, CHANGE_GAIN * change], dim=-1))
        x = x.unflatten(-2, (segments, length))
        for level in reversed(range(self.exponent)):
            half = 2**level
            x = self.meet(x[..., :half, :, :], x[..., half:, :, :])
        return self.summarise(x.squeeze(-3).mean(dim=-2))
