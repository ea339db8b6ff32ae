"""Whether a bundle does what its checkpoint does, in both modes of `generate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
)
from perreactor_model.generate.bundles import BundleGenerator
from perreactor_model.generate.checkpoints import CheckpointGenerator
from perreactor_model.generate.inputs import GenerationInput
from perreactor_model.generate.options import GenerationOptions
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.generator import ReactionGenerator

PARITY = 1e-4
"""The largest difference that a bundle may have from its checkpoint."""

FRAMES, SAMPLES = 40, 2
_AWAKE = slice(14, None)
"""Frames in which a streamed face has woken from neutral (half a second) and is itself."""

_ABSENT_FACE, _ABSENT_VOICE = slice(20, 26), slice(24, 30)


@dataclass(frozen=True)
class Differences:
    """Largest difference of any coefficient or attribute, by mode."""

    offline: float
    stream: float

    @property
    def largest(self) -> float:
        """Over both modes; NaN where either is."""
        return float(np.maximum(self.offline, self.stream))

    def __str__(self) -> str:
        return f"offline {self.offline:.1e}, stream {self.stream:.1e}"


def compare(networks: ReactionGenerator, checkpoint: Path, bundle: Bundle) -> Differences:
    """Generic and personal reactions to a made-up speaker: of `networks`, read from `checkpoint`,
    in torch, and of the bundle in onnxruntime.
    """
    given = made_up_speaker(bundle.config)
    options = GenerationOptions(device="cpu")
    reader, graphs = CheckpointGenerator(checkpoint, options), BundleGenerator(bundle, options)
    offline = reader.offline(given, options)
    if bundle.config.decoder == "paper" and bundle.config.window < FRAMES:
        # It begins anew every `window` frames, and fades over: only the engine does that.
        streamed, awake = reader.stream(given, options), slice(None)
    else:
        streamed, awake = _streamed_in_torch(networks, given, offline), _AWAKE
    return Differences(
        offline=_largest(offline, graphs.offline(given, options)),
        stream=_largest(streamed, graphs.stream(given, options), awake),
    )


def _streamed_in_torch(
    networks: ReactionGenerator, given: GenerationInput, offline: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What a stream without caches shows: each frame's own distribution, the window in view."""
    assert given.noise is not None
    token, pattern = (torch.from_numpy(offline[name][0]) for name in ("encoded", "pattern"))
    with torch.no_grad():
        step = networks.distribution_of(token, networks.config.window)
        latent = step.mean + step.deviation * torch.from_numpy(given.noise)[:, None]
        faces = {
            "generic": networks.decode(latent, token),
            "personal": networks.decode(networks.personalise(latent, pattern), token, True),
        }
    found = {}
    for kind, face in faces.items():
        found[f"{kind}_3dmm"] = face.coefficients.numpy()
        found[f"{kind}_attributes"] = face.attributes.numpy()
    return found


def made_up_speaker(config: ModelConfig, seed: int = 0) -> GenerationInput:
    """One clip of noise with a listener's history; face and voice are absent for a while."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return random.standard_normal((1, *shape)).astype(np.float32)

    audio = 5.0 * drawn(FRAMES, AUDIO_FEATURE_COUNT)
    audio[:, _ABSENT_VOICE] = np.nan
    attributes = 0.5 + 0.25 * drawn(FRAMES, ATTRIBUTE_COUNT)
    coefficients = 0.2 * drawn(FRAMES, COEFFICIENT_COUNT)
    for part in (attributes, coefficients):
        part[:, _ABSENT_FACE] = np.nan
    size = config.image_size
    image = config.visual_input == "face_image"
    history = 0.3 + 0.2 * drawn(16 * config.segments, config.pattern_channels)
    return GenerationInput(
        speaker_video=np.tanh(drawn(FRAMES, 3, size, size)) if image else None,
        speaker_attributes=None if image else attributes,
        speaker_3dmm=None if image else coefficients,
        speaker_audio=audio,
        listener_history=history,
        noise=random.standard_normal((SAMPLES, config.feature_size)).astype(np.float32),
    )


def _largest(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray], frames: slice = slice(None)
) -> float:
    names = [
        f"{kind}_{what}" for kind in ("generic", "personal") for what in ("3dmm", "attributes")
    ]
    return float(np.max([np.abs(one[name] - other[name])[:, frames].max() for name in names]))
