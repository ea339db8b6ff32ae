"""Untrained bundles: seeded weights that move like a face and mean nothing.

They let everything around the networks be tested before there is training, and measured at sizes
for which nobody has trained any. The same configuration and seed give the same bytes on one machine
and build.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from perreactor_model.bundle import synthetic
from perreactor_model.bundle.calibration import (
    calibrate_frame_encoder,
    calibrate_pattern_encoder,
    calibrate_reactions,
)
from perreactor_model.bundle.manifest import (
    PROFILES_FOLDER,
    Bundle,
    BundleManifest,
    file_sha256,
    write_manifest,
)
from perreactor_model.contract import COEFFICIENT_COUNT
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.encoders import FrameEncoder
from perreactor_model.networks.export import export_graphs
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.profiles import ListenerHistory, ListenerProfile
from perreactor_model.profiles.making import traits_of_history

HISTORY_FRAMES = 480

PATTERN_WEIGHT = 3.0
"""Weight of the pattern (beta) in untrained bundles, so large that profiles can be told apart."""


def untrained_config(visual_input: str = "face_image", decoder: str = "aligned") -> ModelConfig:
    """Networks of the default size, which is larger than that of the shipped bundles."""
    return ModelConfig(visual_input=visual_input, decoder=decoder, beta=PATTERN_WEIGHT)


def untrained_generator(config: ModelConfig, seed: int = 0) -> ReactionGenerator:
    """Seeded networks with calibrated gains.

    All but the frame encoder depend on the seed and the sizes alone, not on the visual input, so
    two bundles that differ in their input share the other graphs to the byte.
    """
    threads = torch.get_num_threads()
    # One thread: sums come out in one order, whatever the machine has.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            body = replace(config, visual_input="facial_attributes")
            generator = ReactionGenerator(body).eval()
            torch.manual_seed(seed + 1)
            generator.frame_encoder = FrameEncoder(config).eval()
            generator.config = config
            size = config.image_size
            calibrate_frame_encoder(generator.frame_encoder, np.random.default_rng((seed, 1)), size)
            histories = list(listener_histories(config, seed).values())
            calibrate_pattern_encoder(generator, histories)
            patterns = torch.stack([generator.pattern(torch.from_numpy(h)) for h in histories])
            calibrate_reactions(generator, patterns, np.random.default_rng((seed, 2)))
    finally:
        torch.set_num_threads(threads)
    return generator


def make_untrained_bundle(
    folder: Path, config: ModelConfig | None = None, seed: int = 0, name: str | None = None
) -> Bundle:
    """Write an untrained bundle with four profiles into `folder` and load it.

    `name` is by default that of the folder.
    """
    config = config or untrained_config()
    folder.mkdir(parents=True, exist_ok=True)
    generator = untrained_generator(config, seed)
    files = {path.name: file_sha256(path) for path in export_graphs(generator, folder)}
    manifest = BundleManifest(
        name=name or folder.name,
        trained=False,
        model=config,
        mean_face=np.zeros(COEFFICIENT_COUNT, np.float32),
        au_semantics="intensity",
        files=files,
        provenance={
            "kind": "untrained, seeded",
            "seed": seed,
            "note": "random weights with calibrated gains; nobody's behaviour was used. "
            "Judge liveness, not sense.",
        },
    )
    write_manifest(manifest, folder)
    for listener, history in listener_histories(config, seed).items():
        with torch.no_grad():
            pattern = generator.pattern(torch.from_numpy(history)).numpy()
        provenance = {
            "kind": "synthetic history",
            "seed": seed,
            "frames": len(history),
            "traits": traits_of_history(ListenerHistory.from_columns(history)),
        }
        profile = ListenerProfile(listener, manifest.model_id, pattern, provenance)
        profile.save(folder / PROFILES_FOLDER)
    return Bundle.load(folder)


def listener_histories(config: ModelConfig, seed: int) -> dict[str, np.ndarray]:
    """Histories (480, C) of the four synthetic listeners, by profile name."""
    head = config.pattern_input == "attributes+head"
    return {
        name: synthetic.listener_history(
            traits, np.random.default_rng((seed, 3, index)), HISTORY_FRAMES, head
        )
        for index, (name, traits) in enumerate(synthetic.LISTENERS.items())
    }
