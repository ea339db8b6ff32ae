"""What looking at a face costs: time for one picture on one core, memory over a long stream."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.bench.timing import on_cores, summary
from perreactor_model.contract import FRAME_NS, FRAME_RATE
from perreactor_model.face_analysis.analyzer import LandmarkAnalyzer
from perreactor_model.media.face_animation import FaceAnimator, FaceControls

SECONDS = 200.0
"""Length of the stream by default; two hours are 7200."""

_AWAY_EVERY, _AWAY = 30 * FRAME_RATE, 2 * FRAME_RATE
"""The face is gone for two seconds in thirty: searching costs too, and must leave nothing behind.
"""
_WARM_UP = 20 * FRAME_RATE


def measure(seconds: float | None = None, distinct: int = 100) -> dict[str, Any]:
    """A talking, nodding, blinking face at 640x480, `seconds` of 25 pictures each, on one core.

    The stream runs through `distinct` pictures, forth and back.

    Times are of all pictures, those without a face among them. Memory growth compares the median of
    the last fifth with that of the first fifth after 20 s.
    """
    seconds = SECONDS if seconds is None else seconds
    count = max(int(seconds * FRAME_RATE), FRAME_RATE)
    pictures = _pictures(distinct)
    nobody = np.full_like(pictures[0], 127)
    before = _resident_mib()
    began = time.perf_counter()
    analyzer = LandmarkAnalyzer()
    opening = time.perf_counter() - began
    with on_cores(1) as cores, _one_thread():
        times, memory = _stream(analyzer, pictures, nobody, count)
    seen = analyzer.counters["pictures"] - analyzer.counters["without_face"]
    analyzer.close()
    return {
        "cores": cores,
        "picture": "640x480",
        "pictures": count,
        "with_face": seen,
        "open_ms": round(opening * 1e3, 1),
        "analyze": summary((times * 1e3).tolist()),
        "memory": _growth(before, memory),
    }


def _stream(
    analyzer: LandmarkAnalyzer, pictures: list[np.ndarray], nobody: np.ndarray, count: int
) -> tuple[np.ndarray, list[float]]:
    """Seconds of each picture, and resident memory (MiB) once a second of the stream."""
    # All of it is held from the start, so that keeping the times is not taken for growth.
    times, memory = np.full(count, np.nan), []
    for frame in range(count):
        away = frame % _AWAY_EVERY >= _AWAY_EVERY - _AWAY
        # Forth and back: the face never jumps.
        place = frame % (2 * len(pictures))
        picture = nobody if away else pictures[min(place, 2 * len(pictures) - 1 - place)]
        began = time.perf_counter()
        analyzer.analyze(picture, frame * FRAME_NS)
        times[frame] = time.perf_counter() - began
        if frame % FRAME_RATE == 0:
            memory.append(_resident_mib())
        if frame and frame % (FRAME_RATE * 600) == 0:
            print(f"analyzer: {frame} of {count} pictures", file=sys.stderr, flush=True)
    return times, memory


def _pictures(count: int) -> list[np.ndarray]:
    from skimage import data

    animator = FaceAnimator(data.astronaut())
    return [animator.draw(_controls(index / FRAME_RATE)) for index in range(count)]


def _controls(seconds: float) -> FaceControls:
    def wave(hertz: float) -> float:
        return float(np.sin(2 * np.pi * hertz * seconds))

    return FaceControls(
        mouth_open=max(0.0, 0.6 * wave(2.5)),
        smile=max(0.0, wave(0.3)),
        blink=float(seconds % 2.0 < 0.16),
        brow_left=max(0.0, 0.8 * wave(0.4)),
        brow_right=max(0.0, 0.8 * wave(0.4)),
        yaw=0.3 * wave(0.25),
        pitch=0.12 * wave(0.5),
        roll=0.1 * wave(0.2),
    )


class _one_thread:
    """OpenCV's own threads would wait for each other on the one core."""

    def __enter__(self) -> None:
        import cv2

        self._before = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def __exit__(self, *exception: object) -> None:
        import cv2

        cv2.setNumThreads(self._before)


def _growth(before: float, memory: list[float]) -> dict[str, float] | str:
    warm_up = min(_WARM_UP // FRAME_RATE, len(memory) // 4)
    settled = memory[warm_up:]
    part = max(len(settled) // 5, 1)
    first, last = float(np.median(settled[:part])), float(np.median(settled[-part:]))
    if not first:
        return "not measured: /proc is missing"
    return {
        "before_opening_mib": round(before, 1),
        "first_mib": round(first, 2),
        "last_mib": round(last, 2),
        "growth_percent": round((last / first - 1) * 100, 3),
    }


def _resident_mib() -> float:
    """Memory that this process holds, in MiB; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0
    return int(statm.read_text().split()[1]) * 4096 / 2**20
