"""The state of one robot in the engine: who it is, its noise, and what it last showed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import COEFFICIENT_COUNT, neutral_attributes
from perreactor_model.streaming.choice import Choice
from perreactor_model.streaming.controls import Control, make_control
from perreactor_model.streaming.fade import (
    GENERIC_SOURCE,
    PERSONAL_SOURCE,
    Mix,
    ProfileFade,
    Source,
)
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
        choice: Choice,
        beta: float,
        noise: LatentNoise | HeldNoise,
        make: ControlMaker,
        fade_seconds: float,
        fade_frames: float,
        blend_frames: int,
    ) -> None:
        self.robot = robot
        self.sample = sample
        self.noise = noise
        self.enabled = True
        self._choice = choice
        self._beta = beta
        self._make = make
        self._blend_frames = blend_frames
        self._enable_ramp = Ramp(1.0, fade_seconds, fade_seconds)
        self._seam_from: Face | None = None
        self._seam_frame = 0
        self._shown: Face | None = None
        self.reacted = NEUTRAL_FACE
        self.fade = ProfileFade(self._mix(), fade_frames)

    @property
    def silent(self) -> bool:
        """True when the robot is disabled and its face has come to rest: nothing is to be said."""
        return not self.enabled and self._enable_ramp.gain == 0.0

    @property
    def profile(self) -> str:
        """The profile that was set last."""
        return self._choice.name

    def set_profile(self, choice: Choice) -> None:
        """Begin to fade to another profile."""
        self._choice = choice
        self.fade.change(self._mix())

    def set_beta(self, beta: float) -> None:
        """Begin to fade to another weight of the pattern."""
        if beta != self._beta:
            self._beta = beta
            self.fade.change(self._mix())

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

    def _mix(self) -> Mix:
        choice = self._choice
        weights: dict[Source, float] = {
            name
            if name in (GENERIC_SOURCE, PERSONAL_SOURCE)
            else self._make(name, choice.recording): weight
            for name, weight in choice.weights.items()
        }
        return Mix(weights, choice.pattern, self._beta)


ControlMaker = Callable[[str, np.ndarray | None], Control]
"""Makes a robot's control condition of this name; the array is what `replay:<file>` plays."""


def control_maker(seed: int, robot: str, sample: int) -> ControlMaker:
    """A function that makes this robot's control conditions by name."""
    return lambda name, recording: make_control(name, seed, robot, sample, recording)
