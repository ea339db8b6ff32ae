"""Multi-head attention over frames, written so that training, offline and stream are one forward.

Keys are kept as (..., heads, head size, frames) and values as (..., heads, frames, head size), the
layout in which a cache is multiplied without being transposed or copied. Which frame sees which is
decided by absolute frame numbers; how strongly, besides content, by a learned table over the age of
the seen frame. There is no absolute position, so a cached state stays valid as time goes on.

Leading dimensions written `...` are clips of a training batch; streams and graphs have none.
"""

import torch
from torch import Tensor, nn


class AgeBias(nn.Module):
    """Learned bias per head and age of the seen frame, which also hides what must not be seen.

    The table starts as a decay with another time constant per head, so that an untrained head
    already averages over the recent past instead of over the whole window.
    """

    def __init__(self, window: int, time_constants: Tensor) -> None:
        """`time_constants` (heads,), in frames."""
        super().__init__()
        ages = torch.arange(window, dtype=torch.float32)
        self.table = nn.Parameter(-ages[None, :] / time_constants[:, None])

    def forward(self, age: Tensor, visible: Tensor) -> Tensor:
        """Bias (heads, *age.shape) for integer `age`; minus infinity where not `visible`.

        Ages beyond the table use its last entry.
        """
        window = self.table.shape[1]
        # What is hidden has an entry of its own, so that one look-up serves both.
        entry = torch.where(visible, age.clamp(0, window - 1), window)
        hidden = torch.full_like(self.table[:, :1], -torch.inf)
        table = torch.cat([self.table, hidden], dim=1)
        return nn.functional.embedding(entry, table.T).movedim(-1, 0)


def spread_time_constants(heads: int, shortest: float, longest: float) -> Tensor:
    """One time constant in frames per head, (heads,), geometrically spaced."""
    return torch.logspace(
        torch.log10(torch.tensor(shortest)).item(),
        torch.log10(torch.tensor(longest)).item(),
        heads,
    )


def causal_band(frame: Tensor, seen_frame: Tensor, band: Tensor) -> tuple[Tensor, Tensor]:
    """Age (T, S) of `seen_frame` (S,) seen from `frame` (T,), and whether 0 <= age < band."""
    age = frame[:, None] - seen_frame[None, :]
    return age, (age >= 0) & (age < band)


def as_keys(projected: Tensor, heads: int) -> Tensor:
    """(..., T, d) -> (..., heads, d/heads, T)."""
    return projected.unflatten(-1, (heads, -1)).movedim(-3, -1)


def as_values(projected: Tensor, heads: int) -> Tensor:
    """(..., T, d) -> (..., heads, T, d/heads)."""
    return projected.unflatten(-1, (heads, -1)).transpose(-3, -2)


class OwnAttention(nn.Module):
    """Causal attention of each lane to its own past."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)

    def forward(
        self, x: Tensor, key: Tensor, value: Tensor, cached_bias: Tensor, new_bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attend from new frames to cached and new ones.

        `x` (..., B, T, d); `key` (..., B, h, e, S) and `value` (..., B, h, S, e) of cached frames;
        `cached_bias` (B, h, T, S) and `new_bias` broadcastable to (B, h, T, T). Returns the
        attended (..., B, T, d), and the new frames' key (..., B, h, e, T) and value
        (..., B, h, T, e).
        """
        query, new_key, new_value = self.project(x).chunk(3, dim=-1)
        query = as_values(query, self.heads) * (query.shape[-1] // self.heads) ** -0.5
        new_key, new_value = as_keys(new_key, self.heads), as_values(new_value, self.heads)
        # Only scores are joined, never the caches: they are the big ones.
        scores = torch.cat([query @ key + cached_bias, query @ new_key + new_bias], dim=-1)
        weights = scores.softmax(dim=-1)
        slots = key.shape[-1]
        attended = weights[..., :slots] @ value + weights[..., slots:] @ new_value
        return self.out(attended.transpose(-3, -2).flatten(-2)), new_key, new_value


class SpeakerAttention(nn.Module):
    """Attention of all lanes to the one speaker, whose keys and values they share."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.memory = nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)

    def remember(self, token: Tensor) -> tuple[Tensor, Tensor]:
        """Key (..., h, e, T) and value (..., h, T, e) of speaker tokens (..., T, d)."""
        key, value = self.memory(token).chunk(2, dim=-1)
        return as_keys(key, self.heads), as_values(value, self.heads)

    def forward(self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """Attend from `x` (..., B, T, d) to `key` (..., h, e, S), `value` (..., h, S, e).

        `bias` (h, T, S). All lanes and frames are rows of one product per head.
        """
        lanes, frames, size = x.shape[-3:]
        query = self.query(x).unflatten(-1, (self.heads, -1)).movedim(-2, -4)
        query = query.flatten(-3, -2) * (size // self.heads) ** -0.5
        scores = _rows_at_a_time(query, key).unflatten(-2, (lanes, frames)) + bias[:, None]
        attended = _rows_at_a_time(scores.softmax(dim=-1).flatten(-3, -2), value)
        return self.out(attended.transpose(-3, -2).flatten(-2).unflatten(-2, (lanes, frames)))


def _rows_at_a_time(rows: Tensor, memory: Tensor) -> Tensor:
    """`rows @ memory`, with one more row of zeros while it is computed.

    onnxruntime multiplies a single row by another kernel, which rounds differently: without the
    extra row a robot alone would not get the very bytes it gets beside others.
    """
    return (nn.functional.pad(rows, (0, 0, 0, 1)) @ memory)[..., :-1, :]


class FeedForward(nn.Module):
    """Two linear layers with a GELU between; the last axis is the feature axis."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(size, hidden)
        self.narrow = nn.Linear(hidden, size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        return self.narrow(nn.functional.gelu(self.widen(x)))
