"""What `perreactor replay` tells whoever typed it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from perreactor_ros.replay.outcome import PAGE, REACTIONS
from perreactor_ros.replay.pipeline import RobotSpec
from perreactor_ros.replay.scoring import Scores
from perreactor_ros.replay.session import Outcome, Plan

_SHOWN = {"FRCorr": "", "FRDist": "", "FRDiv": "", "FRVar": "", "FRSyn": " (s)"}
"""Figures in the table, with their units."""

_BEST: dict[str, Callable[..., str]] = {"FRCorr": max, "FRDist": min}
"""Metrics that say how near a reaction is to the real one, and which value is the best."""


class Console:
    """Facts go to `stream`, notes and progress to the error output."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def tell(self, *lines: str) -> None:
        """Lines for people."""
        print(*lines, sep="\n", file=self.stream, flush=True)

    def note(self, sentence: str) -> None:
        """Something that is not as it might be."""
        print(f"perreactor: note: {sentence}", file=sys.stderr, flush=True)

    def introduce(self, bag: Path, plan: Plan) -> None:
        """Who listens to what."""
        names = [_named(robot) for robot in plan.robots]
        who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        real = plan.sources.real
        self.tell(
            f"{who} listen{'s' if len(names) == 1 else ''} to {bag}: "
            f"{', '.join(plan.sources.kinds)}"
            + (f"; the real listener is in {', '.join(real)}." if real else "."),
            f"Model {plan.bundle.model_id}, seed {plan.settings.engine.seed}.",
        )
        if not plan.bundle.trained:
            self.tell(
                "The weights are UNTRAINED: judge whether the faces live, not what they mean."
            )
        for note in plan.sources.notes:
            self.note(note)

    @contextmanager
    def progress(self, begin_ns: int, end_ns: int) -> Iterator[Callable[[int], None]]:
        """A bar over the bag's time with the time left, if someone looks."""
        from tqdm import tqdm

        total = max(round((end_ns - begin_ns) / 1e9, 1), 0.1)
        layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
        with tqdm(
            total=total, file=sys.stderr, disable=None, leave=False, bar_format=layout
        ) as bar:

            def progress(time_ns: int) -> None:
                done = min((time_ns - begin_ns) / 1e9, total)
                if done > bar.n:
                    bar.update(done - bar.n)

            yield progress

    def scores(self, plan: Plan, scores: Scores) -> None:
        """A line a robot, and who is nearest to the real listener."""
        for note in scores.notes:
            self.note(note)
        if not scores.robots:
            self.tell(f"No scores: {scores.why_not}.")
            return
        values = {robot: each["corrected"] for robot, each in scores.robots.items()}
        shown = [name for name in _SHOWN if any(name in each for each in values.values())]
        self.tell(
            f"Scores (corrected) over {scores.clips} clip{'s' if scores.clips != 1 else ''}, "
            f"{scores.seconds:.0f} s together:",
            f"  {'':<22}" + "".join(f"{name + _SHOWN[name]:>11}" for name in shown),
        )
        for robot in plan.robots:
            cells = "".join(_cell(values[robot.name].get(name)) for name in shown)
            self.tell(f"  {_named(robot):<22}{cells}")
        if len(plan.robots) > 1:
            self.tell(f"Nearest to the real listener: {_nearest(plan, values)}.")

    def conclude(self, plan: Plan, outcome: Outcome, path: Path) -> None:
        """How it went, and where the results are."""
        for trouble in outcome.troubles:
            if trouble not in plan.sources.notes:
                self.note(trouble)
        seconds = max(outcome.compute_s, 1e-9)
        frames = max(len(track.stamp_ns) for track in outcome.reactions)
        self.tell(
            f"{frames} frames ({outcome.duration_s:.1f} s) in {seconds:.1f} s: "
            f"{outcome.duration_s / seconds:.1f} times real time",
            f"Reactions: {path / REACTIONS}",
        )
        if (path / PAGE).is_file():
            self.tell(f"Report:    {path / PAGE}")
        if outcome.stopped:
            self.note(
                f"stopped after {outcome.duration_s:.1f} s of the recording: the reactions up to "
                "there are complete, the rest is missing, and there is no report"
            )


def _named(robot: RobotSpec) -> str:
    return f"{robot.name}:{robot.profile}"


def _cell(value: float | None) -> str:
    return f"{'-':>11}" if value is None else f"{value:>11.4f}"


def _nearest(plan: Plan, values: Mapping[str, Mapping[str, Any]]) -> str:
    names = {robot.name: _named(robot) for robot in plan.robots}
    won: dict[str, list[str]] = {}
    for metric, best in _BEST.items():
        given = {name: each.get(metric) for name, each in values.items()}
        known = {name: value for name, value in given.items() if value is not None}
        if known:
            won.setdefault(names[best(known, key=lambda name: known[name])], []).append(metric)
    return ", ".join(f"{name} (by {' and '.join(metrics)})" for name, metrics in won.items()) or "?"
