"""Make the virtual environment and the workspace that a purpose needs; do only what is missing.

Started by prepare.sh with any Python 3.10 to 3.13; needs the standard library alone. What was done
is remembered by digests of what it was done from, so a second run takes a fraction of a second.
"""

import argparse
import fcntl
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bootstrap"))

from environment import Environment  # noqa: E402
from workspace import Workspace  # noqa: E402

PURPOSES = {
    "demo": ("ros", "runtime", "evaluation"),
    "bundle": ("ros", "runtime", "evaluation", "training"),
    "test": ("ros", "runtime", "evaluation", "training", "development"),
}
"""Which requirements/*.txt each purpose stands on. The demo installs no torch."""

EXTRA = ("analyzer", "mediapipe")
"""What every purpose also gets where there are wheels for it, and the module that this brings."""


def prepare(purpose: str) -> None:
    """Bring `.venv`, `build` and `install` up to date.

    Raises CalledProcessError where a tool fails.
    """
    environment = Environment(ROOT / ".venv", ROOT / "requirements")
    environment.create(asked_for=os.environ.get("PYTHON"))
    environment.install(PURPOSES[purpose], torch_index=os.environ.get("TORCH_INDEX"))
    environment.install_alone(*EXTRA)
    Workspace(ROOT, environment).build()


def main() -> int:
    parser = argparse.ArgumentParser(prog="bootstrap/prepare.sh", description=__doc__)
    parser.add_argument("purpose", choices=PURPOSES)
    purpose = parser.parse_args().purpose
    # Two runs at once take turns: the lock is on the folder itself and goes with the process.
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        prepare(purpose)
    except subprocess.CalledProcessError as error:
        command = " ".join(str(word) for word in error.cmd[:6])
        print(f"perreactor: this failed, its own words are above: {command} ...", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
