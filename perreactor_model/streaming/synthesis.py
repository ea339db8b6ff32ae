"""From N(mu_t, sigma_t) to faces: latents, one batched call a decoder, the mix of sources.

z_t = mu_t + sigma_t * eps_t for GAG's decoder (Eq. 5), + beta * pattern for PAG's (Eq. 7): beta has
no say in generic reactions.

With the `aligned` decoder a robot's lane runs for ever. The `paper` decoder walks along positions
of a block of W frames: at W the next block starts in a lane of its own, and the two are
cross-faded over `blend_frames`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.networks.config import ModelConfig
from perreactor_model.streaming.controls import Control
from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE, Mix
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_model.streaming.lanes import DecoderLanes, RobotKey
from perreactor_model.streaming.presence import smooth_step
from perreactor_model.streaming.robots import Face, RobotState
from perreactor_model.streaming.window import AttentionCache

if TYPE_CHECKING:
    import onnxruntime


class Synthesis:
    """All decoders of a bundle, run for all robots."""

    def __init__(
        self,
        generic: onnxruntime.InferenceSession,
        personal: onnxruntime.InferenceSession,
        config: ModelConfig,
        blend_frames: int,
    ) -> None:
        self._window = config.window
        self._blocks = config.decoder == "paper"
        self._blend_frames = blend_frames
        slots = config.window + (blend_frames if self._blocks else 0)
        self._decoders = {
            GENERIC_SOURCE: DecoderLanes(generic, config, slots),
            PERSONAL_SOURCE: DecoderLanes(personal, config, slots),
        }
        self._origin = 0
        self._begun = False

    def clear(self) -> None:
        """Forget every past; the next frame begins a block."""
        self._begun = False
        for lanes in self._decoders.values():
            lanes.clear()

    def react(
        self,
        robots: Mapping[RobotKey, RobotState],
        frames: Sequence[SpeakerFrame],
        mean: np.ndarray,
        deviation: np.ndarray,
        memory: Mapping[str, AttentionCache],
    ) -> dict[RobotKey, list[Face]]:
        """Faces of every robot for T new frames.

        `mean` and `deviation` (T, d) are the frames' distributions; `memory` holds the speaker's
        keys and values for each decoder, the new frames included.
        """
        numbers = [frame.index for frame in frames]
        if not self._begun:
            self._begun, self._origin = True, numbers[0]
        mixes = {key: [state.fade.at(n) for n in numbers] for key, state in robots.items()}
        noise = {
            key: np.stack([state.noise.at(n) for n in numbers])
            for key, state in robots.items()
            if any(_needs_network(mix) for mix in mixes[key])
        }
        step = _Step(np.array(numbers, np.int64), mixes, noise, mean, deviation)
        sums = {key: _WeightedFaces(len(frames)) for key in robots}
        for part in self._parts(step.numbers):
            for source, lanes in self._decoders.items():
                self._run(source, lanes, step.part(part), part.start, memory[source], sums)
        for key in robots:
            _add_controls(sums[key], frames, mixes[key])
        return {key: weighted.faces() for key, weighted in sums.items()}

    def _parts(self, numbers: np.ndarray) -> list[slice]:
        """Runs of frames with the same lanes: cut where a block begins and where its blend ends."""
        if not self._blocks:
            return [slice(0, len(numbers))]
        block, position = np.divmod(numbers - self._origin, self._window)
        phase = block * 2 + (position >= self._blend_frames)
        cuts = [0, *(np.flatnonzero(np.diff(phase)) + 1).tolist(), len(numbers)]
        return [slice(first, last) for first, last in zip(cuts[:-1], cuts[1:], strict=True)]

    def _run(
        self,
        source: str,
        lanes: DecoderLanes,
        step: _Step,
        first: int,
        memory: AttentionCache,
        sums: Mapping[RobotKey, _WeightedFaces],
    ) -> None:
        """Decode one run of frames in all lanes of one decoder and add up what comes out."""
        users = [key for key in step.mixes if step.weights(key, source).any()]
        shares = self._block_shares(step.numbers)
        lanes.keep([(key, block) for key in users for block in shares])
        if not lanes.keys:
            return
        latents = {key: self._latent(source, step, key) for key in users}
        begun = [self._origin + block * self._window for _, block in lanes.keys]
        coefficients, attributes = lanes.decode(
            step.numbers,
            np.stack([latents[key] for key, _ in lanes.keys]),
            step.numbers - np.array(begun)[:, None],
            memory,
        )
        for row, (key, block) in enumerate(lanes.keys):
            weights = shares[block] * step.weights(key, source)
            sums[key].add(first, weights, attributes[row], coefficients[row])

    def _block_shares(self, numbers: np.ndarray) -> dict[int, np.ndarray]:
        """The blocks that a run of frames is decoded in, with each one's weight per frame (T,)."""
        if not self._blocks:
            return {0: np.ones(len(numbers))}
        block = int(numbers[0] - self._origin) // self._window
        position = (numbers - self._origin) % self._window
        if block == 0 or position[0] >= self._blend_frames:
            return {block: np.ones(len(numbers))}
        share = np.array([smooth_step((p + 1) / (self._blend_frames + 1)) for p in position])
        return {block - 1: 1.0 - share, block: share}

    def _latent(self, source: str, step: _Step, key: RobotKey) -> np.ndarray:
        """z of one robot for a run of frames, float32 (T, d)."""
        latent = step.mean + step.deviation * step.noise[key]
        if source == PERSONAL_SOURCE:
            for order, mix in enumerate(step.mixes[key]):
                if mix.pattern is not None:
                    latent[order] += np.float32(mix.beta) * mix.pattern
        return latent


@dataclass(frozen=True)
class _Step:
    """T new frames: their numbers (T,), and what a latent is made of, robot by robot."""

    numbers: np.ndarray
    mixes: Mapping[RobotKey, list[Mix]]
    noise: Mapping[RobotKey, np.ndarray]
    mean: np.ndarray
    deviation: np.ndarray

    def part(self, part: slice) -> _Step:
        return _Step(
            self.numbers[part],
            {key: mixes[part] for key, mixes in self.mixes.items()},
            {key: noise[part] for key, noise in self.noise.items()},
            self.mean[part],
            self.deviation[part],
        )

    def weights(self, key: RobotKey, source: str) -> np.ndarray:
        """How much of a source a robot shows, per frame (T,)."""
        return np.array([mix.weights.get(source, 0.0) for mix in self.mixes[key]])


class _WeightedFaces:
    """A weighted sum of faces, frame by frame."""

    def __init__(self, count: int) -> None:
        self._faces: list[Face | None] = [None] * count

    def add(
        self, first: int, weights: np.ndarray, attributes: np.ndarray, coefficients: np.ndarray
    ) -> None:
        for order, weight in enumerate(weights):
            self.add_one(first + order, float(weight), attributes[order], coefficients[order])

    def add_one(
        self, order: int, weight: float, attributes: np.ndarray, coefficients: np.ndarray
    ) -> None:
        if weight == 0.0:
            return
        if weight != 1.0:
            attributes = attributes * np.float32(weight)
            coefficients = coefficients * np.float32(weight)
        face = self._faces[order]
        if face is not None:
            attributes = face.attributes + attributes
            coefficients = face.coefficients + coefficients
        self._faces[order] = Face(attributes, coefficients)

    def faces(self) -> list[Face]:
        assert all(face is not None for face in self._faces), "a frame with no source"
        return [face for face in self._faces if face is not None]


def _needs_network(mix: Mix) -> bool:
    return any(mix.weights.get(source, 0.0) > 0.0 for source in (GENERIC_SOURCE, PERSONAL_SOURCE))


def _add_controls(
    weighted: _WeightedFaces, frames: Sequence[SpeakerFrame], mixes: list[Mix]
) -> None:
    for order, (frame, mix) in enumerate(zip(frames, mixes, strict=True)):
        for source, weight in mix.weights.items():
            if isinstance(source, Control) and weight > 0.0:
                attributes, coefficients = source.at(frame)
                weighted.add_one(order, weight, attributes, coefficients)
