"""`bench step` and `bench robots`: the bundle that is named is the one that runs."""

import json

import pytest

from perreactor_model.bench import robots, step
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.cli import bench
from perreactor_model.cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_three_ways_are_timed_on_the_bundles_own_size(tiny_image_bundle: Bundle) -> None:
    result = step.measure(tiny_image_bundle, repeats=2, window_repeats=1)
    assert result["bundle"] == tiny_image_bundle.model_id
    assert (result["feature_size"], result["window_frames"]) == (32, 16)
    assert result["ratio_window_again"] > 0 and result["ratio_authors_way"] > 0


def test_the_authors_way_is_no_measure_for_who_sees_no_pictures(
    tiny_attributes_bundle: Bundle,
) -> None:
    result = step.measure(tiny_attributes_bundle, repeats=2, window_repeats=1)
    assert "see pictures, tiny_attributes does not" in result["authors_way"]
    assert "ratio_authors_way" not in result


def test_shipped_bundles_are_measured_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_in_the_graph = stand_in(monkeypatch)
    assert main(["bench", "step", "--json"]) == 0
    assert told(capsys)["step"] == "demo_face_image"
    assert main(["bench", "robots", "--json"]) == 0
    both = {name: name for name in ("demo_attributes", "demo_face_image")}
    assert told(capsys)["robots"]["engine"] == both
    for name in ("latency", "soak"):
        assert main(["bench", name, "--json"]) == 0
    measured = [(name, arguments[1]) for name, arguments in asked_in_the_graph]
    assert [bundle.name for bundle in measured[0][1]] == list(both)
    assert measured[1:] == [("latency", None), ("soak", None)], "the nodes' own default"


def test_a_bundle_that_is_named_is_the_one_that_is_measured(
    tiny_image_bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked_in_the_graph = stand_in(monkeypatch)
    monkeypatch.chdir(tiny_image_bundle.path.parent)
    for name in ("step", "robots", "latency", "soak"):
        assert main(["bench", name, "--bundle", tiny_image_bundle.path.name]) == 0
    assert "demo_" not in capsys.readouterr().out
    (_, (_, crowd)), (_, latency), (_, soak) = asked_in_the_graph
    assert [bundle.name for bundle in crowd] == ["tiny_image"]
    folder = str(tiny_image_bundle.path)
    assert latency[1] == soak[1] == folder, "a folder that nodes find, wherever they run"


def test_a_bundle_that_is_not_there_is_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "all", "--bundle", "no_such_bundle"]) == 2
    said = capsys.readouterr().err
    assert "no bundle 'no_such_bundle'" in said and "bench step" not in said


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple]]:
    """Benches that measure nothing and name their bundle; what those of the graph were asked."""
    asked: list[tuple[str, tuple]] = []
    for module in (step, robots):
        monkeypatch.setattr(module, "measure", lambda bundle: bundle.name)
    monkeypatch.setattr(
        bench, "_in_the_graph", lambda name, *arguments: asked.append((name, arguments))
    )
    return asked


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)
