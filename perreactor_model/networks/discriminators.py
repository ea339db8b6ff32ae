"""The three judges of training: D_R, D_A^G and D_A^P (paper, Eq. 6 and 8). None is ever shipped.

All return logits; what is made of them is `training.adversarial`.
"""

import torch
from torch import Tensor, nn

from perreactor_model.contract import SPEAKER_VECTOR_COUNT
from perreactor_model.networks.attention import FeedForward, as_keys, as_values
from perreactor_model.networks.scales import face_scale

CHANGE_GAIN = 5.0
"""The change from frame to frame is shown per 0.2 s, to weigh about as much as the state."""

REACH = 64
"""Frames (2.6 s) beyond which all distances in time look alike to a judge of appropriateness."""


class RealismDiscriminator(nn.Module):
    """D_R: is this single frame of a face a person's? (Eq. 6.)"""

    scale: Tensor

    def __init__(self, size: int) -> None:
        """`size`: width of its two hidden layers."""
        super().__init__()
        self.register_buffer("scale", face_scale())
        self.layers = nn.Sequential(
            nn.Linear(SPEAKER_VECTOR_COUNT, size),
            nn.LeakyReLU(0.2),
            nn.Linear(size, size),
            nn.LeakyReLU(0.2),
            nn.Linear(size, 1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Attributes and coefficients (..., 83) -> logits (...)."""
        return self.layers(frames / self.scale).squeeze(-1)


class AppropriatenessDiscriminator(nn.Module):
    """D_A^G and, with `pattern_size`, D_A^P: does this reaction fit this speaker (and listener)?

    Reaction and speaker are embedded; each frame of the reaction looks for what the speaker does
    around it, earlier and later, with a learned weight of the distance in time: a judge who could
    not tell when would not teach when. An LSTM reads what comes of it, for each reaction by itself.
    """

    scale: Tensor

    def __init__(
        self, speaker_size: int, size: int, heads: int = 4, pattern_size: int = 0, pool: int = 1
    ) -> None:
        """`speaker_size`: values in a frame of the speaker; `size`: of the hidden layers.

        `pool`: so many frames are averaged to one before anything else, to save time.
        """
        super().__init__()
        self.pool = pool
        self.register_buffer("scale", face_scale())
        self.reaction = nn.Linear(2 * SPEAKER_VECTOR_COUNT, size)
        self.speaker = nn.Sequential(nn.Linear(2 * speaker_size, size), nn.GELU())
        self.listening = TimedAttention(size, heads, max(1, REACH // pool))
        self.attention_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, 2 * size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.gain = nn.Linear(pattern_size, 2 * size) if pattern_size else None
        self.over_time = nn.LSTM(size, size, batch_first=True)
        self.classify = nn.Sequential(
            nn.Linear(size + (size if pattern_size else 0), size), nn.GELU(), nn.Linear(size, 1)
        )
        self.read_pattern = nn.Linear(pattern_size, size) if pattern_size else None
        if self.gain is not None:
            # It first learns what fits the speaker; a random pattern's say would be in the way.
            nn.init.zeros_(self.gain.weight)
            nn.init.zeros_(self.gain.bias)

    def forward(self, reaction: Tensor, speaker: Tensor, pattern: Tensor | None = None) -> Tensor:
        """Logits (B, n) of n reactions (B, n, T, 83) to each speaker (B, T, S).

        `pattern` (B, d), or (B, n, d) for one of its own for each reaction: given exactly to D_A^P.
        """
        assert (pattern is None) == (self.gain is None)
        heard = self.speaker(_with_change(_pooled(speaker, self.pool)))
        x = self.reaction(_with_change(_pooled(reaction / self.scale, self.pool)))
        x = self.attention_norm(x + self.listening(x, heard))
        x = self.feed_forward_norm(x + self.feed_forward(x))
        told = None
        if pattern is not None and self.gain is not None and self.read_pattern is not None:
            each = pattern if pattern.ndim == 3 else pattern.unsqueeze(1)
            gain, shift = self.gain(each).unsqueeze(-2).chunk(2, dim=-1)
            x = x * (1 + gain) + shift
            told = self.read_pattern(each).expand(*x.shape[:2], -1)
        # One call for all reactions of all clips: each is a sequence of its own.
        states, _ = self.over_time(x.flatten(0, 1))
        summary = states.mean(dim=-2).unflatten(0, x.shape[:2])
        if told is not None:
            summary = torch.cat([summary, summary * told], dim=-1)
        return self.classify(summary).squeeze(-1)


class TimedAttention(nn.Module):
    """Attention of all reactions to the one speaker, before and after, by content and distance."""

    def __init__(self, size: int, heads: int, reach: int) -> None:
        """`reach`: frames in both directions that have a weight of their own."""
        super().__init__()
        self.heads, self.reach = heads, reach
        self.query = nn.Linear(size, size)
        self.memory = nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        distance = torch.arange(-reach, reach + 1, dtype=torch.float32).abs()
        near = torch.logspace(0, 1, heads) * reach / 16
        self.table = nn.Parameter(-distance[None] / near[:, None])

    def forward(self, reaction: Tensor, speaker: Tensor) -> Tensor:
        """(B, n, T, d), (B, T, d) -> (B, n, T, d)."""
        clips, count, frames, size = reaction.shape
        key, value = self.memory(speaker).chunk(2, dim=-1)
        key, value = as_keys(key, self.heads), as_values(value, self.heads)
        # The reactions of a clip are rows of one product: they share the speaker.
        query = as_values(self.query(reaction).flatten(1, 2), self.heads)
        # Scaled before the product: of both factors, the query is by far the smaller array.
        scores = (query * (size // self.heads) ** -0.5) @ key
        scores = scores.unflatten(-2, (count, frames)) + self._bias(frames)[:, None]
        attended = (scores.softmax(dim=-1).flatten(-3, -2) @ value).transpose(-3, -2)
        return self.out(attended.flatten(-2)).unflatten(1, (count, frames))

    def _bias(self, frames: int) -> Tensor:
        """(heads, T, T)."""
        place = torch.arange(frames, device=self.table.device)
        apart = (place[None, :] - place[:, None]).clamp(-self.reach, self.reach) + self.reach
        return self.table[:, apart]


def _pooled(frames: Tensor, pool: int) -> Tensor:
    """Means of `pool` frames of (..., T, C); frames at the end that fill no group are left out."""
    if pool == 1:
        return frames
    count = frames.shape[-2] // pool
    return frames[..., : count * pool, :].unflatten(-2, (count, pool)).mean(dim=-2)


def _with_change(frames: Tensor) -> Tensor:
    """(..., T, C) -> (..., T, 2C): the state, and how it changes."""
    change = torch.diff(frames, dim=-2, prepend=frames[..., :1, :])
    return torch.cat([frames, CHANGE_GAIN * change], dim=-1)
