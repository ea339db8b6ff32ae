"""Encoders of one frame of the speaker: face, voice, and their fusion to a token.

Every frame is encoded by itself, so that it is encoded once in its life however the window slides.
"""

import torch
from torch import Tensor, nn

from perreactor_model.contract import AUDIO_FEATURE_COUNT, SPEAKER_VECTOR_COUNT
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.scales import face_scale


class NormalisedConv(nn.Module):
    """Convolution, normalisation of the frame over channels and space together, ReLU.

    Normalising each channel to itself would erase, together with the spatial mean at the end, most
    of what moves in the face.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.GroupNorm(1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H/stride), ceil(W/stride))."""
        return torch.relu(self.norm(self.conv(x)))


class FaceImageEncoder(nn.Module):
    """Pixels of the face crop to a feature vector; the authors' sizes, one frame at a time."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.visual_channels
        stem = max(channels // 4, 1)
        self.stem = NormalisedConv(3, stem, 7, 2)
        self.pool = nn.MaxPool2d(3, 2)
        self.down = nn.Sequential(
            NormalisedConv(stem, channels, 7, 2), NormalisedConv(channels, channels, 3, 2)
        )
        self.residual = NormalisedConv(channels, channels, 3, 1)
        self.last = NormalisedConv(channels, channels, 3, 2)
        self.project = nn.Linear(3 * channels, config.feature_size)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, size, size) in [-1, 1] -> (N, d)."""
        x = self.down(self.pool(self.stem(image)))
        x = self.last(x + self.residual(x))
        return self.project(_moments(x))


def _moments(x: Tensor) -> Tensor:
    """Mean of each channel, and its means weighted by height and by width: (N, C, H, W) -> (N, 3C).

    The weighted means keep what is up apart from what is down, a brow from a mouth.
    """
    rows = torch.linspace(-1, 1, x.shape[-2], dtype=x.dtype, device=x.device)
    columns = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype, device=x.device)
    down = (x * rows[:, None]).mean(dim=(-2, -1))
    across = (x * columns).mean(dim=(-2, -1))
    return torch.cat([x.mean(dim=(-2, -1)), down, across], dim=-1)


class FacialAttributesEncoder(nn.Module):
    """25 attributes and 58 coefficients, unknown ones NaN, to a feature vector."""

    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.register_buffer("scale", face_scale())
        self.widen = nn.Linear(2 * SPEAKER_VECTOR_COUNT, 2 * config.feature_size)
        self.narrow = nn.Linear(2 * config.feature_size, config.feature_size)

    def forward(self, attributes: Tensor) -> Tensor:
        """(N, 83) -> (N, d). An unknown entry is seen as unknown, not as zero."""
        unknown = attributes.isnan()
        known = torch.where(unknown, 0.0, attributes / self.scale)
        x = torch.cat([known, (~unknown).to(known.dtype)], dim=-1)
        return self.narrow(nn.functional.gelu(self.widen(x)))


class VoiceEncoder(nn.Module):
    """78 audio features to a feature vector."""

    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        # Cepstral coefficients reach tens, their differences units.
        scale = torch.full((AUDIO_FEATURE_COUNT,), 10.0)
        scale[AUDIO_FEATURE_COUNT // 3 :] = 2.0
        self.register_buffer("scale", scale)
        self.project = nn.Linear(AUDIO_FEATURE_COUNT, config.feature_size)

    def forward(self, audio: Tensor) -> Tensor:
        """(N, 78) -> (N, d)."""
        return self.project(audio / self.scale)


class FrameEncoder(nn.Module):
    """One frame of the speaker to one token; absent face or voice is a learned embedding."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        image = config.visual_input == "face_image"
        self.face = FaceImageEncoder(config) if image else FacialAttributesEncoder(config)
        self.voice = VoiceEncoder(config)
        self.no_face = nn.Parameter(torch.zeros(config.feature_size))
        self.no_voice = nn.Parameter(torch.zeros(config.feature_size))
        nn.init.normal_(self.no_face, std=0.1)
        nn.init.normal_(self.no_voice, std=0.1)
        self.fuse = nn.Linear(2 * config.feature_size, config.feature_size)

    def forward(
        self, visual: Tensor, audio: Tensor, face_present: Tensor, voice_present: Tensor
    ) -> Tensor:
        """Tokens (N, d) of N frames, each independent of the others.

        `visual` is (N, 3, size, size) or (N, 83), `audio` (N, 78), the flags (N,) bool. What an
        absent input holds has no influence, NaN included.
        """
        return self.join(self.face(visual), self.voice(audio), face_present, voice_present)

    def join(
        self, face: Tensor, voice: Tensor, face_present: Tensor, voice_present: Tensor
    ) -> Tensor:
        """Tokens (N, d) of features of faces and voices, (N, d) each."""
        face = torch.where(face_present[:, None], face, self.no_face)
        voice = torch.where(voice_present[:, None], voice, self.no_voice)
        return self.fuse(torch.cat([face, voice], dim=-1))
