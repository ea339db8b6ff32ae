"""Decoders of a latent into a reaction, and the heads that give it names and ranges.

`aligned` attends to the speaker's frames and to its own past, with relative ages only: a reaction
can be timed to what the speaker does. `paper` walks along positions from the one latent (section
"Generator" of the paper) and cannot be.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
)
from perreactor_model.networks.attention import (
    AgeBias,
    FeedForward,
    OwnAttention,
    SpeakerAttention,
    causal_band,
    spread_time_constants,
)
from perreactor_model.networks.config import ModelConfig

Memory = tuple[list[Tensor], list[Tensor]]
"""Keys and values, one of each per layer."""


class DecodedFrames(NamedTuple):
    """Coefficients (..., B, T, 58), attributes (..., B, T, 25), own keys and values per layer."""

    coefficients: Tensor
    attributes: Tensor
    own_keys: list[Tensor]
    own_values: list[Tensor]


class ReactionHeads(nn.Module):
    """Hidden states to coefficients and, with those, to attributes in the contract's ranges."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.feature_size
        self.coefficients = nn.Linear(size, COEFFICIENT_COUNT)
        self.widen = nn.Linear(COEFFICIENT_COUNT + size, size)
        self.attributes = nn.Linear(size, ATTRIBUTE_COUNT)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(..., d) -> coefficients (..., 58), attributes (..., 25), both as in the contract."""
        coefficients = self.coefficients(hidden)
        raw = self.attributes(self.attribute_features(hidden, coefficients))
        attributes = [
            raw[..., ACTION_UNIT_SLICE].sigmoid(),
            raw[..., AFFECT_SLICE].tanh(),
            raw[..., EXPRESSION_SLICE].softmax(dim=-1),
        ]
        return coefficients, torch.cat(attributes, dim=-1)

    def attribute_features(self, hidden: Tensor, coefficients: Tensor) -> Tensor:
        """What the attributes are a linear function of, before they are bounded: (..., d)."""
        return nn.functional.gelu(self.widen(torch.cat([coefficients, hidden], dim=-1)))


class LatentSkip(nn.Module):
    """What is meant for the whole of a reaction, as a listener's pattern is, need not find its way
    through the layers' norms: the latent is added to what they made (`carry`), and says how large
    each part of that becomes (`gain`), for who somebody is shows in how much they move (E. Perez et
    al.: "FiLM: Visual reasoning with a general conditioning layer", AAAI 2018). Both begin as
    nothing; with neither it is as in the paper.
    """

    def __init__(self, size: int, carry: bool, gain: bool) -> None:
        super().__init__()
        self.carry = _nothing(size) if carry else None
        self.gain = _nothing(size) if gain else None

    def forward(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """Two of shape (..., d) -> (..., d)."""
        if self.gain is not None:
            hidden = hidden * (1 + self.gain(latent))
        return hidden if self.carry is None else hidden + self.carry(latent)


def _nothing(size: int) -> nn.Linear:
    """A linear layer that gives 0 until it has learnt something else."""
    layer = nn.Linear(size, size, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


def latent_skip(config: ModelConfig) -> LatentSkip:
    """Of a decoder."""
    return LatentSkip(config.feature_size, config.latent_skip, config.pattern_gain)


class AlignedLayer(nn.Module):
    """Own past, speaker, feed-forward; post-norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, heads = config.feature_size, config.heads
        self.own = OwnAttention(size, heads)
        self.own_age = AgeBias(config.window, spread_time_constants(heads, 3.0, 48.0))
        self.own_norm = nn.LayerNorm(size)
        self.speaker = SpeakerAttention(size, heads)
        self.speaker_age = AgeBias(config.window, spread_time_constants(heads, 10.0, 80.0))
        self.speaker_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, config.feed_forward)
        self.feed_forward_norm = nn.LayerNorm(size)


class AlignedDecoder(nn.Module):
    """Causal and banded attention to the speaker's frames and to the reaction's own past."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.embed = nn.Linear(config.feature_size, config.feature_size)
        self.layers = nn.ModuleList(AlignedLayer(config) for _ in range(config.decoder_layers))
        self.latent_skip = latent_skip(config)
        self.reaction = ReactionHeads(config)

    def remember_speaker(self, token: Tensor) -> Memory:
        """Keys (..., h, e, T) and values (..., h, T, e) per layer of speaker tokens (..., T, d)."""
        pairs = [layer.speaker.remember(token) for layer in self._layers()]
        return [key for key, _ in pairs], [value for _, value in pairs]

    def forward(
        self,
        latent: Tensor,
        frame: Tensor,
        band: Tensor,
        speaker_frame: Tensor,
        speaker: Memory,
        own_frame: Tensor,
        own: Memory,
    ) -> DecodedFrames:
        """Decode new frames.

        `latent` (..., B, T, d); `frame` (T,); `speaker_frame` (S1,) with the memory of those
        speaker frames, the new ones included; `own_frame` (B, S2) with the memory of the lanes'
        earlier frames, the new ones not included.
        """
        hidden, keys, values = self.hidden(
            latent, frame, band, speaker_frame, speaker, own_frame, own
        )
        coefficients, attributes = self.reaction(hidden)
        return DecodedFrames(coefficients, attributes, keys, values)

    def hidden(
        self,
        latent: Tensor,
        frame: Tensor,
        band: Tensor,
        speaker_frame: Tensor,
        speaker: Memory,
        own_frame: Tensor,
        own: Memory,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """States (..., B, T, d) before the heads, own keys and values of the new frames."""
        speaker_age = causal_band(frame, speaker_frame, band)
        new_age = causal_band(frame, frame, band)
        cached = frame[None, :, None] - own_frame[:, None, :]
        cached_age = cached, (cached >= 0) & (cached < band)
        x = self.embed(latent)
        keys, values = [], []
        for index, layer in enumerate(self._layers()):
            attended, key, value = layer.own(
                x,
                own[0][index],
                own[1][index],
                layer.own_age(*cached_age).transpose(0, 1),
                layer.own_age(*new_age),
            )
            x = layer.own_norm(x + attended)
            bias = layer.speaker_age(*speaker_age)
            attended = layer.speaker(x, speaker[0][index], speaker[1][index], bias)
            x = layer.speaker_norm(x + attended)
            x = layer.feed_forward_norm(x + layer.feed_forward(x))
            keys.append(key)
            values.append(value)
        return self.latent_skip(x, latent), keys, values

    def _layers(self) -> list[AlignedLayer]:
        return [layer for layer in self.layers if isinstance(layer, AlignedLayer)]


class PaperLayer(nn.Module):
    """Own past, the latent, feed-forward; post-norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.feature_size
        self.own = OwnAttention(size, config.heads)
        self.own_norm = nn.LayerNorm(size)
        # Attention to a memory of one element weighs it with 1, whatever is asked.
        self.latent_value = nn.Linear(size, size)
        self.latent_out = nn.Linear(size, size)
        self.latent_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, config.feed_forward)
        self.feed_forward_norm = nn.LayerNorm(size)


class PaperDecoder(nn.Module):
    """Positions as queries, the latent as the only memory; causal, so that it can be streamed."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.layers = nn.ModuleList(PaperLayer(config) for _ in range(config.decoder_layers))
        self.latent_skip = latent_skip(config)
        self.reaction = ReactionHeads(config)

    def forward(
        self, latent: Tensor, position: Tensor, own_position: Tensor, own: Memory
    ) -> DecodedFrames:
        """Decode positions of a block.

        `latent` (..., B, T, d), `position` (B, T) from 0, `own_position` (B, S2) with the memory of
        the block's earlier positions.
        """
        hidden, keys, values = self.hidden(latent, position, own_position, own)
        coefficients, attributes = self.reaction(hidden)
        return DecodedFrames(coefficients, attributes, keys, values)

    def hidden(
        self, latent: Tensor, position: Tensor, own_position: Tensor, own: Memory
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """States (..., B, T, d) before the heads, own keys and values of the new positions."""
        seen = own_position[:, None, None, :]
        later = position[:, None, :, None]
        cached_bias = _hide((seen > later) | (seen < 0), latent.dtype)
        new_bias = _hide(position[:, None, None, :] > later, latent.dtype)
        x = sinusoidal_encoding(position, latent.shape[-1]) + torch.zeros_like(latent)
        keys, values = [], []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, PaperLayer)
            attended, key, value = layer.own(x, own[0][index], own[1][index], cached_bias, new_bias)
            x = layer.own_norm(x + attended)
            x = layer.latent_norm(x + layer.latent_out(layer.latent_value(latent)))
            x = layer.feed_forward_norm(x + layer.feed_forward(x))
            keys.append(key)
            values.append(value)
        return self.latent_skip(x, latent), keys, values


def _hide(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.where(hidden, -torch.inf, 0.0).to(dtype)


def sinusoidal_encoding(position: Tensor, size: int) -> Tensor:
    """Sines in the even and cosines in the odd places of (..., size) for integer positions."""
    rate = torch.exp(
        torch.arange(0, size, 2, dtype=torch.float32, device=position.device)
        * (-math.log(10000.0) / size)
    )
    angle = position[..., None].to(torch.float32) * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


Decoder = AlignedDecoder | PaperDecoder


def build_decoder(config: ModelConfig) -> Decoder:
    """The decoder of `config.decoder`."""
    return AlignedDecoder(config) if config.decoder == "aligned" else PaperDecoder(config)


def empty_own_memory(decoder: Decoder, latent: Tensor) -> tuple[Tensor, Memory]:
    """Frame numbers (B, 0) and memory of lanes without a past, for `latent` (..., B, T, d)."""
    *clips, lanes, _, size = latent.shape
    heads = decoder.heads
    keys = [latent.new_zeros(*clips, lanes, heads, size // heads, 0) for _ in decoder.layers]
    values = [latent.new_zeros(*clips, lanes, heads, 0, size // heads) for _ in decoder.layers]
    numbers = torch.zeros(lanes, 0, dtype=torch.int64, device=latent.device)
    return numbers, (keys, values)
