"""Which parts of a face can be trusted.

The mesh model draws a whole face even where a hand, a cup or the edge of the picture hides some of
it. What is hidden must be unknown, not guessed; what is only dark, blurred a little, bearded or in
the middle of a word must not be taken for hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perreactor_model.face_analysis.face_look import points_outside
from perreactor_model.face_analysis.landmarks import FaceMesh
from perreactor_model.face_analysis.measurements import REGION_COUNT, FaceRegion

_RIGHT = np.array([region.name.endswith("RIGHT") for region in FaceRegion])
_BROWS, _NOSE, _MOUTH = (
    np.array([region.name.startswith(part) for region in FaceRegion])
    for part in ("BROW", "NOSE", "MOUTH")
)


@dataclass(frozen=True)
class VisibilitySettings:
    """When a part of the face counts as hidden.

    A face that may be somebody else's: all of it. Turned away by `turned` rad: the far side; by
    `too_far` rad (or nodding by `too_deep`): all. The outer eye corners less than `smallest` pixels
    apart, or detail less sharp than `sharpness`: all. More than `outside` of a part beyond the edge
    of the picture: that part.

    Covered is what does not look like the person: light and dark correlate by less than `pattern`
    (`pattern_of_brows` and `pattern_of_nose`; a mouth that is plausible, `pattern_of_lips`; the
    more a head is turned beyond 0.2 rad the less is asked for), or by less than `pattern_of_colour`
    while the colour differs by `colour`, or the contrast is less than `contrast` of the person's
    own. Once covered, a part must look like the person for `back_seconds`.

    What the person looks like is not known at first: for `start_seconds` a part must then be
    plausible, whoever's it is, and after that still have contrast. A part that looks different, and
    plausible all the time, for as long as it looked as it did before (but from `relearn_least` to
    `relearn_most` seconds) has changed, and is learnt anew.
    """

    turned: float = 0.58
    too_far: float = 0.9
    too_deep: float = 0.7
    smallest: float = 18.0
    sharpness: float = 0.24
    outside: float = 0.1
    pattern: float = 0.58
    pattern_of_brows: float = 0.35
    pattern_of_nose: float = 0.35
    pattern_of_lips: float = 0.25
    colour: float = 0.17
    pattern_of_colour: float = 0.85
    contrast: float = 0.2
    back_seconds: float = 0.12
    start_seconds: float = 10.0
    relearn_least: float = 5.0
    relearn_most: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, not {value}")


class Visibility:
    """Watches one person's face, picture by picture."""

    def __init__(self, settings: VisibilitySettings | None = None) -> None:
        self.settings = settings or VisibilitySettings()
        never = np.iinfo(np.int64).min // 2
        self._began_ns: int | None = None
        self._covered_ns = np.full(REGION_COUNT, never)
        self._now_ns = 0
        self._alike_ns = np.zeros(REGION_COUNT, np.int64)
        self._unlike_ns = np.zeros(REGION_COUNT, np.int64)
        self.changed = np.zeros(REGION_COUNT, bool)
        """bool (8,): regions that look different for good since the picture before."""

    def regions(self, mesh: FaceMesh, picture: tuple[int, ...], stamp_ns: int) -> np.ndarray:
        """bool (8,) in the order of `FaceRegion`: what is seen of a face in a picture of a shape.

        Pictures come in the order of their stamps.
        """
        if self._began_ns is None:
            self._began_ns = self._now_ns = stamp_ns
        if self._too_poor(mesh):
            return np.zeros(REGION_COUNT, bool)
        seen = ~self._turned_away(mesh)
        seen &= points_outside(mesh.points, picture) <= self.settings.outside
        return seen & ~self._covered(mesh, stamp_ns, seen)

    def _too_poor(self, mesh: FaceMesh) -> bool:
        pitch, yaw, _ = np.abs(mesh.frontal.rotation)
        return bool(
            mesh.doubted
            or yaw > self.settings.too_far
            or pitch > self.settings.too_deep
            or mesh.frontal.place.scale < self.settings.smallest
            or mesh.look.sharpness < self.settings.sharpness
        )

    def _turned_away(self, mesh: FaceMesh) -> np.ndarray:
        """A face that turns to its left hides its left side."""
        yaw = float(mesh.frontal.rotation[1])
        if abs(yaw) < self.settings.turned:
            return np.zeros(REGION_COUNT, bool)
        return ~_RIGHT if yaw > 0 else _RIGHT

    def _covered(self, mesh: FaceMesh, stamp_ns: int, seen: np.ndarray) -> np.ndarray:
        assert self._began_ns is not None
        learnt = mesh.likeness.learnt
        starting = stamp_ns - self._began_ns < self.settings.start_seconds * 1e9
        plausible = mesh.look.plausible
        # The edge of a plain cover can pass for half a mouth: what is not known yet must show both.
        likely = _of_whole_mouth(plausible if starting else mesh.look.contrasted)
        now = np.where(learnt, self._unlike(mesh), ~likely)
        self._covered_ns[now] = stamp_ns
        self._notice_change(learnt, now & seen, _of_whole_mouth(plausible), stamp_ns)
        return stamp_ns - self._covered_ns < self.settings.back_seconds * 1e9

    def _notice_change(
        self, learnt: np.ndarray, unlike: np.ndarray, plausible: np.ndarray, stamp_ns: int
    ) -> None:
        step, self._now_ns = stamp_ns - self._now_ns, stamp_ns
        self._alike_ns[learnt & ~unlike] += step
        self._unlike_ns[unlike] += step
        self._unlike_ns[~(unlike & plausible)] = 0
        enough = np.clip(
            self._alike_ns, self.settings.relearn_least * 1e9, self.settings.relearn_most * 1e9
        )
        self.changed = learnt & (self._unlike_ns > enough)
        self._alike_ns[self.changed] = self._unlike_ns[self.changed] = 0

    def _unlike(self, mesh: FaceMesh) -> np.ndarray:
        like = mesh.likeness
        yaw = abs(float(mesh.frontal.rotation[1]))
        turned = float(np.clip(1.0 - (yaw - 0.2) / 0.4, 0.2, 1.0))
        coloured = like.colour > self.settings.colour
        return (
            (like.pattern < self._patterns(mesh) * turned)
            | (coloured & (like.pattern < self.settings.pattern_of_colour * turned))
            | (like.contrast < self.settings.contrast)
        )

    def _patterns(self, mesh: FaceMesh) -> np.ndarray:
        """float (8,): how alike each region must be on a head that faces the camera."""
        least = np.full(REGION_COUNT, self.settings.pattern)
        least[_BROWS] = self.settings.pattern_of_brows
        least[_NOSE] = self.settings.pattern_of_nose
        least[_MOUTH & mesh.look.plausible] = self.settings.pattern_of_lips
        return least


def _of_whole_mouth(likely: np.ndarray) -> np.ndarray:
    """bool (8,) in which either half of the mouth is likely only if both are."""
    return np.where(_MOUTH, likely[_MOUTH].all(), likely)
