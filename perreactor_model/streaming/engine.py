"""The reaction engine: one speaker's tokens in, every robot's reaction out, 25 times a second.

Synchronous and deterministic: the same frames, bundle, settings, seed and profile give the same
bytes, in whatever portions the frames are pushed and whichever other robots listen along. Not
thread-safe; in the nodes one inference thread owns it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.contract import FRAME_NS, FRAME_RATE
from perreactor_model.profiles import GENERIC, ProfileStore
from perreactor_model.streaming.choice import Choice, choose
from perreactor_model.streaming.frames import Reaction, SpeakerFrame
from perreactor_model.streaming.noise import HeldNoise, LatentNoise
from perreactor_model.streaming.presence import SpeakerPresence
from perreactor_model.streaming.robots import Face, RobotState, control_maker
from perreactor_model.streaming.runtime import load_graph
from perreactor_model.streaming.speaker_side import SpeakerSide
from perreactor_model.streaming.synthesis import Synthesis

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

_SEAM_GAP = 3
"""Frames missing in a row from which the next reaction is blended with the last one shown."""


@dataclass(frozen=True)
class EngineSettings:
    """How an engine runs a bundle; checked once, here.

    `step` frames are answered in one call; `window` is the number of past frames in view, 0 for
    the bundle's own. Seconds are of frame time. `beta` weighs the pattern (Eq. 7) of robots that
    are given no beta of their own, None for the bundle's; generic reactions have no pattern.
    """

    device: str = "auto"
    threads: int = 2
    step: int = 1
    window: int = 0
    seed: int = 0
    beta: float | None = None
    noise_seconds: float = 8.0
    fade_seconds: float = 1.0
    blend_frames: int = 8
    loss_seconds: float = 0.5
    decay_seconds: float = 2.0
    recover_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("threads", "step", "window", "seed", "blend_frames"):
            if not isinstance(getattr(self, name), Integral):
                raise ValueError(f"{name} is {getattr(self, name)!r}: give a whole number")
        check_beta(self.beta)
        if not 1 <= self.step <= FRAME_RATE:
            raise ValueError(f"step is {self.step}: give 1 to {FRAME_RATE} frames")
        if self.window < 0:
            raise ValueError(f"window is {self.window}: give frames, or 0 for the bundle's own")
        if self.blend_frames < 0:
            raise ValueError(f"blend_frames is {self.blend_frames}: give 0 or more frames")
        for name in ("noise_seconds", "fade_seconds", "loss_seconds", "decay_seconds",
                     "recover_seconds"):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, Real) or not float(value) >= 0.0:
                raise ValueError(f"{name} is {value!r}: give 0 or more seconds")


def check_beta(beta: float | None) -> None:
    """Raise ValueError unless this can weigh a pattern."""
    if beta is not None and not (isinstance(beta, Real) and 0.0 <= float(beta) < np.inf):
        raise ValueError(f"beta is {beta!r}: give a finite number of 0 or more, or None")


class ReactionEngine:
    """Turns speaker frames into reactions of any number of robots."""

    def __init__(
        self,
        bundle: Bundle,
        settings: EngineSettings | None = None,
        profile_folders: Iterable[Path] = (),
    ) -> None:
        """Load the bundle's graphs. Raises DeviceError, and ValueError for a window too long."""
        self.settings = settings or EngineSettings()
        config = bundle.config
        if self.settings.window > config.window:
            raise ValueError(
                f"window is {self.settings.window}: the bundle's networks see at most "
                f"{config.window} frames"
            )
        if self.settings.window:
            config = replace(config, window=self.settings.window)
        self.window = config.window
        self.model_id = bundle.model_id
        self.profiles = ProfileStore(bundle, profile_folders)
        self.counters: Counter[str] = Counter()
        self.epoch = 0
        self._feature_size = config.feature_size
        self._robots: dict[tuple[str, int], RobotState] = {}
        self._pending: list[SpeakerFrame] = []
        self._last: SpeakerFrame | None = None
        self._fresh = True
        self._idle_frames = 0
        self._presence = self._new_presence()
        device, threads = self.settings.device, self.settings.threads
        distribution = load_graph(bundle, "distribution", device, threads)
        self.provider = distribution.get_providers()[0]
        self._speaker = SpeakerSide(distribution, config, self.settings.step)
        self._beta = config.beta if self.settings.beta is None else self.settings.beta
        self._synthesis = Synthesis(
            load_graph(bundle, "decoder_generic", device, threads),
            load_graph(bundle, "decoder_personal", device, threads),
            config,
            self.settings.blend_frames,
        )

    # --- Robots --------------------------------------------------------------------------------

    @property
    def robots(self) -> list[str]:
        """Names of the robots that listen, in the order they came."""
        return list(dict.fromkeys(robot for robot, _ in self._robots))

    def known_profiles(self) -> list[str]:
        """Every name that `set_profile` accepts at this moment (and `replay:<file>`)."""
        return self.profiles.names()

    def add_robot(
        self,
        robot: str,
        profile: str | Choice = GENERIC,
        sample: int = 0,
        noise: np.ndarray | None = None,
        beta: float | None = None,
    ) -> None:
        """Let a robot listen. It starts with an empty past of its own and sees the speaker's.

        `profile` is a name, a blend, or one read already. `sample` tells several reactions of the
        same robot apart. `noise` (feature_size,) holds eps instead of drawing it. `beta` as in
        `set_beta`. Raises ProfileError, and ValueError if the robot listens already.
        """
        if (robot, sample) in self._robots:
            raise ValueError(f"robot '{robot}' (sample {sample}) listens already")
        settings = self.settings
        self._robots[robot, sample] = RobotState(
            robot,
            sample,
            self._choice(profile),
            self._beta_of(beta),
            LatentNoise(self._feature_size, settings.noise_seconds, settings.seed, robot, sample)
            if noise is None
            else HeldNoise(noise),
            control_maker(settings.seed, robot, sample),
            settings.fade_seconds,
            settings.fade_seconds * FRAME_RATE,
            settings.blend_frames,
        )

    def remove_robot(self, robot: str) -> None:
        """Forget a robot with all its samples. Raises ValueError if it does not listen."""
        for key in self._samples_of(robot):
            del self._robots[key]

    def set_profile(self, robot: str, profile: str | Choice) -> None:
        """Fade a robot to another profile: a name, a blend, or one that `choose` has read.

        Only a name makes the engine read files. Raises ProfileError, and ValueError for an unknown
        robot; nothing changes then.
        """
        choice = self._choice(profile)
        for key in self._samples_of(robot):
            self._robots[key].set_profile(choice)

    def set_beta(self, robot: str, beta: float | None) -> None:
        """Fade a robot to another weight of its pattern (Eq. 7), None for the settings' own.

        0 leaves PAG's decoder without a pattern; generic reactions and control conditions have
        none, and stay as they are. Raises ValueError.
        """
        weight = self._beta_of(beta)
        for key in self._samples_of(robot):
            self._robots[key].set_beta(weight)

    def set_enabled(self, robot: str, enabled: bool) -> None:
        """Let a robot's face go to rest and fall silent, or wake it again. Raises ValueError."""
        for key in self._samples_of(robot):
            self._robots[key].enabled = enabled

    def _choice(self, profile: str | Choice) -> Choice:
        return choose(self.profiles, profile) if isinstance(profile, str) else profile

    def _beta_of(self, beta: float | None) -> float:
        check_beta(beta)
        return float(self._beta if beta is None else beta)

    def _samples_of(self, robot: str) -> list[tuple[str, int]]:
        keys = [key for key in self._robots if key[0] == robot]
        if not keys:
            known = ", ".join(self.robots) or "none"
            raise ValueError(f"no robot '{robot}' listens; listening: {known}")
        return keys

    # --- Frames --------------------------------------------------------------------------------

    @property
    def speaker_lost(self) -> bool:
        """True while there is neither face nor voice and faces are at rest or on the way to it."""
        return self._presence.lost

    def reset(self) -> None:
        """Forget the past (a new epoch). Faces go on from what they last showed."""
        self.counters["restarts"] += 1
        self.counters["dropped_frames"] += len(self._pending)
        self.epoch += 1
        self._pending.clear()
        self._fresh = True
        self._speaker.clear()
        self._synthesis.clear()
        self._presence.forget()
        for state in self._robots.values():
            state.begin_seam()

    def push(self, frames: Sequence[SpeakerFrame]) -> list[Reaction]:
        """Answer these frames: one reaction a frame and robot, in order of frames.

        With a step above 1, frames wait until `step` of them are there. A frame that was answered
        already is dropped; a new epoch of the speaker, or frames that begin again, start afresh.
        Raises ValueError for a token of the wrong shape, naming it.
        """
        reactions: list[Reaction] = []
        for frame in frames:
            if self._accept(frame):
                self._pending.append(frame)
                if len(self._pending) >= self.settings.step:
                    reactions += self._answer()
        return reactions

    def finish(self) -> list[Reaction]:
        """Answer the frames that still wait for a full step."""
        return self._answer() if self._pending else []

    def idle(self) -> list[Reaction]:
        """One frame without word from perception: faces go on towards rest, no network runs.

        The stamp goes on from the last frame's by 40 ms a call, also after `reset`. Nothing before
        the first frame.
        """
        if self._last is None:
            return []
        self._idle_frames += 1
        self._presence.update(False, False)
        index = self._last.index + self._idle_frames
        stamp = self._last.stamp_ns + self._idle_frames * FRAME_NS
        return [
            self._react(state, state.reacted, index, stamp)
            for state in self._robots.values()
            if not state.silent
        ]

    def _accept(self, frame: SpeakerFrame) -> bool:
        """Whether this frame is to be answered; restarts where the flow of frames began anew."""
        if frame.token is None or frame.token.shape != (self._feature_size,):
            shape = None if frame.token is None else frame.token.shape
            raise ValueError(
                f"frame {frame.index}: token of shape {shape}, this bundle's have "
                f"({self._feature_size},): perception and reactor must load the same bundle"
            )
        if not np.isfinite(frame.token).all():
            self.counters["bad_tokens"] += 1
            return False
        last = self._pending[-1] if self._pending else self._last
        if last is None or self._fresh:
            self._fresh, self._idle_frames = False, 0
            return True
        if frame.epoch != last.epoch or not _on_same_grid(frame, last):
            self.reset()
            self._fresh = False
        elif frame.index <= last.index:
            self.counters["late_frames"] += 1
            return False
        else:
            gap = frame.index - last.index - 1
            self.counters["missing_frames"] += gap
            if gap >= _SEAM_GAP or self._idle_frames:
                self._begin_seams()
        self._idle_frames = 0
        return True

    def _begin_seams(self) -> None:
        for state in self._robots.values():
            state.begin_seam()

    def _answer(self) -> list[Reaction]:
        frames, self._pending = self._pending, []
        self._last = frames[-1]
        self.counters["frames"] += len(frames)
        self.counters["steps"] += 1
        numbers = np.array([frame.index for frame in frames], np.int64)
        tokens = np.array([frame.token for frame in frames], np.float32)
        mean, deviation = self._speaker.step(numbers, tokens)
        states = {key: state for key, state in self._robots.items() if not state.silent}
        faces = self._synthesis.react(states, frames, mean, deviation, self._speaker.memory)
        reactions: list[Reaction] = []
        for order, frame in enumerate(frames):
            self._presence.update(frame.face_present, frame.voice_present)
            reactions += [
                self._react(state, faces[key][order], frame.index, frame.stamp_ns)
                for key, state in states.items()
            ]
        return reactions

    def _react(self, state: RobotState, face: Face, index: int, stamp_ns: int) -> Reaction:
        shown = state.show(face, self._presence.gain)
        return Reaction(
            robot=state.robot,
            sample=state.sample,
            profile=state.profile,
            index=index,
            epoch=self.epoch,
            stamp_ns=stamp_ns,
            attributes=shown.attributes,
            coefficients=shown.coefficients,
            confidence=self._presence.confidence,
        )

    def _new_presence(self) -> SpeakerPresence:
        settings = self.settings
        return SpeakerPresence(
            self.window, settings.loss_seconds, settings.decay_seconds, settings.recover_seconds
        )


def _on_same_grid(frame: SpeakerFrame, last: SpeakerFrame) -> bool:
    """Whether index and stamp agree with each other; they do not when perception began anew."""
    expected = (frame.index - last.index) * FRAME_NS
    return abs(frame.stamp_ns - last.stamp_ns - expected) < FRAME_RATE * FRAME_NS
