"""Processes that share the work, where something goes wrong. (Digits: test_metrics_evaluation.)"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

from perreactor_model.metrics.compiling import compiled

ROOT = Path(__file__).parents[2]

SCRIPT = """\
import os
from perreactor_model.metrics.processes import spread

def build():
    return lambda job: os.getpid()

if __name__ == "__main__":
    answers = spread(build, (), range(100), 2)
    next(answers)
    print("begun", flush=True)
    input()
"""


def test_processes_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"begun\n"
    os.kill(parent.pid, signal.SIGKILL)
    # The others hold the same pipe: it ends when the last of them does.
    parent.communicate(timeout=60)


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same():
    made: dict = {}
    exec("def twice(value):\n    return 2 * value", made)  # no file: numba finds no place for it
    assert compiled()(made["twice"])(21) == 42
