"""The package as colcon and pip see it: manifest, version, executables, what is installed."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import perreactor_model

ROOT = Path(__file__).resolve().parents[2]
EXECUTABLES = ["bag_player", "face_view", "perception", "perreactor", "player", "reactor"]


@pytest.fixture(scope="module")
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def test_the_manifest_is_valid() -> None:
    package = pytest.importorskip("catkin_pkg.package")
    parsed = package.parse_package(str(ROOT / "package.xml"))
    warnings: list[str] = []
    parsed.validate(warnings)
    assert not warnings
    assert parsed.get_build_type() == "ament_cmake"


def test_there_is_one_version_number(manifest: ElementTree.Element) -> None:
    told = subprocess.run(
        [sys.executable, "setup.py", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split()[-1] == perreactor_model.__version__
    assert manifest.findtext("version") == perreactor_model.__version__


def test_the_manifest_makes_this_a_package_of_messages(manifest: ElementTree.Element) -> None:
    assert manifest.findtext("name") == "perreactor_ros"
    assert manifest.findtext("member_of_group") == "rosidl_interface_packages"
    assert {element.text for element in manifest.iterfind("buildtool_depend")} == {
        "ament_cmake",
        "ament_cmake_python",
        "rosidl_default_generators",
    }


def test_every_ros_package_that_is_imported_is_in_the_manifest(
    manifest: ElementTree.Element,
) -> None:
    declared = {e.text for e in manifest.iter() if e.tag.endswith("depend")}
    known_elsewhere = {"ament_index_python", "builtin_interfaces", "rcl_interfaces"}  # by rclpy
    optional = {"audio_common_msgs", "cv_bridge"}
    used = set()
    for file in [*(ROOT / "perreactor_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                used.add(node.module.split(".")[0])
    ros = {name for name in used if re.search(r"_msgs$|_srvs$|^rclpy$|^launch|^cv_bridge$", name)}
    assert "rclpy" in ros
    assert ros - declared - known_elsewhere - optional == set()


@pytest.mark.parametrize("kind", ["msg", "srv"])
def test_interfaces_in_the_folder_are_the_interfaces_that_are_built(kind: str) -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = re.findall(rf"{kind}/(\w+)\.{kind}", text)
    assert sorted(listed) == sorted(file.stem for file in (ROOT / kind).iterdir())


def test_our_modules_are_installed_after_the_generated_ones() -> None:
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert text.index("rosidl_generate_interfaces(") < text.index(
        "install(DIRECTORY perreactor_ros/"
    )
    commands = re.sub(r"#.*", "", text)
    assert "ament_python_install_package(perreactor_ros" not in commands
    assert "FILES_MATCHING" not in commands, "it turns symlink installs into copies"


@pytest.mark.parametrize("name", EXECUTABLES)
def test_every_executable_runs_a_main_that_exists(name: str) -> None:
    script = ROOT / "scripts" / name
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env python3\n")
    module = re.search(r"^from ([\w.]+) import main\b", text, re.MULTILINE)[1]
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    functions = {
        node.name
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert "main" in functions


def test_every_executable_is_installed() -> None:
    listed = re.findall(r"scripts/(\w+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert set(listed) == set(EXECUTABLES) == {file.name for file in (ROOT / "scripts").iterdir()}


def test_the_built_package_holds_executables_and_resources() -> None:
    index = pytest.importorskip("ament_index_python.packages")
    try:
        prefix = Path(index.get_package_prefix("perreactor_ros"))
    except (index.PackageNotFoundError, OSError):
        pytest.skip("the workspace is not sourced")
    for name in EXECUTABLES:
        assert os.access(prefix / "lib" / "perreactor_ros" / name, os.X_OK)
    share = prefix / "share" / "perreactor_ros"
    for name in ("fastdds.xml", "config/reactor.yaml", "launch/reactor.launch.py", "bundles"):
        assert (share / name).exists(), name


def test_requirements_are_exact_and_the_demo_needs_no_torch() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert not line or line.startswith("#") or "==" in line, f"{file.name}: {line}"
    demo = [
        (ROOT / "requirements" / name).read_text()
        for name in ("ros.txt", "runtime.txt", "evaluation.txt")
    ]
    assert not re.search(r"^(torch|onnx)\b(?!runtime)", "\n".join(demo), re.MULTILINE)


def test_shared_memory_holds_a_camera_image() -> None:
    profile = ElementTree.parse(ROOT / "resource" / "fastdds.xml").getroot()
    size = int(next(e.text for e in profile.iter() if e.tag.endswith("segment_size")))
    assert size >= 4 * 640 * 480 * 3


def test_the_installed_command_may_start_processes(tmp_path: Path) -> None:
    """They import the program's file again, which must not run the command again."""
    words = ["--listeners", "5", "--sessions", "1", "--seconds", "4", "--workers", "2"]
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "perreactor", "synthesize", "--out", tmp_path / "c"]
        + words,
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "c" / "synthetic.json").is_file()
