"""The noise of a clip's latents while training: held over the clip, or wandering as in the stream.

The law is that of `streaming.noise`; here a whole clip is drawn at once.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from perreactor_model.contract import FRAME_RATE


def held_noise(generator: np.random.Generator, samples: int, frames: int, size: int) -> np.ndarray:
    """(M, T, d) float32, standard normal, the same in all frames."""
    drawn = generator.standard_normal((samples, 1, size), np.float32)
    return np.broadcast_to(drawn, (samples, frames, size))


def stream_noise(
    generator: np.random.Generator, samples: int, frames: int, size: int, seconds: float
) -> np.ndarray:
    """(M, T, d) float32: eps_t = rho eps_(t-1) + sqrt(1 - rho^2) xi_t, each N(0, 1).

    rho = exp(-0.04 s / `seconds`); 0 seconds draws each frame by itself.
    """
    drawn = generator.standard_normal((samples, frames, size), np.float32)
    if seconds == 0:
        return drawn
    rho = math.exp(-1.0 / (FRAME_RATE * seconds))
    gain = math.sqrt(1.0 - rho**2)
    drawn[:, 0] /= gain
    wandering: np.ndarray = lfilter(
        np.array([gain], np.float32), np.array([1.0, -rho], np.float32), drawn, axis=1
    )
    return wandering.astype(np.float32, copy=False)
