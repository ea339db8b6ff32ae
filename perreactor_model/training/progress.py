"""What a run says: a bar in a terminal, plain lines in a file, and every line as JSON in the run.

All of it goes to the error output; `log.jsonl` in the run's folder is for scripts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from perreactor_model.training.watch import accuracies

LOG = "log.jsonl"
_PLAIN_EVERY = 10.0
"""Seconds between lines where nobody looks at a bar."""


class Progress:
    """Told of every line of the log; only the first process has one that speaks."""

    def __init__(
        self,
        folder: Path,
        first: int,
        steps: int,
        speaks: bool = True,
        stream: TextIO | None = None,
    ) -> None:
        """`first`: the step the run begins with; later lines of an interrupted run are dropped."""
        self._speaks = speaks
        self._steps, self._first = steps, first
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._began = time.monotonic()
        self._said = -_PLAIN_EVERY
        self._log = folder / LOG
        if speaks:
            _keep_until(self._log, first)
        self._bar = tqdm(
            total=steps,
            initial=first,
            file=self._stream,
            disable=not (speaks and self._terminal),
            unit="step",
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def step(self) -> None:
        """One step more."""
        self._bar.update(1)

    def line(self, step: int, told: Mapping[str, float], **more: Any) -> None:
        """Steps up to number `step` (from 1) gave these means.

        With something `more` to tell them by, they go to the log only.
        """
        if not self._speaks:
            return
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, **_rounded(told), **more}) + "\n")
        if more:
            return
        text = summary(told)
        if self._terminal:
            self._bar.set_postfix_str(text)
            return
        now = time.monotonic()
        if now - self._said >= _PLAIN_EVERY or step == self._steps:
            self._said = now
            print(self._plain(step, text, now), file=self._stream, flush=True)

    def say(self, text: str) -> None:
        """A line that is no number: a score, a checkpoint, a warning."""
        if self._speaks:
            tqdm.write(text, file=self._stream)
            self._stream.flush()

    def close(self) -> None:
        """Leave the terminal tidy."""
        self._bar.close()

    def _plain(self, step: int, text: str, now: float) -> str:
        pace = (now - self._began) / max(1, step - self._first)
        left = pace * (self._steps - step)
        return (
            f"step {step}/{self._steps} ({100 * step / self._steps:.1f} %)  {text}  "
            f"{1000 * pace:.0f} ms/step, {duration(left)} left"
        )


def summary(told: Mapping[str, float]) -> str:
    """Losses and accuracies of one line, for people."""
    judges = [f"{name} {100 * share:.0f} %" for name, share in accuracies(told).items()]
    shown = {
        name: value
        for name, value in told.items()
        if not name.startswith(("judge_", "realism_", "appropriate_"))
    }
    return ", ".join([f"{name} {value:.3g}" for name, value in shown.items()] + judges)


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All lines of a run's log."""
    text = (folder / LOG).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _rounded(told: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.7g}") for name, value in told.items()}


def _keep_until(log: Path, first: int) -> None:
    """Drop what an interrupted run wrote after the checkpoint that is gone on from."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            told = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        if told["step"] <= first:
            kept.append(line + "\n")
    log.write_text("".join(kept), encoding="utf-8")
