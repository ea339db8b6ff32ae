"""Bringing the sound of one frame from the microphone's rate to the bundle's.

Each frame's piece is resampled alone, so the result depends on that piece and on nothing else: not
on the neighbours, not on how messages cut the sound. The price is a transient of a few samples at
the piece's two ends. It is kept small by holding the edge values; and the MFCC windows barely see
it, for they fade in at the start of a frame and leave out its last 5 ms.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from scipy.signal import firwin, resample_poly

from perreactor_model.contract import FRAME_RATE

LOWEST_RATE = 8_000
HIGHEST_RATE = 48_000
"""Sampling rates, in Hz, that a microphone or a bundle may have."""

_HALF_TAPS = 10
"""Half length of the anti-aliasing filter, in periods of the slower rate."""


def check_rate(rate: int) -> None:
    """Raise ValueError unless `rate` is a whole number of Hz from 8000 to 48000."""
    number = isinstance(rate, (int, float, np.number))
    if not number or not LOWEST_RATE <= rate <= HIGHEST_RATE or not float(rate).is_integer():
        raise ValueError(
            f"the audio rate must be a whole number from {LOWEST_RATE} to {HIGHEST_RATE} Hz, "
            f"got {rate!r}"
        )


def cell_bounds(frame: int, rate: int) -> tuple[int, int]:
    """First sample of `frame` and of the frame after it, counted from the start of the clip.

    Where rate/25 is no whole number each bound is rounded by itself, so nothing accumulates.
    """
    half = FRAME_RATE // 2
    return (frame * rate + half) // FRAME_RATE, ((frame + 1) * rate + half) // FRAME_RATE


@lru_cache(maxsize=16)
def _filter_for(up: int, down: int) -> np.ndarray:
    """Low-pass for `resample_poly`, at the lower of the two Nyquist frequencies."""
    slower = max(up, down)
    return firwin(2 * _HALF_TAPS * slower + 1, 1.0 / slower, window=("kaiser", 5.0))


def resample_piece(samples: np.ndarray, rate: int, target_rate: int, count: int) -> np.ndarray:
    """Resample one piece of sound to exactly `count` samples at `target_rate`.

    `samples` is float (n,), n >= 1, at `rate` Hz; returns float32 (count,). A surplus sample from
    rounding is cut off, a missing one repeats the last. Equal rates are passed through.
    """
    piece = np.asarray(samples, np.float32)
    if rate != target_rate:
        common = gcd(rate, target_rate)
        up, down = target_rate // common, rate // common
        window = _filter_for(up, down)
        piece = resample_poly(piece, up, down, window=window, padtype="edge").astype(np.float32)
    if piece.size < count:
        piece = np.pad(piece, (0, count - piece.size), mode="edge")
    return piece[:count]
