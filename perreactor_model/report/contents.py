"""What a report is made of: plain arrays and numbers, checked once, from wherever they come.

Times are nanoseconds on one clock, the bag's. Tracks are held in memory (332 bytes a frame for a
reaction); pictures and sound are asked for when the video is made and never held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle
    from perreactor_model.media.video import SoundBlock


class ReportError(ValueError):
    """Contents that make no report. The message names the part and what would be right."""


def _array(values: Any, dtype: type, shape: tuple[int, ...], name: str) -> np.ndarray:
    array: np.ndarray = np.asarray(values, dtype)
    if array.shape != shape:
        raise ReportError(f"{name} must have shape {shape}, not {array.shape}")
    return array


def _put(instance: object, name: str, value: object) -> None:
    object.__setattr__(instance, name, value)


@dataclass(frozen=True)
class ReactionTrack:
    """One sample of one robot's reactions, in the order they were published. T frames, also 0.

    Stamps rise within an epoch; a new epoch may go back in time (a clock that jumped).
    """

    robot: str
    profile: str
    sample: int
    """0 is what the robot shows; 1 and up are further draws of the same moment."""
    stamp_ns: np.ndarray
    """(T,) int64: the speaker frame that each answers."""
    attributes: np.ndarray
    """(T, 25) float32 in the contract's order."""
    coefficients: np.ndarray
    """(T, 58) float32: 52 expression, 3 rotation (rad), 3 translation."""
    epoch: np.ndarray
    """(T,) int64: counts resets and clock jumps."""
    confidence: np.ndarray
    """(T,) float32, 0..1."""

    def __post_init__(self) -> None:
        if self.sample < 0:
            raise ReportError(f"sample of {self.robot} must be 0 or more, not {self.sample}")
        name = f"of {self.robot}, sample {self.sample}"
        _put(self, "stamp_ns", np.asarray(self.stamp_ns, np.int64).reshape(-1))
        frames = len(self.stamp_ns)
        for part, dtype, shape in (
            ("attributes", np.float32, (frames, ATTRIBUTE_COUNT)),
            ("coefficients", np.float32, (frames, COEFFICIENT_COUNT)),
            ("epoch", np.int64, (frames,)),
            ("confidence", np.float32, (frames,)),
        ):
            _put(self, part, _array(getattr(self, part), dtype, shape, f"{part} {name}"))


@dataclass(frozen=True)
class RealTrack:
    """What a real listener did, as the bag has it. R frames at any rate."""

    source: str
    """Where it comes from, for people: a topic's name."""
    stamp_ns: np.ndarray
    """(R,) int64."""
    attributes: np.ndarray
    """(R, 25) float32; NaN where unknown."""

    def __post_init__(self) -> None:
        _put(self, "stamp_ns", np.asarray(self.stamp_ns, np.int64).reshape(-1))
        shape = (len(self.stamp_ns), ATTRIBUTE_COUNT)
        name = f"attributes of the real reactions from {self.source}"
        _put(self, "attributes", _array(self.attributes, np.float32, shape, name))


@dataclass(frozen=True)
class SpeakerTrack:
    """The speaker, frame by frame. T frames."""

    stamp_ns: np.ndarray
    """(T,) int64."""
    face_present: np.ndarray
    """(T,) bool: a face was seen."""
    voice_present: np.ndarray
    """(T,) bool: the microphone was heard (silence counts as heard)."""
    attributes: np.ndarray | None = None
    """(T, 25) float32; NaN where unknown; None where perception gives none."""

    def __post_init__(self) -> None:
        _put(self, "stamp_ns", np.asarray(self.stamp_ns, np.int64).reshape(-1))
        frames = len(self.stamp_ns)
        for part in ("face_present", "voice_present"):
            _put(self, part, _array(getattr(self, part), bool, (frames,), f"{part} of the speaker"))
        if self.attributes is not None:
            shape = (frames, ATTRIBUTE_COUNT)
            name = "attributes of the speaker"
            _put(self, "attributes", _array(self.attributes, np.float32, shape, name))


Pictures = Callable[[int, int], Iterable[tuple[int, np.ndarray]]]
"""`pictures(begin_ns, end_ns)` gives (stamp_ns, RGB uint8 (H, W, 3)), by time, within that span."""

Sound = Callable[[int, int], "Iterable[SoundBlock]"]
"""`sound(begin_ns, end_ns)` gives the blocks of mono sound that touch that span, by time."""


@dataclass(frozen=True)
class StripMaterial:
    """What the video shows beside the robots' faces; None for what the bag does not hold.

    Both are called once for each video made; what they give is looked at once and let go.
    """

    pictures: Pictures | None = None
    sound: Sound | None = None
    longest_s: float = 120.0
    """`strip.mp4` shows the first so many seconds; drawing takes about half of their time."""


@dataclass(frozen=True)
class LiveDifference:
    """How one robot's live reactions differ from the offline ones, frame by frame of one epoch."""

    frames_compared: int
    identical_share: float
    """0..1 of the frames compared."""
    largest_difference: float
    """Of any attribute or coefficient; NaN if nothing was compared."""
    tolerance: float
    """Up to which a difference counts as the same."""
    missing: int = 0
    """Frames that only the offline run has."""
    extra: int = 0
    """Frames that only the live run has."""


@dataclass(frozen=True)
class LiveTrack:
    """What only a live run has."""

    latency_s: Mapping[str, np.ndarray]
    """robot -> (T,) seconds from the speaker frame's stamp to publication; NaN is left out."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """What was lost, in plain words -> how many frames."""
    difference: Mapping[str, LiveDifference] = field(default_factory=dict)
    """robot -> how it compares with the offline run."""


@dataclass(frozen=True)
class Judged:
    """What the scores stand on."""

    clips: int
    seconds: float
    """All clips together."""
    attributes: Sequence[str]
    """Those that were compared."""
    notes: Sequence[str] = ()
    """Sentences: what was left out, and why."""


@dataclass(frozen=True)
class BundleFacts:
    """Which model made the reactions; None where that is not known."""

    name: str
    model_id: str
    """Name and the first 12 hex digits of its hash, as in `FacialReaction`."""
    trained: bool | None = None
    visual_input: str | None = None
    au_semantics: str | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> BundleFacts:
        """The facts of a loaded bundle."""
        return cls(
            name=bundle.name,
            model_id=bundle.model_id,
            trained=bundle.trained,
            visual_input=bundle.config.visual_input,
            au_semantics=bundle.au_semantics,
        )


@dataclass(frozen=True)
class ReportContents:
    """Everything that a report shows.

    `scores`: robot -> what `metrics.evaluation.evaluate` gave for it. `not_scored` says in a
    sentence why there are none. `provenance`: what else is needed to do it again (seed, samples,
    versions ...), shown as given.
    """

    title: str
    """The bag's name."""
    command: str
    """As typed."""
    bundle: BundleFacts
    reactions: Sequence[ReactionTrack]
    begin_ns: int
    """When the recording begins; times are shown from here."""
    end_ns: int
    compute_s: float | None = None
    """How long perception and reaction took on this machine; None live."""
    speaker: SpeakerTrack | None = None
    real: RealTrack | None = None
    scores: Mapping[str, Mapping[str, Any]] | None = None
    not_scored: str = ""
    judged: Judged | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    """What perception and engine counted (late, missing, restarted ...), by name."""
    troubles: Sequence[str] = ()
    """Plain sentences: what could not be read and why."""
    live: LiveTrack | None = None
    strip: StripMaterial | None = None
    """None: no video is made."""
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.end_ns < self.begin_ns:
            raise ReportError(f"end_ns {self.end_ns} lies before begin_ns {self.begin_ns}")
        pairs = [(track.robot, track.sample) for track in self.reactions]
        if len(set(pairs)) != len(pairs):
            raise ReportError("each robot and sample must come once in reactions")
        unknown = sorted(set(self.scores or {}) - {robot for robot, _ in pairs})
        if unknown:
            raise ReportError(
                f"scores are given for {', '.join(unknown)}, without a reaction track"
            )

    @property
    def robots(self) -> dict[str, str]:
        """Robot -> profile, in the order given."""
        return {track.robot: track.profile for track in self.reactions}
