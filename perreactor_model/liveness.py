"""Is a face alive? Measures of movement that need no truth, for networks trained or not.

A face is the row of its 25 attributes, which share a scale of 0..1 or -1..1 in every bundle; the
distance of two faces is the Euclidean one. Three questions are answered: does it move without
jumps, do two profiles differ by more than chance, does it depend on the speaker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_RATE
from perreactor_model.media.video import PictureFrame, SoundBlock, probe, read_media
from perreactor_model.streaming.frames import Reaction
from perreactor_model.streaming.reactor import Reactor

BLOCK_SECONDS = 5.0
"""Length over which faces are averaged to see how much the same two differ now and then."""

JUMP_LIMIT = 8.0
"""Times the typical step, for faces that hardly move."""

LEAST_JUMP = 0.25
"""A face that moves sets in gradually, however quickly: of 40 simulated listeners (28 s each) no
step exceeded both its neighbours by more than 0.19, though some were 95 times the typical step. One
that is put somewhere else at once does.
"""

MOTION_FLOOR = 1e-4
"""Typical step below which a face stands still."""

PROFILE_LIMIT = 2.0
"""Times what chance gives by which two profiles must lie apart: of 180 pairs of simulated listeners
to the same speaker (22 s) 98 % do, of 120 pairs of performances by the same one 18 %.
"""

SPEAKER_LIMIT = 0.1
"""Share of its own movement by which a face must differ once the speaker is another one."""


@dataclass(frozen=True)
class Motion:
    """Steps from one frame to the next of one face: distances, no unit."""

    typical: float
    """The median step."""
    abrupt: float
    """The most by which a step exceeds those before and after it."""

    @property
    def limit(self) -> float:
        """Of `abrupt`, from which on it is a jump."""
        return max(LEAST_JUMP, JUMP_LIMIT * self.typical)

    @property
    def passed(self) -> bool:
        """It moves, and without jumps."""
        return self.typical > MOTION_FLOOR and self.abrupt < self.limit


@dataclass(frozen=True)
class Contrast:
    """A distance between faces against what there is without a difference."""

    distance: float
    own: float
    limit: float

    @property
    def ratio(self) -> float:
        """The distance as a multiple of that."""
        return self.distance / self.own if self.own > 0 else np.inf

    @property
    def passed(self) -> bool:
        """The distance is above `limit` times that."""
        return self.distance > MOTION_FLOOR and self.ratio > self.limit


def motion(attributes: np.ndarray, frames: np.ndarray) -> Motion | None:
    """Movement of a face: `attributes` (T, 25) at frame numbers `frames` (T,).

    Only neighbouring frames are compared, so what was never published is no jump. None where there
    are fewer than two seconds of them.
    """
    neighbours = np.diff(frames) == 1
    if neighbours.sum() < 2 * FRAME_RATE:
        return None
    steps = np.linalg.norm(np.diff(attributes, axis=0), axis=1)
    # What is beside a gap is not known to be quiet or not, and counts as no movement.
    steps = np.where(neighbours, steps, 0.0)
    around = np.pad(steps, 1)
    abrupt = steps - np.maximum(around[:-2], around[2:])
    return Motion(float(np.median(steps[neighbours])), float(abrupt.max()))


def profile_contrast(one: np.ndarray, other: np.ndarray) -> Contrast | None:
    """How far two profiles' faces, (T, 25) each and of the same time, lie apart.

    The distance is that of the two mean faces. Beside it, what chance gives: the standard error of
    their difference, from means over blocks of 5 s. What both do because of the speaker cancels
    out. None where there are fewer than two blocks.
    """
    block = round(BLOCK_SECONDS * FRAME_RATE)
    count = min(len(one), len(other)) // block
    if count < 2:
        return None
    apart = (one[: count * block].astype(np.float64) - other[: count * block]).reshape(
        count, block, -1
    )
    each = apart.mean(axis=1)
    chance = _rms(each - each.mean(axis=0)) / np.sqrt(count - 1)
    return Contrast(float(np.linalg.norm(each.mean(axis=0))), float(chance), PROFILE_LIMIT)


def speaker_contrast(one: np.ndarray, other: np.ndarray) -> Contrast | None:
    """How far reactions to two speakers, (T, 25) each, lie apart frame by frame.

    Both must come from the same robot, profile and seed: then the noise is the same, and the same
    speaker would give a distance of 0 exactly. The distance and the face's own movement around its
    mean are root mean squares over time. None where there are less than two seconds.
    """
    length = min(len(one), len(other))
    if length < 2 * FRAME_RATE:
        return None
    one, other = one[:length], other[:length]
    own = max(_rms(one - one.mean(axis=0)), _rms(other - other.mean(axis=0)))
    return Contrast(_rms(one - other), own, SPEAKER_LIMIT)


def reactions_to_video(
    bundle: Bundle | str | Path, video: str | Path, robots: Mapping[str, str], seconds: float
) -> dict[str, np.ndarray]:
    """Attributes (T, 25) of each robot's reaction to the first `seconds` of a video.

    Needs no ROS and no live time. Raises VideoError, BundleError or ProfileError.
    """
    reactor = Reactor.load(bundle, robots=robots)
    silent = not probe(video).has_sound
    reactions: list[Reaction] = []
    for item in read_media(video):
        if item.stamp_ns > seconds * 1e9:
            break
        if isinstance(item, PictureFrame):
            reactions += reactor.push(image=item.image, stamp_ns=item.stamp_ns)
        else:
            assert isinstance(item, SoundBlock)
            sound = (item.samples, item.stamp_ns, item.rate)
            reactions += reactor.push(audio=sound[0], audio_stamp_ns=sound[1], sample_rate=sound[2])
        if silent:
            reactions += reactor.advance(item.stamp_ns)  # nobody waits for a voice
    reactions += reactor.finish()
    rows = {robot: [r.attributes for r in reactions if r.robot == robot] for robot in robots}
    return {robot: np.array(values, np.float32) for robot, values in rows.items()}


def _rms(differences: np.ndarray) -> float:
    """Root mean square over rows of their length."""
    return float(np.sqrt((differences.astype(np.float64) ** 2).sum(axis=1).mean()))
