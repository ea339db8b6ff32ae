"""Who a robot is at each frame: the change from one listener profile to another, without a jump.

A robot's reaction is a mix of *sources*: GAG's decoder ("generic"), PAG's decoder with a pattern
("personal"), and control conditions by name. A change of profile moves linearly from the current
mix to the new one over `fade_seconds` of frame time; between two personal profiles that is a
straight line in pattern space.
"""

from dataclasses import dataclass, field

import numpy as np

GENERIC_SOURCE = "generic"
PERSONAL_SOURCE = "personal"


@dataclass(frozen=True)
class Mix:
    """Weights of the sources, which sum to 1, and the pattern of the personal one (d,) if any."""

    weights: dict[str, float] = field(default_factory=lambda: {GENERIC_SOURCE: 1.0})
    pattern: np.ndarray | None = None

    def towards(self, target: "Mix", share: float) -> "Mix":
        """The mix at `share` (0..1) of the way to `target`."""
        if share >= 1.0:
            return target
        sources = [*self.weights, *(name for name in target.weights if name not in self.weights)]
        weights = {
            name: (1.0 - share) * self.weights.get(name, 0.0)
            + share * target.weights.get(name, 0.0)
            for name in sources
        }
        return Mix(weights, self._pattern_towards(target, share))

    def _pattern_towards(self, target: "Mix", share: float) -> np.ndarray | None:
        """A side without a personal source takes the other's pattern: only its weight changes."""
        if self.pattern is None or target.pattern is None:
            return target.pattern if self.pattern is None else self.pattern
        mixed = (1.0 - share) * self.pattern + share * target.pattern
        return mixed.astype(np.float32)


class ProfileFade:
    """The mix of one robot over time: `change` sets where it goes, `at` says where it is."""

    def __init__(self, mix: Mix, fade_frames: float) -> None:
        self._frames = fade_frames
        self._start = mix
        self._target = mix
        self._current = mix
        self._began = 0
        self._last: int | None = None
        self._settled = True

    def change(self, target: Mix) -> None:
        """Begin to move from the current mix to `target` with the next frame."""
        self._start = self._current
        self._target = target
        self._settled = False
        self._began = 0 if self._last is None else self._last

    def at(self, frame: int) -> Mix:
        """The mix at this frame. Frames that count anew (a new epoch) begin a fade anew."""
        if not self._settled:
            if self._last is None or frame <= self._last:
                self._start = self._current
                self._began = frame - 1
            share = (frame - self._began) / self._frames if self._frames > 0.0 else 1.0
            self._current = self._start.towards(self._target, min(share, 1.0))
            self._settled = share >= 1.0
        self._last = frame
        return self._current
