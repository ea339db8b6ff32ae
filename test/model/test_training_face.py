"""Stage `face`: an encoder of pictures learns from one of attributes, on drawn people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import training_corpus as corpora

from perreactor_model.bundle.trained import (
    export_bundle,
    read_networks,
    recorded_corpus,
)
from perreactor_model.cli.main import main
from perreactor_model.evaluation.predicting import PredictionError, predict
from perreactor_model.evaluation.trained import Trained
from perreactor_model.networks.checkpoint import CheckpointError, load_checkpoint
from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.streaming.runtime import load_graph
from perreactor_model.synthesis.corpus import CorpusPlan
from perreactor_model.synthesis.writing import write_corpus
from perreactor_model.training.checkpoints import model_after, read_checkpoint
from perreactor_model.training.face_options import FaceOptions
from perreactor_model.training.face_pictures import varied
from perreactor_model.training.face_run import FaceRun
from perreactor_model.training.face_start import options_after
from perreactor_model.training.launching import launched
from perreactor_model.training.loop import Run
from perreactor_model.training.options import OptionError, flat
from perreactor_model.training.overrides import build, read_words
from perreactor_model.training.progress import read_log
from perreactor_model.vision.preprocess import network_input

SIDE = 32
LOOP = f"""
    model.visual_channels=4 model.image_size={SIDE} loop.batch=16 loop.validate=0 loop.picture=0
    loop.log=5 loop.workers=0 loop.device=cpu optimiser.warmup=2 optimiser.lr=5e-3
    face.held_out=100
""".split()


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("films") / "c"
    write_corpus(CorpusPlan("react2024", listeners=5, sessions=1, seconds=4.0, video=True), root)
    return root


@pytest.fixture(scope="module")
def drawn(films: Path) -> PreparedCorpus:
    settings = PreparationSettings(faces="crops", image_size=SIDE)
    return prepare(films, films.parent / "crops", settings)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GAG that sees attributes, hardly trained; action units are intensities."""
    noise = replace(
        corpora.make_noise_corpus(tmp_path_factory.mktemp("n")), au_semantics="intensity"
    )
    options = build("gag", read_words([*corpora.TINY, "loop.steps=2", "data.history_frames=72"]))
    folder = tmp_path_factory.mktemp("gag")
    Run(launched(options.loop), options, noise, folder).go()
    return folder / "last.ckpt"


def train(corpus: PreparedCorpus, out: Path, teacher: Path, *words: str) -> FaceRun:
    asked = read_words([*LOOP, *words])
    options = build("face", asked, flat(options_after(teacher, asked)))
    run = FaceRun(launched(options.loop), options, corpus, out, teacher)
    run.go()
    return run


@pytest.fixture(scope="module")
def seeing(drawn: PreparedCorpus, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeing")
    train(drawn, folder, teacher, "loop.steps=40", "loop.validate=20", "loop.picture=40")
    return folder


# --- What is learnt ------------------------------------------------------------------------------


def test_pictures_come_to_say_what_attributes_said(seeing: Path) -> None:
    lines = read_log(seeing)
    losses = [line["features"] for line in lines if "features" in line]
    assert losses[-1] < 0.9 * losses[0]
    explained = [line["explained"] for line in lines if "explained" in line]
    assert read_checkpoint(seeing / "best.ckpt")["training"]["best"] == pytest.approx(
        max(explained), abs=1e-6
    )


def test_all_but_the_eyes_is_the_teachers(seeing: Path, teacher: Path) -> None:
    pupil, taught = load_checkpoint(seeing / "best.ckpt"), load_checkpoint(teacher)
    assert pupil.config == replace(
        taught.config, visual_input="face_image", visual_channels=4, image_size=SIDE
    )
    before, after = taught.state_dict(), pupil.state_dict()
    for name, value in before.items():
        if not name.startswith("frame_encoder.face."):
            assert torch.equal(value, after[name]), name


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    drawn: PreparedCorpus, teacher: Path, tmp_path: Path
) -> None:
    words = ["optimiser.ema=0.9", "loop.validate=4"]
    train(drawn, tmp_path / "whole", teacher, "loop.steps=7", *words)
    for steps in (3, 7):
        train(drawn, tmp_path / "parts", teacher, f"loop.steps={steps}", *words)
    train(drawn, tmp_path / "other", teacher, "loop.steps=7", "loop.seed=1", *words)
    whole, parts, other = (
        read_checkpoint(tmp_path / name / "last.ckpt") for name in ("whole", "parts", "other")
    )
    name = "frame_encoder.face.project.weight"
    for weight, value in whole["state_dict"].items():
        assert torch.equal(value, parts["state_dict"][weight]), weight
    assert not torch.equal(whole["state_dict"][name], other["state_dict"][name])
    assert whole["training"]["best"] == parts["training"]["best"]
    assert whole["training"]["teacher"] == parts["training"]["teacher"]


def test_two_parts_of_a_batch_are_as_good_as_the_whole(
    drawn: PreparedCorpus, teacher: Path, tmp_path: Path
) -> None:
    train(drawn, tmp_path / "whole", teacher, "loop.steps=3")
    train(drawn, tmp_path / "parts", teacher, "loop.steps=3", "loop.accumulate=2")
    whole, parts = (
        load_checkpoint(tmp_path / name / "last.ckpt").state_dict() for name in ("whole", "parts")
    )
    for name, value in whole.items():
        assert torch.allclose(value, parts[name], rtol=0, atol=1e-5), name


# --- What it is good for -------------------------------------------------------------------------


def test_its_bundle_sees_as_it_does_and_says_that_it_knows_no_camera(
    seeing: Path, teacher: Path, drawn: PreparedCorpus, tmp_path: Path
) -> None:
    networks = read_networks(seeing / "best.ckpt")
    corpus = recorded_corpus(networks)
    assert corpus is not None
    bundle = export_bundle(networks, tmp_path / "eyes", corpus, {}).bundle
    told = bundle.provenance
    assert bundle.trained and "real cameras are out of its domain" in bundle.domain
    assert (told["stage"], told["teacher"]["stage"]) == ("face", "gag")
    assert told["held_out_explained"] == networks.record["score"]
    assert told["corpus"] == {"key": drawn.key, "synthetic": True}
    assert told["teacher"]["checkpoint_sha256"] == networks.record["teacher"]["sha256"]
    split = drawn.splits["test"]
    assert split.faces is not None
    picture = network_input(np.asarray(split.faces[30]))
    audio = split.speaker_audio(0, 30, 31)
    there = np.ones(1, bool)
    inputs = {"image": picture, "audio": audio, "face_present": there, "voice_present": there}
    (token,) = load_graph(bundle, "frame_encoder").run(None, inputs)
    with torch.inference_mode():
        expected = networks.generator.frame_encoder(*map(torch.from_numpy, inputs.values()))
    assert np.allclose(token, expected.numpy(), atol=1e-4)


def test_reactions_to_pictures_are_those_to_features_of_them(
    seeing: Path, films: Path, drawn: PreparedCorpus, tmp_path: Path
) -> None:
    checkpoint = seeing / "best.ckpt"
    trained = Trained.load(checkpoint)
    assert trained.generators == ("GAG",), "reactions are as far trained as the teacher's"
    settings = PreparationSettings(faces="tokens", encoder=str(checkpoint))
    features = prepare(films, tmp_path, settings).splits["test"]
    asked = {"samples": 1, "seed": 0, "personal": False, "mode": "stream"}
    seen = predict(trained.generator, drawn.splits["test"], **asked)
    known = predict(trained.generator, features, **asked)
    for one, other in zip(seen.prediction, known.prediction, strict=True):
        assert np.allclose(one, other, atol=1e-4)
    other_size = load_checkpoint(checkpoint)
    other_size.config = replace(other_size.config, image_size=64)
    with pytest.raises(PredictionError, match=r"64 pixels, .* pictures of 32 pixels: prepare"):
        predict(other_size, drawn.splits["test"], **asked)


def test_personal_training_can_begin_from_it(seeing: Path) -> None:
    assert model_after(seeing / "best.ckpt", {})["visual_input"] == "face_image"


# --- What is refused -----------------------------------------------------------------------------


def test_a_corpus_without_fitting_pictures_is_refused(
    drawn: PreparedCorpus, teacher: Path, tmp_path: Path
) -> None:
    blind = corpora.make_noise_corpus(tmp_path / "blind")
    with pytest.raises(OptionError, match="holds no pictures of faces.*--faces crops"):
        train(replace(blind, au_semantics="intensity"), tmp_path / "run", teacher)
    with pytest.raises(OptionError, match="image_size is 64, but .* have 32 pixels"):
        train(drawn, tmp_path / "run", teacher, "model.image_size=64")
    with pytest.raises(OptionError, match="knows action units as intensity.* as occurrence"):
        train(replace(drawn, au_semantics="occurrence"), tmp_path / "run", teacher)
    assert not (tmp_path / "run").exists()


def test_a_teacher_must_see_attributes_and_be_followed(
    seeing: Path, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="sees face_image: a teacher is"):
        options_after(seeing / "best.ckpt", {})
    with pytest.raises(CheckpointError, match="feature_size is 32, but .* was trained with 16"):
        options_after(teacher, {"model.feature_size": 32})
    (tmp_path / "odd.ckpt").write_bytes(b"not at all")
    with pytest.raises(CheckpointError, match="cannot be read"):
        options_after(tmp_path / "odd.ckpt", {})


def test_the_command_wants_a_teacher_for_this_stage_only(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(["train", "face", *base]) == 2
    assert "give best.ckpt of `perreactor train pag` as --teacher" in capsys.readouterr().err
    assert main(["train", "gag", *base, "--teacher", str(teacher)]) == 2
    assert "--teacher is for `perreactor train face`" in capsys.readouterr().err


def test_the_command_trains_and_goes_on(
    drawn: PreparedCorpus, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--data", str(drawn.folder), "--out", str(tmp_path), *LOOP]
    first = ["train", "face", *base, "--teacher", str(teacher)]
    assert main([*first, "loop.steps=2", "loop.validate=2", "optimiser.decay=none"]) == 0
    assert "share of the features explained" in capsys.readouterr().err
    assert main(["train", "face", *base, "--resume", "loop.steps=3", "loop.validate=2"]) == 0
    content = read_checkpoint(tmp_path / "last.ckpt")
    assert content["training"]["step"] == 3
    # How it is judged is the teacher's.
    assert content["training"]["options"]["data"]["history_frames"] == 72


# --- Pictures ------------------------------------------------------------------------------------


def test_a_picture_is_varied_by_what_is_asked_for_alone() -> None:
    draw = np.random.default_rng(0)
    picture = draw.integers(0, 256, (48, 48, 3), np.uint8)
    none = FaceOptions(**dict.fromkeys(("shift", "scale", "light", "contrast", "colour"), 0.0))
    none = replace(none, blur=0.0, noise=0.0)
    assert np.array_equal(varied(picture, np.random.default_rng(1), none), picture)
    one = varied(picture, np.random.default_rng(1), FaceOptions())
    again = varied(picture, np.random.default_rng(1), FaceOptions())
    other = varied(picture, np.random.default_rng(2), FaceOptions())
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    darker = [varied(picture, np.random.default_rng(k), replace(none, light=0.5)) for k in range(8)]
    assert len({round(float(each.mean())) for each in darker}) > 4
    assert all(each.shape == picture.shape and each.dtype == np.uint8 for each in darker)
