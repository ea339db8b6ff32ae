"""The recipes of the shipped weights: what they run, and that they can be interrupted."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from perreactor_model.bundle import recipe
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.installed import config_file

FULL = yaml.safe_load(config_file(recipe.FULL).read_text())


FACE = yaml.safe_load(config_file(recipe.FACE).read_text())


def follow(work: Path, run, words=FULL, stages=recipe.STAGES) -> None:
    recipe.follow(words, work, work / "bundle", run, lambda text: None, stages)


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_recipe_that_was_interrupted_goes_on_where_it_was(tmp_path):
    run: list[str] = []

    def until_pag(step: recipe.Step) -> None:
        if step.name == "train_pag" and "stopped" not in run:
            run.append("stopped")
            raise Stopped
        run.append(step.name)

    with pytest.raises(Stopped):
        follow(tmp_path, until_pag)
    follow(tmp_path, until_pag)
    assert run == ["synthesize", "prepare", "train_gag", "stopped", "train_pag", "export"]


def test_what_was_made_with_other_words_is_not_taken_for_the_recipes(tmp_path):
    follow(tmp_path, lambda step: None)
    with pytest.raises(recipe.RecipeError, match="holds a synthesize made by"):
        follow(tmp_path, lambda step: None, {**FULL, "synthesize": ["--seed", 9]})


def test_training_goes_from_the_corpus_to_the_bundle(tmp_path):
    words: dict[str, tuple[str, ...]] = {}

    def run(step: recipe.Step) -> None:
        words[step.name] = step.words
        if step.name == "prepare":
            (tmp_path / "prepared" / "k3y").mkdir(parents=True)
            (tmp_path / "prepared" / "k3y" / "prepared.json").touch()

    follow(tmp_path, run)
    assert words["synthesize"][2] == words["prepare"][1]
    for stage in ("train_gag", "train_pag"):
        assert words[stage][3] == str(tmp_path / "prepared" / "k3y")
        assert "--resume" in words[stage]
    assert str(tmp_path / "gag" / "best.ckpt") in words["train_pag"]
    assert words["export"][1] == str(tmp_path / "pag" / "best.ckpt")


def test_eyes_are_taught_by_what_was_trained_before(tmp_path):
    words: dict[str, tuple[str, ...]] = {}

    def run(step: recipe.Step) -> None:
        words[step.name] = step.words
        if step.name == "prepare_faces":
            (tmp_path / "prepared_faces" / "k3y").mkdir(parents=True)
            (tmp_path / "prepared_faces" / "k3y" / "prepared.json").touch()

    follow(tmp_path, run, FACE, recipe.FACE_STAGES)
    assert "--video" in words["synthesize_faces"]
    assert words["prepare_faces"][1] in words["synthesize_faces"]
    assert str(tmp_path / "prepared_faces" / "k3y") in words["train_face"]
    assert str(tmp_path / "pag" / "best.ckpt") in words["train_face"]
    assert words["export_faces"][1] == str(tmp_path / "face" / "best.ckpt")


def test_a_recipe_without_a_stage_is_refused(tmp_path):
    with pytest.raises(recipe.RecipeError, match="has the entries synthesize, prepare"):
        follow(tmp_path, lambda step: None, {"synthesize": []})


def test_the_status_of_a_failed_command_is_passed_on(tmp_path, monkeypatch):
    def fails(command: list[str], check: bool) -> None:
        raise subprocess.CalledProcessError(7, command)

    monkeypatch.setattr(recipe.subprocess, "run", fails)
    assert recipe.main(["--quick", "--work", str(tmp_path)]) == 7
    assert not list(tmp_path.glob("*.done"))


@pytest.mark.slow
def test_the_quick_recipe_ends_with_trained_bundles(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("lightning_fabric")
    assert recipe.main(["--quick", "--work", str(tmp_path)]) == 0
    for name, stage in (("demo_attributes", "pag"), ("demo_face_image", "face")):
        bundle = Bundle.load(tmp_path / "bundles" / name)
        assert bundle.trained
        assert bundle.provenance["stage"] == stage
        assert bool(bundle.domain) == (name == "demo_face_image")
        profiles = sorted(path.stem for path in bundle.profiles_path.glob("*.json"))
        assert profiles == ["stoic", "warm"]
    done = json.loads((tmp_path / "train_gag.done").read_text())
    assert done[:2] == ["train", "gag"]
