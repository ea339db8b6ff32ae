"""The analyzer of faces: pictures in, facial attributes and head pose out.

Two stages, so that a recording can be measured once and read with a neutral face learnt from all
of it: `measure` looks at a picture (mesh, head pose, visibility, named measurements), `interpret`
reads attributes from what was measured and a neutral face. `analyze` is both, with the neutral face
that is learnt from the person as the pictures come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.face_analysis.action_units import ActionUnitReader
from perreactor_model.face_analysis.affect import derive
from perreactor_model.face_analysis.head_pose import HeadPlace, translation, usual_place
from perreactor_model.face_analysis.landmarks import FaceMesh, FollowSettings, LandmarkFinder
from perreactor_model.face_analysis.measurements import (
    MEASUREMENT_COUNT,
    REGION_COUNT,
    measure,
    without_hidden,
)
from perreactor_model.face_analysis.mesh_model import AnalyzerMissing
from perreactor_model.face_analysis.neutral import NeutralFace, NeutralSettings
from perreactor_model.face_analysis.observation import FaceAnalyzer, FaceObservation
from perreactor_model.face_analysis.smoothing import OneEuroSettings
from perreactor_model.face_analysis.visibility import Visibility, VisibilitySettings
from perreactor_model.vision.detector import FaceBox

__all__ = [
    "ANALYZERS", "AnalyzerMissing", "AnalyzerSettings", "LandmarkAnalyzer", "Measured",
    "open_analyzer",
]  # fmt: skip

ANALYZERS = ("landmarks",)
"""Names for `open_analyzer`."""

_MOST_PLACES = 1000


@dataclass(frozen=True)
class AnalyzerSettings:
    """How faces are followed, how neutral faces are learnt and how much is smoothed."""

    follow: FollowSettings = field(default_factory=FollowSettings)
    visibility: VisibilitySettings = field(default_factory=VisibilitySettings)
    neutral: NeutralSettings = field(default_factory=NeutralSettings)
    smoothing: OneEuroSettings = field(default_factory=OneEuroSettings)


def open_analyzer(
    name: str = "landmarks", settings: AnalyzerSettings | None = None
) -> FaceAnalyzer:
    """The analyzer of that name. AnalyzerMissing where its library is missing, else ValueError."""
    if name not in ANALYZERS:
        raise ValueError(f"there is no analyzer {name!r}; there is {', '.join(ANALYZERS)}")
    return LandmarkAnalyzer(settings)


@dataclass(frozen=True)
class Measured:
    """What one picture shows, before it is compared with a neutral face.

    Without a face `person` is 0 and `box` None. `measurements` float32 (n,) in the order of
    `measurements.MEASUREMENTS`, NaN where hidden. `visible` bool (8,) in the order of `FaceRegion`.
    `rotation` float32 (3,) as in FaceObservation. `place` is where the head is in the picture,
    which is `picture_width` pixels wide. `landmarks` float32 (478, 2) are pixels.
    """

    stamp_ns: int
    person: int = 0
    box: FaceBox | None = None
    measurements: np.ndarray = field(
        default_factory=lambda: np.full(MEASUREMENT_COUNT, np.nan, np.float32)
    )
    visible: np.ndarray = field(default_factory=lambda: np.zeros(REGION_COUNT, bool))
    rotation: np.ndarray = field(default_factory=lambda: np.full(3, np.nan, np.float32))
    place: HeadPlace | None = None
    picture_width: int = 0
    landmarks: np.ndarray | None = None


class LandmarkAnalyzer:
    """Facial attributes from the geometry of landmarks. A `FaceAnalyzer`.

    Each thread has its own. A process that was forked after an analyzer had been used cannot open
    another (mediapipe's threads are missing there, and it aborts): start processes afresh.

    Raises AnalyzerMissing where mediapipe is not installed.
    """

    def __init__(self, settings: AnalyzerSettings | None = None) -> None:
        self.settings = settings or AnalyzerSettings()
        self._finder = LandmarkFinder(self.settings.follow)
        self._counts = {"pictures": 0, "without_face": 0}
        self._forget()

    @property
    def counters(self) -> Mapping[str, int]:
        """Pictures, those without a face, faces found and lost, people."""
        return {**self._counts, **self._finder.counters}

    def reset(self) -> None:
        """Forget whom it saw, and their calibration; people are counted from 1 again."""
        self._finder.reset()
        self._forget()

    def _forget(self) -> None:
        self._watched = _Watched(0, self.settings)
        self._known = _Known(0, self.settings)

    def close(self) -> None:
        """Free the models. Closing twice is harmless."""
        self._finder.close()

    def analyze(self, rgb: np.ndarray, stamp_ns: int) -> FaceObservation:
        """Look at RGB uint8 (height, width, 3). ImageError for an array of another kind."""
        measured = self.measure(rgb, stamp_ns)
        if measured.place is None:
            return FaceObservation(stamp_ns)
        known = self._known_as(measured.person)
        known.learn(measured)
        return self.interpret(measured, known.neutral, known.place)

    def measure(self, rgb: np.ndarray, stamp_ns: int) -> Measured:
        """The first stage: what the picture shows. Does not depend on any neutral face."""
        mesh = self._finder.find(rgb, stamp_ns)
        self._counts["pictures"] += 1
        if mesh is None:
            self._counts["without_face"] += 1
            return Measured(stamp_ns)
        visible = self._visible(mesh, rgb.shape, stamp_ns)
        return Measured(
            stamp_ns=stamp_ns,
            person=mesh.person,
            box=mesh.box,
            measurements=without_hidden(measure(mesh.frontal.points), visible),
            visible=visible,
            rotation=mesh.frontal.rotation,
            place=mesh.frontal.place,
            picture_width=rgb.shape[1],
            landmarks=np.ascontiguousarray(mesh.points[:, :2]),
        )

    def interpret(
        self, measured: Measured, neutral: NeutralFace, neutral_place: HeadPlace | None = None
    ) -> FaceObservation:
        """The second stage: attributes of what was measured, given the person's neutral face.

        Measurements come in the order of their stamps: they are smoothed here. `neutral_place` is
        where the head is at rest (`head_pose.usual_place` of a recording); without it the
        translation is unknown.
        """
        if measured.box is None or measured.place is None:
            return FaceObservation(measured.stamp_ns)
        known = self._known_as(measured.person)
        attributes = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
        knowledge = np.zeros(ATTRIBUTE_COUNT, np.uint8)
        if neutral.ready:
            reading = known.units.read(
                measured.measurements, neutral, measured.stamp_ns, measured.rotation
            )
            affect = derive(reading.intensities)
            attributes[:] = np.concatenate([reading.intensities, affect.values])
            knowledge[:] = np.concatenate([reading.knowledge, affect.knowledge])
        moved = np.full(3, np.nan, np.float32)
        if neutral_place is not None:
            moved = translation(measured.place, neutral_place, measured.picture_width)
        return FaceObservation(
            stamp_ns=measured.stamp_ns,
            box=measured.box,
            person=measured.person,
            attributes=attributes,
            knowledge=knowledge,
            rotation=measured.rotation,
            translation=moved,
            calibration=neutral.progress,
            landmarks=measured.landmarks,
        )

    def _visible(self, mesh: FaceMesh, picture: tuple[int, ...], stamp_ns: int) -> np.ndarray:
        if mesh.person != self._watched.person:
            self._watched = _Watched(mesh.person, self.settings)
        watch = self._watched.visibility
        visible = watch.regions(mesh, picture, stamp_ns)
        if watch.changed.any():
            self._finder.forget_look(watch.changed)
        self._finder.learn(mesh, visible)
        return visible

    def _known_as(self, person: int) -> _Known:
        if person != self._known.person:
            self._known = _Known(person, self.settings)
        return self._known


class _Watched:
    """What the first stage keeps of one person."""

    def __init__(self, person: int, settings: AnalyzerSettings) -> None:
        self.person = person
        self.visibility = Visibility(settings.visibility)


class _Known:
    """What the second stage keeps of one person: nobody else's calibration is mixed in."""

    def __init__(self, person: int, settings: AnalyzerSettings) -> None:
        self.person = person
        self.neutral = NeutralFace(settings.neutral)
        self.units = ActionUnitReader(settings.smoothing)
        self.place: HeadPlace | None = None
        self._places: list[HeadPlace] = []

    def learn(self, measured: Measured) -> None:
        """Take in one picture: neutral face, and neutral place while that is learnt."""
        seconds = measured.stamp_ns / 1e9
        self.neutral.observe(measured.measurements, seconds, measured.rotation)
        if not self.neutral.ready and measured.place is not None:
            self._places.append(measured.place)
            self._places = self._places[-_MOST_PLACES:]
        elif self.place is None:
            self.place = usual_place(self._places) or measured.place
            self._places = []
