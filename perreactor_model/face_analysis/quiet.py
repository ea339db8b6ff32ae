"""Leaves out what a library writes to stderr of its own accord, and only that."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def without_lines(chatter: Sequence[bytes]) -> Iterator[None]:
    """Within, lines on the process's stderr that contain any of `chatter` are dropped.

    Everything else passes, also what other threads and child processes write meanwhile: stderr
    is led through a pipe, not closed. Lines that are not complete are passed on at the end.
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
            target=_forward, args=(reading, real, tuple(chatter)), name="stderr", daemon=True
        )
        forwarder.start()
        os.dup2(writing, 2)
        os.close(writing)
        try:
            yield
        finally:
            os.dup2(real, 2)
            forwarder.join(timeout=1.0)


def _forward(reading: int, real: int, chatter: tuple[bytes, ...]) -> None:
    with os.fdopen(reading, "rb") as lines, os.fdopen(real, "wb", buffering=0) as stderr:
        for line in lines:
            if not any(word in line for word in chatter):
                stderr.write(line)
