"""Whole runs in small: the same every time, however often they are interrupted."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import training_corpus as corpora
from torch import Tensor

from perreactor_model.networks.checkpoint import CheckpointError, load_checkpoint
from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.training.checkpoints import model_after, read_checkpoint
from perreactor_model.training.launching import launched
from perreactor_model.training.loop import Run
from perreactor_model.training.options import OptionError, TrainOptions
from perreactor_model.training.overrides import build, read_words
from perreactor_model.training.progress import read_log
from perreactor_model.training.watch import TrainingStopped

GOLDEN = Path(__file__).parents[1] / "golden" / "training_curve.json"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return corpora.make_noise_corpus(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def gag(noise: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gag")
    train("gag", noise, folder, "loop.steps=4")
    return folder / "last.ckpt"


def options(stage: str, *words: str) -> TrainOptions:
    return build(stage, read_words([*corpora.TINY, *words]))


def train(
    stage: str, corpus: PreparedCorpus, out: Path, *words: str, gag: Path | None = None
) -> Run:
    chosen = options(stage, *words)
    run = Run(launched(chosen.loop), chosen, corpus, out, gag)
    run.go()
    return run


def weights(folder: Path, name: str = "last.ckpt") -> dict[str, Tensor]:
    content = read_checkpoint(folder / name)
    judges = {f"judge {key}": value for key, value in content["training"]["judges"].items()}
    return {**content["state_dict"], **judges}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


# --- The same every time -------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["gag", "pag"])
def test_the_same_run_twice_gives_the_same_weights(
    stage: str, noise: PreparedCorpus, gag: Path, tmp_path: Path
) -> None:
    start = gag if stage == "pag" else None
    for name in ("first", "second"):
        train(stage, noise, tmp_path / name, "loop.steps=6", "optimiser.ema=0.9", gag=start)
    train(stage, noise, tmp_path / "other", "loop.steps=6", "loop.seed=1", gag=start)
    assert equal(weights(tmp_path / "first"), weights(tmp_path / "second"))
    assert not equal(weights(tmp_path / "first"), weights(tmp_path / "other"))


@pytest.mark.parametrize("ema", ["0", "0.9"])
@pytest.mark.parametrize("stage", ["gag", "pag"])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    stage: str, ema: str, noise: PreparedCorpus, gag: Path, tmp_path: Path
) -> None:
    words = [f"optimiser.ema={ema}", "loop.validate=4", "loop.validate_clips=4"]
    start = gag if stage == "pag" else None
    train(stage, noise, tmp_path / "whole", "loop.steps=9", *words, gag=start)
    for steps in (2, 5, 9):
        train(stage, noise, tmp_path / "parts", f"loop.steps={steps}", *words, gag=start)
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert (
        read_checkpoint(tmp_path / "whole" / "last.ckpt")["training"]["best"]
        == read_checkpoint(tmp_path / "parts" / "last.ckpt")["training"]["best"]
    )


def test_looking_at_a_run_does_not_change_it(noise: PreparedCorpus, tmp_path: Path) -> None:
    train("gag", noise, tmp_path / "unseen", "loop.steps=6", "optimiser.ema=0.9")
    looked = ["loop.validate=2", "loop.validate_clips=4", "loop.picture=3", "loop.log=1"]
    train(
        "gag", noise, tmp_path / "seen", "loop.steps=6", "optimiser.ema=0.9", "loop.save=1", *looked
    )
    assert equal(weights(tmp_path / "unseen"), weights(tmp_path / "seen"))


def test_parts_of_a_batch_are_as_good_as_the_whole(noise: PreparedCorpus, tmp_path: Path) -> None:
    train("gag", noise, tmp_path / "whole", "loop.steps=5")
    train("gag", noise, tmp_path / "parts", "loop.steps=5", "loop.accumulate=2")
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name, value in whole.items():
        assert torch.allclose(value, parts[name], rtol=0, atol=1e-5), name


def test_a_tiny_run_follows_the_golden_curve(noise: PreparedCorpus, tmp_path: Path) -> None:
    words = ["loop.steps=20", "optimiser.lr=1e-3", "optimiser.discriminator_lr=1e-3"]
    train("gag", noise, tmp_path, *words)
    for found, golden in zip(read_log(tmp_path), json.loads(GOLDEN.read_text()), strict=True):
        assert found["step"] == golden["step"]
        for name, value in golden.items():
            # Another CPU adds in another order, and twenty steps carry that on.
            assert found[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name


# --- Checkpoints ---------------------------------------------------------------------------------


def test_a_checkpoint_of_a_run_is_a_checkpoint_for_everybody(gag: Path) -> None:
    generator = load_checkpoint(gag)
    assert generator.config == options("gag").model
    generic = generator.decoder_generic.state_dict()
    for name, value in generator.decoder_personal.state_dict().items():
        assert torch.equal(value, generic[name]), "PAG begins as a copy of GAG"


def test_what_is_kept_and_judged_is_the_average(noise: PreparedCorpus, tmp_path: Path) -> None:
    train("gag", noise, tmp_path, "loop.steps=6", "optimiser.ema=0.9")
    content = read_checkpoint(tmp_path / "last.ckpt")
    live, kept = content["training"]["generator"], content["state_dict"]
    name = "decoder_generic.reaction.coefficients.weight"
    assert not torch.equal(live[name], kept[name])
    assert torch.equal(load_checkpoint(tmp_path / "last.ckpt").state_dict()[name], kept[name])


def test_stage_2_leaves_gag_as_it_was(noise: PreparedCorpus, gag: Path, tmp_path: Path) -> None:
    train("pag", noise, tmp_path, "loop.steps=4", gag=gag)
    before, after = weights(gag.parent), weights(tmp_path)
    for name in before:
        part = name.partition(".")[0]
        if part in ("frame_encoder", "distribution", "decoder_generic"):
            assert torch.equal(before[name], after[name]), name
    for part in ("decoder_personal", "pattern_encoder"):
        assert any(
            not torch.equal(before[name], after[name]) for name in before if name.startswith(part)
        )


def test_stage_2_takes_over_what_the_judge_of_realism_has_learnt(
    noise: PreparedCorpus, gag: Path
) -> None:
    chosen = options("pag")
    run = Run(launched(chosen.loop), chosen, noise, gag.parent / "unused", gag)
    realism = run.stepper.stage.judges.realism
    assert realism is not None
    for name, value in realism.state_dict().items():
        assert torch.equal(value, weights(gag.parent)[f"judge realism.{name}"])


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("data.samples=3", "data.samples is 3 now and was 2"),
        ("model.feature_size=8", "model.feature_size is 8 now and was 16"),
        ("loss.diversity=1", "loss.diversity is 1.0 now and was 10.0"),
        ("loop.seed=9", "loop.seed is 9 now and was 0"),
    ],
)
def test_a_run_is_not_resumed_with_other_options(
    word: str, told: str, noise: PreparedCorpus, gag: Path
) -> None:
    chosen = options("gag", "loop.steps=4", word)
    with pytest.raises(CheckpointError, match=told):
        Run(launched(chosen.loop), chosen, noise, gag.parent)


def test_a_run_is_not_resumed_on_other_data(gag: Path, tmp_path: Path) -> None:
    chosen = options("gag", "loop.steps=4")
    other = corpora.make_noise_corpus(tmp_path, seed=1)
    with pytest.raises(CheckpointError, match=r"key noise 0, this one is noise 1"):
        Run(launched(chosen.loop), chosen, other, gag.parent)


def test_the_networks_of_stage_2_are_those_of_the_gag(gag: Path) -> None:
    asked = {"model.beta": 0.5, "model.heads": 2, "loss.kl": 1.0}
    assert model_after(gag, asked) == asdict(replace(options("gag").model, beta=0.5))
    with pytest.raises(CheckpointError, match="model.decoder is 'paper'.*trained with 'aligned'"):
        model_after(gag, {"model.decoder": "paper"})


def test_stage_2_does_not_begin_from_stage_2(
    noise: PreparedCorpus, gag: Path, tmp_path: Path
) -> None:
    train("pag", noise, tmp_path, "loop.steps=1", gag=gag)
    with pytest.raises(CheckpointError, match="give the checkpoint of its GAG"):
        model_after(tmp_path / "last.ckpt", {})


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.ckpt").write_bytes(b"not at all")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(tmp_path / "odd.ckpt")


def test_a_failed_write_leaves_the_last_checkpoint_whole(
    noise: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("gag", noise, tmp_path, "loop.steps=2")
    before = weights(tmp_path)

    def fail(content: object, path: Path) -> None:
        path.write_bytes(b"half a check")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        train("gag", noise, tmp_path, "loop.steps=4")
    assert equal(weights(tmp_path), before)
    assert not list(tmp_path.glob(".*"))


# --- What is told --------------------------------------------------------------------------------


def test_the_best_checkpoint_is_the_one_with_the_best_score(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    words = ["loop.validate=2", "loop.validate_clips=4", "optimiser.lr=3e-3"]
    train("gag", noise, tmp_path, "loop.steps=8", *words)
    scores = {line["step"]: line["FRCorr"] for line in read_log(tmp_path) if "FRCorr" in line}
    assert list(scores) == [2, 4, 6, 8]
    best = read_checkpoint(tmp_path / "best.ckpt")["training"]
    assert best["best"] == pytest.approx(max(scores.values()), abs=1e-6)
    assert best["step"] == max(scores, key=scores.__getitem__)
    assert best["score"] == best["best"]
    last = read_checkpoint(tmp_path / "last.ckpt")["training"]
    assert last["score"] == pytest.approx(scores[8], abs=1e-6), "of its own weights, not the best's"
    train("gag", noise, tmp_path, "loop.steps=8", *words)
    again = read_checkpoint(tmp_path / "last.ckpt")["training"]
    assert again["score"] == last["score"], "a finished run that is resumed forgets nothing"


def test_a_checkpoint_of_a_step_that_was_not_scored_claims_no_score(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    train("gag", noise, tmp_path, "loop.steps=2", "loop.validate=0")
    assert read_checkpoint(tmp_path / "last.ckpt")["training"]["score"] is None


def test_tensorboard_gets_curves_histograms_and_faces(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train("gag", noise, tmp_path, "loop.steps=4", "loop.log=2", "loop.picture=4")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/realism", "train/diversity", "train/realism_real"} <= set(tags["scalars"])
    assert {"AU12/generated", "AU12/real", "rotation_y/real"} <= set(tags["histograms"])
    (picture,) = tags["images"]
    (image,) = events.Images(picture)
    assert image.height == 4 * 120, "speaker, real reaction, two generated ones"


def test_nan_stops_the_run_and_leaves_a_sound_checkpoint(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    train("gag", noise, tmp_path, "loop.steps=2")
    before = weights(tmp_path)
    chosen = options("gag", "loop.steps=8", "loop.save=4", "loop.log=8")
    run = Run(launched(chosen.loop), chosen, noise, tmp_path)
    with torch.no_grad():
        run.stepper.stage.generator.decoder_generic.reaction.coefficients.bias[0] = torch.nan
    with pytest.raises(TrainingStopped, match="step 3: .*is nan.*optimiser.lr"):
        run.go()
    assert equal(weights(tmp_path), before)


def test_a_collapsed_discriminator_is_warned_of(
    noise: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["optimiser.discriminator_lr=0", "optimiser.lr=0", "loop.log=1", "loop.steps=12"]
    train("gag", noise, tmp_path, *words)
    told = capsys.readouterr().err
    assert "warning: step 10: D_A knows only" in told
    assert "optimiser.discriminator_lr higher" in told


def test_without_discriminators_the_generator_learns_to_reconstruct(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    words = ["loss.objective=reconstruction", "optimiser.lr=3e-3", "loop.steps=20"]
    train("gag", noise, tmp_path, *words, "loss.diversity=0")
    lines = read_log(tmp_path)
    assert lines[-1]["reconstruction"] < lines[0]["reconstruction"]
    assert not any(name.startswith("realism") for name in lines[0])


def test_a_corpus_without_held_out_clips_trains_unscored_or_not_at_all(tmp_path: Path) -> None:
    corpus = corpora.make_noise_corpus(tmp_path, splits=("train",))
    train("gag", corpus, tmp_path / "run", "loop.steps=1")
    with pytest.raises(OptionError, match="no split 'val'.*loop.validate=0"):
        train("gag", corpus, tmp_path / "scored", "loop.steps=1", "loop.validate=1")


def test_the_encoder_that_features_of_faces_came_from_is_kept_and_learns_nothing(
    tmp_path: Path,
) -> None:
    seeing = ["model.visual_input=face_image", "model.image_size=32", "model.visual_channels=4"]
    pictures = corpora.make_noise_corpus(tmp_path / "pictures", pixels=32, frames=40)
    train("gag", pictures, tmp_path / "first", "loop.steps=2", *seeing)
    encoder = tmp_path / "first" / "last.ckpt"
    corpus = corpora.make_noise_corpus(tmp_path / "features", features=16, encoder=encoder)
    train("gag", corpus, tmp_path / "second", "loop.steps=2", "loop.seed=3", *seeing)
    before, after = weights(tmp_path / "first"), weights(tmp_path / "second")
    for name in before:
        if name.startswith("frame_encoder.face."):
            assert torch.equal(before[name], after[name]), name
    with pytest.raises(CheckpointError, match="another kind or size"):
        train("gag", corpus, tmp_path / "third", *seeing[:2], "model.visual_channels=8")


@pytest.mark.parametrize(
    "words",
    [
        ["model.decoder=paper", "loop.validate=2", "loop.validate_clips=4"],
        ["model.visual_input=face_image", "model.image_size=32", "model.visual_channels=4"],
        ["loss.adversarial=minimax", "discriminator.speaker=tokens", "loss.kl=1", "loss.affect=1"],
        ["loss.realism=0"],
        ["loss.appropriateness=0", "loss.reconstruction=1"],
    ],
    ids=lambda words: words[0],
)
def test_every_kind_of_training_trains(words: list[str], tmp_path: Path) -> None:
    corpus = corpora.make_noise_corpus(tmp_path, pixels=32, frames=40)
    train("gag", corpus, tmp_path / "gag", "loop.steps=2", *words)
    assert load_checkpoint(tmp_path / "gag" / "last.ckpt")
    rest = [word for word in words if not word.startswith("model.")]
    model = [f"model.{k}={v}" for k, v in model_after(tmp_path / "gag" / "last.ckpt", {}).items()]
    gag = tmp_path / "gag" / "last.ckpt"
    words = ["loop.steps=2", "data.history_frames=40", *rest, *model]
    train("pag", corpus, tmp_path / "pag", *words, gag=gag)
    assert load_checkpoint(tmp_path / "pag" / "last.ckpt")


def test_half_precision_trains_too(noise: PreparedCorpus, tmp_path: Path) -> None:
    train("gag", noise, tmp_path, "loop.steps=5", "loop.precision=bf16")
    assert all(value.dtype != torch.bfloat16 for value in weights(tmp_path).values())


@pytest.mark.slow
def test_the_judge_of_realism_is_neither_blind_nor_all_knowing(
    tiny_prepared: PreparedCorpus, tmp_path: Path
) -> None:
    words = ["loop.steps=240", "loop.validate=40", "loop.validate_clips=8", "optimiser.lr=1e-3"]
    judge = ["optimiser.discriminator_lr=5e-4", "discriminator.noise_steps=240"]
    train("gag", tiny_prepared, tmp_path, *words, *judge)
    held_out = [line for line in read_log(tmp_path) if "FRCorr" in line]
    knows = [(line["realism_real"] + line["realism_generated"]) / 2 for line in held_out]
    assert len(knows) == 6
    assert all(0.55 <= share <= 0.95 for share in knows[1:]), knows
