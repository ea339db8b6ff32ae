"""The public object: camera frames and sound in, reactions out, with no ROS anywhere.

>>> reactor = Reactor.load("demo_attributes", robots={"robot_a": "warm"})
>>> for reaction in reactor.push(image=rgb, stamp_ns=t, audio=samples, sample_rate=16000):
...     print(reaction.robot, reaction.attributes)
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.face_analysis.choice import HRI, LANDMARKS, chosen_analyzer
from perreactor_model.profiles import GENERIC
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import Reaction
from perreactor_model.streaming.perceiver import Perceiver

if TYPE_CHECKING:
    from perreactor_model.face_analysis.observation import FaceAnalyzer

_log = logging.getLogger(__name__)


class Reactor:
    """One speaker and the robots that listen: perception and reaction engine in one.

    A recording gives the same reactions, byte for byte, in whatever portions it is pushed: a frame
    is answered once camera and microphone have both gone past it. Where one of them is missing or
    stalls, `advance` (live, with the present time) or `finish` (at the end of a recording) lets
    frames go on without it. Not thread-safe.
    """

    def __init__(self, perceiver: Perceiver, engine: ReactionEngine) -> None:
        self.perceiver = perceiver
        self.engine = engine

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle,
        robots: Mapping[str, str] | None = None,
        settings: EngineSettings | None = None,
        profile_folders: Iterable[Path] = (),
        crop: bool = True,
        analyzer: FaceAnalyzer | str = "auto",
    ) -> Reactor:
        """Load a bundle by path or name. `robots` maps names to profiles or blends; one
        generic robot by default.

        `crop` finds the face in the camera frame; without it the frame is a face already. Bundles
        that see facial attributes see camera frames through an `analyzer`: `auto` opens
        `landmarks` where mediapipe is installed, `none` leaves attributes to
        `perceiver.push_attributes`. Raises BundleError, ProfileError, DeviceError, AnalyzerMissing
        (all ValueError), each saying what to do.
        """
        if not isinstance(bundle, Bundle):
            bundle = Bundle.load(bundle)
        settings = settings or EngineSettings()
        engine = ReactionEngine(bundle, settings, profile_folders)
        robots = {"robot_a": GENERIC} if robots is None else robots
        if not isinstance(robots, Mapping):
            raise ValueError(f"robots must map names to profiles, as in {{'robot_a': '{GENERIC}'}}")
        for robot, profile in robots.items():
            engine.add_robot(robot, profile)
        perceiver = Perceiver(
            bundle,
            device=settings.device,
            threads=settings.threads,
            crop=crop,
            analyzer=_opened(analyzer, bundle) if isinstance(analyzer, str) else analyzer,
        )
        return cls(perceiver, engine)

    @property
    def counters(self) -> Counter[str]:
        """What was dropped, late, missing or restarted so far, by name."""
        return Counter(self.perceiver.counters) + Counter(self.engine.counters)

    def set_profile(self, robot: str, profile: str) -> None:
        """Fade a robot to a profile or a blend, `alice:0.5+stoic:0.5`. Raises ProfileError."""
        self.engine.set_profile(robot, profile)

    def set_beta(self, robot: str, beta: float | None) -> None:
        """Fade a robot to another weight of its pattern, None for the settings' own.

        Generic reactions and control conditions have no pattern. Raises ValueError.
        """
        self.engine.set_beta(robot, beta)

    def push(
        self,
        image: np.ndarray | None = None,
        stamp_ns: int | None = None,
        audio: np.ndarray | None = None,
        audio_stamp_ns: int | None = None,
        sample_rate: int | None = None,
    ) -> list[Reaction]:
        """Take a camera frame, a piece of sound or both; returns the reactions that are now due.

        `image` is RGB uint8 (H, W, 3) with its `stamp_ns`, kept until its frame is due: hand over a
        copy of a buffer that you fill again. `audio` is float32 (n,) or (n, channels)
        in [-1, 1] at `sample_rate` Hz, `audio_stamp_ns` the time of its first sample (default: the
        image's). Raises ValueError naming the argument that is missing or malformed.
        """
        if image is not None and stamp_ns is None:
            raise ValueError("push: an image needs stamp_ns, its time in nanoseconds")
        if audio is not None and sample_rate is None:
            raise ValueError("push: audio needs sample_rate, in Hz")
        audio_stamp_ns = stamp_ns if audio_stamp_ns is None else audio_stamp_ns
        if audio is not None and audio_stamp_ns is None:
            raise ValueError("push: audio needs audio_stamp_ns, the time of its first sample")
        if image is not None and stamp_ns is not None:
            self.perceiver.push_image(image, stamp_ns)
        if audio is not None and audio_stamp_ns is not None and sample_rate is not None:
            self.perceiver.push_audio(audio, audio_stamp_ns, sample_rate)
        return self.engine.push(self.perceiver.take())

    def advance(self, now_ns: int) -> list[Reaction]:
        """Live: let frames that have waited too long for camera or microphone go without it."""
        self.perceiver.advance(now_ns)
        return self.engine.push(self.perceiver.take())

    def finish(self) -> list[Reaction]:
        """The end of a recording: answer everything that is still waiting."""
        self.perceiver.finish()
        return self.engine.push(self.perceiver.take()) + self.engine.finish()

    def reset(self) -> None:
        """Begin anew; faces go on from what they last showed."""
        self.perceiver.reset()
        self.engine.reset()


def _opened(name: str, bundle: Bundle) -> FaceAnalyzer | None:
    """The analyzer of that name, which looks at pictures. Raises AnalyzerMissing, ValueError."""
    chosen = chosen_analyzer(name, bundle.config.visual_input)
    if chosen == HRI:
        raise ValueError("the analyzer hri is ROS4HRI's, which only nodes hear: give landmarks")
    if chosen == LANDMARKS:
        from perreactor_model.face_analysis.analyzer import open_analyzer

        return open_analyzer(chosen)
    if bundle.config.visual_input == "facial_attributes":
        _log.warning(
            "%s sees facial attributes, and nobody measures them in camera frames: push them with "
            "perceiver.push_attributes, or install mediapipe (requirements/analyzer.txt)",
            bundle.model_id,
        )
    return None
