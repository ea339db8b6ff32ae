"""The colcon workspace in the checkout: `build`, `install`, `log`, rebuilt only when it must be.

Python modules, launch files, configuration and resources are installed as links, so editing one
needs no rebuild; adding or removing one does, and so does a change of a message or of the package.
"""

import shutil
import subprocess
from pathlib import Path

from environment import Environment, digest, report

BUILT_FROM = ("CMakeLists.txt", "package.xml", "msg", "srv")
"""Their content decides about a rebuild."""

INSTALLED = ("perreactor_ros", "perreactor_model", "launch", "config", "resource", "scripts")
"""Only the names in these folders do."""


class Workspace:
    """The checkout at `root`, built with the tools of `environment`."""

    def __init__(self, root: Path, environment: Environment) -> None:
        self.root = root
        self.environment = environment
        self.stamp = root / "install" / ".built_from"

    def build(self) -> None:
        """Run colcon if the sources no longer are what `install` was built from."""
        state = self.state()
        if self.stamp.is_file() and self.stamp.read_text() == state:
            return
        report("building the ROS package (some seconds)")
        # A module that was renamed or deleted would live on in an old install.
        shutil.rmtree(self.root / "install", ignore_errors=True)
        # CMake's cache must not outlive the interpreter and the wheels that it was made with.
        foundation = self.root / "build" / ".foundation"
        if not foundation.is_file() or foundation.read_text() != self.foundation():
            shutil.rmtree(self.root / "build", ignore_errors=True)
            foundation.parent.mkdir()
            foundation.write_text(self.foundation())
        # fmt: off
        command = [
            str(self.environment.python), "-m", "colcon", "--log-level", "error", "build",
            "--base-paths", ".", "--packages-select", "perreactor_ros", "--symlink-install",
            "--event-handlers", "console_start_end-", "summary-",
            "--cmake-args", f"-DPython3_EXECUTABLE={self.environment.python}",
            "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Release", "--no-warn-unused-cli",
        ]
        # fmt: on
        subprocess.run(
            command,
            check=True,
            cwd=self.root,
            env=self.environment.variables(),
            stdin=subprocess.DEVNULL,
        )
        self.stamp.write_text(state)

    def state(self) -> str:
        """Digest of everything that the build depends on."""
        contents = [
            part
            for name in BUILT_FROM
            for file in self._files(name)
            for part in (self._relative(file), file.read_bytes())
        ]
        names = [self._relative(file) for name in INSTALLED for file in self._files(name)]
        parts = (self.foundation(), digest(*contents), digest(*names))
        return digest(*(part.encode() for part in parts))

    def foundation(self) -> str:
        """Digest of what the build stands on: this environment and the ROS wheels in it."""
        record = self.environment.record
        return digest((record / "made").read_bytes(), (record / "ros").read_bytes())

    def _files(self, name: str) -> list[Path]:
        path = self.root / name
        if path.is_file():
            return [path]
        return sorted(
            file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts
        )

    def _relative(self, file: Path) -> bytes:
        return str(file.relative_to(self.root)).encode()
