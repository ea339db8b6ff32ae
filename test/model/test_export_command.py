"""`perreactor export`: from a checkpoint to a bundle that does the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import GRAPHS, Bundle
from perreactor_model.cli.main import main
from perreactor_model.generate import GenerationOptions, generate
from perreactor_model.networks.config import ModelConfig

torch = pytest.importorskip("torch")

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = ModelConfig(
    feature_size=16,
    heads=2,
    feed_forward=16,
    decoder_layers=1,
    window=24,
    beta=1.0,
    visual_channels=8,
    image_size=32,
)
KINDS = (("facial_attributes", "aligned"), ("face_image", "paper"))


def save(path: Path, visual_input: str, decoder: str, training: dict | None = None) -> Path:
    """A checkpoint of random networks in which both decoders differ; `training` as a run's."""
    from perreactor_model.networks.checkpoint import CHECKPOINT_FORMAT
    from perreactor_model.networks.generator import ReactionGenerator

    config = replace(SMALL, visual_input=visual_input, decoder=decoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        networks = ReactionGenerator(config)
        for parameter in networks.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    content = {
        "perreactor": CHECKPOINT_FORMAT,
        "config": config.to_dict(),
        "state_dict": networks.state_dict(),
    }
    torch.save(content if training is None else content | {"training": training}, path)
    return path


def record(stage: str = "pag") -> dict:
    """What the checkpoint of a run says of its training."""
    return {
        "options": {"stage": stage, "loss": {"diversity": 10.0}},
        "step": 40,
        "best": 0.5,
        "score": 0.25,
        "data": "corpus-key",
        "corpus": {
            "mean_face": [0.01 * place for place in range(58)],
            "au_semantics": "occurrence",
            "synthetic": True,
        },
    }


def export(*words: object) -> int:
    return main(["export", *map(str, words)])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Checkpoint and bundle of a run, and what the command said."""
    folder = tmp_path_factory.mktemp("exported")
    checkpoint = save(folder / "best.ckpt", *KINDS[0], record())
    scores = folder / "scores.json"
    scores.write_text('{"FRCorr": 0.3}')
    words = [checkpoint, "--out", folder / "mine", "--profiles", "warm", "stoic"]
    assert export(*words, "--history-seconds", 20, "--scores", scores) == 0
    return checkpoint, Bundle.load(folder / "mine")


def differences(checkpoint: Path, bundle: Path, mode: str) -> float:
    """What `generate` gives from a checkpoint and from its bundle."""
    from perreactor_model.bundle.parity import made_up_speaker

    given = made_up_speaker(Bundle.load(bundle).config, seed=8)
    options = GenerationOptions(mode=mode, device="cpu")
    ours, theirs = generate(bundle, given, options), generate(checkpoint, given, options)
    names = ("generic_3dmm", "personal_3dmm", "generic_attributes", "personal_attributes")
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "stream"])
def test_bundle_and_checkpoint_react_alike(exported, mode):
    checkpoint, bundle = exported
    assert differences(checkpoint, bundle.path, mode) <= 1e-4


@pytest.mark.slow
def test_images_and_the_papers_decoder_are_exported_alike(tmp_path, capsys):
    checkpoint = save(tmp_path / "own.pt", *KINDS[1])
    assert export(checkpoint, "--out", tmp_path / "b", "--profiles", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert max(told["difference_offline"], told["difference_stream"]) <= 1e-4
    assert told["trained"] is False  # nothing is known of how it was made
    assert differences(checkpoint, tmp_path / "b", "offline") <= 1e-4


def test_a_bundle_that_is_not_its_checkpoint_is_found_out(exported):
    from perreactor_model.bundle.parity import PARITY, compare
    from perreactor_model.networks.checkpoint import load_checkpoint

    checkpoint, bundle = exported
    networks = load_checkpoint(checkpoint)
    same = compare(networks, checkpoint, bundle)
    assert 0 < same.largest <= PARITY
    with torch.no_grad():
        networks.decoder_personal.reaction.coefficients.bias += 2e-4
    other = compare(networks, checkpoint, bundle)
    assert other.offline == same.offline
    assert other.stream > PARITY


def test_a_bundle_tells_where_it_comes_from(exported):
    checkpoint, bundle = exported
    told = bundle.provenance
    assert bundle.trained
    assert bundle.au_semantics == "occurrence"
    assert bundle.mean_face[3] == pytest.approx(0.03)
    assert (told["stage"], told["steps"], told["held_out_FRCorr"]) == ("pag", 40, 0.25)
    assert told["corpus"] == {"key": "corpus-key", "synthetic": True}
    assert told["training"] == {"loss": {"diversity": 10.0}}
    assert told["scores"] == {"FRCorr": 0.3}


def test_profiles_are_made_as_users_make_them(exported):
    from perreactor_model.bundle.persona_histories import simulated_history
    from perreactor_model.profiles import ProfileStore, make_profile
    from perreactor_model.synthesis.personas import shipped_persona

    _, bundle = exported
    store = ProfileStore(bundle)
    history = simulated_history(shipped_persona("warm"), 20.0, 0)
    warm = store.get("warm")
    assert np.array_equal(warm.pattern, make_profile("warm", history, bundle).pattern)
    assert warm.provenance["kind"] == "history of a simulated person"
    assert warm.provenance["source"]["persona"]["name"] == "warm"
    assert not np.allclose(warm.pattern, store.get("stoic").pattern, atol=1e-3)


@pytest.fixture
def graphs_at_hand(exported, monkeypatch):
    """The bundle's graphs again, without the seconds it takes to make them."""
    from perreactor_model.bundle import trained

    def copied(generator: object, folder: Path) -> list[Path]:
        return [Path(shutil.copy(exported[1].graph_path(name), folder)) for name in GRAPHS]

    monkeypatch.setattr(trained, "export_graphs", copied)


def test_the_same_checkpoint_gives_the_same_bundle(exported, graphs_at_hand):
    checkpoint, bundle = exported
    folder = bundle.path.parent / "again" / "mine"
    scores = bundle.path.parent / "scores.json"
    words = ["--profiles", "warm", "stoic", "--history-seconds", 20, "--scores", scores]
    assert export(checkpoint, "--out", folder, *words) == 0
    first = {path.name: path.read_bytes() for path in bundle.path.rglob("*") if path.is_file()}
    second = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert first == second


def test_a_bundle_is_replaced(exported, graphs_at_hand, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "bundle.json").write_text("{}")
    (old / "left.txt").write_text("of the old one")
    assert export(exported[0], "--out", old, "--profiles") == 0
    assert Bundle.load(old).name == "old"
    assert not (old / "left.txt").exists()
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_of_other_things_is_left_alone(exported, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "me.jpg").write_text("a picture")
    assert export(exported[0], "--out", photos, "--profiles") == 2
    assert "holds something other than a bundle" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "me.jpg"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (GOLDEN / "authors_small_pag.pth", "authors' networks"),
        (GOLDEN / "authors_small.npz", "cannot be read as a checkpoint"),
        (GOLDEN, "is a folder: give a checkpoint"),
        ("nowhere.ckpt", "nowhere.ckpt"),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_refused(tmp_path, capsys, given, told):
    assert export(given, "--out", tmp_path / "b") == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_any_torch_file_is_not_a_checkpoint(tmp_path, capsys):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    assert export(tmp_path / "other.pt", "--out", tmp_path / "b") == 2
    assert "config and state_dict missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "words", "told"),
    [
        ("gag", ["--profiles", "warm"], "has learnt nothing yet"),
        ("pag", ["--profiles", "wram"], "neither a file nor one of the personas warm, lively"),
        ("pag", ["--profiles", "warm", "warm"], "two profiles are called 'warm'"),
        ("pag", ["--name", "my bundle"], "letters, digits"),
        ("pag", ["--au-semantics", "intensity"], "trained on occurrence"),
        ("pag", ["--history-seconds", "0"], "above 0"),
        ("pag", ["--seed", "-1"], "0 or more"),
    ],
)
def test_a_mistake_leaves_nothing_behind(tmp_path, capsys, stage, words, told):
    checkpoint = save(tmp_path / "best.ckpt", *KINDS[0], record(stage))
    assert export(checkpoint, "--out", tmp_path / "b", *words) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [checkpoint]
