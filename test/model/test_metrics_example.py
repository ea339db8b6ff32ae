"""The example is a set of predictions like anybody's."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.evaluation import evaluate
from perreactor_model.metrics.example import example, main
from perreactor_model.metrics.predictions import Predictions


def test_the_file_it_writes_is_read_as_predictions(tmp_path: Path) -> None:
    assert main([str(tmp_path / "example")]) == 0
    predictions = Predictions.from_file(tmp_path / "example.npz")
    assert (predictions.clips, predictions.samples) == (24, 10)
    assert predictions.identity is not None and predictions.speaker is not None


def test_without_a_file_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "FILE.npz" in capsys.readouterr().err


def test_its_reactions_are_better_than_noise_and_its_listeners_can_be_told_apart() -> None:
    arrays = example(samples=2, frames=250)
    wanted = ("FRCorr", "FRRea-motion", "personalisation")
    made = evaluate(Predictions.from_arrays(**arrays), metrics=wanted)["corrected"]
    arrays["prediction"] = np.random.default_rng(0).random(arrays["prediction"].shape)
    noise = evaluate(Predictions.from_arrays(**arrays), metrics=wanted)["corrected"]
    assert made["FRCorr"] > 5 * noise["FRCorr"]
    assert made["FRRea-motion"] < 0.01 * noise["FRRea-motion"]
    told = made["personalisation"]
    assert told["real_accuracy"] > 2 * told["chance"]


def test_the_same_seed_gives_the_same_example_and_another_another() -> None:
    one, same, other = (example(samples=1, frames=50, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["listener"], other["listener"])
