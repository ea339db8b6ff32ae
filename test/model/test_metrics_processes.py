"""Processes that share the work, where something goes wrong. (Digits: test_metrics_evaluation.)"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from perreactor_model.metrics.compiling import compiled
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.metrics.processes import in_files

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


def test_nothing_is_written_for_clips_that_lie_in_a_file(tmp_path, monkeypatch):
    def refused(**options) -> None:
        raise OSError("no folder can be written to")

    draw = np.random.default_rng(0)
    path = tmp_path / "predictions.npz"
    clips = draw.random((2, 10, 25))
    np.savez(path, prediction=clips[:, None], listener=clips, appropriate=np.eye(2, dtype=bool))
    mapped = Predictions.from_file(path)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    with in_files(mapped) as shared:
        assert shared is mapped
    held = Predictions.from_arrays(clips[:, None], clips, None, np.eye(2))
    with pytest.raises(OSError, match="no folder"), in_files(held):
        pass
