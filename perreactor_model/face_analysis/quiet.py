"""Leaves out what a library writes to stderr of its own accord, and only that."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def without(chatter: re.Pattern[bytes]) -> Iterator[None]:
    """Within, what matches `chatter` in lines on the process's stderr is left out.

    Everything else passes, also what other threads and child processes write meanwhile, even into
    the middle of such a line: stderr is led through a pipe, not closed.
    """
    with _lock:
        try:
            real = os.dup(2)
        except OSError:  # no stderr: nothing to be kept quiet
            yield
            return
        reading, writing = os.pipe()
        # The thread goes on until nobody can write any more: a child that was started within
        # still holds the pipe.
        forwarder = threading.Thread(
            target=_forward, args=(reading, real, chatter), name="stderr", daemon=True
        )
        forwarder.start()
        os.dup2(writing, 2)
        os.close(writing)
        try:
            yield
        finally:
            os.dup2(real, 2)
            forwarder.join(timeout=1.0)


def _forward(reading: int, real: int, chatter: re.Pattern[bytes]) -> None:
    with os.fdopen(reading, "rb") as lines, os.fdopen(real, "wb", buffering=0) as stderr:
        for line in lines:
            stderr.write(chatter.sub(b"", line))
