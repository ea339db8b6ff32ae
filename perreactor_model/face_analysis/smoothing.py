"""The One-Euro filter: smooth at rest, quick when something happens.

G. Casiez, N. Roussel, D. Vogel: "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems", CHI 2012. A first-order low-pass whose cut-off frequency grows with
the speed of the signal: f_c = f_min + beta |speed|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OneEuroSettings:
    """`slowest_hz` is the cut-off at rest; `beta` adds hertz per unit of speed (1/s of the signal);
    `speed_hz` is the cut-off of the speed's own low-pass. After a gap of `forget_seconds` without a
    value the filter starts anew.
    """

    slowest_hz: float = 2.0
    beta: float = 60.0
    speed_hz: float = 6.0
    forget_seconds: float = 0.5

    def __post_init__(self) -> None:
        if not (self.slowest_hz > 0 and self.speed_hz > 0 and self.forget_seconds > 0):
            raise ValueError("slowest_hz, speed_hz and forget_seconds must be positive")
        if not self.beta >= 0:
            raise ValueError(f"beta must not be negative, not {self.beta}")


class OneEuro:
    """Filters vectors (n,) by their stamps, each component for itself; NaN passes as NaN."""

    def __init__(self, settings: OneEuroSettings | None = None) -> None:
        self.settings = settings or OneEuroSettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next value passes unchanged."""
        self._value: np.ndarray | None = None
        self._speed: np.ndarray
        self._when: np.ndarray

    def filter(self, values: np.ndarray, stamp_ns: int) -> np.ndarray:
        """The filtered vector, float32 (n,). A stamp that is not newer changes nothing."""
        values = np.asarray(values, np.float32)
        if self._value is None or self._value.shape != values.shape:
            self._value = np.full(values.shape, np.nan, np.float32)
            self._speed = np.zeros(values.shape, np.float32)
            self._when = np.full(values.shape, stamp_ns, np.int64)
        step = (stamp_ns - self._when) / 1e9
        known = np.isfinite(values)
        fresh = known & (np.isnan(self._value) | (step > self.settings.forget_seconds))
        going = known & ~fresh & (step > 0)
        self._value[fresh], self._speed[fresh] = values[fresh], 0.0
        if going.any():
            self._advance(values, step, going)
        self._when[fresh | going] = stamp_ns
        return np.where(known, self._value, np.float32(np.nan))

    def _advance(self, values: np.ndarray, step: np.ndarray, going: np.ndarray) -> None:
        assert self._value is not None
        step = step[going]
        speed = (values[going] - self._value[going]) / step
        self._speed[going] += _share(step, self.settings.speed_hz) * (speed - self._speed[going])
        cutoff = self.settings.slowest_hz + self.settings.beta * np.abs(self._speed[going])
        self._value[going] += _share(step, cutoff) * (values[going] - self._value[going])


def _share(step: np.ndarray, cutoff: np.ndarray | float) -> np.ndarray:
    """How much of a new value a first-order low-pass takes after `step` seconds."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)
