"""The built package for the tests: found where it is sourced, else built once and kept."""

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

INSTALLED = ("perreactor_ros", "perreactor_model", "scripts", "launch", "config", "resource")
"""Folders whose files CMake links into the workspace: a new file there asks for a new build."""


def use_workspace(repository: Path) -> Path:
    """Make `perreactor_ros` with its messages importable, here and in child processes.

    Returns the prefix that holds `lib/perreactor_ros` and `share/perreactor_ros`. Raises
    RuntimeError with the end of the build's output if the workspace cannot be built.
    """
    prefix = _sourced()
    if prefix is None:
        prefix = _build(repository)
        _source(prefix)
    return prefix


def _sourced() -> Path | None:
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / "share" / "perreactor_ros" / "package.xml").is_file():
            return Path(prefix)
    return None


def _build(repository: Path) -> Path:
    folder = Path(tempfile.gettempdir()) / f"perreactor-workspace-{_key(repository)}"
    folder.mkdir(exist_ok=True)
    prefix = folder / "install" / "perreactor_ros"
    with open(folder / "lock", "w") as lock:
        # Test processes that run side by side (pytest -n) build it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            _run_colcon(repository, folder)
            (folder / "built").touch()
    return prefix


def _key(repository: Path) -> str:
    """Changes with what a build would make differently; sources are linked, so names suffice."""
    digest = hashlib.sha256(f"{sys.prefix} {sys.version} {repository}".encode())
    for path in [
        repository / "CMakeLists.txt",
        repository / "package.xml",
        *_files(repository, "msg"),
        *_files(repository, "srv"),
    ]:
        digest.update(path.read_bytes())
    for folder in INSTALLED:
        digest.update("\n".join(map(str, _files(repository, folder))).encode())
    return digest.hexdigest()[:12]


def _files(repository: Path, folder: str) -> list[Path]:
    return sorted(
        path
        for path in (repository / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def _run_colcon(repository: Path, folder: Path) -> None:
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
    prefixes.append(sys.prefix)
    environment = os.environ | {
        "AMENT_PREFIX_PATH": ":".join(prefixes),
        "CMAKE_PREFIX_PATH": ":".join(prefixes),
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
    }
    command = [
        *(sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), "build"),
        *("--base-paths", str(repository), "--packages-select", "perreactor_ros"),
        *("--build-base", str(folder / "build"), "--install-base", str(folder / "install")),
        *("--symlink-install", "--cmake-args", "-DBUILD_TESTING=OFF"),
        f"-DPython3_EXECUTABLE={sys.executable}",
    ]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(
            f"colcon could not build the package ('make build' sets everything up):\n"
            f"{done.stdout[-4000:]}"
        )


def _source(prefix: Path) -> None:
    """What sourcing `local_setup.bash` does, for this process as well as for its children."""
    python = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for variable, path in (
        ("AMENT_PREFIX_PATH", prefix),
        ("LD_LIBRARY_PATH", prefix / "lib"),
        ("PYTHONPATH", prefix / python),
    ):
        others = [os.environ[variable]] if os.environ.get(variable) else []
        os.environ[variable] = os.pathsep.join([str(path), *others])
    sys.path.append(str(prefix / python))
    importlib.invalidate_caches()
    # The loader read LD_LIBRARY_PATH when this process began, so load our libraries by path. Each
    # needs some of the others first; once loaded, they are found by name.
    waiting = sorted((prefix / "lib").glob("*.so"))
    import rclpy  # noqa: F401  loads what they need of ROS

    while waiting:
        left = [library for library in waiting if not _loads(library)]
        if len(left) == len(waiting):
            break
        waiting = left


def _loads(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
