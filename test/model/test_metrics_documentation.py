"""The figures printed in docs/metrics.md are those that the code gives."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.evaluation import METRICS, evaluate
from perreactor_model.metrics.example import example
from perreactor_model.metrics.predictions import Predictions

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The table of what trivial answers score: heading first."""
    lines = re.findall(r"^\| (?:mode|reference|corrected) \|.*$", PAGE, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def figure(table: Any, path: str) -> float | None:
    for key in path.split("."):
        table = table[key]
    return table


@pytest.mark.slow
def test_the_table_of_anchors_is_what_the_example_scores() -> None:
    predictions = Predictions.from_arrays(**example())
    result = evaluate(predictions, ("reference", "corrected"), anchors=True)
    heading, *body = rows()
    assert len(body) > 10
    for mode, name, *cells in body:
        for answer, cell in zip(heading[2:], cells, strict=True):
            source = result if answer == "example" else result["anchors"][answer.replace(" ", "_")]
            value = figure(source[mode], name)
            if cell == "-":
                assert value is None, (mode, name, answer)
            else:
                assert value == pytest.approx(float(cell), rel=0.01, abs=1e-4), (name, answer)


def test_every_metric_has_its_section() -> None:
    headings = " ".join(re.findall(r"^### (.*)$", PAGE, re.MULTILINE))
    assert [name for name in METRICS if name not in headings] == []


@pytest.mark.parametrize("mode", ["reference", "corrected"])
def test_every_key_of_the_json_is_named(mode: str) -> None:
    arrays = example(samples=2, frames=120)
    arrays |= {
        "prediction_3dmm": np.random.default_rng(0).random((24, 2, 120, 58)),
        "listener_3dmm": np.random.default_rng(1).random((24, 120, 58)),
    }
    result = evaluate(Predictions.from_arrays(**arrays), (mode,), seam_step=8)[mode]
    keys = set(result)
    for value in result.values():
        keys |= set(value) if isinstance(value, dict) else set()
    assert sorted(key for key in keys if key not in PAGE) == []
