"""Work spread over processes, with results in the order of the jobs.

Each process builds its own worker from what it is told, so nothing large is sent: predictions in
files travel as the place of their arrays, those in memory are first written to a temporary folder.
A job's result depends on the job alone, so the number of processes changes no digit.
"""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from perreactor_model.metrics.clips import Clips, stored
from perreactor_model.metrics.predictions import Predictions

Job = TypeVar("Job")

_worker: Callable[[Any], Any] | None = None


def spread(
    build: Callable[..., Callable[[Job], Any]],
    told: tuple[Any, ...],
    jobs: Sequence[Job],
    processes: int,
) -> Iterator[Any]:
    """Yield `build(*told)(job)` for each of the jobs, in their order.

    With more than one process, `build` is a function of a module, and `told`, jobs and results are
    pickled. Processes start afresh (no fork: a caller's threads would be cut off in the copy), so a
    script that asks for several needs the usual `if __name__ == "__main__":`. Raises
    ChildProcessError where one of them is killed, which is mostly for want of memory.
    """
    count = min(processes, len(jobs))
    if count <= 1:
        worker = build(*told)
        yield from map(worker, jobs)
        return
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(build, told)
    )
    try:
        yield from pool.map(_work, jobs)
    except BrokenProcessPool:
        raise ChildProcessError(
            "a process that computed metrics was killed, perhaps for want of memory: "
            "try with fewer processes"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def in_files(predictions: Predictions) -> Iterator[Predictions]:
    """The same predictions with all clips in files, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="perreactor_metrics_") as folder:

        def placed(name: str, clips: Clips | None) -> Clips | None:
            return None if clips is None else stored(clips, Path(folder), name)

        yield replace(
            predictions,
            prediction=stored(predictions.prediction, Path(folder), "prediction"),
            listener=stored(predictions.listener, Path(folder), "listener"),
            speaker=placed("speaker", predictions.speaker),
            prediction_3dmm=placed("prediction_3dmm", predictions.prediction_3dmm),
            listener_3dmm=placed("listener_3dmm", predictions.listener_3dmm),
        )


def _begin(build: Callable[..., Callable[[Any], Any]], told: tuple[Any, ...]) -> None:
    # Ctrl-C reaches the whole group: the parent ends the pool, its processes just finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _worker
    _worker = build(*told)


def _work(job: Any) -> Any:
    assert _worker is not None
    return _worker(job)
