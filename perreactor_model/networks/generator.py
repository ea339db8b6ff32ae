"""All networks of the method together: GAG and PAG (Eq. 3-7).

One set of modules serves training, offline generation and, exported, the stream. Arguments may have
leading clip dimensions, written `...`.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.decoders import (
    AlignedDecoder,
    DecodedFrames,
    Decoder,
    build_decoder,
    empty_own_memory,
)
from perreactor_model.networks.distribution import DistributionStep, ReactionDistribution
from perreactor_model.networks.encoders import FrameEncoder
from perreactor_model.networks.pattern import PatternEncoder


class GeneratedReactions(NamedTuple):
    """Coefficients (..., M, T, 58) and attributes (..., M, T, 25) of M reactions."""

    coefficients: Tensor
    attributes: Tensor


class ReactionGenerator(nn.Module):
    """Frame encoder, distribution, pattern encoder and the two decoders."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.frame_encoder = FrameEncoder(config)
        self.distribution = ReactionDistribution(config)
        self.pattern_encoder = PatternEncoder(config)
        self.decoder_generic: Decoder = build_decoder(replace(config, pattern_gain=False))
        self.decoder_personal: Decoder = build_decoder(config)
        self.personal_from_generic()

    def personal_from_generic(self) -> None:
        """Start the decoder of PAG as a copy of GAG's, as the second stage of training does.

        What only PAG has stays as it is, which is nothing in new networks.
        """
        own = self.decoder_personal.state_dict()
        self.decoder_personal.load_state_dict(own | self.decoder_generic.state_dict())

    def encode(
        self, visual: Tensor, audio: Tensor, face_present: Tensor, voice_present: Tensor
    ) -> Tensor:
        """Tokens (..., T, d) of frames; shapes as in `FrameEncoder` with `...` before."""
        clips = audio.shape[:-1]
        token = self.frame_encoder(
            visual.flatten(0, len(clips) - 1),
            audio.flatten(0, -2),
            face_present.flatten(),
            voice_present.flatten(),
        )
        return token.unflatten(0, clips)

    def distribution_of(self, token: Tensor, band: int | None = None) -> DistributionStep:
        """N(mu_t, sigma_t) of each frame of `token` (..., T, d).

        Each frame sees the `band` newest frames up to itself; None: all of them, in which case the
        last frame holds the distribution of the whole clip.
        """
        frames = token.shape[-2]
        frame = torch.arange(frames, device=token.device)
        memory = self.distribution.empty_memory(*token.shape[:-2])
        return self.distribution(
            token, frame, torch.tensor(band or frames, device=token.device), frame[:0], *memory
        )

    def pattern(self, history: Tensor) -> Tensor:
        """Pattern p (..., d) of a listener's history (..., H, C)."""
        pattern: Tensor = self.pattern_encoder(history)
        return pattern

    def personalise(self, latent: Tensor, pattern: Tensor) -> Tensor:
        """Eq. 7: latent (..., d) moved towards a listener's pattern (broadcast against it)."""
        return latent + self.config.beta * pattern

    def decode(self, latent: Tensor, token: Tensor, personal: bool = False) -> DecodedFrames:
        """Decode lanes from their beginning: `latent` (..., B, T, d), `token` (..., T, d).

        The aligned decoder sees `config.window` frames back, the paper's decoder its whole block.
        """
        decoder = self.decoder_personal if personal else self.decoder_generic
        frames = latent.shape[-2]
        frame = torch.arange(frames, device=latent.device)
        own_number, own = empty_own_memory(decoder, latent)
        if isinstance(decoder, AlignedDecoder):
            band = torch.tensor(self.config.window, device=latent.device)
            speaker = decoder.remember_speaker(token)
            decoded = decoder(latent, frame, band, frame, speaker, own_number, own)
        else:
            position = frame.expand(latent.shape[-3], frames)
            decoded = decoder(latent, position, own_number, own)
        assert isinstance(decoded, DecodedFrames)
        return decoded

    def generate(
        self, token: Tensor, noise: Tensor, pattern: Tensor | None = None
    ) -> GeneratedReactions:
        """M reactions to a whole clip (offline): one distribution, one latent per reaction.

        `token` (..., T, d), `noise` (..., M, d) standard normal, `pattern` (..., d) or None for
        generic reactions.
        """
        step = self.distribution_of(token)
        mean, deviation = step.mean[..., -1:, :], step.deviation[..., -1:, :]
        latent = mean + deviation * noise
        if pattern is not None:
            latent = self.personalise(latent, pattern.unsqueeze(-2))
        latent = latent.unsqueeze(-2).expand(*latent.shape[:-1], token.shape[-2], -1)
        decoded = self.decode(latent, token, personal=pattern is not None)
        return GeneratedReactions(decoded.coefficients, decoded.attributes)
