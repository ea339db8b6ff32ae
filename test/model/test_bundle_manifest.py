"""A bundle is verified before it is used; what does not fit is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perreactor_model.bundle.manifest import GRAPHS, Bundle, BundleError, find_bundle


@pytest.fixture
def copy(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.path, tmp_path / "copied"))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_bundle_tells_what_it_is(tiny_bundle: Bundle) -> None:
    assert not tiny_bundle.trained
    assert tiny_bundle.mean_face.shape == (58,)
    assert "untrained" in tiny_bundle.provenance["kind"]
    name, digest = tiny_bundle.model_id.rsplit("-", 1)
    assert name == tiny_bundle.name and len(digest) == 12
    assert all(tiny_bundle.graph_path(graph).is_file() for graph in GRAPHS)


def test_the_model_id_does_not_depend_on_how_the_manifest_is_written(copy: Path) -> None:
    before = Bundle.load(copy).model_id
    content = json.loads((copy / "bundle.json").read_text())
    turned = dict(reversed(content.items()))
    (copy / "bundle.json").write_text(json.dumps(turned, indent=7))
    assert Bundle.load(copy).model_id == before


def test_a_changed_graph_is_refused_by_name(copy: Path) -> None:
    path = copy / "distribution.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"distribution\.onnx is not the file"):
        Bundle.load(copy)


def test_a_missing_graph_is_refused_by_name(copy: Path) -> None:
    (copy / "pattern_encoder.onnx").unlink()
    with pytest.raises(BundleError, match=r"pattern_encoder\.onnx is missing"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("format", 2, "format version 2, this version of perreactor reads 1"),
        ("contract", 9, "contract version 9"),
        ("contract", None, "contract version None"),
        ("name", "../up", "letters, digits"),
        ("trained", "no", "true or false"),
        ("mean_face", [0.0] * 57, "58 finite numbers .found 57"),
        ("mean_face", [float("nan")] * 58, "58 finite numbers"),
        ("au_semantics", "strength", "occurrence, intensity"),
        ("model", {"windows": 4}, "did you mean 'window'"),
        ("files", {"decoder.onnx": "00"}, "files must be frame_encoder.onnx"),
        ("surprise", 1, "unknown entries surprise"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    copy: Path, entry: str, value: object, says: str
) -> None:
    edit(copy, lambda content: content.update({entry: value}))
    with pytest.raises(BundleError, match=says):
        Bundle.load(copy)


def test_a_broken_manifest_is_refused(copy: Path) -> None:
    (copy / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match=r"bundle\.json cannot be read"):
        Bundle.load(copy)


def test_a_bundle_is_found_by_name_in_the_search_path(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERREACTOR_BUNDLES", str(copy.parent))
    assert find_bundle("copied") == copy.resolve()


def test_a_bundle_is_found_in_a_ros_prefix(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "prefix" / "share" / "perreactor_ros" / "bundles"
    share.mkdir(parents=True)
    copy.rename(share / "robot_face")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    assert find_bundle("robot_face") == (share / "robot_face").resolve()


def test_an_unknown_name_lists_the_known_ones(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERREACTOR_BUNDLES", str(copy.parent))
    with pytest.raises(BundleError, match="known bundles: .*copied"):
        find_bundle("nothing")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no bundle\.json"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody_of_this_name/bundle", "a\0b", "", None])
def test_a_name_that_no_file_can_have_is_refused_as_any_other(name: str) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        find_bundle(name)
