"""Work spread over processes.

Each process builds its own worker from what it is told, so nothing large is sent: predictions in
files travel as the place of their arrays, those in memory are first written to a temporary folder.
A job's result depends on the job alone, so the number of processes changes no digit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from perreactor_model.metrics.clips import MappedClips, stored
from perreactor_model.metrics.predictions import Predictions

Job = TypeVar("Job")

_worker: Callable[[Any], Any] | None = None


def spread(
    build: Callable[..., Callable[[Job], Any]],
    told: tuple[Any, ...],
    jobs: Sequence[Job],
    processes: int,
) -> Iterator[tuple[int, Any]]:
    """Yield the index of a job and `build(*told)(job)`, for each of the jobs as it gets done.

    With more than one process, `build` is a function of a module, and `told`, jobs and results are
    pickled. Processes start afresh (no fork: a caller's threads would be cut off in the copy), so a
    script that asks for several needs the usual `if __name__ == "__main__":`. Raises
    ChildProcessError where one of them ends early, mostly for want of memory.
    """
    count = min(processes, len(jobs))
    if count <= 1:
        worker = build(*told)
        yield from ((index, worker(job)) for index, job in enumerate(jobs))
        return
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(build, told)
    )
    try:
        places = {pool.submit(_work, job): index for index, job in enumerate(jobs)}
        for future in as_completed(places):
            yield places[future], future.result()
    except (BrokenProcessPool, BrokenPipeError):  # the latter from one that ends while it starts
        raise ChildProcessError(
            "a process that computes metrics ended early. Perhaps memory ran out: try fewer. "
            "Or it could not start: a script must be a file and call from under "
            '`if __name__ == "__main__":`'
        ) from None
    except BaseException:
        # Nobody waits for the rest any more, and a job can take seconds.
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def in_files(predictions: Predictions) -> Iterator[Predictions]:
    """The same predictions with all clips in files, for as long as the context lasts.

    Those that lie in a file already stay there; only for others is a temporary folder made.
    """
    names = ("prediction", "listener", "speaker", "prediction_3dmm", "listener_3dmm")
    held = {name: getattr(predictions, name) for name in names}
    if all(clips is None or isinstance(clips, MappedClips) for clips in held.values()):
        yield predictions
        return
    with tempfile.TemporaryDirectory(prefix="perreactor_metrics_") as folder:
        placed: dict[str, Any] = {
            name: None if clips is None else stored(clips, Path(folder), name)
            for name, clips in held.items()
        }
        yield replace(predictions, **placed)


def _begin(build: Callable[..., Callable[[Any], Any]], told: tuple[Any, ...]) -> None:
    # Ctrl-C reaches the whole group: it is for the parent to end the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _worker
    _worker = build(*told)


def _end_with_parent() -> None:
    """A parent that is killed says no goodbye, and its pool would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(job: Any) -> Any:
    assert _worker is not None
    return _worker(job)
