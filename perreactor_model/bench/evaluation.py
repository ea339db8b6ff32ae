"""`perreactor metrics` on a file of the size of REACT 2024's test set: minutes and memory.

The reactions are synthetic (`synthetic_reactions.py`): listeners fall into groups that met the
same episodes, and the neighbours of a clip are of its group. Everything a user pays for counts:
starting, reading the file, compiling what no cache holds, both modes with PMAFRG.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from perreactor_model.bench.synthetic_reactions import a_few_episodes, realistic
from perreactor_model.contract import ATTRIBUTE_COUNT

CLIPS, SAMPLES, FRAMES, NEIGHBOURS = 1612, 10, 750, 50
_CLIPS_A_PERSON = 12
_LOOK_SECONDS = 0.5


def measure(clips: int = CLIPS, samples: int = SAMPLES, frames: int = FRAMES) -> dict[str, Any]:
    """Minutes on the clock and the largest memory of all processes together."""
    with tempfile.TemporaryDirectory(prefix="perreactor_bench_") as folder:
        path = Path(folder) / "predictions.npz"
        neighbours = write(path, clips, samples, frames)
        began = time.monotonic()
        memory = _watched(
            [sys.executable, "-m", "perreactor_model", "metrics", str(path), "--json"]
        )
        seconds = time.monotonic() - began
        size = path.stat().st_size
    return {
        "clips": clips,
        "samples": samples,
        "frames": frames,
        "neighbours": round(neighbours, 1),
        "file_GB": round(size / 1e9, 2),
        "cores": os.cpu_count(),
        "minutes": round(seconds / 60, 2),
        "memory_GB": round(memory / 1e9, 2),
    }


def write(path: Path, clips: int, samples: int, frames: int, seed: int = 0) -> float:
    """Write predictions to an .npz. Returns how many neighbours a clip has in the mean."""
    generator = np.random.default_rng(seed)
    groups = clips // (NEIGHBOURS + 2) + 1
    group = np.arange(clips) % groups
    episodes = [a_few_episodes(generator, frames) for _ in range(groups)]
    prediction = np.empty((clips, samples, frames, ATTRIBUTE_COUNT), np.float32)
    listener = np.empty((clips, frames, ATTRIBUTE_COUNT), np.float32)
    speaker = np.empty_like(listener)
    appropriate = np.eye(clips, dtype=bool)
    for clip in range(clips):
        drawn = realistic(generator, episodes[group[clip]], samples + 2, frames)
        prediction[clip], listener[clip], speaker[clip] = drawn[:samples], drawn[-2], drawn[-1]
        alike = np.flatnonzero(group == group[clip])
        chosen = generator.choice(alike, min(len(alike), NEIGHBOURS), replace=False)
        appropriate[clip, chosen] = True
    np.savez(
        path,
        prediction=prediction,
        listener=listener,
        speaker=speaker,
        appropriate=appropriate,
        identity=np.arange(clips) // _CLIPS_A_PERSON,
    )
    return float(appropriate.sum(axis=1).mean())


def _watched(command: list[str]) -> int:
    """Run a command; the largest memory (bytes, shared pages counted once) it was seen to hold.

    Raises CalledProcessError where it fails.
    """
    largest = 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            largest = max(largest, _memory(process.pid))
            time.sleep(_LOOK_SECONDS)
    finally:
        process.kill()
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    return largest


def _memory(number: int) -> int:
    """Proportional set size of a process and its children, bytes."""
    total = 0
    try:
        parent = psutil.Process(number)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    for each in family:
        try:
            held = each.memory_full_info()
            total += getattr(held, "pss", held.rss)
        except psutil.Error:  # it ended meanwhile
            continue
    return total
