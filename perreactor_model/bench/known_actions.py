"""What the analyzer reads when it is known what the face does.

There is no labelled set here: the faces are one public-domain portrait, animated and warped
(`bench.face_warps`), mirrored, recoloured, broadened and narrowed. So the figures say whether the
right unit comes first, how it grows with the action and what else is read with it; they do not say
how well people's faces are scored. Takes two to five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from perreactor_model.bench.face_warps import ACTIONS, NO_ACTIONS, ActingFace, KnownAction
from perreactor_model.contract import ACTION_UNIT_SLICE, ACTION_UNITS, FRAME_NS, FRAME_RATE
from perreactor_model.face_analysis.analyzer import LandmarkAnalyzer
from perreactor_model.face_analysis.landmarks import LandmarkFinder
from perreactor_model.media.speaker import SPEAKERS, portrait_of

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
CALIBRATION_FRAMES = 110
SETTLE_FRAMES = 14
"""Frames of an action before it is read: the smoothing has caught up."""
_READ_FRAMES = 5
_NOISE = 2.0
"""Standard deviation of the sensor noise that is added to every picture, of 255."""

Filter = Callable[[np.ndarray], np.ndarray]

FACES = {"portrait": (0, 1.0), "other person, broader": (1, 1.08), "narrower": (0, 0.93)}
"""Which portrait (of `media.speaker`), and how broad."""


@dataclass(frozen=True)
class Condition:
    """How pictures are taken: the head's pose, and what is done to pictures.

    `also_calibrated`: the neutral face was learnt under the same `filter`; the pose never is.
    """

    name: str
    pose: Mapping[str, float]
    filter: Filter
    also_calibrated: bool = False


def _same(image: np.ndarray) -> np.ndarray:
    return image


def _scaled(factor: float) -> Filter:
    return lambda image: cv2.resize(
        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else 1
    )


def _brighter(gain: float) -> Filter:
    return lambda image: np.clip(image.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def _jpeg(image: np.ndarray) -> np.ndarray:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


FRONTAL = Condition("as calibrated", {}, _same)
CONDITIONS = (
    FRONTAL,
    Condition("half size", {}, _scaled(0.5), also_calibrated=True),
    Condition("double size", {}, _scaled(2.0), also_calibrated=True),
    Condition("tilted 20 right", {"roll": 0.349}, _same),
    Condition("tilted 20 left", {"roll": -0.349}, _same),
    Condition("turned 15 left", {"yaw": 0.262}, _same),
    Condition("turned 15 right", {"yaw": -0.262}, _same),
    Condition("turned 25 left", {"yaw": 0.436}, _same),
    Condition("turned 25 right", {"yaw": -0.436}, _same),
    Condition("nodded down 8", {"pitch": 0.14}, _same),
    Condition("nodded up 8", {"pitch": -0.14}, _same),
    Condition("dark (x 0.4)", {}, _brighter(0.4)),
    Condition("bright (x 1.5)", {}, _brighter(1.5)),
    Condition("blurred (3 px)", {}, lambda image: cv2.GaussianBlur(image, (0, 0), 3.0)),
    Condition("JPEG quality 30", {}, _jpeg),
)


class Session:
    """One face before an analyzer that has learnt its neutral."""

    def __init__(self, face: ActingFace, condition: Condition = FRONTAL) -> None:
        self.analyzer = LandmarkAnalyzer()
        self.face = face
        self.condition = condition
        self._stamp = 0
        still = face.calm()
        self.show(still for _ in range(CALIBRATION_FRAMES))

    def show(self, pictures: Iterable[np.ndarray], filtered: bool | None = None) -> np.ndarray:
        """Show pictures at 25 a second; the action units read, float32 (count, 15)."""
        chosen = self.condition.also_calibrated if filtered is None else filtered
        rows = []
        for picture in pictures:
            picture = self.condition.filter(picture) if chosen else picture
            self._stamp += FRAME_NS
            seen = self.analyzer.analyze(_noisy(picture, self._stamp // FRAME_NS), self._stamp)
            rows.append(seen.attributes[ACTION_UNIT_SLICE])
        return np.array(rows)

    def read(self, action: KnownAction, strength: float = 1.0) -> np.ndarray:
        """What is read of an action that is held, float32 (15,); the face rests before it."""
        calm = self.face.calm(**self.condition.pose)
        acting = self.face.draw(action, strength, **self.condition.pose)
        self.show((calm for _ in range(SETTLE_FRAMES)), filtered=True)
        rows = self.show((acting for _ in range(SETTLE_FRAMES)), filtered=True)
        return np.asarray(np.median(rows[-_READ_FRAMES:], axis=0), np.float32)

    def rest(self, frames: int) -> np.ndarray:
        """What is read of the face at rest under the condition, float32 (frames, 15)."""
        calm = self.face.calm(**self.condition.pose)
        return self.show((calm for _ in range(frames)), filtered=True)

    def close(self) -> None:
        """Free the analyzer's models."""
        self.analyzer.close()


def acting_face(name: str = "portrait") -> ActingFace:
    """One of FACES, ready to act."""
    speaker, broader = FACES[name]
    return ActingFace(portrait_of(SPEAKERS[speaker]), _landmarks, broader)


def measure() -> dict[str, Any]:
    """The cross-talk matrix, growth with strength, conditions, noise at rest and lag."""
    faces = {name: acting_face(name) for name in FACES}
    graded = {name: _all_strengths(face) for name, face in faces.items()}
    full = np.mean([rows[:, -1] for rows in graded.values()], axis=0)
    return {
        "faces": ", ".join(FACES),
        "sensor_noise": _NOISE,
        "matrix": {action.name: _named(row) for action, row in zip(_ALL, full, strict=True)},
        "growth": {
            action.name: _growth(action, graded, index)
            for index, action in enumerate(ACTIONS)
            if not np.isnan(full[index, ACTION_UNITS.index(action.units[0])])
        },
        "conditions": {
            condition.name: _under(faces["portrait"], condition) for condition in CONDITIONS
        },
        "at_rest": _living(faces, talking=False),
        "talking": _living(faces, talking=True),
        "noise_while_held": _held(faces["portrait"]),
        "onset": _onsets(faces["portrait"]),
    }


_ALL = (*ACTIONS, *NO_ACTIONS)
_SURE = ("brows raised", "frown (animated)", "lids tightened", "smile", "lip corners lowered",
         "lips parted", "jaw dropped")  # fmt: skip
"""Actions of the better graded units, for the conditions."""


def _all_strengths(face: ActingFace) -> np.ndarray:
    """float32 (actions, strengths, 15)."""
    session = Session(face)
    rows = [[session.read(action, strength) for strength in STRENGTHS] for action in _ALL]
    session.close()
    return np.array(rows)


def _growth(action: KnownAction, graded: Mapping[str, np.ndarray], index: int) -> dict[str, Any]:
    """The right unit at each strength, mean of the faces, and whether it ever falls back."""
    unit = ACTION_UNITS.index(action.units[0])
    values = np.array([rows[index, :, unit] for rows in graded.values()])
    return {
        "unit": action.units[0],
        "read": [round(float(value), 2) for value in values.mean(axis=0)],
        "largest_fall": round(float(max(0.0, -np.diff(values, axis=1).min())), 2),
    }


def _under(face: ActingFace, condition: Condition) -> dict[str, Any]:
    """The right unit of each sure action, and the strongest wrong one, under a condition."""
    session = Session(face, condition)
    right: dict[str, Any] = {}
    wrong = ("none", 0.0)
    for action in (action for action in ACTIONS if action.name in _SURE):
        row = session.read(action)
        value = float(row[ACTION_UNITS.index(action.units[0])])
        right[action.units[0]] = "unknown" if np.isnan(value) else round(value, 2)
        for unit, other in _named(row, least=0.0).items():
            if unit not in _allowed(action) and other > wrong[1]:
                wrong = (f"{unit} in {action.name}", other)
    session.close()
    return {**right, "strongest_wrong": f"{wrong[0]} {wrong[1]:.2f}"}


def _allowed(action: KnownAction) -> tuple[str, ...]:
    """Units that may be read: the action's own, and what it cannot be made without."""
    company = {"smile": ("AU6", "AU7", "AU25", "AU26"), "lips parted": ("AU26",)}
    return action.units + company.get(action.name, ())


def _living(faces: Mapping[str, ActingFace], talking: bool) -> dict[str, Any]:
    """Each unit over 10 s of a calm face whose head moves a little and which blinks, or talks."""
    rows = []
    for face in faces.values():
        session = Session(face)
        rows.append(session.show(face.drawn(**lively(frame, talking)) for frame in range(250)))
        session.close()
    read = np.concatenate(rows)
    return {
        unit: {
            "mean": round(float(values.mean()), 3),
            "p95": round(float(np.quantile(values, 0.95)), 3),
            "most": round(float(values.max()), 2),
        }
        for unit, values in zip(ACTION_UNITS, read.T, strict=True)
        if not np.isnan(values).any()
    }


def lively(frame: int, talking: bool = False) -> dict[str, float]:
    """Controls of a calm person in one frame: small movements of the head, a blink every 2.4 s."""
    seconds = frame / FRAME_RATE
    blink = dict(enumerate((0.45, 1.0, 0.9, 0.5, 0.2))).get(frame % 60 - 30, 0.0)
    controls = {
        "yaw": 0.10 * np.sin(1.1 * seconds),
        "pitch": 0.05 * np.sin(1.7 * seconds + 1.0),
        "roll": 0.05 * np.sin(0.7 * seconds + 2.0),
        "sway": 3.0 * np.sin(0.5 * seconds),
        "blink": blink,
    }
    if talking:  # four to five syllables a second, of different vowels
        controls["mouth_open"] = 0.6 * np.sin(np.pi * 4.6 * seconds) ** 2
        controls["mouth_width"] = 0.7 * np.sin(2 * np.pi * 1.3 * seconds)
    return {name: float(value) for name, value in controls.items()}


def _held(face: ActingFace) -> dict[str, float]:
    """Standard deviation of each unit while its action is held half way, from sensor noise."""
    session = Session(face)
    spread = {}
    for unit, action in _clearest().items():
        session.rest(SETTLE_FRAMES)
        picture = face.draw(action, 0.7)
        values = session.show(picture for _ in range(60))[SETTLE_FRAMES:, ACTION_UNITS.index(unit)]
        spread[unit] = round(float(values.std()), 3)
    session.close()
    return spread


def _onsets(face: ActingFace) -> dict[str, Any]:
    """Milliseconds until half and nine tenths of the settled value after a sudden full action."""
    session = Session(face)
    onsets = {}
    for unit, action in _clearest().items():
        session.rest(SETTLE_FRAMES)
        picture = face.draw(action, 1.0)
        shown = session.show(picture for _ in range(2 * SETTLE_FRAMES))
        track = shown[:, ACTION_UNITS.index(unit)]
        settled = float(np.median(track[-_READ_FRAMES:]))
        onsets[unit] = {
            f"{share:.0%}_ms": int(np.argmax(track >= share * settled)) * FRAME_NS // 1_000_000
            for share in (0.5, 0.9)
        }
    session.close()
    return onsets


def _clearest() -> dict[str, KnownAction]:
    """The action that shows each unit best, by unit; units that are never read are left out."""
    by_name = {action.name: action for action in ACTIONS}
    chosen = {unit: action for action in reversed(ACTIONS) for unit in action.units[:1]}
    del chosen["AU23"]
    return {**chosen, "AU4": by_name["frown (animated)"], "AU6": by_name["smile"]}


def _named(row: np.ndarray, least: float = 0.02) -> dict[str, float]:
    """Units by name where at least `least` was read; unknown ones are left out."""
    pairs = zip(ACTION_UNITS, row, strict=True)
    return {unit: round(float(value), 2) for unit, value in pairs if value >= least}


def _landmarks(picture: np.ndarray) -> np.ndarray:
    """The 478 landmarks of a picture, float32 (478, 2)."""
    finder = LandmarkFinder()
    try:
        mesh = finder.find(picture, 0)
    finally:
        finder.close()
    assert mesh is not None, "the animated portrait shows a face"
    return mesh.points[:, :2]


@cache
def _noise_of(height: int, width: int, number: int) -> np.ndarray:
    random = np.random.default_rng(number)
    return (_NOISE * random.standard_normal((height, width, 3))).astype(np.int16)


def _noisy(picture: np.ndarray, frame: int) -> np.ndarray:
    noise = _noise_of(*picture.shape[:2], frame % 7)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
