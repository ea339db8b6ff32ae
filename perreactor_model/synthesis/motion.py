"""How muscles move: from rest to a goal by the smoothest way, hold, and back.

Minimum-jerk courses: T. Flash, N. Hogan: "The coordination of arm movements: an experimentally
confirmed mathematical model", Journal of Neuroscience 5(7), 1985. Onsets of spontaneous smiles have
a nearly constant relation of speed to size, and offsets are slower than onsets: K. L. Schmidt, J.
F. Cohn, Y. Tian: "Signal characteristics of spontaneous facial expressions: automatic movement in
solitary and social smiles", Biological Psychology 65(1), 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from perreactor_model.contract import FRAME_RATE


@dataclass(frozen=True)
class Course:
    """When a movement begins (`onset`), and how long it rises, stays and falls; all in seconds."""

    onset: float
    rise: float
    hold: float
    fall: float

    @property
    def end(self) -> float:
        """When it is over."""
        return self.onset + self.rise + self.hold + self.fall


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """0 to 1 with velocity and acceleration 0 at both ends; `share` of the time, any shape."""
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s * s * s * (10.0 - 15.0 * s + 6.0 * s * s))


def follow(course: Course, frames: int) -> tuple[slice, np.ndarray]:
    """The frames that a course touches, and its height 0..1 in each of them."""
    first = min(frames, max(0, int(np.floor(course.onset * FRAME_RATE))))
    last = max(first, min(frames, int(np.ceil(course.end * FRAME_RATE)) + 1))
    seconds = np.arange(first, last) / FRAME_RATE - course.onset
    up = minimum_jerk(seconds / course.rise)
    down = minimum_jerk((seconds - course.rise - course.hold) / course.fall)
    return slice(first, last), up - down


def union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two actions of the same muscle at once, 0..1: more than either, never more than 1."""
    return np.asarray(1.0 - (1.0 - one) * (1.0 - other))


def wander(
    generator: np.random.Generator, frames: int, channels: int, seconds: float
) -> np.ndarray:
    """Smooth noise of variance 1 that forgets itself in about `seconds`. (frames, channels).

    An Ornstein-Uhlenbeck process filtered once more, so that velocities are continuous.
    """
    rho = float(np.exp(-1.0 / (seconds * FRAME_RATE)))
    lead = min(int(5 * seconds * FRAME_RATE), 1000)
    noise = generator.standard_normal((frames + lead, channels))
    for _ in range(2):
        noise = lfilter([1.0 - rho], [1.0, -rho], noise, axis=0)
    # Variance of white noise after this filter twice, in closed form.
    variance = (1.0 - rho) ** 4 * (1.0 + rho**2) / (1.0 - rho**2) ** 3
    return np.asarray(noise[lead:] / np.sqrt(variance))


def lag(values: np.ndarray, seconds: float) -> np.ndarray:
    """(T, ...) later by `seconds`; before there was anything it is what it was at first."""
    shift = min(round(seconds * FRAME_RATE), len(values))
    held = np.repeat(values[:1], shift, axis=0)
    return np.concatenate([held, values[: len(values) - shift]])


def smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """(T, ...) through a causal low-pass of two equal stages; the delay is about `seconds`."""
    rho = float(np.exp(-2.0 / (seconds * FRAME_RATE)))
    first = np.repeat(values[:1], 1, axis=0) * rho
    for _ in range(2):
        values, _ = lfilter([1.0 - rho], [1.0, -rho], values, axis=0, zi=first)
        first = values[:1] * rho
    return np.asarray(values)
