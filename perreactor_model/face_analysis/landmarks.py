"""Whose face is looked at, and its mesh of landmarks, picture by picture.

The largest face comes first and stays until it is lost; nobody else takes its place meanwhile. A
face that comes back soon, near the same place, as large as before and looking the same is the same
person; any other is a new one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from perreactor_model.face_analysis.face_look import FaceLook, Likeness, OwnLook, look_at
from perreactor_model.face_analysis.head_pose import FrontalFace, frontal_face
from perreactor_model.face_analysis.mesh_model import MeshModel, Region, region_around
from perreactor_model.vision.detector import FaceBox
from perreactor_model.vision.encodings import ImageError

_STEPS_TO_SETTLE = 3
"""How often the mesh of a newly found face is laid again: its place is rough at first."""
_CANDIDATES = 3
"""At most this many faces are looked at closely when the followed one is lost."""
_LONGEST_REACH = 2.0
_ALIKE_PART = 0.6
"""A correlation from which a part of a face may well be the person's."""
_TURNED = 0.4
"""A face turned further (rad) looks unlike itself."""


@dataclass(frozen=True)
class FollowSettings:
    """How a face is followed.

    `score` (0..1) is how sure the mesh model must be of a face. One that is not seen for
    `lost_seconds` is given up and the next may be followed. A face that comes back within
    `same_seconds`, no more than `same_distance` of its size away (after a second twice that)
    and at most `same_growth` times larger or smaller, is the same person if it looks it. From one
    picture to the next a face moves at most `jump` of its size. `likeness` is the least correlation
    with the person's own look; what is less for `doubt_seconds` is somebody else. `tint` is the
    largest difference in colour of a face that comes back.
    """

    score: float = 0.5
    lost_seconds: float = 1.0
    same_seconds: float = 5.0
    same_distance: float = 0.6
    same_growth: float = 1.4
    jump: float = 0.35
    likeness: float = 0.83
    doubt_seconds: float = 0.3
    tint: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, not {value}")
        if not (self.score < 1 and self.likeness < 1):
            raise ValueError("score and likeness must be below 1")
        if self.same_growth <= 1:
            raise ValueError(f"same_growth must be above 1, not {self.same_growth}")


@dataclass(frozen=True)
class FaceMesh:
    """One face's landmarks.

    `points` float32 (478, 3): x and y in pixels of the picture, z in the same unit, growing away
    from the camera. `person` counts the people seen, from 1. `frontal` is the mesh without head
    pose, `look` what the face looks like and `likeness` how that compares with the person so far.
    `doubted` says that it may be somebody else's.
    """

    points: np.ndarray
    person: int
    frontal: FrontalFace
    look: FaceLook
    likeness: Likeness
    doubted: bool = False

    @property
    def box(self) -> FaceBox:
        """A square around the face, from the brows to the chin."""
        return box_of(self.points)


def box_of(points: np.ndarray) -> FaceBox:
    """The square around a mesh (n, 2 or more) in pixels, as `vision.detector` draws it."""
    low, high = points[:468, :2].min(axis=0), points[:468, :2].max(axis=0)
    middle = (low + high) / 2
    return FaceBox(float(middle[0]), float(middle[1]), max(float((high - low).max()), 1e-3))


class LandmarkFinder:
    """Finds one face and follows it. Not to be shared between threads.

    Raises AnalyzerMissing where mediapipe is not installed. `counters` counts faces found and
    lost, and the people among them.
    """

    def __init__(self, settings: FollowSettings | None = None) -> None:
        self._settings = settings or FollowSettings()
        self._model = MeshModel()
        self.counters = {"faces_found": 0, "faces_lost": 0, "people": 0}
        self.reset()

    def reset(self) -> None:
        """Forget the face, and count people from 1 again; counters stay."""
        self._people = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._region: Region | None = None
        self._last: FaceBox | None = None
        self._seen_ns = self._alike_ns = 0
        self._now_ns: int | None = None
        self._shape: tuple[int, ...] = ()
        self._own = OwnLook()

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
        elif stamp_ns - self._now_ns > self._settings.lost_seconds * 1e9 and self._region:
            self._region = None  # without pictures nobody was followed: is it still the same?
            self.counters["faces_lost"] += 1
        self._now_ns = stamp_ns
        mesh = self._follow(rgb, stamp_ns) or self._search(rgb, stamp_ns)
        if mesh is not None:
            self._region = region_around(mesh.points)
            self._last = mesh.box
            self._seen_ns = stamp_ns
        return mesh

    def learn(self, mesh: FaceMesh, visible: np.ndarray) -> None:
        """Remember what the visible regions (bool (8,)) of the person just found look like."""
        if abs(float(mesh.frontal.rotation[1])) < _TURNED and self._is_alike(mesh.likeness):
            self._own.learn(mesh.look, visible)

    def forget_look(self, regions: np.ndarray) -> None:
        """Learn anew what some regions (bool (8,)) of this person look like."""
        self._own.forget(regions)

    def _follow(self, rgb: np.ndarray, stamp_ns: int) -> FaceMesh | None:
        if self._region is None or self._last is None:
            return None
        points = self._sure_points(rgb, self._region)
        if points is not None:
            box = box_of(points)
            near = self._last.distance(box) < self._settings.jump
            mesh = self._mesh(rgb, points) if near and self._as_large(box) else None
            if mesh is not None and not self._doubted_for_long(mesh, stamp_ns):
                return mesh
        self._region = None
        self.counters["faces_lost"] += 1
        return None

    def _doubted_for_long(self, mesh: FaceMesh, stamp_ns: int) -> bool:
        if not mesh.doubted:
            self._alike_ns = stamp_ns
        return stamp_ns - self._alike_ns > self._settings.doubt_seconds * 1e9

    def _is_doubtful(self, frontal: FrontalFace, look: FaceLook, likeness: Likeness) -> bool:
        """Whether a face looks like somebody else's.

        One that looks unlike the person but is no whole face is covered, unless nothing is alike.
        """
        if abs(float(frontal.rotation[1])) > _TURNED or self._is_alike(likeness):
            return False
        covered = not look.plausible.all() and likeness.pattern.max() > _ALIKE_PART
        return not covered

    def _is_alike(self, likeness: Likeness) -> bool:
        return likeness.best_parts >= self._settings.likeness

    def _search(self, rgb: np.ndarray, stamp_ns: int) -> FaceMesh | None:
        """The face that is followed from now on: the same person if possible, or the next."""
        gap = (stamp_ns - self._seen_ns) / 1e9
        regions = self._model.faces(rgb)
        if self._last is not None and gap <= self._settings.same_seconds:
            same = self._same_person(rgb, regions, gap)
            if same is not None or gap < self._settings.lost_seconds:
                self._count_found(same)
                self._alike_ns = stamp_ns
                return same
        for region in regions[:_CANDIDATES]:
            points = self._settled(rgb, region)
            if points is not None and not self._may_be_covered_person(rgb, points, gap):
                self._people += 1
                self.counters["people"] += 1
                self._own = OwnLook()
                self._alike_ns = stamp_ns
                mesh = self._mesh(rgb, points)
                self._count_found(mesh)
                return mesh
        return None

    def _may_be_covered_person(self, rgb: np.ndarray, points: np.ndarray, gap: float) -> bool:
        """A face in the place of the one just lost that is not seen whole is nobody new."""
        if self._last is None or gap > self._settings.same_seconds:
            return False
        near = self._last.distance(box_of(points)) < self._settings.same_distance
        return near and not look_at(rgb, points).plausible.all()

    def _same_person(self, rgb: np.ndarray, regions: list[Region], gap: float) -> FaceMesh | None:
        """The followed person among the faces of a picture, `gap` seconds later."""
        last = self._last
        assert last is not None
        reach = self._settings.same_distance * min(1.0 + gap, _LONGEST_REACH)
        near = [
            region
            for region in regions
            if last.distance(FaceBox(region.x, region.y, region.side)) < reach + 0.3
        ]
        for region in near[:_CANDIDATES]:
            points = self._settled(rgb, region)
            if points is None or not self._as_large(box_of(points)):
                continue
            mesh = self._mesh(rgb, points)
            looks_it = self._is_alike(mesh.likeness) and mesh.likeness.tint < self._settings.tint
            if last.distance(mesh.box) < reach and looks_it:
                return mesh
        return None

    def _mesh(self, rgb: np.ndarray, points: np.ndarray) -> FaceMesh:
        frontal, look = frontal_face(points), look_at(rgb, points)
        likeness = self._own.compare(look)
        doubted = self._is_doubtful(frontal, look, likeness)
        return FaceMesh(points, self._people, frontal, look, likeness, doubted)

    def _count_found(self, mesh: FaceMesh | None) -> None:
        self.counters["faces_found"] += mesh is not None

    def _settled(self, rgb: np.ndarray, region: Region) -> np.ndarray | None:
        points = None
        for _ in range(_STEPS_TO_SETTLE):
            points = self._sure_points(rgb, region)
            if points is None:
                return None
            region = region_around(points)
        return points

    def _sure_points(self, rgb: np.ndarray, region: Region) -> np.ndarray | None:
        points, score = self._model.mesh(rgb, region)
        return points if points is not None and score >= self._settings.score else None

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
