"""A prepared corpus of seeded noise, and options of runs on it that take seconds."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.preparation.storing import (
    About,
    PreparedRecording,
    write_about,
    write_split,
)

TINY = """
    model.visual_input=facial_attributes model.feature_size=16 model.feed_forward=16 model.heads=2
    model.window=16 model.decoder_layers=1 data.clip_frames=32 data.samples=2 data.appropriate=2
    data.inappropriate=2 data.others=2 data.history_frames=64 discriminator.size=16 loop.batch=4
    loop.validate=0 loop.picture=0 loop.log=5 loop.save=1000 loop.workers=0 loop.device=cpu
    optimiser.warmup=5
""".split()
"""Words for the command line."""


def make_noise_corpus(
    folder: Path,
    listeners: int = 4,
    sessions: int = 3,
    frames: int = 120,
    seed: int = 0,
    splits: tuple[str, ...] = ("train", "val"),
    pixels: int = 0,
    features: int = 0,
    encoder: Path | None = None,
    manners: float = 0.0,
) -> PreparedCorpus:
    """Every listener hears every session's script; a reaction fits the speakers of its session.

    Recording 2k speaks and 2k + 1 listens in pair k; pair k is session k % sessions of listener
    k // sessions. `pixels` gives every recording pictures of that size, `features` so many
    features of a face. `manners` sets listeners apart: how often units show, and what affects rest
    at, are moved by at most so many standard deviations.
    """
    described = {}
    for number, name in enumerate(splits):
        draw = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, number))))
        people = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, number, 1))))
        own = manners * people.uniform(-1, 1, (listeners, 2))
        recordings = []
        for pair in range(listeners * sessions):
            who, session = divmod(pair, sessions)
            for identity, manner in ((f"speaker {pair}", (0, 0)), (f"listener {who}", own[who])):
                recordings.append(
                    _recording(draw, identity, session, frames, pixels, features, manner)
                )
        told = np.arange(listeners * sessions) % sessions
        pairs = np.arange(2 * len(told)).reshape(-1, 2)
        described[name] = write_split(
            folder, name, recordings, pairs, told[:, None] == told[None, :]
        )
    settings = {"encoder": str(encoder)} if encoder else {}
    about = About(f"noise {seed}", settings, np.zeros(58, np.float32), True, "occurrence")
    return write_about(folder, described, about)


def _recording(
    draw: np.random.Generator,
    identity: str,
    session: int,
    frames: int,
    pixels: int,
    features: int,
    manner: Sequence[float],
) -> PreparedRecording:
    units = _wandering(draw, frames, 15) + np.float32(manner[0]) > 0.5
    expressions = np.exp(2 * _wandering(draw, frames, 8))
    expressions /= expressions.sum(axis=1, keepdims=True)
    affects = np.tanh(_wandering(draw, frames, 2) + np.float32(manner[1]))
    attributes = np.concatenate([units, affects, expressions], axis=1).astype(np.float32)
    coefficients = 0.2 * _wandering(draw, frames, 58)
    observed = np.concatenate([attributes, coefficients[:, 52:]], axis=1)
    observed[:, 11] = np.nan  # the face analyzer never knows AU23
    return PreparedRecording(
        key=f"{identity}, {session}",
        identity=identity,
        session=str(session),
        attributes=attributes,
        coefficients=coefficients,
        observed=observed,
        audio=5 * _wandering(draw, frames, 78),
        faces=draw.integers(0, 256, (frames, pixels, pixels, 3), np.uint8) if pixels else None,
        face_tokens=_wandering(draw, frames, features) if features else None,
    )


def _wandering(draw: np.random.Generator, frames: int, channels: int) -> np.ndarray:
    """Smooth in time, standard deviation 1; float32 (frames, channels)."""
    rho = 0.9
    drawn = draw.standard_normal((frames, channels))
    drawn[0] /= math.sqrt(1 - rho**2)
    smooth: np.ndarray = lfilter([math.sqrt(1 - rho**2)], [1, -rho], drawn, axis=0)
    return smooth.astype(np.float32)
