"""Gains and biases of untrained networks, set on seeded synthetic behaviour.

A randomly initialised network hardly moves a face, or moves it wildly. Here each part is scaled so
that on typical input its outputs have a chosen mean and spread: tokens of unit variance, latents
that follow the speaker, faces that rest at neutral and move visibly without leaving their ranges.
Only linear layers are rescaled; nothing is learnt.
"""

import numpy as np
import torch
from torch import Tensor, nn

from perreactor_model.bundle import synthetic
from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
    EXPRESSION_SLICE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.networks.decoders import AlignedDecoder, Decoder, empty_own_memory
from perreactor_model.networks.encoders import FaceImageEncoder, FrameEncoder
from perreactor_model.networks.generator import ReactionGenerator

PEOPLE = 6
FRAMES_PER_PERSON = 40
NOISE_SECONDS = 8.0
LATENT_SPREAD = 0.5
DEVIATION = 0.3

REST_ACTIVATION = -2.2
"""Action units rest at sigmoid(-2.2) = 0.1."""

REST_NEUTRAL = 3.0
"""Logit of the neutral expression above the others: 0.74 of the probability."""


def calibrate_frame_encoder(
    encoder: FrameEncoder, generator: np.random.Generator, image_size: int
) -> None:
    """Tokens of synthetic speakers get mean 0 and, within a speaker, about unit variance."""
    people = [_speaker_frames(encoder, generator, image_size) for _ in range(PEOPLE)]
    visual = torch.cat([frames for frames, _ in people])
    audio = torch.cat([voice for _, voice in people])
    face = _encode_in_parts(encoder.face, visual)
    last = (
        encoder.face.project if isinstance(encoder.face, FaceImageEncoder) else encoder.face.narrow
    )
    _rescale(last, face, spread=_within(face))
    voice = encoder.voice(audio)
    _rescale(encoder.voice.project, voice, spread=_within(voice))
    present = torch.ones(len(audio), dtype=torch.bool)
    joined = torch.cat([_encode_in_parts(encoder.face, visual), encoder.voice(audio)], dim=-1)
    token = encoder.fuse(joined)
    assert present.all()
    _rescale(encoder.fuse, token, spread=_within(token))


def calibrate_reactions(generator: ReactionGenerator, rng: np.random.Generator) -> None:
    """Set gains from token to face, on synthetic tokens; the personal decoder stays a copy."""
    token = synthetic_tokens(rng, 30 * PEOPLE, generator.config.feature_size)
    window = generator.config.window
    step = generator.distribution_of(token, window)
    distribution = generator.distribution
    _rescale(distribution.mean, step.mean, target_spread=LATENT_SPREAD)
    with torch.no_grad():
        distribution.log_variance.weight.mul_(0.2)
        distribution.log_variance.bias.fill_(2 * float(np.log(DEVIATION)))
    step = generator.distribution_of(token, window)
    noise = synthetic.smooth_noise(rng, len(token), token.shape[-1], NOISE_SECONDS)
    latent = step.mean + step.deviation * torch.from_numpy(noise).float()
    _calibrate_heads(generator.decoder_generic, latent[None], token, window)
    generator.personal_from_generic()


def calibrate_pattern_encoder(generator: ReactionGenerator, histories: list[np.ndarray]) -> None:
    """Centre the patterns of the given listeners, so that they point in different directions."""
    encoder = generator.pattern_encoder
    summaries = torch.stack([encoder.summary(torch.from_numpy(rows)) for rows in histories])
    last = encoder.summarise[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.sub_(summaries.mean(dim=0))


def synthetic_tokens(rng: np.random.Generator, seconds: int, size: int) -> Tensor:
    """Tokens (frames, size) of a speaker: fast and slow movement, and jitter of the encoder."""
    frames = seconds * 25
    parts = [
        0.7 * synthetic.smooth_noise(rng, frames, size, 0.15),
        0.6 * synthetic.smooth_noise(rng, frames, size, 1.5),
        0.35 * rng.standard_normal((frames, size)),
    ]
    return torch.from_numpy(np.sum(parts, axis=0)).float()


def _speaker_frames(
    encoder: FrameEncoder, rng: np.random.Generator, image_size: int
) -> tuple[Tensor, Tensor]:
    if isinstance(encoder.face, FaceImageEncoder):
        visual = synthetic.drawn_faces(rng, FRAMES_PER_PERSON, image_size).image
    else:
        visual = synthetic.speaker_vectors(rng, FRAMES_PER_PERSON)
    voice = synthetic.voice_features(rng, FRAMES_PER_PERSON)
    return torch.from_numpy(visual), torch.from_numpy(voice)


def _encode_in_parts(face: nn.Module, visual: Tensor) -> Tensor:
    return torch.cat([face(part) for part in visual.split(16)])


def _within(values: Tensor) -> Tensor:
    """Standard deviation (d,) of consecutive people's values (N, d) around each one's mean."""
    people = values.unflatten(0, (PEOPLE, -1))
    return (people - people.mean(dim=1, keepdim=True)).std(dim=(0, 1))


def _rescale(
    layer: nn.Linear,
    output: Tensor,
    target_mean: Tensor | float = 0.0,
    target_spread: Tensor | float = 1.0,
    spread: Tensor | None = None,
) -> None:
    """Change `layer`, whose outputs were `output` (..., n), to the given mean and spread."""
    rows = output.flatten(0, -2)
    spread = rows.std(dim=0) if spread is None else spread
    gain = target_spread / spread.clamp_min(1e-6)
    with torch.no_grad():
        layer.weight.mul_(gain[:, None])
        layer.bias.copy_((layer.bias - rows.mean(dim=0)) * gain + target_mean)


def _calibrate_heads(decoder: Decoder, latent: Tensor, token: Tensor, window: int) -> None:
    hidden = _hidden(decoder, latent, token, window)
    heads = decoder.reaction
    spread = torch.full((COEFFICIENT_COUNT,), 0.08)
    spread[ROTATION_SLICE] = 0.04
    spread[TRANSLATION_SLICE] = 0.02
    _rescale(heads.coefficients, heads.coefficients(hidden), 0.0, spread)
    centre = torch.zeros(ATTRIBUTE_COUNT)
    centre[ACTION_UNIT_SLICE] = REST_ACTIVATION
    centre[EXPRESSION_SLICE.start] = REST_NEUTRAL
    spread = torch.full((ATTRIBUTE_COUNT,), 0.4)
    spread[AFFECT_SLICE] = 0.15
    raw = heads.raw_attributes(hidden, heads.coefficients(hidden))
    _rescale(heads.attributes, raw, centre, spread)


def _hidden(decoder: Decoder, latent: Tensor, token: Tensor, window: int) -> Tensor:
    """States (1, T, d) of one lane decoded from its beginning."""
    frame = torch.arange(latent.shape[-2])
    own_frame, own = empty_own_memory(decoder, latent)
    if isinstance(decoder, AlignedDecoder):
        speaker = decoder.remember_speaker(token)
        band = torch.tensor(window)
        return decoder.hidden(latent, frame, band, frame, speaker, own_frame, own)[0]
    position = (frame % window)[None]
    parts = [
        decoder.hidden(part, where, own_frame, own)[0]
        for part, where in zip(latent.split(window, 1), position.split(window, 1), strict=True)
    ]
    return torch.cat(parts, dim=1)
