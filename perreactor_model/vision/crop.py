"""The speaker's face, cut out of camera images steadily.

Detectors jitter by a few percent from image to image, and a visual encoder reads that as motion.
So a detection only moves the crop when it lies outside a dead zone around the current one, and then
the crop glides there. Everything depends on images and their stamps alone, never on the wall clock:
the same recording gives the same crops.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from perreactor_model.vision.detector import FaceBox, FaceDetector
from perreactor_model.vision.preprocess import whole_image


@dataclass(frozen=True)
class TrackerSettings:
    """How a face is followed. Times in seconds of stamps, lengths in sides of the face box."""

    lost_seconds: float = 1.0
    """A face that is not seen again for this long is lost; until then its place is held."""
    look_seconds: float = 0.1
    """A known face is looked for this often (at every image while it is missed)."""
    search_seconds: float = 0.2
    """The whole image is searched at most this often, while no face is known or it is missed."""
    glide_seconds: float = 0.12
    """Time constant with which the crop moves to a face that has moved."""
    dead_zone: float = 0.1
    """Smaller moves of the detection do not move the crop."""
    dead_scale: float = 0.15
    """Smaller relative changes of size do not scale the crop."""
    same_face: float = 1.2
    """A face that reappears at most this far away is the same one."""
    margin: float = 2.1
    """Side of the crop: the whole head with hair and collar, as in REACT's face videos."""
    drop: float = 0.08
    """How far below the centre of the face box the centre of the crop lies."""

    def __post_init__(self) -> None:
        if not self.lost_seconds > 0.0:
            raise ValueError(f"lost_seconds is {self.lost_seconds}: give more than 0 seconds")
        if not self.margin >= 1.0:
            raise ValueError(f"margin is {self.margin}: give 1 (the face box) or more")


class FaceTracker:
    """Follows one face. The largest comes first, and it stays the one until it is lost.

    `size` is the side of the crops in pixels. `counters` counts faces found and lost.
    """

    def __init__(self, size: int, settings: TrackerSettings | None = None) -> None:
        self._size = size
        self._settings = settings or TrackerSettings()
        self._detector = FaceDetector()
        self.counters = {"faces_found": 0, "faces_lost": 0}
        self.reset()

    def reset(self) -> None:
        """Forget the face; counters stay."""
        self._box: FaceBox | None = None
        self._target: FaceBox | None = None
        self._shape: tuple[int, ...] = ()
        self._now = 0.0
        self._seen = -math.inf
        self._looked = -math.inf
        self._searched = -math.inf

    def locate(self, rgb: np.ndarray, stamp_ns: int) -> FaceBox | None:
        """Where the face is in the next image, RGB uint8 (height, width, 3); None without a face.

        Images come in the order of their stamps; an earlier stamp or another image size starts
        afresh.
        """
        before, now = self._now, stamp_ns / 1e9
        if rgb.shape != self._shape or now < before:
            self.reset()
            self._shape = rgb.shape
        self._now = now
        if self._target is not None:
            self._look(rgb, self._target)
            self._glide(now - before)
        if self._target is None:
            self._find(rgb)
        return self._box

    def crop(self, rgb: np.ndarray) -> np.ndarray | None:
        """The face just located in this image, RGB uint8 (size, size, 3), or None without one."""
        if self._box is None:
            return None
        half = max(1, round(self._box.side * self._settings.margin / 2))
        middle = self._box.y + self._box.side * self._settings.drop
        square = _cut(rgb, round(self._box.x) - half, round(middle) - half, 2 * half)
        return whole_image(square, self._size)

    def _find(self, rgb: np.ndarray) -> None:
        if not self._may_search():
            return
        faces = self._detector.everywhere(rgb)
        self._searched = self._now
        if faces:
            self._box = self._target = faces[0]
            self._seen = self._looked = self._now
            self.counters["faces_found"] += 1

    def _look(self, rgb: np.ndarray, target: FaceBox) -> None:
        missed = self._looked > self._seen
        if not missed and self._now - self._looked < self._settings.look_seconds - 1e-3:
            return
        face = self._detector.near(rgb, target)
        overdue = self._now - self._seen > self._settings.lost_seconds
        if face is None and not overdue and self._may_search():
            self._searched = self._now
            face = self._same_face(self._detector.everywhere(rgb), target)
        self._looked = self._now
        if face is not None:
            self._seen = self._now
            self._target = self._outside_dead_zone(target, face)
        elif overdue:
            self._box = self._target = None
            self.counters["faces_lost"] += 1

    def _may_search(self) -> bool:
        return self._now - self._searched >= self._settings.search_seconds - 1e-3

    def _same_face(self, faces: list[FaceBox], target: FaceBox) -> FaceBox | None:
        near = [
            face
            for face in faces
            if target.distance(face) <= self._settings.same_face
            and 0.5 <= face.side / target.side <= 2.0
        ]
        return min(near, key=target.distance, default=None)

    def _outside_dead_zone(self, target: FaceBox, face: FaceBox) -> FaceBox:
        """The new target: only what left the dead zone changes."""
        moved = target.distance(face) > self._settings.dead_zone
        scaled = abs(math.log(face.side / target.side)) > self._settings.dead_scale
        centre = face if moved else target
        return FaceBox(centre.x, centre.y, face.side if scaled else target.side)

    def _glide(self, seconds: float) -> None:
        box, target = self._box, self._target
        if box is None or target is None or box == target:
            return
        share = 1.0 - math.exp(-seconds / self._settings.glide_seconds)
        box = FaceBox(
            box.x + share * (target.x - box.x),
            box.y + share * (target.y - box.y),
            box.side + share * (target.side - box.side),
        )
        arrived = target.distance(box) < 0.005 and abs(target.side / box.side - 1.0) < 0.005
        self._box = target if arrived else box


def _cut(rgb: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the image; what lies outside repeats the image's edge."""
    height, width = rgb.shape[:2]
    right, bottom = left + side, top + side
    inside = rgb[
        min(max(0, top), height - 1) : max(1, min(height, bottom)),
        min(max(0, left), width - 1) : max(1, min(width, right)),
    ]
    missing = side - inside.shape[0], side - inside.shape[1]
    if not any(missing):
        return inside
    above, before = min(max(0, -top), missing[0]), min(max(0, -left), missing[1])
    return cv2.copyMakeBorder(
        inside, above, missing[0] - above, before, missing[1] - before, cv2.BORDER_REPLICATE
    )
