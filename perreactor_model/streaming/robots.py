"""The state of one robot in the engine: who it is, its noise, and what it last showed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import COEFFICIENT_COUNT, neutral_attributes
from perreactor_model.profiles import GENERIC, REPLAY_PREFIX, ProfileStore, control_names
from perreactor_model.streaming.controls import Control, make_control
from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE, Mix, ProfileFade
from perreactor_model.streaming.noise import HeldNoise, LatentNoise
from perreactor_model.streaming.presence import Ramp, smooth_step


@dataclass
class Face:
    """One frame of a face: attributes (25,) and coefficients (58,), float32."""

    attributes: np.ndarray
    coefficients: np.ndarray

    def towards(self, other: Face, share: float) -> Face:
        """The face at `share` (0..1) of the way to `other`; stays within the contract's ranges."""
        if share >= 1.0:
            return other
        share32 = np.float32(share)
        return Face(
            self.attributes + share32 * (other.attributes - self.attributes),
            self.coefficients + share32 * (other.coefficients - self.coefficients),
        )


NEUTRAL_FACE = Face(neutral_attributes(), np.zeros(COEFFICIENT_COUNT, np.float32))


class RobotState:
    """One sample of one robot's reaction.

    `seam` carries the last shown face over a discontinuity (a new epoch, a gap, the end of idling):
    the next `blend_frames` frames move from it to what the networks say.
    """

    def __init__(
        self,
        robot: str,
        sample: int,
        profile: str,
        store: ProfileStore,
        noise: LatentNoise | HeldNoise,
        make: Callable[[str], Control],
        fade_seconds: float,
        fade_frames: float,
        blend_frames: int,
    ) -> None:
        self.robot = robot
        self.sample = sample
        self.noise = noise
        self.enabled = True
        self._store = store
        self._make = make
        self._controls: dict[str, Control] = {}
        self._blend_frames = blend_frames
        self._enable_ramp = Ramp(1.0, fade_seconds, fade_seconds)
        self._seam_from: Face | None = None
        self._seam_frame = 0
        self._shown: Face | None = None
        self.reacted = NEUTRAL_FACE
        self.profile = profile
        self.fade = ProfileFade(self._mix_of(profile), fade_frames)

    @property
    def silent(self) -> bool:
        """True when the robot is disabled and its face has come to rest: nothing is to be said."""
        return not self.enabled and self._enable_ramp.gain == 0.0

    def set_profile(self, profile: str) -> None:
        """Begin to fade to another profile. Raises ProfileError and changes nothing if unknown."""
        self.fade.change(self._mix_of(profile))
        self.profile = profile

    def control(self, source: str) -> Control:
        """The control condition that is one of the sources of the mix."""
        return self._controls[source]

    def begin_seam(self) -> None:
        """Something broke the flow of frames: go on from the face that was shown last."""
        self._seam_from = self._shown
        self._seam_frame = 0

    def show(self, face: Face, gain: float) -> Face:
        """What is published for this frame: seams closed, then as far from neutral as `gain`."""
        self.reacted = face
        self._enable_ramp.move(up=self.enabled)
        shown = NEUTRAL_FACE.towards(face, gain * self._enable_ramp.gain)
        if self._seam_from is not None:
            self._seam_frame += 1
            share = smooth_step(self._seam_frame / (self._blend_frames + 1))
            shown = self._seam_from.towards(shown, share)
            if self._seam_frame >= self._blend_frames:
                self._seam_from = None
        self._shown = shown
        return shown

    def _mix_of(self, profile: str) -> Mix:
        if profile == GENERIC:
            return Mix({GENERIC_SOURCE: 1.0})
        if profile.startswith(REPLAY_PREFIX) or profile in control_names("facial_attributes"):
            self._store.check(profile)
            self._controls[profile] = self._make(profile)
            return Mix({profile: 1.0})
        return Mix({PERSONAL_SOURCE: 1.0}, self._store.get(profile).pattern)


def control_maker(seed: int, robot: str, sample: int) -> Callable[[str], Control]:
    """A function that makes this robot's control conditions by name."""
    return lambda name: make_control(name, seed, robot, sample)
