"""The personalised pattern encoder (paper, "Learning Personalised Behaviour Pattern").

A history of one listener is split into 2**K segments. Segment k meets segment k + 2**(K-1) in a
shared cross-attention, which keeps what both have in common and loses what only one of them shows;
the results meet in the same way until one is left. With `pattern_statistics` it also reads how the
history is distributed as a whole, which the attention's norms would wipe out: what a face is like
at rest, and how far each part of it moves at which pace.
"""

import torch
from torch import Tensor, nn

from perreactor_model.networks.attention import FeedForward
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.paces import PER_VALUE, paced
from perreactor_model.networks.scales import observed_scale

CHANGE_GAIN = 5.0
"""The change from frame to frame is shown per 0.2 s, to weigh about as much as the state."""

SHRINKAGE = 0.1
"""Of the covariance within people, when patterns begin: there are few histories of each."""

_AT_ONCE = 64
"""Histories in one pass, for memory's sake."""


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

    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.feature_size
        self.exponent = config.pattern_exponent
        scale = observed_scale()[: config.pattern_channels]
        self.register_buffer("scale", scale, persistent=False)
        self.embed = nn.Sequential(
            nn.Linear(2 * config.pattern_channels, 2 * size), nn.GELU(), nn.Linear(2 * size, size)
        )
        self.meet = SharedCrossAttention(size, config.feed_forward)
        told = PER_VALUE * config.pattern_channels if config.pattern_statistics else 0
        self.statistics = bool(told)
        self.summarise = nn.Sequential(
            nn.Linear(size, size), nn.GELU(), nn.Linear(size + told, size)
        )
        self.norm = nn.LayerNorm(size, elementwise_affine=False)

    def forward(self, history: Tensor) -> Tensor:
        """Pattern (..., d) of a history (..., H, C) with H >= 2**K frames; root mean square 1.

        Of a history that is no multiple of 2**K the oldest frames are left out.
        """
        return self.norm(self.summary(history))

    def summary(self, history: Tensor) -> Tensor:
        """The pattern (..., d) before it is normalised."""
        summary: Tensor = self.summarise[2](self.features(history))
        return summary

    def features(self, history: Tensor) -> Tensor:
        """What the summary is a linear function of: (..., d), with statistics d + PER_VALUE C."""
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
        met: Tensor = self.summarise[:2](x.squeeze(-3).mean(dim=-2))
        if not self.statistics:
            return met
        return torch.cat([met, paced(history / self.scale)], dim=-1)

    @torch.no_grad()
    def tell_apart(self, histories: Tensor, people: Tensor) -> None:
        """Begin with patterns that differ between people and not from one day to the next.

        `histories` (n, H, C) of the listeners `people` (n,): the last layer becomes the linear
        discriminants of its features, or of the statistics where it has them (R. A. Fisher, 1936),
        the covariance within people shrunk towards its diagonal. Random weights make all patterns
        alike to a thousandth.
        """
        parts = histories.split(_AT_ONCE)
        features = torch.cat([self.features(part) for part in parts]).double()
        centre, spread = features.mean(dim=0), features.std(dim=0)
        known = spread > 1e-5
        if self.statistics:
            # What attention finds changes as it learns, which discriminants would blow up.
            known[: self.summarise[0].out_features] = False
        scaled = torch.where(known, (features - centre) / spread.clamp(min=1e-5), 0.0)
        names, who = people.unique(return_inverse=True)
        belongs = nn.functional.one_hot(who, len(names)).to(scaled)
        means = belongs.T @ scaled / belongs.sum(dim=0)[:, None]
        within = scaled - means[who]
        covariance = within.T @ within / len(within)
        diagonal = covariance.diagonal().diag()
        covariance = covariance + SHRINKAGE * (diagonal - covariance)
        floor = 1e-3 * torch.eye(len(covariance), dtype=covariance.dtype)
        whitened = torch.linalg.inv(torch.linalg.cholesky(covariance + floor)).T
        directions = torch.linalg.svd(means @ whitened, full_matrices=False).Vh
        last = self.summarise[2]
        assert isinstance(last, nn.Linear)
        found = min(len(directions), last.out_features)
        weight = torch.zeros_like(last.weight, dtype=covariance.dtype)
        weight[:found] = directions[:found] @ whitened.T
        weight = torch.where(known, weight / spread.clamp(min=1e-5), 0.0)
        gain = 1.0 / ((features - centre) @ weight.T).std()
        last.weight.copy_(gain * weight)
        last.bias.copy_(-gain * (weight @ centre))
