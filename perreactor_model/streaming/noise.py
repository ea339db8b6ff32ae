"""Latent noise that lets a reaction vary slowly, reproducibly and independently of everything else.

eps_t = rho * eps_{t-1} + sqrt(1 - rho^2) * xi_t, rho = exp(-(1/25 s) / noise_seconds), is a
stationary N(0, 1) process. Each xi_t comes from a counter-based generator keyed by (seed, robot,
sample) with t as the counter, so it does not depend on step size, chunking, skipped frames or on
which other robots there are.
"""

import hashlib
import math

import numpy as np

from perreactor_model.contract import FRAME_RATE

_LONG_GAP = 10_000
"""Frames (7 minutes) beyond which a gap is crossed in one stride instead of frame by frame."""


class LatentNoise:
    """The noise of one sample of one robot; each frame is asked for once, in increasing order.

    `seconds` is the time constant: 0 draws afresh at each frame, infinity holds the first draw.
    A frame that does not come after the last one starts the process anew.
    """

    def __init__(self, size: int, seconds: float, seed: int, robot: str, sample: int = 0) -> None:
        if not seconds >= 0.0:
            raise ValueError(f"noise_seconds is {seconds}: give 0 or more seconds (inf holds it)")
        self._size = size
        self._rho = math.exp(-1.0 / (FRAME_RATE * seconds)) if seconds > 0.0 else 0.0
        digest = hashlib.sha256(f"{seed}\x1f{robot}\x1f{sample}".encode()).digest()
        self._key = np.frombuffer(digest[:16], np.uint64)
        self._frame: int | None = None
        self._state = np.zeros(size)

    def at(self, frame: int) -> np.ndarray:
        """eps at `frame`, float32 (size,). Frames left out still happen, unseen."""
        gap = None if self._frame is None else frame - self._frame
        if gap is None or gap <= 0:
            self._state = self._innovation(frame)
        elif self._rho < 1.0:
            if gap > _LONG_GAP:
                kept = self._rho**gap
                self._state = kept * self._state + math.sqrt(1 - kept**2) * self._innovation(frame)
            else:
                self._walk(frame - gap + 1, frame)
        self._frame = frame
        return self._state.astype(np.float32)

    def _walk(self, first: int, last: int) -> None:
        gain = math.sqrt(1.0 - self._rho**2)
        for frame in range(first, last + 1):
            self._state = self._rho * self._state + gain * self._innovation(frame)

    def _innovation(self, frame: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(key=self._key, counter=[0, frame, 0, 0]))
        return generator.standard_normal(self._size)


class HeldNoise:
    """A given eps, the same at every frame: reproduces a recorded or published sample."""

    def __init__(self, value: np.ndarray) -> None:
        self._value = np.ascontiguousarray(value, np.float32)

    def at(self, frame: int) -> np.ndarray:
        """The given eps, float32 (size,), whatever the frame."""
        return self._value
