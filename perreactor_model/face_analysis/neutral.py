"""A person's own neutral face: what each measurement is when nothing is done with the face.

Actions are told from rest by their side: a smile lifts the corners of the mouth and speech parts
the lips, never the other way round for long. So the neutral of a measurement is a quantile on its
*resting side*, not a mean: somebody who talks or smiles during most of the calibration still comes
out close to rest. Afterwards the same quantile is taken over the last minutes, in which frames with
an action on count little: the neutral follows what is still and keeps off what is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perreactor_model.face_analysis.measurements import MEASUREMENT_COUNT, MEASUREMENTS

NOISE_FLOOR = 0.0008
"""Noise at rest that is taken for granted even where calibration saw less (0.07 mm)."""

NOISE_CEILING = 0.003
"""What moves more than this from frame to frame is speech, not noise."""

_RESTING_QUANTILE = {
    # Speech and smiles go one way from rest; blinks close lids; brows go both ways.
    "lip_gap": 0.15,
    "lower_lip_drop": 0.25,
    "lips_height": 0.3,
    "chin_drop": 0.25,
    "jaw_drop": 0.25,
    "chin_lip": 0.65,
    "corner_up": 0.3,
    "corner_out": 0.3,
    "corner_back": 0.4,
    "upper_lip": 0.3,
    "upper_lip_height": 0.6,
    "lower_lip_height": 0.6,
    "philtrum": 0.65,
    "eye_opening": 0.6,
    "upper_lid": 0.6,
    "lower_lid": 0.4,
    "cheek": 0.4,
    "nose_wing": 0.4,
    "nose_wing_base": 0.4,
    "brow_inner": 0.45,
    "brow_middle": 0.45,
    "brow_outer": 0.45,
}


@dataclass(frozen=True)
class NeutralSettings:
    """How a neutral face is learnt and kept.

    `seconds` of sight of a measurement make its neutral, which then counts as `weight` seconds of
    rest. Afterwards one frame a second is remembered for `memory` seconds, unless the head is
    turned or nodded by more than `turned` radians from where it was at first. A measurement that is
    further than `still` (eye-corner distances) from neutral, on the side to which actions go, is an
    action: one in `rare` of these is remembered. The neutral eases towards what is remembered
    within `ease` seconds.
    """

    seconds: float = 4.0
    weight: int = 60
    memory: int = 600
    turned: float = 0.2
    still: float = 0.012
    rare: int = 4
    ease: float = 10.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")


@dataclass
class NeutralFace:
    """What one person's face measures at rest. Plain data: arrays, numbers, no references."""

    settings: NeutralSettings = field(default_factory=NeutralSettings)

    def __post_init__(self) -> None:
        self._value = np.full(MEASUREMENT_COUNT, np.nan, np.float32)
        self._noise = np.full(MEASUREMENT_COUNT, np.nan, np.float32)
        self._seen = np.zeros(MEASUREMENT_COUNT)
        self._samples: list[np.ndarray] = []
        self._last: float | None = None
        self._memory: deque[np.ndarray] = deque(maxlen=self.settings.memory)
        self._remembered = 0
        self._next = 0.0
        self._target = self._value
        self._ahead: np.ndarray | None = None

    @property
    def value(self) -> np.ndarray:
        """float32 (n,): the neutral of each measurement, NaN where it is not known yet."""
        return self._value

    @property
    def noise(self) -> np.ndarray:
        """float32 (n,): standard deviation from frame to frame at rest, NaN where not known."""
        return self._noise

    @property
    def progress(self) -> float:
        """0..1: how much of the calibration is done."""
        return float(min(1.0, self._seen.max() / self.settings.seconds))

    @property
    def ready(self) -> bool:
        """Whether there is a neutral (parts hidden so far may still be missing)."""
        return self.progress >= 1.0

    def observe(
        self, measurements: np.ndarray, seconds: float, rotation: np.ndarray | None = None
    ) -> None:
        """Take in one frame (n,), NaN where hidden. `seconds` on any clock that only grows.

        `rotation` (3,) is the head's, in radians.
        """
        step = 0.0 if self._last is None else min(max(seconds - self._last, 0.0), 0.2)
        self._last = seconds
        self._seen[np.isfinite(measurements)] += step
        unlearnt = np.isnan(self._value)
        if unlearnt.any():
            self._learn(measurements, unlearnt, seconds)
        if self.ready:
            if self._ahead is None and rotation is not None:
                self._ahead = np.array(rotation)
            if seconds >= self._next and self._faces_ahead(rotation):
                self._remember(measurements)
                self._next = seconds + 1.0
            learnt = np.isfinite(self._target) & ~unlearnt
            away = self._target[learnt] - self._value[learnt]
            self._value[learnt] += min(1.0, step / self.settings.ease) * away

    def _learn(self, measurements: np.ndarray, unlearnt: np.ndarray, seconds: float) -> None:
        self._samples.append(np.where(unlearnt, measurements, np.nan).astype(np.float32))
        self._samples = self._samples[-_MOST_SAMPLES:]
        done = unlearnt & (self._seen >= self.settings.seconds - 1e-6)
        if done.any():
            samples = np.stack(self._samples)
            samples[:, ~done] = np.nan
            self._value[done] = quantiles(samples, RESTING_QUANTILES)[done]
            self._noise[done] = _noise(samples[:, done])
            self._trust(samples)
            self._next = seconds + 1.0
        if not np.isnan(self._value).any():
            self._samples = []

    def _trust(self, samples: np.ndarray) -> None:
        """Remember what the neutral was learnt from (T, n) as if it were `weight` seconds."""
        chosen = np.linspace(0, len(samples) - 1, self.settings.weight).round().astype(int)
        self._memory.extend(samples[chosen])
        self._target = quantiles(np.stack(self._memory), RESTING_QUANTILES)

    def _faces_ahead(self, rotation: np.ndarray | None) -> bool:
        if rotation is None or self._ahead is None:
            return True
        return bool(np.hypot(*(rotation - self._ahead)[:2]) < self.settings.turned)

    def _remember(self, measurements: np.ndarray) -> None:
        """One frame a second; of measurements with an action on only one in `rare`."""
        self._remembered += 1
        row = measurements.astype(np.float32)
        if self._remembered % self.settings.rare:
            away = row - self._value
            acting = np.where(_RESTING_SIDE == 0, np.abs(away), -_RESTING_SIDE * away)
            row = np.where(acting > self.settings.still, np.float32(np.nan), row)
        self._memory.append(row)
        self._target = quantiles(np.stack(self._memory), RESTING_QUANTILES)

    def state(self) -> dict[str, Any]:
        """Plain data from which `from_state` makes the same neutral."""
        return {
            "measurements": list(MEASUREMENTS),
            "value": [float(x) for x in self._value],
            "noise": [float(x) for x in self._noise],
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], settings: NeutralSettings | None = None
    ) -> NeutralFace:
        """The neutral that `state` described. ValueError for one of other measurements."""
        if list(state.get("measurements", ())) != list(MEASUREMENTS):
            raise ValueError("this neutral face is of other measurements; calibrate again")
        value = np.array(state["value"], np.float32)
        return cls._made(value, np.array(state["noise"], np.float32), settings)

    @classmethod
    def from_recording(
        cls, measurements: np.ndarray, settings: NeutralSettings | None = None
    ) -> NeutralFace:
        """The neutral of a whole recording (T, n) of one person, NaN where hidden."""
        rows = np.asarray(measurements, np.float32).reshape(-1, MEASUREMENT_COUNT)
        return cls._made(quantiles(rows, RESTING_QUANTILES), _noise(rows), settings)

    @classmethod
    def _made(
        cls, value: np.ndarray, noise: np.ndarray, settings: NeutralSettings | None
    ) -> NeutralFace:
        made = cls(settings or NeutralSettings())
        made._value, made._noise = value, noise
        made._seen = np.where(np.isfinite(value), made.settings.seconds, 0.0)
        made._trust(value[None])
        return made


def quantiles(rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Each column's quantile of what is known, NaN where nothing is. (T, n), (n,) -> (n,)."""
    if not len(rows):
        return np.full(rows.shape[1], np.nan, np.float32)
    ordered = np.sort(rows, axis=0)  # NaN goes last
    last = np.isfinite(rows).sum(axis=0) - 1
    place = shares * np.maximum(last, 0)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, np.maximum(last, 0))
    columns = np.arange(rows.shape[1])
    between = (place - low).astype(np.float32)
    value = ordered[low, columns] * (1 - between) + ordered[high, columns] * between
    return np.where(last < 0, np.float32(np.nan), value).astype(np.float32)


def _noise(samples: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise on top of smooth motion, from second differences."""
    noise = np.full(samples.shape[1], NOISE_FLOOR, np.float32)
    for column, bends in enumerate(np.abs(np.diff(samples, n=2, axis=0)).T):
        bends = bends[np.isfinite(bends)]
        if len(bends):
            # Of Gaussian noise they have sqrt(6) standard deviations; the median of |x| is 0.6745.
            noise[column] = np.median(bends) / (0.6745 * np.sqrt(6.0))
    return np.clip(noise, NOISE_FLOOR, NOISE_CEILING)


def _stem(name: str) -> str:
    return name.removesuffix("_right").removesuffix("_left")


_MOST_SAMPLES = 1000

RESTING_QUANTILES = np.array([_RESTING_QUANTILE.get(_stem(name), 0.5) for name in MEASUREMENTS])
"""Which quantile of each measurement is taken for rest."""

# -1 where rest is the low side, 1 where it is the high side, 0 where actions go both ways.
_RESTING_SIDE = np.where(
    RESTING_QUANTILES < 0.35, -1.0, np.where(RESTING_QUANTILES >= 0.6, 1.0, 0.0)
)
