"""Small batches and networks for tests of training; seeded, nobody's data."""

import dataclasses

import torch

from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.batch import Batch

CONFIG = ModelConfig(
    feature_size=16,
    feed_forward=32,
    heads=2,
    decoder_layers=1,
    window=24,
    visual_input="facial_attributes",
    beta=1.0,
)


def small_generator(seed: int = 0, **changes: object) -> ReactionGenerator:
    """Seeded networks of a few thousand weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ReactionGenerator(dataclasses.replace(CONFIG, **changes))


def small_batch(
    clips: int = 3, frames: int = 20, samples: int = 2, seed: int = 0, epoch: int = 0
) -> Batch:
    """Noise in the shape of a batch; the last clip has one fitting reaction less."""
    draw = torch.Generator().manual_seed(seed)

    def faces(count: int) -> torch.Tensor:
        return torch.rand((clips, count, frames, 83), generator=draw)

    weight = torch.ones(clips, 3)
    weight[-1, 2:] = 0
    visual = torch.rand((clips, frames, 83), generator=draw)
    visual[..., 25:77] = torch.nan
    noise = torch.randn((clips, samples, 1, CONFIG.feature_size), generator=draw)
    return Batch(
        key=tuple((seed, epoch, item) for item in range(clips)),
        audio=torch.randn((clips, frames, 78), generator=draw),
        face_present=torch.ones(clips, frames, dtype=torch.bool),
        voice_present=torch.ones(clips, frames, dtype=torch.bool),
        speaker=torch.rand((clips, frames, 83), generator=draw),
        appropriate=faces(3),
        appropriate_weight=weight,
        inappropriate=faces(2),
        inappropriate_weight=torch.ones(clips, 2),
        noise=noise.expand(-1, -1, frames, -1),
        stream=torch.arange(clips) % 2 == 1,
        visual=visual,
        history=torch.rand((clips, 16, CONFIG.pattern_channels), generator=draw),
        past=torch.rand((clips, 16, 83), generator=draw),
        others=faces(2),
        others_weight=torch.ones(clips, 2),
    )


def clips_of(batch: Batch, chosen: slice) -> Batch:
    """Some clips of a batch."""
    cut = {
        field.name: value[chosen]
        for field in dataclasses.fields(batch)
        if (value := getattr(batch, field.name)) is not None
    }
    return dataclasses.replace(batch, **cut)
