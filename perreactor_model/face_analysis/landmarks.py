"""Whose face is looked at, and its mesh of landmarks, picture by picture.

The largest face comes first and stays until it is lost; nobody else takes its place meanwhile. A
face that comes back soon, to the same place and as large as before, is the same person; any other
is a new one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perreactor_model.face_analysis.mesh_model import MeshModel, Region, region_around
from perreactor_model.vision.detector import FaceBox
from perreactor_model.vision.encodings import ImageError

_STEPS_TO_SETTLE = 3
"""How often the mesh of a newly found face is laid again: its place is rough at first."""


@dataclass(frozen=True)
class FollowSettings:
    """How a face is followed.

    `score` (0..1) is how sure the mesh model must be of a face. One that is not seen for
    `lost_seconds` is given up and the next may be followed. A face that comes back within
    `same_seconds`, no more than `same_distance` of its size away and at most `same_growth` times
    larger or smaller, is the same person. From one picture to the next a face moves at most
    `jump` of its size.
    """

    score: float = 0.5
    lost_seconds: float = 1.0
    same_seconds: float = 5.0
    same_distance: float = 0.6
    same_growth: float = 1.4
    jump: float = 0.35

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, not {value}")
        if self.score >= 1 or self.same_growth <= 1:
            raise ValueError("score must be below 1 and same_growth above 1")


@dataclass(frozen=True)
class FaceMesh:
    """One face's landmarks.

    `points` float32 (478, 3): x and y in pixels of the picture, z in the same unit, growing away
    from the camera. `person` counts the people seen, from 1.
    """

    points: np.ndarray
    person: int

    @property
    def box(self) -> FaceBox:
        """A square around the face, from the brows to the chin."""
        return box_of(self.points)


def box_of(points: np.ndarray) -> FaceBox:
    """The square around a mesh (n, 2 or more) in pixels, as `vision.detector` draws it."""
    low, high = points[:468, :2].min(axis=0), points[:468, :2].max(axis=0)
    middle = (low + high) / 2
    return FaceBox(float(middle[0]), float(middle[1]), float((high - low).max()))


class LandmarkFinder:
    """Finds one face and follows it. Not to be shared between threads.

    Raises AnalyzerMissing where mediapipe is not installed. `counters` counts faces found and
    lost, and the people among them.
    """

    def __init__(self, settings: FollowSettings | None = None) -> None:
        self._settings = settings or FollowSettings()
        self._model = MeshModel()
        self.counters = {"faces_found": 0, "faces_lost": 0, "people": 0}
        self._people = 0
        self.reset()

    def reset(self) -> None:
        """Forget the face, and start counting people anew; counters stay."""
        self._people = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._region: Region | None = None
        self._last: FaceBox | None = None
        self._seen_ns = 0
        self._now_ns: int | None = None
        self._shape: tuple[int, ...] = ()

    def close(self) -> None:
        """Free the models. Closing twice is harmless."""
        self._model.close()

    def find(self, rgb: np.ndarray, stamp_ns: int) -> FaceMesh | None:
        """The mesh of the followed face in RGB uint8 (height, width, 3); None without one.

        Pictures come in the order of their stamps; an earlier stamp or another size of the
        pictures starts afresh. Raises ImageError for an array of another type or shape.
        """
        require_rgb(rgb)
        if self._now_ns is None or stamp_ns < self._now_ns or rgb.shape != self._shape:
            self._start_afresh()
            self._shape = rgb.shape
        self._now_ns = stamp_ns
        points = None
        if self._region is not None:
            points = self._follow(rgb, self._region)
        if points is None:
            points = self._search(rgb, stamp_ns)
        if points is None:
            return None
        self._region = region_around(points)
        self._last = box_of(points)
        self._seen_ns = stamp_ns
        return FaceMesh(points, self._people)

    def _follow(self, rgb: np.ndarray, region: Region) -> np.ndarray | None:
        points = self._sure_mesh(rgb, region)
        if points is not None and self._last is not None:
            box = box_of(points)
            if self._last.distance(box) < self._settings.jump and self._as_large(box):
                return points
        self._region = None
        self.counters["faces_lost"] += 1
        return None

    def _search(self, rgb: np.ndarray, stamp_ns: int) -> np.ndarray | None:
        """The face that is followed from now on: the same person if possible, or the next."""
        gap = (stamp_ns - self._seen_ns) / 1e9
        meshes = [self._settled(rgb, region) for region in self._model.faces(rgb)]
        found = [points for points in meshes if points is not None]
        if self._last is not None and gap <= self._settings.same_seconds:
            last = self._last
            same = [points for points in found if self._is_same(box_of(points))]
            if same:
                self.counters["faces_found"] += 1
                return min(same, key=lambda points: last.distance(box_of(points)))
            if gap < self._settings.lost_seconds:
                return None
        if not found:
            return None
        self._people += 1
        self.counters["faces_found"] += 1
        self.counters["people"] += 1
        return max(found, key=lambda points: box_of(points).side)

    def _settled(self, rgb: np.ndarray, region: Region) -> np.ndarray | None:
        points = None
        for _ in range(_STEPS_TO_SETTLE):
            points = self._sure_mesh(rgb, region)
            if points is None:
                return None
            region = region_around(points)
        return points

    def _sure_mesh(self, rgb: np.ndarray, region: Region) -> np.ndarray | None:
        points, score = self._model.mesh(rgb, region)
        return points if points is not None and score >= self._settings.score else None

    def _is_same(self, box: FaceBox) -> bool:
        assert self._last is not None
        near = self._last.distance(box) <= self._settings.same_distance
        return near and self._as_large(box)

    def _as_large(self, box: FaceBox) -> bool:
        assert self._last is not None
        growth = box.side / self._last.side
        return 1 / self._settings.same_growth <= growth <= self._settings.same_growth


def require_rgb(rgb: np.ndarray) -> None:
    """Raises ImageError for what is not RGB uint8 (height, width, 3) with pixels."""
    if (
        not isinstance(rgb, np.ndarray)
        or rgb.dtype != np.uint8
        or rgb.ndim != 3
        or rgb.shape[2] != 3
        or not rgb.size
    ):
        what = f"{rgb.dtype} {rgb.shape}" if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise ImageError("not RGB", f"an image must be RGB uint8 (height, width, 3), not {what}")
