"""A person's own neutral face: what each measurement is when nothing is done with the face.

Actions are told from rest by their side: a smile lifts the corners of the mouth and speech parts
the lips, never the other way round for long. So the neutral of a measurement is a quantile on its
*resting side*, not a mean: somebody who talks or smiles during most of the calibration still comes
out close to rest. Afterwards the neutral follows slowly, and only what is still.
"""

from __future__ import annotations

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
    """How a neutral face is learnt.

    `seconds` of sight of a measurement make its neutral; `follow_seconds` is the time constant with
    which the neutral then follows a face at rest; `return_seconds` the shorter one towards the
    resting side, so that a neutral learnt from a smile is put right once the smile ends.
    `still` is how far (in eye-corner distances) a measurement may be from neutral and count as
    rest.
    """

    seconds: float = 4.0
    follow_seconds: float = 180.0
    return_seconds: float = 20.0
    still: float = 0.012

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

    def observe(self, measurements: np.ndarray, seconds: float) -> None:
        """Take in one frame (n,), NaN where hidden. `seconds` on any clock that only grows."""
        step = 0.0 if self._last is None else min(max(seconds - self._last, 0.0), 0.2)
        self._last = seconds
        known = np.isfinite(measurements)
        self._seen[known] += step
        unlearnt = np.isnan(self._value)
        if unlearnt.any():
            self._learn(measurements, unlearnt)
        self._follow(measurements, ~unlearnt & known, step)

    def _learn(self, measurements: np.ndarray, unlearnt: np.ndarray) -> None:
        self._samples.append(np.where(unlearnt, measurements, np.nan).astype(np.float32))
        self._samples = self._samples[-_MOST_SAMPLES:]
        done = unlearnt & (self._seen >= self.settings.seconds - 1e-6)
        if done.any():
            samples = np.stack(self._samples)[:, done]
            self._value[done] = _at_rest(samples, RESTING_QUANTILES[done])
            self._noise[done] = _noise(samples)
        if not np.isnan(self._value).any():
            self._samples = []

    def _follow(self, measurements: np.ndarray, known: np.ndarray, step: float) -> None:
        """Follow what is at rest; come back faster where the face goes beyond rest."""
        away = np.where(known, measurements - self._value, 0.0)
        beyond = _RESTING_SIDE * away > self.settings.still
        rate = np.where(np.abs(away) <= self.settings.still, step / self.settings.follow_seconds, 0)
        rate = np.where(beyond, step / self.settings.return_seconds, rate)
        self._value += (rate * away).astype(np.float32)

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
        return cls._made(_at_rest(rows, RESTING_QUANTILES), _noise(rows), settings)

    @classmethod
    def _made(
        cls, value: np.ndarray, noise: np.ndarray, settings: NeutralSettings | None
    ) -> NeutralFace:
        made = cls(settings or NeutralSettings())
        made._value, made._noise = value, noise
        made._seen = np.where(np.isfinite(value), made.settings.seconds, 0.0)
        return made


def _at_rest(samples: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Each column's quantile, NaN for columns without a value. (T, k), (k,) -> (k,)."""
    rest = np.full(samples.shape[1], np.nan, np.float32)
    for column in range(samples.shape[1]):
        values = samples[np.isfinite(samples[:, column]), column]
        if len(values):
            rest[column] = np.quantile(values, quantiles[column])
    return rest


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
