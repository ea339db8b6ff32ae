"""The virtual environment `.venv`: made once, filled with one requirements file after another."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from wheel_paths import relocate_cmake_files

FOREIGN = (
    "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH", "PYTHONHOME",
    "MAKEFLAGS", "MFLAGS", "MAKELEVEL",
)  # fmt: skip
"""Variables of another ROS installation, interpreter or an outer make, which must not leak in."""


def report(text: str) -> None:
    print(f"perreactor: {text}", file=sys.stderr, flush=True)


def digest(*parts: bytes) -> str:
    """sha256 over parts whose borders count, in hex."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


class Environment:
    """`.venv` and the record of what is in it (`.venv/.prepared/`)."""

    def __init__(self, folder: Path, requirements: Path) -> None:
        self.folder = folder
        self.requirements = requirements
        self.python = folder / "bin" / "python"
        self.record = folder / ".prepared"

    def create(self, asked_for: str | None = None) -> None:
        """Make the environment unless it works already, where it was made.

        asked_for: the user's PYTHON; an environment with another version of Python is made anew.
        """
        if self._works(same_version=bool(asked_for)):
            return
        report(f"making {self.folder.name} with Python {sys.version.split()[0]}")
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
        # colcon crawls the checkout for packages and would find those of the wheels.
        (self.folder / "COLCON_IGNORE").touch()
        self.record.mkdir()
        (self.record / "made").write_text(self._identity(sys.version_info[:2]))

    def install(self, names: Iterable[str], torch_index: str | None = None) -> None:
        """Install requirements/NAME.txt for each name that is not in yet, in one pip call.

        torch_index: address of the index that torch is to come from; pip's own by default.
        """
        wanted = {name: self.requirements / f"{name}.txt" for name in names}
        states = {name: digest(file.read_bytes()) for name, file in wanted.items()}
        due = [name for name in wanted if self._recorded(name) != states[name]]
        if not due:
            return
        report(f"installing {', '.join(due)} requirements (a minute or two, once)")
        if "training" in due and torch_index:
            torch = next(
                line
                for line in wanted["training"].read_text().splitlines()
                if line.startswith("torch==")
            )
            self._pip("install", "--index-url", torch_index, torch)
        # Together with what is in already, so that pip keeps the pins of all of them.
        files = [word for name in wanted for word in ("-r", str(wanted[name]))]
        self._pip("install", *files)
        relocate_cmake_files(self.python)
        for name in due:
            (self.record / name).write_text(states[name])

    def install_alone(self, name: str, module: str) -> None:
        """Install requirements/NAME.txt without what its packages declare to need, if not in yet.

        An extra, `module`, that the rest does without: where it cannot be had, one line says so.
        """
        file = self.requirements / f"{name}.txt"
        state = digest(file.read_bytes())
        if self._recorded(name) == state:
            return
        report(f"installing {name} requirements")
        try:
            self._pip("install", "--no-deps", "-r", str(file))
        except subprocess.CalledProcessError:
            report(f"{name} requirements could not be installed; the rest works without them")
            return
        if not self._imports(module):
            report(f"there is no {module} for this Python and machine; the rest works without it")
        (self.record / name).write_text(state)

    def variables(self) -> dict[str, str]:
        """The process environment for tools that run inside: this prefix is the ROS prefix."""
        variables = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        prefix = str(self.folder)
        variables |= {
            "VIRTUAL_ENV": prefix,
            "AMENT_PREFIX_PATH": prefix,
            "CMAKE_PREFIX_PATH": prefix,
            "PATH": f"{prefix}/bin:{variables.get('PATH', os.defpath)}",
        }
        return variables

    def _works(self, same_version: bool) -> bool:
        question = [str(self.python), "-I", "-c", "import sys; print(*sys.version_info[:2])"]
        try:
            answer = subprocess.run(question, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return False
        version = tuple(int(part) for part in answer.split())
        if same_version and version != sys.version_info[:2]:
            return False
        # An environment that was moved or copied names its old place in every script.
        return self._recorded("made") == self._identity(version)

    def _identity(self, version: tuple[int, ...]) -> str:
        return f"{self.folder} {version}"

    def _imports(self, module: str) -> bool:
        question = f"import importlib.util, sys; sys.exit(not importlib.util.find_spec('{module}'))"
        return subprocess.run([str(self.python), "-I", "-c", question]).returncode == 0

    def _recorded(self, name: str) -> str | None:
        file = self.record / name
        return file.read_text() if file.is_file() else None

    def _pip(self, *words: str) -> None:
        options = ["--disable-pip-version-check", "--no-input", "--quiet"]
        variables = self.variables() | {"PIP_USER": "0"}
        command = [str(self.python), "-m", "pip", *options, *words]
        subprocess.run(command, check=True, env=variables, stdin=subprocess.DEVNULL)
