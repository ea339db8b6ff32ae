"""Files that are there whole or not at all, whenever somebody looks or the writer is stopped."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes that name in the end, or vanishes on an error.

    Raises OSError where the folder cannot be written to.
    """
    folder = path.absolute().parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=f"{path.suffix}.part")
    os.close(handle)
    try:
        yield Path(name)
        # mkstemp's files are private; this one shall be like any other that the user writes.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def tidy_when_ended() -> Iterator[None]:
    """Leave as after Ctrl-C when the process is told to end, or its terminal is closed.

    Without it such a process ends on the spot, and half a file stays behind (of a video: pictures
    of somebody). A signal that is ignored, as under `nohup`, stays ignored. Does nothing outside
    the main thread, which alone is told of signals.
    """

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    now = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    # None is what another library handles without Python.
    before = {
        number: handler for number, handler in now.items() if handler not in (None, signal.SIG_IGN)
    }
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
