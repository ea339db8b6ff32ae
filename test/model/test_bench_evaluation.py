"""The bench of a whole test set, on a small one."""

from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bench import evaluation
from perreactor_model.metrics.predictions import Predictions


def test_the_file_has_the_size_that_was_asked_for_and_can_be_judged(tmp_path: Path):
    neighbours = evaluation.write(tmp_path / "set.npz", clips=60, samples=2, frames=20)
    predictions = Predictions.from_file(tmp_path / "set.npz")
    assert (predictions.clips, predictions.samples) == (60, 2)
    assert neighbours == predictions.appropriate.sum(axis=1).mean()
    assert np.diagonal(predictions.appropriate).all()


@pytest.mark.slow
def test_a_test_set_is_judged_and_its_memory_watched():
    result = evaluation.measure(clips=8, samples=2, frames=110)
    assert result["clips"] == 8
    assert result["minutes"] > 0
    assert result["memory_GB"] > 0.01
