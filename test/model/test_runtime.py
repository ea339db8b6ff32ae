"""A graph runs where it was asked to, and only if it is the graph the manifest describes."""

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from perreactor_model.bundle.manifest import GRAPHS, Bundle, BundleError
from perreactor_model.streaming.runtime import DeviceError, choose_providers, load_graph


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_attributes_bundle", "tiny_paper_bundle"])
def test_every_graph_of_a_bundle_has_the_sizes_of_its_manifest(
    request: pytest.FixtureRequest, kind: str
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    for graph in GRAPHS:
        assert load_graph(bundle, graph, "cpu", 1).get_inputs()


@pytest.mark.parametrize(
    ("change", "graph", "named"),
    [
        ({"feature_size": 64}, "distribution", "token"),
        ({"heads": 2}, "decoder_generic", "own_key_0"),
        ({"image_size": 96}, "frame_encoder", "image"),
        ({"pattern_input": "attributes"}, "pattern_encoder", "history"),
    ],
)
def test_sizes_that_the_graphs_do_not_have_are_refused_by_input(
    tiny_bundle: Bundle, change: dict[str, int | str], graph: str, named: str
) -> None:
    model = replace(tiny_bundle.config, **change)
    lying = Bundle(tiny_bundle.path, replace(tiny_bundle.manifest, model=model))
    with pytest.raises(BundleError, match=rf"{graph}.*'{named}'.*export the bundle again"):
        load_graph(lying, graph, "cpu", 1)


@pytest.mark.parametrize(
    ("change", "graph"),
    [
        ({"decoder": "paper"}, "decoder_generic"),
        ({"decoder_layers": 5}, "decoder_personal"),
        ({"visual_input": "facial_attributes"}, "frame_encoder"),
    ],
)
def test_a_graph_of_another_kind_is_refused_when_it_is_loaded(
    tiny_bundle: Bundle, change: dict[str, int | str], graph: str
) -> None:
    model = replace(tiny_bundle.config, **change)
    lying = Bundle(tiny_bundle.path, replace(tiny_bundle.manifest, model=model))
    with pytest.raises(BundleError, match=rf"{graph}.*bundle\.json asks for"):
        load_graph(lying, graph, "cpu", 1)


def test_a_file_that_is_no_graph_is_refused_by_name(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "distribution.onnx").write_bytes(b"garbage")
    with pytest.raises(BundleError, match=r"distribution\.onnx: onnxruntime cannot load it"):
        load_graph(Bundle(tmp_path, tiny_bundle.manifest), "distribution", "cpu", 1)


def test_auto_falls_back_to_the_processor() -> None:
    assert choose_providers("auto")[-1] == "CPUExecutionProvider"


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this machine has what the test wants to miss",
)
def test_a_device_that_is_not_there_is_refused_with_what_would_help() -> None:
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        choose_providers("cuda")


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DeviceError, match="auto, cpu, cuda"):
        choose_providers("tpu")


def test_no_threads_are_refused(tiny_bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="threads is 0"):
        load_graph(tiny_bundle, "distribution", "cpu", 0)
