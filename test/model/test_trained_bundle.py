"""The recipe of the shipped weights: what it runs, and that it can be interrupted."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from perreactor_model.bundle import recipe
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.installed import config_file


def steps(work: Path) -> list[recipe.Step]:
    told = yaml.safe_load(config_file(recipe.FULL).read_text())
    return recipe.steps_of(told, work, work / "bundle")


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_recipe_that_was_interrupted_goes_on_where_it_was(tmp_path):
    run: list[str] = []

    def until_pag(step: recipe.Step) -> None:
        if step.name == "train_pag" and run.count("train_gag") == 1 and "stopped" not in run:
            run.append("stopped")
            raise Stopped
        run.append(step.name)

    with pytest.raises(Stopped):
        recipe.follow(steps(tmp_path), tmp_path, until_pag, lambda text: None)
    recipe.follow(steps(tmp_path), tmp_path, until_pag, lambda text: None)
    assert run == ["synthesize", "prepare", "train_gag", "stopped", "train_pag", "export"]


def test_what_was_made_with_other_words_is_not_taken_for_the_recipes(tmp_path):
    recipe.follow(steps(tmp_path), tmp_path, lambda step: None, lambda text: None)
    changed = [recipe.Step(step.name, (*step.words, "--seed", "9")) for step in steps(tmp_path)]
    with pytest.raises(recipe.RecipeError, match="holds a synthesize made by"):
        recipe.follow(changed, tmp_path, lambda step: None, lambda text: None)


def test_training_goes_from_the_corpus_to_the_bundle(tmp_path):
    words = {step.name: step.words for step in steps(tmp_path)}
    assert words["synthesize"][2] == words["prepare"][1]
    assert words["train_pag"][3] == str(tmp_path / "gag" / "best.ckpt")
    assert words["export"][1] == str(tmp_path / "pag" / "best.ckpt")
    assert "--resume" in words["train_gag"]


def test_a_recipe_without_a_stage_is_refused(tmp_path):
    with pytest.raises(recipe.RecipeError, match="has the entries synthesize, prepare"):
        recipe.steps_of({"synthesize": []}, tmp_path, tmp_path)


def test_the_status_of_a_failed_command_is_passed_on(tmp_path, monkeypatch):
    def fails(command: list[str], check: bool) -> None:
        raise subprocess.CalledProcessError(7, command)

    monkeypatch.setattr(recipe.subprocess, "run", fails)
    assert recipe.main(["--quick", "--work", str(tmp_path)]) == 7
    assert not list(tmp_path.glob("*.done"))


@pytest.mark.slow
def test_the_quick_recipe_ends_with_a_trained_bundle(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("lightning_fabric")
    assert recipe.main(["--quick", "--work", str(tmp_path)]) == 0
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.trained
    assert bundle.provenance["stage"] == "pag"
    assert sorted(path.stem for path in bundle.profiles_path.glob("*.json")) == ["stoic", "warm"]
    done = json.loads((tmp_path / "train_gag.done").read_text())
    assert done[:2] == ["train", "gag"]
