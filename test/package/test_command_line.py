"""`perreactor`: its table of commands, its help, and how it tells mistakes."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from perreactor_model.cli import main as command_line
from perreactor_model.cli.main import COMMANDS, Command, main

ROOT = Path(__file__).resolve().parents[2]


def install(monkeypatch: pytest.MonkeyPatch, run, configure=lambda parser: None) -> None:
    """Put a command `probe` into the table whose work is the function `run`."""
    module = types.ModuleType("perreactor_probe")
    module.run, module.configure = run, configure
    monkeypatch.setitem(sys.modules, "perreactor_probe", module)
    monkeypatch.setitem(COMMANDS, "probe", Command("perreactor_probe", "for this test"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_exists(name: str) -> None:
    source = ROOT.joinpath(*COMMANDS[name].module.split(".")).with_suffix(".py")
    text = source.read_text(encoding="utf-8")
    assert "\ndef configure(" in text
    assert "\ndef run(" in text


def test_every_command_module_is_in_the_table() -> None:
    inside = {command.module for command in COMMANDS.values()}
    for package, besides in (
        ("perreactor_model.cli", {"main"}),
        ("perreactor_ros.commands", set()),
    ):
        for file in ROOT.joinpath(*package.split(".")).glob("*.py"):
            if file.stem not in besides | {"__init__"}:
                assert f"{package}.{file.stem}" in inside


@pytest.mark.parametrize("name", [n for n, command in COMMANDS.items() if not command.needs_ros])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: perreactor {name}")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name} " in text
        assert command.summary in text


def test_help_imports_no_command_and_nothing_heavy() -> None:
    program = (
        "import sys\nfrom perreactor_model.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    print(*sys.modules, file=sys.stderr)"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(child.stderr.split())
    assert not {"numpy", "cv2", "onnxruntime", "torch", "rclpy", "perreactor_ros"} & loaded
    assert not {command.module for command in COMMANDS.values()} & loaded


def test_no_command_at_all_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docter"]) == 2
    assert "did you mean 'doctor'?" in capsys.readouterr().err


def test_an_unknown_command_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zzz"]) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in COMMANDS)


def test_ros_commands_say_how_to_build_where_ros_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "_ros_build_missing", lambda: "no rclpy")
    assert main(["demo"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("perreactor: error: 'demo' is part of the ROS 2 package")
    assert "colcon build" in error
    assert "make setup" in error


def test_missing_parts_of_ros_are_found_without_importing_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = {"perreactor_ros", "rclpy"}
    monkeypatch.setattr(
        command_line.importlib.util, "find_spec", lambda name: name if name in present else None
    )
    assert command_line._ros_build_missing() == "no perreactor_ros.msg"
    present.add("perreactor_ros.msg")
    assert command_line._ros_build_missing() is None


@pytest.mark.parametrize("error", [ValueError("no such profile 'x'"), OSError("disk is full")])
def test_a_users_mistake_is_one_line_and_status_2(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments) -> int:
        raise error

    install(monkeypatch, run)
    assert main(["probe"]) == 2
    assert capsys.readouterr().err == f"perreactor: error: {error}\n"


def test_our_own_mistake_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(arguments) -> int:
        raise AssertionError("a bug")

    install(monkeypatch, run)
    with pytest.raises(AssertionError):
        main(["probe"])


def test_ctrl_c_gives_the_status_of_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(arguments) -> int:
        raise KeyboardInterrupt

    install(monkeypatch, run)
    assert main(["probe"]) == 130


def test_arguments_and_status_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        run=lambda arguments: arguments.status,
        configure=lambda parser: parser.add_argument("--status", type=int),
    )
    assert main(["probe", "--status", "7"]) == 7


def test_a_reader_that_goes_away_is_no_error() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "perreactor_model", "doctor", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdout.close()
    error = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 1
    assert "Traceback" not in error
    assert "BrokenPipe" not in error
