"""The authors' pattern encoder: a listener's past behaviour to one vector."""

from torch import Tensor, nn

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.networks.authors.sizes import AuthorsSizes


class SegmentAttention(nn.Module):
    """One-headed cross-attention between two segments, without residual or output projection."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size // 2)
        self.key = nn.Linear(size, size // 2)
        self.value = nn.Linear(size, size)
        self._scale = (size // 2) ** -0.5

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        """Segments (..., frames, size) to what the first finds in the second, of the same shape."""
        scores = self.query(asking) @ self.key(asked).transpose(-2, -1) * self._scale
        return scores.softmax(dim=-1) @ self.value(asked)


class PatternEncoder(nn.Module):
    """Segments are attended pairwise, first half to second half, until one is left (Sec. 3.2)."""

    def __init__(self, sizes: AuthorsSizes) -> None:
        super().__init__()
        size = sizes.feature_size
        self._segment_frames = sizes.segment_frames
        self._segments = 2 ** (sizes.pattern_exponent or 0)
        self.behaviour = nn.Sequential(
            nn.Linear(ATTRIBUTE_COUNT, 2 * size), nn.Linear(2 * size, size)
        )
        self.attention = SegmentAttention(size)
        self.time = nn.Sequential(
            nn.Linear(self._segment_frames * size, 2 * size), nn.Linear(2 * size, size)
        )

    def forward(self, history: Tensor) -> Tensor:
        """Attributes (N, H, 25), H >= 480, to patterns (N, size). The first 480 frames count."""
        history = history[:, : self._segments * self._segment_frames]
        segments = self.behaviour(history).unflatten(1, (self._segments, self._segment_frames))
        while segments.shape[1] > 1:
            first, second = segments.chunk(2, dim=1)
            segments = self.attention(first, second)
        return self.time(segments.flatten(1))
