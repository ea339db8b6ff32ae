"""FRDist, FRCorr and FRSyn against the published algorithms: one core each, in one run.

One clip of the published size: 750 frames, 10 samples, 50 neighbours. The published algorithm is
timed on a part of the pairs; the same part goes through ours, and the results are compared. Times
are processor time, the best of several rounds in which both take turns. Setting up the neighbours
counts, compiling at the first call does not: it happens once on a machine, and the result is kept.

Everything runs in a process of its own, on one core, whose numerical libraries are told to use one
thread (a second one would count as time all the same).
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from perreactor_model.bench import published_algorithms, synthetic_reactions
from perreactor_model.bench.timing import on_cores
from perreactor_model.metrics.correlation import ConcordanceIndex
from perreactor_model.metrics.distance import GROUPS, FacialDistance, Shortcuts
from perreactor_model.metrics.synchrony import lags
from perreactor_model.metrics.warping import backward_layout, forward_layout, warp, work_size

FRAMES = 750
GROUP_NAMES = ("action_units", "affect", "expressions")
"""The groups of FRDist, in order."""

TURN_SECONDS = 0.05
"""A turn is repeated until it has taken this long: short work would be measured on cold caches."""

TEST_SET_CLIPS = 1612
"""REACT 2024's test set."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Size:
    """What is computed, how much of it in the published way as well, and how often."""

    frames: int = FRAMES
    samples: int = 10
    neighbours: int = 50
    published_samples: int = 2
    published_neighbours: int = 10
    rounds: int = 5

    @property
    def pairs(self) -> int:
        return self.samples * self.neighbours

    @property
    def published_pairs(self) -> int:
        return self.published_samples * self.published_neighbours


@dataclass(frozen=True)
class Clip:
    """Samples (M, T, 25), what they answer (T, 25), and the real reactions that would fit."""

    samples: np.ndarray
    speaker: np.ndarray
    neighbours: list[np.ndarray]


def measure(size: Size | None = None) -> dict[str, Any]:
    """All figures, from a process that uses one thread on one core."""
    single = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(size or Size()))],
        env=single,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def measure_here(size: Size, cores: int) -> dict[str, Any]:
    """The same in this process; `cores` is what the whole test set would be spread over."""
    held = {"noise": _noise(size, hold=True), "realistic": _realistic(size, hold=True)}
    free = {"noise": _noise(size, hold=False), "realistic": _realistic(size, hold=False)}
    still = {f"{name}, a channel stands still": clip for name, clip in held.items()}
    kernel = {name: _kernel(clip, size) for name, clip in held.items()}
    searches = {name: _search(clip, size) for name, clip in held.items()}
    figures = {
        "FRDist": {name: row for name, (row, _) in searches.items()},
        "FRCorr": {name: _correlation(clip, size) for name, clip in held.items()},
        # A channel that stands still decides the published lag before anything is correlated.
        "FRSyn": {name: _synchrony(clip, size) for name, clip in {**free, **still}.items()},
    }
    return {
        "one_clip": {
            "frames": size.frames,
            "samples": size.samples,
            "neighbours": size.neighbours,
            "cores": 1,
            "not_counted": "compiling at the first call",
        },
        "FRDist_kernel_alone": kernel,
        **figures,
        "FRDist_work_saved": {name: saved for name, (_, saved) in searches.items()},
        "REACT2024_test_set": _test_set(figures, size, cores),
    }


def _noise(size: Size, hold: bool) -> Clip:
    generator = np.random.default_rng(0)
    shapes = (size.samples, 1, size.neighbours)
    drawn = [synthetic_reactions.noise(generator, count, size.frames) for count in shapes]
    return _clip(generator, drawn, hold)


def _realistic(size: Size, hold: bool) -> Clip:
    """The samples react to what the neighbours react to; the speaker has episodes of their own."""
    generator = np.random.default_rng(1)
    shared = synthetic_reactions.a_few_episodes(generator, size.frames)
    own = synthetic_reactions.a_few_episodes(generator, size.frames)
    plan = ((shared, size.samples), (own, 1), (shared, size.neighbours))
    drawn = [
        synthetic_reactions.realistic(generator, episodes, count, size.frames)
        for episodes, count in plan
    ]
    return _clip(generator, drawn, hold)


def _clip(generator: np.random.Generator, drawn: list[np.ndarray], hold: bool) -> Clip:
    if hold:
        drawn = [synthetic_reactions.hold_one_channel(generator, part) for part in drawn]
    samples, (speaker,), neighbours = drawn
    return Clip(samples, speaker, list(neighbours))


def _kernel(clip: Clip, size: Size) -> dict[str, Any]:
    """Warping alone, every cell of every pair: nothing known, nothing passed."""
    samples, neighbours = _published_part(clip, size)
    nothing, work = np.zeros(size.frames + 1), np.empty(work_size(size.frames))

    def ours() -> np.ndarray:
        rows = [forward_layout(sample) for sample in samples]
        columns = [backward_layout(real) for real in neighbours]
        return np.array([[pair(mine, theirs) for theirs in columns] for mine in rows])

    def pair(mine: np.ndarray, theirs: np.ndarray) -> float:
        total = 0.0
        for group, weight in GROUPS:
            squared, _ = warp(
                mine,
                size.frames,
                theirs,
                size.frames,
                int(group[0]),
                len(group),
                nothing,
                nothing,
                np.inf,
                work,
            )
            total += weight * math.sqrt(squared)
        return total

    def published() -> np.ndarray:
        return np.array(
            [[published_algorithms.distance(a, b) for b in neighbours] for a in samples]
        )

    race = _race(published if _has_tslearn() else None, ours, size.rounds)
    difference = _relative(race.published_result, ours())
    return race.row("pair", size.published_pairs, size.published_pairs, difference)


def _search(clip: Clip, size: Size) -> tuple[dict[str, Any], dict[str, Any]]:
    """FRDist of the whole clip, and what the search for the nearest saved."""
    samples, neighbours = _published_part(clip, size)

    def published() -> np.ndarray:
        return published_algorithms.nearest(samples, neighbours)

    def ours() -> FacialDistance:
        metric = FacialDistance(clip.neighbours)
        metric.nearest(clip.samples, np.arange(size.neighbours))
        return metric

    race = _race(published if _has_tslearn() else None, ours, size.rounds)
    same_part, _ = FacialDistance(neighbours).nearest(samples, np.arange(len(neighbours)))
    difference = _relative(race.published_result, same_part)
    row = race.row("pair", size.published_pairs, size.pairs, difference)
    counts = ours().statistics
    saved = {
        "passed_by_lower_bounds": _share(counts.bounded, counts.pairs),
        **{
            f"given_up_in_{name}": _share(number, counts.pairs)
            for name, number in zip(GROUP_NAMES, counts.abandoned, strict=True)
        },
        "warped_to_the_end": _share(counts.finished, counts.pairs),
        "cells_never_computed": _share(max(0, counts.cells - counts.computed), counts.cells),
        "ms_per_pair_with": _parts(clip, size),
    }
    return row, saved


def _parts(clip: Clip, size: Size) -> dict[str, float]:
    """What each shortcut of the search is worth: the time with one more of them at each step."""
    steps = {
        "no_shortcut": Shortcuts(order=False, bounds=False, limits=False),
        "and_giving_up": Shortcuts(order=False, bounds=False),
        "and_lower_bounds": Shortcuts(order=False),
        "and_order": Shortcuts(),
    }
    times = {}
    for name, shortcuts in steps.items():
        metric = FacialDistance(clip.neighbours, shortcuts=shortcuts)
        seconds, _ = _turn(partial(metric.nearest, clip.samples, np.arange(size.neighbours)))
        times[name] = round(seconds / size.pairs * 1e3, 4)
    return times


def _correlation(clip: Clip, size: Size) -> dict[str, Any]:
    samples, neighbours = _published_part(clip, size)

    def published() -> np.ndarray:
        return published_algorithms.concordances(samples, neighbours)

    def ours() -> np.ndarray:
        every = np.arange(size.neighbours)
        return ConcordanceIndex(clip.neighbours).scores(clip.samples, every, "reference")

    race = _race(published, ours, size.rounds)
    same_part = ours()[: len(samples), : len(neighbours)]
    difference = float(np.abs(race.published_result - same_part).max())
    return race.row("pair", size.published_pairs, size.pairs, difference)


def _synchrony(clip: Clip, size: Size) -> dict[str, Any]:
    samples, _ = _published_part(clip, size)

    def published() -> np.ndarray:
        return published_algorithms.lags(samples, clip.speaker)

    def ours() -> np.ndarray:
        return lags(clip.samples, clip.speaker, "reference")

    race = _race(published, ours, size.rounds)
    difference = float(np.abs(race.published_result - ours()[: len(samples)]).max())
    return race.row("sequence", len(samples), size.samples, difference)


def _published_part(clip: Clip, size: Size) -> tuple[np.ndarray, list[np.ndarray]]:
    return clip.samples[: size.published_samples], clip.neighbours[: size.published_neighbours]


def _has_tslearn() -> bool:
    return importlib.util.find_spec("tslearn") is not None


def _relative(published: Any, ours: np.ndarray) -> float:
    if published is None:
        return math.nan
    return float((np.abs(published - ours) / published).max())


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


@dataclass(frozen=True)
class _Race:
    """Best times in seconds; no published one where tslearn is missing."""

    published_s: float | None
    ours_s: float
    published_result: Any

    def row(self, unit: str, published: int, ours: int, difference: float) -> dict[str, Any]:
        """Milliseconds per unit on both sides, their ratio, and how far the results differ."""
        mine = self.ours_s / ours * 1e3
        if self.published_s is None:
            missing = "not measured: tslearn is missing (pip install tslearn)"
            return {"published": missing, f"ours_ms_per_{unit}": round(mine, 4)}
        theirs = self.published_s / published * 1e3
        return {
            f"published_ms_per_{unit}": round(theirs, 3),
            f"ours_ms_per_{unit}": round(mine, 4),
            "ratio": round(theirs / mine, 1),
            "largest_difference": float(f"{difference:.1e}"),
        }


def _race(published: Callable[[], Any] | None, ours: Callable[[], Any], rounds: int) -> _Race:
    """Both in turn, so that a machine that slows down slows both. The first round warms up."""
    best = [math.inf, math.inf]
    result = None
    for number in range(rounds + 1):
        for side, work in enumerate((published, ours)):
            if work is None:
                continue
            seconds, answer = _turn(work)
            if number:
                best[side] = min(best[side], seconds)
            if side == 0:
                result = answer
    return _Race(None if published is None else best[0], best[1], result)


def _turn(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of the quickest of a few repetitions, and the result."""
    quickest, spent, answer = math.inf, 0.0, None
    while spent < TURN_SECONDS:
        began = time.process_time()
        answer = work()
        taken = time.process_time() - began
        quickest, spent = min(quickest, taken), spent + taken
    return quickest, answer


def _test_set(figures: dict[str, Any], size: Size, cores: int) -> dict[str, Any]:
    """The three metrics for REACT 2024's test set, from what one realistic clip takes."""
    amounts = {
        "FRDist": ("pair", size.pairs),
        "FRCorr": ("pair", size.pairs),
        "FRSyn": ("sequence", size.samples),
    }
    minutes = {"ours": 0.0, "published": 0.0}
    for metric, (unit, amount) in amounts.items():
        row = figures[metric]["realistic"]
        for side in minutes:
            taken = row.get(f"{side}_ms_per_{unit}", math.nan)
            minutes[side] += TEST_SET_CLIPS * amount * taken / 6e4 / cores
    return {
        "clips": TEST_SET_CLIPS,
        "cores": cores,
        "ours_minutes": round(minutes["ours"], 1),
        "published_minutes": None
        if math.isnan(minutes["published"])
        else round(minutes["published"]),
    }


def _main() -> None:
    size = Size(**json.loads(sys.argv[1]))
    with on_cores(os.cpu_count() or 1) as cores:
        pass
    with on_cores(1):
        print(json.dumps(measure_here(size, cores)))


if __name__ == "__main__":
    _main()
