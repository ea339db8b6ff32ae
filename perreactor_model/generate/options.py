"""How to generate, and what a generator is."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from perreactor_model.generate.inputs import GenerationInput
from perreactor_model.streaming.noise import HeldNoise, LatentNoise

MODES = ("offline", "stream")

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class GenerationOptions:
    """Checked once, here. None leaves the choice to the networks or to the input.

    `window` frames are in view in the stream; `beta` weighs the pattern (Eq. 7); `integration`
    names how imported networks take the pattern in where their weights do not tell;
    `noise_seconds` is the time constant of the stream's noise.
    """

    mode: str = "offline"
    samples: int | None = None
    seed: int = 0
    window: int | None = None
    beta: float | None = None
    integration: str | None = None
    noise_seconds: float = 8.0
    device: str = "auto"
    progress: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"unknown mode '{self.mode}': choose one of {', '.join(MODES)}")
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples is {self.samples}: give 1 or more")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window is {self.window}: give 1 frame or more")
        if self.beta is not None and not math.isfinite(self.beta):
            raise ValueError(f"beta is {self.beta}: give a finite number")
        if not self.noise_seconds >= 0.0:
            raise ValueError(f"noise_seconds is {self.noise_seconds}: give 0 or more seconds")

    def track(self, items: Iterable[_Item], total: int, what: str) -> Iterable[_Item]:
        """Pass items on, with a progress bar on the error output if wanted and if someone looks."""
        if not self.progress:
            return items
        from tqdm import tqdm

        return tqdm(items, total=total, unit=what, file=sys.stderr, disable=None, leave=False)


class Generator(Protocol):
    """Networks from some source that react to recorded speakers.

    Both return the arrays that can be computed from the input, of `encoded`, `mu`, `sigma`,
    `pattern`, and `3dmm` (N * M, T, 58) and `attributes` (N * M, T, 25) after `generic_` and
    `personal_`. Offline, `encoded` is (N, T, d), `mu`, `sigma` and `pattern` (N, d); in the stream
    `mu` and `sigma` are (N, T, d). Row of a reaction = clip * M + sample.
    """

    source: str
    """What the networks came from, for people."""

    feature_size: int

    def offline(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """The paper's task: the whole clip gives one distribution, a sample one latent."""

    def stream(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """Frame t is answered from the frames max(0, t - window + 1)..t only."""


def clip_name(clip: int) -> str:
    """Whom a clip's noise is drawn for: it depends on seed, clip and sample, on nothing else."""
    return f"clip_{clip}"


def offline_noise(
    given: GenerationInput, options: GenerationOptions, samples: int, size: int
) -> np.ndarray:
    """eps of every sample of every clip, (N * M, size): the input's, else drawn from the seed."""
    rows = []
    for clip in range(given.clips):
        for sample in range(samples):
            held = given.noise_of(clip, sample, samples, size)
            if held is None:
                drawn = LatentNoise(size, math.inf, options.seed, clip_name(clip), sample)
                held = drawn.at(0)
            rows.append(held)
    return np.stack(rows)


def stream_noise(
    given: GenerationInput,
    options: GenerationOptions,
    samples: int,
    size: int,
    clip: int,
    sample: int,
) -> LatentNoise | HeldNoise:
    """The noise of one sample of one clip: the input's, held for all frames, else drawn."""
    held = given.noise_of(clip, sample, samples, size)
    if held is not None:
        return HeldNoise(held)
    return LatentNoise(size, options.noise_seconds, options.seed, clip_name(clip), sample)
