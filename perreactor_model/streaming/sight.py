"""What perception sees of the speaker in a frame's picture: the face crop, and what it does.

A picture is decoded once, looked at once and kept while a slow camera lets it serve several frames.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

import numpy as np

from perreactor_model.face_analysis.observation import FaceAnalyzer, FaceObservation
from perreactor_model.streaming.frames import FrameInput
from perreactor_model.vision.crop import FaceTracker
from perreactor_model.vision.encodings import DecodableImage, ImageError
from perreactor_model.vision.preprocess import network_input, whole_image

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """`face` is the encoder's image, float32 (1, 3, size, size) in [-1, 1], None without a face or
    where no encoder asks for it; `observation` what the analyzer says, None without analyzer.
    """

    face: np.ndarray | None = None
    observation: FaceObservation | None = None


_NOTHING = Seen()


class Sight:
    """Looks at each picture once.

    `size` is the side of the encoder's image, 0 where it takes none; `tracker` finds the face for
    it, None for pictures that are face crops already. `analyzer` may be None. `people_before` have
    names already that nobody else shall get.
    """

    def __init__(
        self,
        size: int,
        tracker: FaceTracker | None,
        analyzer: FaceAnalyzer | None,
        people_before: int = 0,
    ) -> None:
        self._size = size
        self._tracker = tracker
        self._analyzer = analyzer
        self._errors = 0
        self._reported: set[str] = set()
        self._epoch = 0
        self._people = 0
        self._people_before = people_before
        self._stamp_ns: int | None = None
        self._seen = _NOTHING
        self.analysis_seconds = math.nan
        """What the analyzer took for the last picture; NaN before the first."""

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and what became of it, by name."""
        counts = {"broken_images": self._errors}
        if self._tracker is not None:
            counts |= self._tracker.counters
        if self._analyzer is not None:
            counts |= {f"analyzer_{name}": n for name, n in self._analyzer.counters.items()}
        return counts

    @property
    def observation(self) -> FaceObservation | None:
        """What the analyzer said last."""
        return self._seen.observation

    @property
    def people(self) -> int:
        """How many people got a name, those before included."""
        return self._people_before + self._people

    def look(self, frame: FrameInput) -> Seen:
        """What is to be seen in this frame; frames come in their order."""
        if frame.epoch != self._epoch:
            self._forget(frame.epoch)
        if frame.image is None or frame.image_stamp_ns is None:
            return _NOTHING
        if frame.image_stamp_ns != self._stamp_ns:
            self._stamp_ns = frame.image_stamp_ns
            self._seen = self._look_at(frame.image, frame.image_stamp_ns)
        return self._seen

    def name_of(self, observation: FaceObservation) -> str:
        """A name for whose face it is, of nobody else since the beginning; "" without a face."""
        if not observation.person:
            return ""
        return f"face_{self._people_before + observation.person}"

    def close(self) -> None:
        """Free the analyzer."""
        if self._analyzer is not None:
            self._analyzer.close()

    def _forget(self, epoch: int) -> None:
        self._epoch = epoch
        self._stamp_ns = None
        self._seen = _NOTHING
        # The analyzer counts people from 1 again, and they may be others.
        self._people_before += self._people
        self._people = 0
        if self._tracker is not None:
            self._tracker.reset()
        if self._analyzer is not None:
            self._analyzer.reset()

    def _look_at(self, image: np.ndarray | DecodableImage, stamp_ns: int) -> Seen:
        try:
            rgb = image if isinstance(image, np.ndarray) else image.rgb()
        except ImageError as error:
            self._count(error)
            return _NOTHING
        observation = None
        if self._analyzer is not None:
            begin = time.perf_counter()
            observation = self._analyzer.analyze(rgb, stamp_ns)
            self.analysis_seconds = time.perf_counter() - begin
            self._people = max(self._people, observation.person)
        return Seen(self._face_in(rgb, stamp_ns) if self._size else None, observation)

    def _face_in(self, rgb: np.ndarray, stamp_ns: int) -> np.ndarray | None:
        if self._tracker is None:
            return network_input(whole_image(rgb, self._size))
        self._tracker.locate(rgb, stamp_ns)
        crop = self._tracker.crop(rgb)
        return None if crop is None else network_input(crop)

    def _count(self, error: ImageError) -> None:
        self._errors += 1
        if error.kind not in self._reported:
            self._reported.add(error.kind)
            _log.warning("image without use, counted as no face from now on: %s", error)
