"""An untrained bundle means nothing, but it is alive, repeatable and says what it is."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from perreactor_model.bundle import synthetic
from perreactor_model.bundle.calibration import synthetic_tokens
from perreactor_model.bundle.manifest import Bundle, known_bundles
from perreactor_model.bundle.untrained import (
    listener_histories,
    untrained_generator,
)
from perreactor_model.contract import ACTION_UNIT_SLICE, ROTATION_SLICE, attribute_ranges
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.export import export_graph
from perreactor_model.networks.generator import ReactionGenerator

CONFIG = ModelConfig(
    feature_size=64, window=64, visual_input="facial_attributes", beta=3.0, visual_channels=16
)


@cache
def networks() -> ReactionGenerator:
    return untrained_generator(CONFIG, seed=1)


def react(pattern: torch.Tensor | None, speaker: int) -> tuple[np.ndarray, np.ndarray]:
    """Attributes (T, 25), coefficients (T, 58) to 24 s of a synthetic speaker; noise left out."""
    generator = networks()
    token = synthetic_tokens(np.random.default_rng(speaker), 24, CONFIG.feature_size)
    with torch.no_grad():
        latent = generator.distribution_of(token, CONFIG.window).mean[None]
        if pattern is not None:
            latent = generator.personalise(latent, pattern)
        decoded = generator.decode(latent, token, personal=pattern is not None)
    return decoded.attributes[0].numpy(), decoded.coefficients[0].numpy()


def test_faces_rest_near_neutral_and_move_visibly_without_jumps() -> None:
    attributes, coefficients = react(None, speaker=1)
    units = attributes[:, ACTION_UNIT_SLICE]
    assert 0.05 < units.mean() < 0.25
    assert 0.02 < units.std(axis=0).mean() < 0.15
    assert 0.01 < coefficients[:, ROTATION_SLICE].std(axis=0).mean() < 0.1
    step = np.abs(np.diff(units[25:], axis=0)).max()
    assert step < 0.1


def test_a_reaction_follows_its_speaker() -> None:
    one, other = react(None, speaker=1)[0], react(None, speaker=2)[0]
    moved = one[:, ACTION_UNIT_SLICE].std(axis=0).mean()
    assert np.abs(one - other)[:, ACTION_UNIT_SLICE].mean() > 0.5 * moved


def test_profiles_differ_by_more_than_three_times_what_one_moves() -> None:
    generator = networks()
    histories = listener_histories(CONFIG, seed=1)
    with torch.no_grad():
        patterns = {n: generator.pattern(torch.from_numpy(h)) for n, h in histories.items()}
    faces = {name: np.hstack(react(pattern, speaker=1)) for name, pattern in patterns.items()}
    drift = np.sqrt(np.mean([face.var(axis=0) for face in faces.values()]))
    for name, face in faces.items():
        for other, face_of_other in faces.items():
            apart = np.sqrt(np.mean((face.mean(axis=0) - face_of_other.mean(axis=0)) ** 2))
            assert name == other or apart > 3 * drift, (name, other, apart, drift)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    config = replace(CONFIG, feature_size=16, feed_forward=16, window=8, pattern_exponent=3)
    contents = []
    for name in ("one", "two"):
        generator = untrained_generator(config, seed=3)
        weights = {key: value.numpy().tobytes() for key, value in generator.state_dict().items()}
        path = tmp_path / f"{name}.onnx"
        export_graph(generator, "pattern_encoder", path)
        contents.append((weights, path.read_bytes()))
    assert contents[0] == contents[1]
    other = untrained_generator(config, seed=4).state_dict()
    assert other["distribution.tokens"].numpy().tobytes() != contents[0][0]["distribution.tokens"]


def test_another_visual_input_changes_the_frame_encoder_alone(
    tiny_image_bundle: Bundle, tiny_attributes_bundle: Bundle
) -> None:
    image, attributes = tiny_image_bundle.manifest.files, tiny_attributes_bundle.manifest.files
    differing = [file for file in image if image[file] != attributes[file]]
    assert differing == ["frame_encoder.onnx"]


def test_making_a_bundle_leaves_the_random_state_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    untrained_generator(replace(CONFIG, feature_size=16, window=8))
    assert torch.equal(torch.rand(1), expected)


def test_synthetic_listeners_stay_in_the_contracts_ranges() -> None:
    low, high = attribute_ranges()
    for history in listener_histories(CONFIG, seed=0).values():
        assert history.shape == (480, 31)
        assert (history[:, :25] >= low).all() and (history[:, :25] <= high).all()


def test_lively_moves_more_than_stoic() -> None:
    histories = listener_histories(CONFIG, seed=0)
    assert histories["lively"].std(axis=0).mean() > 4 * histories["stoic"].std(axis=0).mean()


def test_drawn_faces_change_where_they_say() -> None:
    faces = synthetic.drawn_faces(np.random.default_rng(0), 40, 64, spacing=5)
    assert faces.image.shape == (40, 3, 64, 64) and np.abs(faces.image).max() <= 1
    assert faces.mouth.std() > 0.1 and faces.brow.std() > 0.1


def test_the_shipped_bundles_are_whole_and_small() -> None:
    assert {"untrained_face_image", "untrained_facial_attributes"} <= set(known_bundles())
    total = 0
    for name in ("untrained_face_image", "untrained_facial_attributes"):
        bundle = Bundle.load(name)
        assert not bundle.trained and bundle.config.decoder == "aligned"
        assert sorted(path.stem for path in bundle.profiles_path.glob("*.json")) == [
            "lively",
            "reserved",
            "stoic",
            "warm",
        ]
        total += sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    assert total < 15_000_000
