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
    FACE_EXPRESSION_SLICE,
    ROTATION_SLICE,
    TRANSLATION_SLICE,
)
from perreactor_model.networks.attention import OwnAttention, SpeakerAttention
from perreactor_model.networks.decoders import AlignedDecoder, Decoder, empty_own_memory
from perreactor_model.networks.encoders import FaceImageEncoder, FrameEncoder
from perreactor_model.networks.generator import ReactionGenerator

PEOPLE = 6
FRAMES_PER_PERSON = 40
SPACING = 10
"""Frames between two that are looked at, so that slow movement is seen as well."""

TOKEN_SECONDS = 40
NOISE_SECONDS = 8.0
LATENT_SPREAD = 0.5
DEVIATION = 0.3
CONTRAST = 0.9
"""How much of what is constant in a speaker is taken away."""

SPEAKER_GAIN = 2.5
ATTENTION_TO_CONTENT = 0.1
"""What is left of the queries: untrained heads attend by age. An attention that content could turn
to one loud frame at once would make faces jump."""

LISTENER_SPREAD = 5.0
"""How far listeners differ, as a multiple of what one moves."""

PERSONAL_MOVEMENT = 0.75
"""How much of the generic movement listeners have, so that they differ and stay in range."""

LISTENER_POSE_SPREAD = 0.8
LARGEST_PATTERN_GAIN = 10.0

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
    joined = torch.cat([_encode_in_parts(encoder.face, visual), encoder.voice(audio)], dim=-1)
    token = encoder.fuse(joined)
    _rescale(encoder.fuse, token, spread=_within(token))


def calibrate_reactions(
    generator: ReactionGenerator, patterns: Tensor, rng: np.random.Generator
) -> None:
    """Set gains from token to face, on synthetic tokens.

    `patterns` (listeners, d): the personal decoder is set so that the mean of these listeners rests
    at neutral, and so that each moves as much as the generic one does.
    """
    _respond_to_change(generator)
    token = synthetic_tokens(rng, TOKEN_SECONDS, generator.config.feature_size)
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
    generator.personal_from_generic()
    _calibrate_heads(generator.decoder_generic, latent[None], token, window)
    personal = generator.personalise(latent[None], patterns[:, None])
    _calibrate_heads(generator.decoder_personal, personal, token, window)


def calibrate_pattern_encoder(generator: ReactionGenerator, histories: list[np.ndarray]) -> None:
    """Make the given listeners' patterns point in about equally different directions."""
    encoder = generator.pattern_encoder
    last = encoder.summarise[-1]
    assert isinstance(last, nn.Linear)
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda _, arguments, __: seen.append(arguments[0]))
    for rows in histories:
        encoder.summary(torch.from_numpy(rows))
    hook.remove()
    features = torch.stack(seen)
    mean = features.mean(dim=0)
    _, spread, directions = torch.linalg.svd(features - mean, full_matrices=False)
    spread, directions = spread[:-1], directions[:-1]  # centred: one direction fewer than listeners
    gain = (spread[0] / spread).clamp(max=LARGEST_PATTERN_GAIN)
    even = torch.eye(len(mean)) + directions.T @ ((gain - 1)[:, None] * directions)
    with torch.no_grad():
        last.weight.copy_(last.weight @ even)
        last.bias.copy_(-(last.weight @ mean))


def _respond_to_change(generator: ReactionGenerator) -> None:
    """Let attention to the speaker weigh the last moments against the time before.

    What is constant in a speaker (identity, light) is by far the largest part of an untrained
    token. Heads are paired, a quick one and a slow one with the same values and opposite outputs.
    """
    distribution = generator.distribution
    _weaken(distribution.query, slice(None))
    _pair_heads(distribution.memory, distribution.out, generator.config.heads)
    if isinstance(generator.decoder_generic, AlignedDecoder):
        for layer in generator.decoder_generic.layers:
            speaker = layer.get_submodule("speaker")
            own = layer.get_submodule("own")
            assert isinstance(speaker, SpeakerAttention)
            assert isinstance(own, OwnAttention)
            _weaken(speaker.query, slice(None))
            _weaken(own.project, slice(0, own.out.in_features))
            _pair_heads(speaker.memory, speaker.out, generator.config.heads)


def _weaken(queries: nn.Linear, rows: slice) -> None:
    with torch.no_grad():
        queries.weight[rows] *= ATTENTION_TO_CONTENT
        queries.bias[rows] *= ATTENTION_TO_CONTENT


def _pair_heads(memory: nn.Linear, out: nn.Linear, heads: int) -> None:
    if heads % 2:
        return
    size, half = out.out_features, out.out_features // 2
    with torch.no_grad():
        value = memory.weight[size:]
        value[half:] = value[:half]
        out.weight.mul_(SPEAKER_GAIN)
        out.weight[:, half:] = -CONTRAST * out.weight[:, :half]
        out.bias.zero_()
        memory.bias[size:] = 0.0


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
        visual = synthetic.drawn_faces(rng, FRAMES_PER_PERSON, image_size, SPACING).image
    else:
        visual = synthetic.speaker_vectors(rng, FRAMES_PER_PERSON * SPACING)[::SPACING]
    voice = synthetic.voice_features(rng, FRAMES_PER_PERSON * SPACING)[::SPACING].copy()
    return torch.from_numpy(visual.copy()), torch.from_numpy(voice)


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
    """Set mean and spread over time of both heads; `latent` (B, T, d), one listener a lane."""
    hidden = _hidden(decoder, latent, token, window)
    heads = decoder.reaction
    pose = slice(ROTATION_SLICE.start, COEFFICIENT_COUNT)
    spread = torch.full((COEFFICIENT_COUNT,), 0.05)
    spread[ROTATION_SLICE] = 0.05
    spread[TRANSLATION_SLICE] = 0.015
    _tell_listeners_apart(heads.coefficients, hidden, FACE_EXPRESSION_SLICE, LISTENER_SPREAD)
    # Nobody sits askew: listeners differ little in where the head rests.
    _tell_listeners_apart(heads.coefficients, hidden, pose, LISTENER_POSE_SPREAD)
    gain = 1.0 if len(latent) == 1 else PERSONAL_MOVEMENT
    coefficients = heads.coefficients(hidden)
    _rescale(heads.coefficients, coefficients, 0.0, gain * spread, _over_time(coefficients))
    centre = torch.zeros(ATTRIBUTE_COUNT)
    centre[ACTION_UNIT_SLICE] = REST_ACTIVATION
    centre[EXPRESSION_SLICE.start] = REST_NEUTRAL
    spread = torch.full((ATTRIBUTE_COUNT,), 0.4)
    spread[AFFECT_SLICE] = 0.12
    features = heads.attribute_features(hidden, heads.coefficients(hidden))
    _tell_listeners_apart(heads.attributes, features, slice(None), LISTENER_SPREAD)
    raw = heads.attributes(features)
    _rescale(heads.attributes, raw, centre, gain * spread, _over_time(raw))


def _over_time(values: Tensor) -> Tensor:
    """Standard deviation (n,) over time of values (B, T, n), averaged over lanes."""
    return values.var(dim=1).mean(dim=0).sqrt()


def _tell_listeners_apart(layer: nn.Linear, inputs: Tensor, rows: slice, wanted: float) -> None:
    """Set how far the outputs `rows` of listeners differ, in units of their spread over time.

    `inputs` (B, T, n) of the layer, one listener a lane. Only the directions in which the listeners
    differ are weighed anew.
    """
    lanes = inputs.mean(dim=1)
    if len(lanes) < 2:
        return
    directions = torch.linalg.svd(lanes - lanes.mean(dim=0), full_matrices=False).Vh[:-1]
    outputs = layer(inputs)[..., rows]
    found = (outputs.mean(dim=1).std(dim=0) / _over_time(outputs)).square().mean().sqrt()
    with torch.no_grad():
        weight = layer.weight[rows]
        weight.add_((wanted / found - 1) * (weight @ directions.T) @ directions)


def _hidden(decoder: Decoder, latent: Tensor, token: Tensor, window: int) -> Tensor:
    """States (B, T, d) of lanes decoded from their beginning."""
    frame = torch.arange(latent.shape[-2])
    own_frame, own = empty_own_memory(decoder, latent)
    if isinstance(decoder, AlignedDecoder):
        speaker = decoder.remember_speaker(token)
        band = torch.tensor(window)
        return decoder.hidden(latent, frame, band, frame, speaker, own_frame, own)[0]
    position = (frame % window).expand(len(latent), -1)
    parts = [
        decoder.hidden(part, where, own_frame, own)[0]
        for part, where in zip(latent.split(window, 1), position.split(window, 1), strict=True)
    ]
    return torch.cat(parts, dim=1)
