"""Offline, in steps and from caches: one function."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from perreactor_model.networks.config import EMPTY_FRAME, ModelConfig
from perreactor_model.networks.decoders import AlignedDecoder, PaperDecoder
from perreactor_model.networks.generator import ReactionGenerator

CONFIG = ModelConfig(
    feature_size=16,
    feed_forward=24,
    window=6,
    visual_channels=8,
    visual_input="facial_attributes",
)
FRAMES = 20
LANES = 3


def networks(decoder: str = "aligned", seed: int = 0) -> ReactionGenerator:
    torch.manual_seed(seed)
    generator = ReactionGenerator(replace(CONFIG, decoder=decoder)).eval()
    for parameter in generator.parameters():  # no table or bias stays at its neat beginning
        parameter.data += 0.1 * torch.randn_like(parameter)
    return generator.requires_grad_(False)


def steps(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def stream_distribution(generator: ReactionGenerator, token: Tensor, size: int) -> Tensor:
    """Means and deviations, (T, 2d), computed `size` frames at a time from a cache of a window."""
    key, value = generator.distribution.empty_memory()
    number = torch.zeros(0, dtype=torch.int64)
    found = []
    for part in steps(len(token), size):
        frame = torch.arange(len(token))[part]
        band = torch.tensor(CONFIG.window)
        step = generator.distribution(token[part], frame, band, number, key, value)
        found.append(torch.cat([step.mean, step.deviation], dim=-1))
        keep = slice(-CONFIG.window, None)
        key = torch.cat([key, step.key], dim=-1)[..., keep]
        value = torch.cat([value, step.value], dim=-2)[..., keep, :]
        number = torch.cat([number, frame])[keep]
    return torch.cat(found)


def stream_decoder(
    decoder: AlignedDecoder | PaperDecoder, latent: Tensor, token: Tensor, size: int
) -> Tensor:
    """Coefficients and attributes (B, T, 83), `size` frames at a time from caches."""
    from perreactor_model.networks.decoders import empty_own_memory

    number, (keys, values) = empty_own_memory(decoder, latent)
    found = []
    for part in steps(latent.shape[1], size):
        frame = torch.arange(latent.shape[1])[part]
        if isinstance(decoder, AlignedDecoder):
            seen = slice(max(0, part.start - CONFIG.window), part.stop)
            speaker = decoder.remember_speaker(token[seen])
            numbers = torch.arange(latent.shape[1])[seen]
            band = torch.tensor(CONFIG.window)
            arguments = (latent[:, part], frame, band, numbers, speaker, number, (keys, values))
            step = decoder(*arguments)
        else:
            step = decoder(latent[:, part], frame.expand(LANES, -1), number, (keys, values))
        found.append(torch.cat([step.coefficients, step.attributes], dim=-1))
        keys = [torch.cat(pair, dim=-1) for pair in zip(keys, step.own_keys, strict=True)]
        values = [torch.cat(pair, dim=-2) for pair in zip(values, step.own_values, strict=True)]
        number = torch.cat([number, frame.expand(LANES, -1)], dim=1)
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_distribution_from_a_cache_is_the_banded_one(size: int) -> None:
    generator = networks()
    token = torch.randn(FRAMES, CONFIG.feature_size)
    step = generator.distribution_of(token, CONFIG.window)
    whole = torch.cat([step.mean, step.deviation], dim=-1)
    torch.testing.assert_close(
        stream_distribution(generator, token, size), whole, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("kind", ["aligned", "paper"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_decoding_from_caches_is_decoding_at_once(kind: str, size: int) -> None:
    generator = networks(kind)
    token = torch.randn(FRAMES, CONFIG.feature_size)
    latent = torch.randn(LANES, FRAMES, CONFIG.feature_size)
    decoded = generator.decode(latent, token)
    whole = torch.cat([decoded.coefficients, decoded.attributes], dim=-1)
    found = stream_decoder(generator.decoder_generic, latent, token, size)
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)


def test_a_frame_is_independent_of_what_follows_and_of_what_left_the_window() -> None:
    generator = networks()
    token = torch.randn(FRAMES, CONFIG.feature_size)
    changed = token.clone()
    changed[:4] += 1.0
    changed[15:] += 1.0
    latent = torch.randn(1, FRAMES, CONFIG.feature_size)
    before = generator.decode(latent, token).attributes[0]
    after = generator.decode(latent, changed).attributes[0]
    difference = (before - after).abs().amax(dim=-1)
    layers = CONFIG.decoder_layers
    forgotten = 4 + (layers - 1 + 1) * (CONFIG.window - 1)  # one band a layer for the own past
    assert difference[15:].min() > 1e-5
    assert difference[forgotten:15].max() < 1e-6


def test_the_order_of_the_speakers_frames_matters() -> None:
    generator = networks()
    token = torch.randn(FRAMES, CONFIG.feature_size)
    noise = torch.zeros(1, CONFIG.feature_size)
    forward = generator.generate(token, noise).coefficients
    backward = generator.generate(token.flip(0), noise).coefficients
    assert (forward - backward).abs().max() > 0.05


def test_what_an_empty_slot_holds_is_never_seen() -> None:
    generator = networks()
    token = torch.randn(2, CONFIG.feature_size)
    frame, band = torch.tensor([7, 8]), torch.tensor(CONFIG.window)
    memory = generator.distribution.empty_memory()
    expected = generator.distribution(token, frame, band, frame[:0], *memory)
    heads, width = CONFIG.heads, CONFIG.head_size
    empty = torch.full((4,), EMPTY_FRAME)
    found = generator.distribution(
        token, frame, band, empty, torch.randn(heads, width, 4), torch.randn(heads, 4, width)
    )
    torch.testing.assert_close(found.mean, expected.mean, atol=1e-6, rtol=0)


def test_clips_of_a_batch_do_not_meet() -> None:
    generator = networks()
    token = torch.randn(2, FRAMES, CONFIG.feature_size)
    noise = torch.randn(2, 3, CONFIG.feature_size)
    pattern = generator.pattern(torch.randn(2, 12, CONFIG.pattern_channels))
    together = generator.generate(token, noise, pattern)
    alone = generator.generate(token[1], noise[1], pattern[1])
    torch.testing.assert_close(together.attributes[1], alone.attributes, atol=1e-5, rtol=0)
