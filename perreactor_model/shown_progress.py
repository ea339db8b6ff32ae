"""How far something is, on the error output: for people in a terminal, not for logs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with the units of work that are done, and those there are (0: not known)."""


@contextmanager
def shown_progress(what: str = "", always: bool = False) -> Iterator[Progress]:
    """A bar with the time left. `always`: also where the error output is no terminal."""
    with shown_steps(what, always) as steps:
        yield lambda done, total: steps(what, done, total)


@contextmanager
def shown_steps(what: str = "", always: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """The same for several things, one after the other: called with the name of each, too."""
    from tqdm import tqdm

    look = "{desc}{percentage:3.0f} %|{bar}| {elapsed} gone, {remaining} left"
    shown = False if always else None
    # Smoothing 0: the time left follows from the pace so far. That of the last few units jumps.
    with tqdm(file=sys.stderr, disable=shown, leave=False, bar_format=look, smoothing=0) as bar:
        now = ""

        def steps(what: str, done: int, total: int) -> None:
            nonlocal now
            if what != now:
                now = what
                bar.reset()
                bar.set_description_str(f"{what} " if what else "")
            bar.total = max(done, total) or None
            bar.update(done - bar.n)

        yield steps
