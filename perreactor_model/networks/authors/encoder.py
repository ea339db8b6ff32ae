"""The authors' speaker encoder: a clip of face images and audio features to one token a frame."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from perreactor_model.contract import AUDIO_FEATURE_COUNT

_FRAMES_AT_ONCE = 32
"""The first convolution's output is the largest array by far; it is never held for a whole clip."""

_VARIANCE_FLOOR = 1e-5

SMALLEST_IMAGE = 5
"""Pixels a side below which nothing is left to pool."""


class FrameConvolution(nn.Module):
    """A convolution over the pixels of each frame; the weight has a time axis of length 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self._stride = stride
        self._padding = kernel // 2

    def forward(self, frames: Tensor) -> Tensor:
        """(T, inputs, H, W) to (T, outputs, H', W')."""
        weight = self.weight[:, :, 0]
        return functional.conv2d(frames, weight, stride=self._stride, padding=self._padding)


class ClipConvolutions(nn.Module):
    """Five convolutions, each normalised per channel over time and space of the whole clip."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.conv1 = FrameConvolution(3, size // 4, kernel=7, stride=2)
        self.conv2 = FrameConvolution(size // 4, size, kernel=7, stride=2)
        self.conv3 = FrameConvolution(size, size, kernel=3, stride=2)
        self.conv4 = FrameConvolution(size, size, kernel=3, stride=1)
        self.conv5 = FrameConvolution(size, size, kernel=3, stride=2)

    def forward(self, clip: Tensor) -> Tensor:
        """Images (T, 3, H, W) of one clip, in [-1, 1], to (T, size)."""
        hidden = self._first_layer(clip)
        hidden = _normalise_clip(self.conv2(hidden))
        hidden = _normalise_clip(self.conv3(hidden))
        hidden = hidden + _normalise_clip(self.conv4(hidden))
        hidden = _normalise_clip(self.conv5(hidden))
        return hidden.mean(dim=(2, 3))

    def _first_layer(self, clip: Tensor) -> Tensor:
        """Convolve, normalise, rectify, pool; pooled before normalising, which saves memory.

        Both normalising (no learned gain) and rectifying keep the order of values, so the maximum
        may be taken first. The statistics are those from before pooling, gathered piece by piece.
        """
        pooled, means, squares, counts = [], [], [], []
        for piece in clip.split(_FRAMES_AT_ONCE):
            raw = self.conv1(piece)
            variance, mean = torch.var_mean(raw, dim=(0, 2, 3), correction=0)
            counts.append(raw.numel() // raw.shape[1])
            means.append(mean.double() * counts[-1])
            squares.append((variance.double() + mean.double() ** 2) * counts[-1])
            pooled.append(functional.max_pool2d(raw, kernel_size=3, stride=2))
        mean = torch.stack(means).sum(0) / sum(counts)
        variance = torch.stack(squares).sum(0) / sum(counts) - mean**2
        gain = (variance.clamp(min=0.0) + _VARIANCE_FLOOR).rsqrt()
        hidden = torch.cat(pooled)
        shape = (1, -1, 1, 1)
        return ((hidden - mean.float().view(shape)) * gain.float().view(shape)).relu()


def _normalise_clip(hidden: Tensor) -> Tensor:
    """Zero mean and unit variance of each channel over the clip, then rectified.

    With one clip's frames as the batch, batch normalisation without running statistics is instance
    normalisation over time, height and width.
    """
    if hidden.numel() == hidden.shape[1]:
        return torch.zeros_like(hidden)
    return functional.batch_norm(hidden, None, None, training=True, eps=_VARIANCE_FLOOR).relu()


class SpeakerEncoder(nn.Module):
    """Face images and audio features of a clip to tokens."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.convolutions = ClipConvolutions(size)
        self.image = nn.Linear(size, size)
        self.audio = nn.Linear(AUDIO_FEATURE_COUNT, size)
        self.fusion = nn.Linear(2 * size, size)

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        """Images (N, T, 3, H, W) in [-1, 1] and features (N, T, 78) to tokens (N, T, size)."""
        seen = torch.stack([self.convolutions(clip) for clip in video])
        return self.fusion(torch.cat([self.image(seen), self.audio(audio)], dim=-1))
