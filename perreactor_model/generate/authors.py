"""Reactions of networks imported from the PerReactor authors' checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from perreactor_model.contract import COEFFICIENT_COUNT
from perreactor_model.generate.devices import exactly, torch_device
from perreactor_model.generate.inputs import GenerationInput, InputError
from perreactor_model.generate.options import GenerationOptions, offline_noise, stream_noise
from perreactor_model.networks.authors.checkpoint import (
    AuthorsCheckpointError,
    load_authors_checkpoint,
    tensors_of_network,
)
from perreactor_model.networks.authors.encoder import SMALLEST_IMAGE
from perreactor_model.networks.authors.network import AuthorsNetwork
from perreactor_model.networks.authors.sizes import DEFAULT_BETA, HISTORY_FRAMES
from perreactor_model.streaming.presence import smooth_step

STREAM_WINDOW = 256
"""Frames in view by default: as many as these networks were trained on."""

BLEND_FRAMES = 8

_SCORES_AT_ONCE = 2**24
"""Attention scores a head that one decoder call may hold (64 MiB of them)."""

_log = logging.getLogger(__name__)


class AuthorsGenerator:
    """Stage 1 for generic reactions, PAG for personal ones; either may be absent.

    Both share encoder and distribution: stage 2 of their training freezes them. Files in which
    these differ do not belong together, and the distribution that `mu` and `sigma` report would be
    that of one of them only, so they are refused.
    """

    def __init__(self, generic: AuthorsNetwork | None, personal: AuthorsNetwork | None) -> None:
        network = generic or personal
        assert network is not None, "no network given"
        self.generic = generic
        self.personal = personal
        self.shared = network
        self.feature_size = network.sizes.feature_size
        kinds = [name for name, net in (("stage 1", generic), ("PAG", personal)) if net]
        self.source = f"authors' checkpoint ({' and '.join(kinds)})"

    @classmethod
    def load(
        cls, checkpoint: Path, generic_checkpoint: Path | None, options: GenerationOptions
    ) -> AuthorsGenerator:
        """Read one or two files. Raises AuthorsCheckpointError, OSError."""
        first = load_authors_checkpoint(checkpoint, options.integration)
        if first.pattern is None:
            if generic_checkpoint is not None:
                raise AuthorsCheckpointError(
                    f"{checkpoint} is a stage-1 file already: give a PAG file as the checkpoint "
                    "beside a generic checkpoint"
                )
            return cls(first, None)._on(options.device)
        if generic_checkpoint is None:
            return cls(None, first)._on(options.device)
        generic = load_authors_checkpoint(generic_checkpoint)
        if generic.pattern is not None:
            raise AuthorsCheckpointError(
                f"{generic_checkpoint} is a PAG file: generic reactions come from a stage-1 file"
            )
        _refuse_strangers(generic, first)
        return cls(generic, first)._on(options.device)

    def offline(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. The noise is given back as `noise` where it was drawn here."""
        results = self._patterns(given)
        if not self._has_speaker(given):
            return results
        samples = given.samples(options.samples)
        noise = offline_noise(given, options, samples, self.feature_size)
        with exactly():
            clips = options.track(range(given.clips), given.clips, "clip")
            encoded = torch.stack([self._encode(given, clip) for clip in clips])
            mean, deviation = self.shared.distribution(encoded)
            repeated = [part.repeat_interleave(samples, 0) for part in (mean, deviation)]
            latent = repeated[0] + repeated[1] * self._tensor(noise)
            results |= {"encoded": _array(encoded), "mu": _array(mean), "sigma": _array(deviation)}
            for kind, network, pattern in self._decoders(results):
                rows = None if pattern is None else pattern.repeat_interleave(samples, 0)
                beta = self._beta(given, options)
                coefficients, attributes = _decode(network, latent, given.frames, rows, beta)
                results[f"{kind}_3dmm"] = _array(coefficients)
                results[f"{kind}_attributes"] = _array(attributes)
        if given.noise is None:
            results["noise"] = noise
        return results

    def stream(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. The whole window is encoded again for each frame: seconds a frame.

        Their normalisation over the clip allows no less. Frame t is at position t mod W of a block
        of W frames, which is decoded with the latent of frame t. Where a block follows another, the
        other goes on for 8 frames and the two are cross-faded.
        """
        results = self._patterns(given)
        if not self._has_speaker(given):
            return results
        samples = given.samples(options.samples)
        window = options.window or STREAM_WINDOW
        beta = self._beta(given, options)
        size, shape = self.feature_size, (given.clips, given.frames)
        results |= {name: np.empty((*shape, size), np.float32) for name in _SPEAKER_RESULTS}
        faces = {
            kind: torch.empty(given.clips * samples, given.frames, _FACE, device=self._device)
            for kind, _, _ in self._decoders(results)
        }
        steps = [(clip, frame) for clip in range(given.clips) for frame in range(given.frames)]
        _log.info("encoding a window of up to %d frames %d times", window, len(steps))
        noise = [
            [stream_noise(given, options, samples, size, clip, m) for m in range(samples)]
            for clip in range(given.clips)
        ]
        with exactly():
            for clip, frame in options.track(steps, len(steps), "frame"):
                seen = slice(max(0, frame - window + 1), frame + 1)
                encoded = self._encode(given, clip, seen)
                mean, deviation = self.shared.distribution(encoded[None])
                now = (encoded[-1], mean[0], deviation[0])
                for name, value in zip(_SPEAKER_RESULTS, now, strict=True):
                    results[name][clip, frame] = _array(value)
                eps = np.stack([one.at(frame) for one in noise[clip]])
                latent = mean + deviation * self._tensor(eps)
                rows = slice(clip * samples, (clip + 1) * samples)
                for kind, network, pattern in self._decoders(results):
                    own = None if pattern is None else pattern[clip].expand(samples, -1)
                    faces[kind][rows, frame] = _block_face(
                        network, latent, frame, window, own, beta
                    )
        for kind, face in faces.items():
            results[f"{kind}_3dmm"] = _array(face[..., :COEFFICIENT_COUNT])
            results[f"{kind}_attributes"] = _array(face[..., COEFFICIENT_COUNT:])
        return results

    @property
    def _device(self) -> torch.device:
        return self.shared.distribution.mean_token.device

    def _on(self, device: str) -> AuthorsGenerator:
        for network in (self.generic, self.personal):
            if network is not None:
                network.to(torch_device(device))
        return self

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _has_speaker(self, given: GenerationInput) -> bool:
        """Whether there is a speaker to react to; half a speaker is an error."""
        if given.speaker_video is None and given.speaker_audio is None:
            if self.personal is None or given.listener_history is None:
                given.require("speaker_video", "these networks see the speaker's face")
            return False
        video = given.require("speaker_video", "these networks see the speaker's face")
        audio = given.require("speaker_audio", "these networks hear the speaker's voice")
        if np.isnan(audio).any():
            raise InputError("'speaker_audio' holds NaN: these networks know no absent voice")
        if min(video.shape[3:]) < SMALLEST_IMAGE:
            raise InputError(
                f"'speaker_video' has images of {video.shape[3]}x{video.shape[4]} pixels: expected "
                f"at least {SMALLEST_IMAGE} a side"
            )
        return True

    def _encode(self, given: GenerationInput, clip: int, frames: slice = slice(None)) -> Tensor:
        assert given.speaker_video is not None and given.speaker_audio is not None
        video = self._tensor(given.speaker_video[clip, frames])
        audio = self._tensor(given.speaker_audio[clip, frames])
        tokens: Tensor = self.shared.encoder(video[None], audio[None])[0]
        return tokens

    def _patterns(self, given: GenerationInput) -> dict[str, np.ndarray]:
        history = given.listener_history
        if self.personal is None or self.personal.pattern is None or history is None:
            return {}
        behaviour = self.personal.pattern.behaviour[0]
        assert isinstance(behaviour, torch.nn.Linear)
        width = behaviour.in_features
        if history.shape[1] < HISTORY_FRAMES or history.shape[2] != width:
            raise InputError(
                f"'listener_history' has shape {history.shape}: expected (clips, {HISTORY_FRAMES} "
                f"or more frames, {width}); of more frames the first {HISTORY_FRAMES} count"
            )
        with exactly():
            return {"pattern": _array(self.personal.pattern(self._tensor(history)))}

    def _decoders(
        self, results: dict[str, np.ndarray]
    ) -> Iterator[tuple[str, AuthorsNetwork, Tensor | None]]:
        """Kind of reaction, its network, and patterns (N, d), of the reactions that can be had."""
        if self.generic is not None:
            yield "generic", self.generic, None
        if self.personal is not None and "pattern" in results:
            yield "personal", self.personal, self._tensor(results["pattern"])

    @staticmethod
    def _beta(given: GenerationInput, options: GenerationOptions) -> float:
        if options.beta is not None:
            return options.beta
        return DEFAULT_BETA if given.beta is None else given.beta


_SPEAKER_RESULTS = ("encoded", "mu", "sigma")

_FACE = COEFFICIENT_COUNT + 25


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.cpu().numpy()
    return array


def _decode(
    network: AuthorsNetwork, latent: Tensor, frames: int, pattern: Tensor | None, beta: float
) -> tuple[Tensor, Tensor]:
    """Decode rows in portions that keep attention scores within memory."""
    rows = max(1, _SCORES_AT_ONCE // frames**2)
    parts = [
        network.react(
            latent[first : first + rows],
            frames,
            None if pattern is None else pattern[first : first + rows],
            beta,
        )
        for first in range(0, len(latent), rows)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _block_face(
    network: AuthorsNetwork,
    latent: Tensor,
    frame: int,
    window: int,
    pattern: Tensor | None,
    beta: float,
) -> Tensor:
    """Frame `frame` of the streamed reactions (M, 58 + 25)."""
    blend = min(BLEND_FRAMES, window)
    block, position = divmod(frame, window)

    def at(place: int, length: int) -> Tensor:
        decoded = _decode(network, latent, length, pattern, beta)
        return torch.cat([part[:, place] for part in decoded], dim=-1)

    face = at(position, window)
    if block == 0 or position >= blend:
        return face
    share = smooth_step((position + 1) / (blend + 1))
    return (1.0 - share) * at(window + position, window + blend) + share * face


def _refuse_strangers(generic: AuthorsNetwork, personal: AuthorsNetwork) -> None:
    theirs = tensors_of_network(personal)
    for name, tensor in tensors_of_network(generic).items():
        if not name.startswith(("speaker_behaviour_encoder.", "reaction_decoder.vae_model.")):
            continue
        if not torch.equal(tensor, theirs[f"general_branch.{name}"]):
            raise AuthorsCheckpointError(
                f"the two checkpoints do not belong together: '{name}' differs, but the second "
                "stage of training leaves encoder and distribution as they were in the first"
            )
