"""Who a robot is at each frame: the change from one listener profile to another, without a jump.

A robot's reaction is a mix of *sources*: GAG's decoder ("generic"), PAG's decoder with a pattern
("personal"), and control conditions. A change of profile or of beta moves linearly from the current
mix to the new one over `fade_seconds` of frame time; between two personal profiles that is a
straight line in pattern space. A change during a change begins where the face is at that moment, so
that changes may come at any rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from perreactor_model.streaming.controls import Control

GENERIC_SOURCE = "generic"
PERSONAL_SOURCE = "personal"

Source = str | Control
"""One of the two decoders by name, or a control condition. Controls that are equal are the same."""

MOST_SOURCES = 32
"""So many sources sound at once at most; more could only come from changes at a high rate."""

TRACE = 1e-4
"""Weight below which a source on its way out is left out: no display and no motor shows as much."""


@dataclass(frozen=True)
class Mix:
    """Weights of the sources, which sum to 1, and what the personal one reacts with.

    `pattern` (d,) is None where there is no personal source; `beta` is its weight in the latent
    (Eq. 7).
    """

    weights: Mapping[Source, float] = field(default_factory=lambda: {GENERIC_SOURCE: 1.0})
    pattern: np.ndarray | None = None
    beta: float = 1.0

    def towards(self, target: Mix, share: float) -> Mix:
        """The mix at `share` (0..1) of the way to `target`."""
        if share >= 1.0:
            return target
        sources = [*self.weights, *(name for name in target.weights if name not in self.weights)]
        weights = {
            name: (1.0 - share) * self.weights.get(name, 0.0)
            + share * target.weights.get(name, 0.0)
            for name in sources
        }
        beta = self.beta + share * (target.beta - self.beta)
        return Mix(weights, self._pattern_towards(target, share), beta)

    def without_traces(self, target: Mix) -> Mix:
        """The same without what can hardly be seen any more and `target` has no use for.

        Changes that come faster than a fade ends would leave ever more sources of ever less weight
        behind. What is left out is shared among the others.
        """
        leaving = sorted(
            (source for source in self.weights if source not in target.weights),
            key=self.weights.__getitem__,
        )
        surplus = len(self.weights) - MOST_SOURCES
        out = {
            source
            for order, source in enumerate(leaving)
            if order < surplus or self.weights[source] < TRACE
        }
        kept = {source: weight for source, weight in self.weights.items() if source not in out}
        total = sum(kept.values())
        if not out or total <= 0.0:
            return self
        weights = {source: weight / total for source, weight in kept.items()}
        return Mix(weights, self.pattern if PERSONAL_SOURCE in kept else None, self.beta)

    def with_sources_of(self, other: Mix) -> Mix:
        """The same, but controls that sound in `other` go on instead of beginning anew."""
        at_hand = {source: source for source in other.weights if source in self.weights}
        if not any(isinstance(source, Control) for source in at_hand):
            return self
        weights = {at_hand.get(source, source): w for source, w in self.weights.items()}
        return Mix(weights, self.pattern, self.beta)

    def _pattern_towards(self, target: Mix, share: float) -> np.ndarray | None:
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
        self._start = self._current.without_traces(target)
        self._target = target.with_sources_of(self._start)
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
