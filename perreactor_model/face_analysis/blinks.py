"""Keeps blinks out of what is read from lids, cheeks and brows.

A blink looks like tightened lids for a tenth of a second, and the mesh lets brows and cheeks follow
the lids. Lids that close faster than any expression, or further than tightening closes them, are a
blink: until they are open again, the upper face counts as it was just before. Eyes that stay closed
are no blink: then lids and cheeks are unknown, for they say nothing about tightening.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from perreactor_model.face_analysis.measurements import MEASUREMENTS, SIDES

_HELD = ("brow_inner", "brow_outer", "brow_middle", "brow_apart", "nose_wing")
_LIDS = ("eye_opening", "upper_lid", "lower_lid", "cheek", "cheek_depth")


@dataclass(frozen=True)
class BlinkSettings:
    """Openings are shares of the person's neutral opening.

    Below `closed` eyes are closed; a fall by `falling` per second begins a blink; above `open` it
    is over. A blink lasts at most `longest` seconds, and what counts meanwhile is what was measured
    `before` seconds ahead of it.
    """

    closed: float = 0.55
    falling: float = 3.0
    open: float = 0.9
    longest: float = 0.5
    before: float = 0.06


class BlinkGuard:
    """Puts what was before a blink in the place of what is measured during it."""

    def __init__(self, settings: BlinkSettings | None = None) -> None:
        self.settings = settings or BlinkSettings()
        self.reset()

    def reset(self) -> None:
        """Another face."""
        self._earlier: deque[tuple[int, float, np.ndarray]] = deque(maxlen=16)
        self._since: int | None = None
        self._held: np.ndarray | None = None

    def guard(self, measurements: np.ndarray, neutral: np.ndarray, stamp_ns: int) -> np.ndarray:
        """One frame's measurements (n,) as they should be read; `neutral` (n,) is the person's."""
        opening = _opening(measurements, neutral)
        if not np.isfinite(opening):
            self.reset()
            return measurements
        if self._since is None and self._begins(opening, stamp_ns):
            self._since, self._held = stamp_ns, self._before(stamp_ns)
        elif self._since is not None and self._is_over(opening, stamp_ns):
            self._since = self._held = None
            self._earlier.clear()
        self._earlier.append((stamp_ns, opening, measurements))
        if self._since is None:
            return measurements
        guarded = measurements.copy()
        seconds = (stamp_ns - self._since) / 1e9
        if self._held is None or seconds > self.settings.longest:
            guarded[_LIDS_AT] = np.nan
        else:
            guarded[_UPPER_FACE] = self._held[_UPPER_FACE]
        return guarded

    def _begins(self, opening: float, stamp_ns: int) -> bool:
        if opening < self.settings.closed:
            return True
        if not self._earlier:
            return False
        when, last, _ = self._earlier[-1]
        step = max((stamp_ns - when) / 1e9, 1e-3)
        return step < 0.2 and (last - opening) / step > self.settings.falling

    def _is_over(self, opening: float, stamp_ns: int) -> bool:
        """Open again; or as tight as lids get without closing, and staying there."""
        assert self._since is not None
        if opening > self.settings.open:
            return True
        when, last, _ = self._earlier[-1] if self._earlier else (stamp_ns, opening, None)
        step = max((stamp_ns - when) / 1e9, 1e-3)
        still = abs(opening - last) / step < 0.25 * self.settings.falling
        return opening > self.settings.closed and still

    def _before(self, stamp_ns: int) -> np.ndarray | None:
        """What was measured a little ahead of the blink; None when nothing was."""
        latest = stamp_ns - int(self.settings.before * 1e9)
        kept = None
        for when, opening, measurements in self._earlier:
            if kept is None or (when <= latest and opening > self.settings.closed):
                kept = measurements
        return kept


def _opening(measurements: np.ndarray, neutral: np.ndarray) -> float:
    """Opening of the eyes as a share of the neutral opening, of the sides that are known."""
    shares = measurements[_OPENING_AT] / neutral[_OPENING_AT]
    known = shares[np.isfinite(shares)]
    return float(known.mean()) if len(known) else float("nan")


def _at(stems: tuple[str, ...]) -> np.ndarray:
    return np.array([MEASUREMENTS.index(f"{stem}_{side}") for stem in stems for side in SIDES])


_OPENING_AT = _at(("eye_opening",))
_LIDS_AT = _at(_LIDS)
_UPPER_FACE = _at(_HELD + _LIDS)
