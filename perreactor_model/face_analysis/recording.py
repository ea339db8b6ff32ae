"""Facial attributes of a whole recording, 25 frames a second.

Flow: pictures are put on the grid of frames by the frame clock's rule; each picture that serves a
frame is analyzed once. By default there are two passes: all is measured first, then read with a
neutral face learnt from the person's whole time in the recording, so that the first seconds are
known too. `causal` reads each picture with what was known at its time, as a live node does.

Pictures are dropped once they are measured: two hours of video need some hundred megabytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_NS, FRAME_RATE
from perreactor_model.face_analysis.analyzer import AnalyzerSettings, LandmarkAnalyzer, Measured
from perreactor_model.face_analysis.attribute_files import AttributeTrack
from perreactor_model.face_analysis.head_pose import HeadPlace, translation
from perreactor_model.face_analysis.neutral import NeutralFace, NeutralSettings
from perreactor_model.face_analysis.observation import FaceObservation
from perreactor_model.media.video import PictureFrame, VideoError, probe, read_pictures
from perreactor_model.streaming.clock import HALF_FRAME_NS
from perreactor_model.streaming.clock_settings import ClockSettings
from perreactor_model.streaming.nearest import StampedItems

Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many (0 where that is not known beforehand)."""

Watch = Callable[[FaceObservation], None]
"""Given what is said of each frame, in order; `landmarks` float16 or float32."""

_LONGEST_GAP_NS = 3600 * 1_000_000_000
"""Pictures further apart are not of one recording: a clock was set meanwhile, or is broken."""

_HOLD_NS = round(ClockSettings.image_hold * 1e9)


def analyze_recording(
    recording: str | Path | Iterable[PictureFrame],
    *,
    causal: bool = False,
    settings: AnalyzerSettings | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> AttributeTrack:
    """The facial attributes of a video file, or of pictures in the order of their stamps.

    The first frame is that of the first picture. A frame without a picture nearby has no face. A
    person who is seen for less time than a calibration takes has a pose, but no attributes. `watch`
    sees the same frames as the track has rows, while they are made.

    Raises AnalyzerMissing, and VideoError for a file without pictures.
    """
    source, expected = "", 0
    if isinstance(recording, (str, Path)):
        source, expected = Path(recording).name, _frames_expected(Path(recording))
        recording = read_pictures(recording)
    analyzer = LandmarkAnalyzer(settings)
    # Reading what was measured takes no time to speak of, unless somebody draws what was read.
    steps = _Steps(progress, expected * (2 if watch and not causal else 1))
    frames, rows = frames_of(recording), _Rows()
    try:
        if causal:
            seen = _live(analyzer, frames)
        else:
            seen = _two_passes(analyzer, frames, steps, watch is not None)
        for observation in seen:
            rows.add(observation)
            if watch is not None:
                watch(observation)
            if causal or watch is not None:
                steps.done()
        return rows.track(source)
    finally:
        analyzer.close()


def frames_of(pictures: Iterable[PictureFrame]) -> Iterator[tuple[int, PictureFrame | None]]:
    """(stamp in ns, picture) of each 1/25 s, from the first picture to the last.

    The rule of the frame clock: the nearest picture, less than half a frame later or at most 0.2 s
    earlier; None where there is no such picture. Raises VideoError where pictures are more than an
    hour apart.
    """
    near = StampedItems()
    start = newest = None
    for picture in pictures:
        start = picture.stamp_ns if start is None else start
        if newest is not None and picture.stamp_ns > newest + _LONGEST_GAP_NS:
            raise VideoError(
                f"a picture comes {(picture.stamp_ns - newest) / 3.6e12:.1f} hours after the one "
                "before it: expected one recording without such gaps; is a stamp or a clock wrong?"
            )
        near.add(picture.stamp_ns, picture)
        newest = picture.stamp_ns
        while newest >= start + HALF_FRAME_NS:
            yield start, _nearest(near, start)
            start += FRAME_NS
            near.forget(start)
    while start is not None and newest is not None and newest >= start - HALF_FRAME_NS:
        yield start, _nearest(near, start)
        start += FRAME_NS


def _nearest(near: StampedItems, start: int) -> PictureFrame | None:
    found = near.nearest(start, HALF_FRAME_NS, _HOLD_NS)
    return None if found is None else found[1]


def _frames_expected(path: Path) -> int:
    info = probe(path)
    if not info.has_pictures:
        raise VideoError(f"{path} holds sound but no pictures: expected a video of a face")
    return round(info.duration * FRAME_RATE)


def _live(
    analyzer: LandmarkAnalyzer, frames: Iterator[tuple[int, PictureFrame | None]]
) -> Iterator[FaceObservation]:
    """What is known at the time of each frame. A picture that is held is not analyzed again."""
    shown: PictureFrame | None = None
    observation = FaceObservation(0)
    for stamp_ns, picture in frames:
        if picture is None:
            yield FaceObservation(stamp_ns)
            continue
        if picture is not shown:
            shown, observation = picture, analyzer.analyze(picture.image, picture.stamp_ns)
        yield replace(observation, stamp_ns=stamp_ns)


class _Shows(Enum):
    """What a frame shows: no picture, one of its own, or that of the frame before."""

    NONE = 0
    NEW = 1
    HELD = 2


def _two_passes(
    analyzer: LandmarkAnalyzer,
    frames: Iterator[tuple[int, PictureFrame | None]],
    steps: _Steps,
    with_landmarks: bool,
) -> Iterator[FaceObservation]:
    """What is known of each frame once all have been measured."""
    looks: deque[Measured] = deque()
    shown: list[tuple[int, _Shows]] = []
    last: PictureFrame | None = None
    for stamp_ns, picture in frames:
        if picture is None:
            use = _Shows.NONE
        elif picture is last:
            use = _Shows.HELD
        else:
            last, use = picture, _Shows.NEW
            looks.append(_kept(analyzer.measure(picture.image, picture.stamp_ns), with_landmarks))
        shown.append((stamp_ns, use))
        steps.done()
    last = None
    people = _people(looks, analyzer.settings.neutral)
    observation = FaceObservation(0)
    for stamp_ns, use in shown:
        if use is _Shows.NONE:
            yield FaceObservation(stamp_ns)
            continue
        if use is _Shows.NEW:
            look = looks.popleft()
            observation = people[look.person].told(analyzer, look)
        yield replace(observation, stamp_ns=stamp_ns)


def _kept(look: Measured, with_landmarks: bool) -> Measured:
    """Landmarks are kept for drawing only, for which half a pixel is enough."""
    if look.landmarks is None:
        return look
    return replace(look, landmarks=look.landmarks.astype(np.float16) if with_landmarks else None)


def _people(looks: Iterable[Measured], settings: NeutralSettings) -> dict[int, _Person]:
    of_person: dict[int, list[Measured]] = {}
    for look in looks:
        of_person.setdefault(look.person, []).append(look)
    return {number: _Person(mine, settings) for number, mine in of_person.items()}


class _Person:
    """One person's neutral face and place, from all that a recording shows of them."""

    def __init__(self, looks: list[Measured], settings: NeutralSettings) -> None:
        self._neutral = NeutralFace(settings)
        for look in looks:
            if self._neutral.ready:
                rows = np.stack([look.measurements for look in looks])
                self._neutral = NeutralFace.from_recording(rows, settings)
                break
            self._neutral.observe(look.measurements, look.stamp_ns / 1e9)
        places = [(look.place.x, look.place.y, look.place.scale) for look in looks if look.place]
        self._place = HeadPlace(*np.median(places, axis=0).tolist()) if places else None

    def told(self, analyzer: LandmarkAnalyzer, look: Measured) -> FaceObservation:
        """What a picture says of the person. Pictures come in their order."""
        observation = analyzer.interpret(look, self._neutral)
        if look.place is None or self._place is None:
            return observation
        moved = translation(look.place, self._place, look.picture_width)
        return replace(observation, translation=moved)


class _Rows:
    """Collects frames for a track, in little memory."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._numbers: list[np.ndarray] = []
        self._knowledge: list[np.ndarray] = []
        self._people: list[int] = []
        self._present: list[bool] = []

    def add(self, seen: FaceObservation) -> None:
        self._stamps.append(seen.stamp_ns)
        numbers = np.concatenate([seen.attributes, seen.rotation, seen.translation])
        self._numbers.append(numbers.astype(np.float32, copy=False))
        self._knowledge.append(seen.knowledge)
        self._people.append(seen.person)
        self._present.append(seen.face_present)

    def track(self, source: str) -> AttributeTrack:
        if not self._stamps:
            raise VideoError(f"there are no pictures in {source or 'the recording'}")
        numbers = np.stack(self._numbers)
        return AttributeTrack(
            stamp_ns=np.array(self._stamps, np.int64),
            attributes=numbers[:, :ATTRIBUTE_COUNT],
            knowledge=np.stack(self._knowledge),
            rotation=numbers[:, ATTRIBUTE_COUNT : ATTRIBUTE_COUNT + 3],
            translation=numbers[:, ATTRIBUTE_COUNT + 3 :],
            person=np.array(self._people, np.int32),
            face_present=np.array(self._present),
            source=source,
        )


class _Steps:
    """Counts steps for `progress`."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._count = progress, total, 0

    def done(self) -> None:
        self._count += 1
        if self._progress is not None:
            self._progress(self._count, self._total)
