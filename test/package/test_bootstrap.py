"""The set-up: does what is missing, once, and notices when that is no longer enough."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bootstrap"))

import environment  # noqa: E402
import wheel_paths  # noqa: E402
import workspace  # noqa: E402
from environment import Environment  # noqa: E402
from workspace import Workspace  # noqa: E402

WHEEL = (
    "/opt/python/cp312-cp312/include/python3.12;"
    "/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include;/usr/include"
)


def test_paths_of_the_wheels_machine_become_paths_of_this_one() -> None:
    assert wheel_paths.relocate(WHEEL, "/py", "/np") == "/py;/np;/usr/include"


def test_relocating_twice_changes_nothing_more() -> None:
    once = wheel_paths.relocate(WHEEL, "/py", "/np")
    assert wheel_paths.relocate(once, "/other", "/other") == once


@pytest.fixture
def prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Environment, list[list[str]]]:
    """An environment that works, with what would have been given to pip in place of pip."""
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    for name in ("ros", "runtime", "training"):
        (requirements / f"{name}.txt").write_text(f"{name}==1\n")
    (requirements / "training.txt").write_text("torch==2.13.0\n")
    made = Environment(tmp_path / ".venv", requirements)
    made.record.mkdir(parents=True)
    calls: list[list[str]] = []
    monkeypatch.setattr(made, "_pip", lambda *words: calls.append(list(words)))
    monkeypatch.setattr(environment, "relocate_cmake_files", lambda python: 0)
    return made, calls


def test_requirements_are_installed_once(prepared) -> None:
    made, calls = prepared
    made.install(("ros", "runtime"))
    made.install(("ros", "runtime"))
    assert len(calls) == 1


def test_a_changed_requirement_is_installed_again(prepared) -> None:
    made, calls = prepared
    made.install(("ros", "runtime"))
    (made.requirements / "runtime.txt").write_text("runtime==2\n")
    made.install(("ros", "runtime"))
    assert len(calls) == 2


def test_the_demo_after_the_tests_installs_nothing(prepared) -> None:
    made, calls = prepared
    made.install(("ros", "runtime", "training"))
    made.install(("ros", "runtime"))
    assert len(calls) == 1


def test_an_interrupted_installation_is_taken_up_again(prepared, monkeypatch) -> None:
    made, calls = prepared

    def fail(*words: str) -> None:
        raise subprocess.CalledProcessError(1, ["pip"])

    with monkeypatch.context() as patch, pytest.raises(subprocess.CalledProcessError):
        patch.setattr(made, "_pip", fail)
        made.install(("ros",))
    made.install(("ros",))
    assert len(calls) == 1


def test_torch_comes_from_the_index_that_is_named(prepared) -> None:
    made, calls = prepared
    made.install(("runtime", "training"), torch_index="cpu-index")
    assert calls[0] == ["install", "--index-url", "cpu-index", "torch==2.13.0"]
    assert "--index-url" not in calls[1]


@pytest.fixture
def with_extra(prepared, monkeypatch) -> tuple[Environment, list[list[str]]]:
    """The same with an extra, whose wheel there is."""
    made, calls = prepared
    (made.requirements / "analyzer.txt").write_text("mediapipe==1\n")
    monkeypatch.setattr(made, "_imports", lambda module: True)
    return made, calls


def test_an_extra_is_installed_once_and_without_what_it_declares_to_need(with_extra) -> None:
    made, calls = with_extra
    made.install_alone("analyzer", "mediapipe")
    made.install_alone("analyzer", "mediapipe")
    assert calls == [["install", "--no-deps", "-r", str(made.requirements / "analyzer.txt")]]


def test_an_extra_that_cannot_be_had_stops_nothing_and_is_tried_again(
    with_extra, monkeypatch, capsys
) -> None:
    made, calls = with_extra

    def fail(*words: str) -> None:
        raise subprocess.CalledProcessError(1, ["pip"])

    with monkeypatch.context() as patch:
        patch.setattr(made, "_pip", fail)
        made.install_alone("analyzer", "mediapipe")
    assert "analyzer requirements could not be installed" in capsys.readouterr().err
    made.install_alone("analyzer", "mediapipe")
    assert len(calls) == 1


def test_an_extra_without_a_wheel_for_this_python_is_said_once(prepared, capsys) -> None:
    made, _ = prepared
    made.python = Path(sys.executable)
    (made.requirements / "analyzer.txt").write_text("mediapipe==1; python_version < '3'\n")
    made.install_alone("analyzer", "no_such_module_anywhere")
    assert "no no_such_module_anywhere for this Python" in capsys.readouterr().err
    made.install_alone("analyzer", "no_such_module_anywhere")
    assert not capsys.readouterr().err
    assert made._imports("json")


def test_another_ros_installation_does_not_leak_in(prepared, monkeypatch) -> None:
    made, _ = prepared
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/humble")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/humble/lib")
    variables = made.variables()
    assert variables["AMENT_PREFIX_PATH"] == str(made.folder)
    assert "PYTHONPATH" not in variables


@pytest.mark.slow
def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path) -> None:
    first = Environment(tmp_path / "a" / ".venv", tmp_path)
    first.create()
    assert (first.folder / "COLCON_IGNORE").exists()
    mark = first.folder / "mark"
    mark.touch()
    first.create()
    assert mark.exists(), "an environment that works is kept"
    (tmp_path / "a").rename(tmp_path / "b")
    moved = Environment(tmp_path / "b" / ".venv", tmp_path)
    moved.create()
    assert not (moved.folder / "mark").exists()


@pytest.fixture
def checkout(tmp_path: Path, prepared) -> Workspace:
    made, _ = prepared
    made.install(("ros",))
    (made.record / "made").write_text("here")
    for name in ("msg/A.msg", "perreactor_ros/node.py", "package.xml", "CMakeLists.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("first\n")
    return Workspace(tmp_path, made)


def test_editing_a_module_needs_no_build(checkout: Workspace) -> None:
    before = checkout.state()
    (checkout.root / "perreactor_ros" / "node.py").write_text("second\n")
    assert checkout.state() == before


@pytest.mark.parametrize("name", ["msg/A.msg", "package.xml", "perreactor_ros/new.py"])
def test_what_the_build_depends_on_needs_one(checkout: Workspace, name: str) -> None:
    before = checkout.state()
    (checkout.root / name).write_text("second\n")
    assert checkout.state() != before


def test_other_wheels_need_a_build_from_scratch(checkout: Workspace) -> None:
    before = checkout.foundation()
    (checkout.environment.requirements / "ros.txt").write_text("ros==2\n")
    checkout.environment.install(("ros",))
    assert checkout.foundation() != before


def test_folders_that_decide_about_a_build_exist() -> None:
    for name in (*workspace.BUILT_FROM, *workspace.INSTALLED):
        assert (ROOT / name).exists(), name


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH of its own: an x86-64 Linux with apt and Python, an ordinary user, no build tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("dirname", "tr"):
        (folder / tool).symlink_to(shutil.which(tool))
    (folder / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3").resolve())
    pretend(folder, "uname", '[ "$1" = -m ] && echo x86_64 || echo Linux')
    pretend(folder, "id", "echo 1000")
    pretend(folder, "apt-get", "echo apt-get must not run >&2; exit 9")
    return folder


def pretend(folder: Path, name: str, script: str) -> None:
    """Put a program of this name into the folder."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def prepare_on(machine: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run prepare.sh for the demo on such a machine."""
    return subprocess.run(
        ["/bin/sh", ROOT / "bootstrap" / "prepare.sh", "demo"],
        env={"PATH": str(machine), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_other_processors_are_sent_to_ros_installed_from_packages(machine: Path) -> None:
    pretend(machine, "uname", '[ "$1" = -m ] && echo aarch64 || echo Linux')
    told = prepare_on(machine)
    assert told.returncode == 1
    assert "aarch64" in told.stderr
    assert "colcon build" in told.stderr


def test_an_interpreter_that_does_not_fit_is_refused(machine: Path) -> None:
    told = prepare_on(machine, PYTHON="/bin/false")
    assert told.returncode == 1
    assert "PYTHON=/bin/false does not fit: Python 3.10 to 3.13" in told.stderr


def test_an_ordinary_user_is_told_what_to_type(machine: Path) -> None:
    told = prepare_on(machine)
    assert told.returncode == 1
    command = told.stderr.splitlines()[1].strip()
    assert command.startswith("sudo apt-get update && sudo apt-get install -y")
    assert {"g++", "make", "cmake"} <= set(command.split())


def test_root_gets_what_is_missing_installed(machine: Path) -> None:
    pretend(machine, "id", "echo 0")
    pretend(machine, "apt-get", 'echo "apt-get $*" >&2; [ "$1" = update ]')
    told = prepare_on(machine)
    assert "apt-get update" in told.stderr
    assert "apt-get install" in told.stderr
    assert "g++ make cmake" in told.stderr


def test_a_system_without_apt_is_told_the_names(machine: Path) -> None:
    (machine / "apt-get").unlink()
    told = prepare_on(machine)
    assert told.returncode == 1
    assert "g++ make cmake" in told.stderr
