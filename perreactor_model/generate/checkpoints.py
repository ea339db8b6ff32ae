"""Reactions of our own networks from a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from perreactor_model.bundle.manifest import Bundle, BundleManifest, file_sha256, write_manifest
from perreactor_model.contract import COEFFICIENT_COUNT
from perreactor_model.generate.bundles import BundleGenerator
from perreactor_model.generate.devices import exactly, torch_device
from perreactor_model.generate.inputs import GenerationInput
from perreactor_model.generate.options import GenerationOptions, offline_noise
from perreactor_model.generate.present import (
    has_speaker,
    pattern_weight,
    usable_history,
    visual_of,
    voice_of,
)
from perreactor_model.networks.checkpoint import load_checkpoint
from perreactor_model.networks.export import export_graphs

_FRAMES_AT_ONCE = 64


class CheckpointGenerator:
    """Offline in torch; the stream, which is the engine's, by way of a passing bundle."""

    def __init__(self, checkpoint: Path, options: GenerationOptions) -> None:
        """Raises CheckpointError, OSError."""
        self._networks = load_checkpoint(checkpoint)
        self._device = torch_device(options.device)
        self.feature_size = self._networks.config.feature_size
        self.source = f"checkpoint {checkpoint}"

    def offline(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. The noise is given back as `noise` where it was drawn here."""
        networks, config = self._networks.to(self._device), self._networks.config
        results = {}
        with exactly():
            history = usable_history(given, config)
            pattern = None if history is None else networks.pattern(self._tensor(history))
            if pattern is not None:
                results["pattern"] = pattern
            if not has_speaker(given, config):
                return {name: tensor.cpu().numpy() for name, tensor in results.items()}
            samples = given.samples(options.samples)
            noise = self._tensor(offline_noise(given, options, samples, self.feature_size))
            token = self._encode(given, options)
            step = networks.distribution_of(token)
            mean, deviation = step.mean[:, -1], step.deviation[:, -1]
            results |= {"encoded": token, "mu": mean, "sigma": deviation}
            spread = deviation.repeat_interleave(samples, 0) * noise
            latents = {"generic": mean.repeat_interleave(samples, 0) + spread}
            if pattern is not None:
                shift = pattern_weight(given, options, config) * pattern
                latents["personal"] = latents["generic"] + shift.repeat_interleave(samples, 0)
            for kind, rows in latents.items():
                tracked = options.track(enumerate(rows), len(rows), "reaction")
                faces = [
                    networks.decode(
                        row.expand(1, given.frames, -1), token[index // samples], kind == "personal"
                    )
                    for index, row in tracked
                ]
                results[f"{kind}_3dmm"] = torch.cat([face.coefficients for face in faces])
                results[f"{kind}_attributes"] = torch.cat([face.attributes for face in faces])
            if given.noise is None:
                results["noise"] = noise
        return {name: tensor.cpu().numpy() for name, tensor in results.items()}

    def stream(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. Exporting the networks takes some seconds first."""
        networks = self._networks.to("cpu")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files = {path.name: file_sha256(path) for path in export_graphs(networks, folder)}
            face = np.zeros(COEFFICIENT_COUNT, np.float32)
            config = networks.config
            write_manifest(
                BundleManifest("checkpoint", True, config, face, "occurrence", files), folder
            )
            return BundleGenerator(Bundle.load(folder), options).stream(given, options)

    def _encode(self, given: GenerationInput, options: GenerationOptions) -> torch.Tensor:
        """Tokens (N, T, d)."""
        visual = visual_of(given, self._networks.config)[1:]
        arrays = [visual[0], voice_of(given)[0], visual[1], voice_of(given)[1]]
        starts = range(0, given.frames, _FRAMES_AT_ONCE)
        pieces = [(clip, start) for clip in range(given.clips) for start in starts]
        tokens = []
        for clip, start in options.track(pieces, len(pieces), "piece"):
            part = slice(start, start + _FRAMES_AT_ONCE)
            tokens.append(
                self._networks.encode(*(self._tensor(array[clip, part]) for array in arrays))
            )
        return torch.cat(tokens).view(given.clips, given.frames, -1)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
