"""The one inference thread of a process.

Thread contract. Two threads run in a node's process:

- The *executor thread* runs every ROS callback, timer, service and transition. It never runs a
  network. It may call every public method of `InferenceThread`; `put`, `post` and `discard` return
  at once, `call` and `stop` wait.
- The *inference thread* is the only one that creates, uses and frees the `Perceiver`, the
  `ReactionEngine` and their onnxruntime sessions, and the only one that publishes behaviour and
  reactions. It runs `work` and what was handed to `post` and `call`, one after the other; from
  there only `outdated` may be used.

A reactor process has for moments a third thread, which makes a listener profile with a session of
its own (`making.py`); nothing is shared with it but its result.

What both threads see beside this (meters, the names of profiles) is replaced as a whole or changed
by single atomic operations, so there is no other lock than the one in here.
"""

import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ERROR_BUDGET = 25
"""Failures of `work` in a row after which it is not called again (a second of frames)."""

_JOIN_SECONDS = 10.0


class InferenceThread(Generic[Item]):
    """Runs `work` on what comes in; the newest wins where it comes faster than it can be worked on.

    `work(items)` gets everything that came since its last call, oldest first, possibly nothing, and
    returns after how many seconds it wants to be called again even if nothing comes (None: never).
    At most `capacity` items wait; the oldest make room and are counted in `dropped`. An exception
    in `work` is reported through `report(message)`; after `ERROR_BUDGET` of them in a row `failed`
    is set and items are dropped until `restart`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], float | None],
        report: Callable[[str], None],
        capacity: int = 64,
    ) -> None:
        self.dropped = 0
        self.failed = False
        self._work = work
        self._report = report
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._jobs: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._epoch = 0
        self._working_epoch = 0
        self._failures = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # --- From the executor thread ----------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Hand over an item; never waits for work to finish."""
        with self._wake:
            if len(self._items) >= self._capacity or self.failed:
                self.dropped += 1
                if self.failed:
                    return
                self._items.popleft()
            self._items.append(item)
            self._wake.notify()

    def post(self, job: Callable[[], Any]) -> None:
        """Have the inference thread run a job before its next work; does not wait."""
        self._submit(job)

    def call(self, job: Callable[[], Result]) -> Result:
        """Have the inference thread run a job; wait for it and return or raise what it does."""
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(job())
            except BaseException as error:
                done.set_exception(error)

        self._submit(run)
        return done.result()

    def discard(self) -> None:
        """A new epoch: drop what waits, and let work in progress know that it is outdated."""
        with self._wake:
            self._epoch += 1
            self._items.clear()

    def restart(self) -> None:
        """Forgive past failures."""
        with self._wake:
            self._failures = 0
            self.failed = False

    def stop(self) -> None:
        """End the thread once its current work is done."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(_JOIN_SECONDS)

    # --- From the inference thread ---------------------------------------------------------------

    @property
    def outdated(self) -> bool:
        """Whether the input of the work in progress was discarded: its result must not be used."""
        return self._working_epoch != self._epoch

    # --- Inside ----------------------------------------------------------------------------------

    def _submit(self, job: Callable[[], Any]) -> None:
        with self._wake:
            if self._stopping:
                raise RuntimeError("the inference thread has been stopped")
            self._jobs.append(job)
            self._wake.notify()

    def _run(self) -> None:
        wait: float | None = None
        while True:
            with self._wake:
                if not (self._jobs or self._items or self._stopping):
                    self._wake.wait(wait)
                if self._stopping and not self._jobs:
                    return
                jobs, items = list(self._jobs), list(self._items)
                self._jobs.clear()
                self._items.clear()
                self._working_epoch = self._epoch
            for job in jobs:
                self._guard(job)
            wait = None if self.failed else self._work_on(items)

    def _work_on(self, items: list[Item]) -> float | None:
        try:
            wait = self._work(items)
            self._failures = 0
            return wait
        except Exception:
            self._failures += 1
            if self._failures == 1:
                self._report(traceback.format_exc())
            if self._failures >= ERROR_BUDGET:
                self.failed = True
            return 0.1

    def _guard(self, job: Callable[[], Any]) -> None:
        try:
            job()
        except Exception:
            self._report(traceback.format_exc())
