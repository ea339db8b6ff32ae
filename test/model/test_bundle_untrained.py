"""An untrained bundle means nothing, but it is alive, repeatable and says what it is."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from perreactor_model.bundle import synthetic, untrained
from perreactor_model.bundle.calibration import synthetic_tokens
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.bundle.untrained import (
    listener_histories,
    untrained_generator,
)
from perreactor_model.cli.main import main
from perreactor_model.contract import ACTION_UNIT_SLICE, ROTATION_SLICE, attribute_ranges
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.export import export_graph
from perreactor_model.networks.generator import ReactionGenerator

BUNDLES = Path(__file__).resolve().parents[2] / "resource" / "bundles"

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


def test_the_command_makes_one_bundle_for_each_input_in_the_current_folder(
    made_by_command: Callable[..., list[tuple[Path, ModelConfig, int]]],
) -> None:
    made = made_by_command()
    assert [(folder, config.visual_input) for folder, config, _ in made] == [
        (Path("untrained_face_image"), "face_image"),
        (Path("untrained_facial_attributes"), "facial_attributes"),
    ]
    (only,) = made_by_command("--visual-input", "facial_attributes", "--seed", "3")
    assert (only[0], only[2]) == (Path("untrained_facial_attributes"), 3)


def test_the_command_makes_one_bundle_in_the_folder_that_it_is_told(
    made_by_command: Callable[..., list[tuple[Path, ModelConfig, int]]], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    ((made, config, _),) = made_by_command("--out", str(folder), "--decoder", "paper")
    assert made == folder
    assert (config.visual_input, config.decoder) == ("face_image", "paper")


@pytest.fixture
def made_by_command(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[tuple[Path, ModelConfig, int]]]:
    """Folders, configurations and seeds of what `perreactor bundle` would make."""
    made: list[tuple[Path, ModelConfig, int]] = []

    def make(folder: Path, config: ModelConfig, seed: int) -> Bundle:
        made.append((folder, config, seed))
        return tiny_bundle

    def run(*words: str) -> list[tuple[Path, ModelConfig, int]]:
        made.clear()
        assert main(["bundle", *words]) == 0
        return list(made)

    monkeypatch.setattr(untrained, "make_untrained_bundle", make)
    return run


def test_a_made_bundle_says_that_it_is_untrained_and_has_four_profiles(tiny_bundle: Bundle) -> None:
    assert not tiny_bundle.trained and tiny_bundle.config.decoder == "aligned"
    profiles = sorted(path.stem for path in tiny_bundle.profiles_path.glob("*.json"))
    assert profiles == ["lively", "reserved", "stoic", "warm"]


def test_the_default_size_is_that_of_the_networks_default() -> None:
    for visual_input in ("face_image", "facial_attributes"):
        config = untrained.untrained_config(visual_input)
        assert config == ModelConfig(visual_input=visual_input, beta=config.beta)


def test_what_is_shipped_is_trained_and_small() -> None:
    folders = [path for path in BUNDLES.iterdir() if path.is_dir()]
    assert {path.name for path in folders} == {"demo_attributes", "demo_face_image"}
    assert all(Bundle.load(path).trained for path in folders)
    files = (path for path in BUNDLES.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) < 5_000_000
