"""Calls that are made one after the other in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_MOST_WAITING = 256
"""Calls that may wait; whoever adds another one then waits too."""

Call = Callable[[], None]


class SideThread:
    """Makes calls in the order in which they were put, beside the thread that puts them.

    What a call raises is raised by the next `put` or by `finish`; later calls are not made.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.Queue[Call | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, call: Call) -> None:
        """Have a call made."""
        self._raise()
        self._calls.put(call)

    def finish(self) -> None:
        """Wait until all calls have been made, and end the thread."""
        if self._thread.is_alive():
            self._calls.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            if self._error is None:
                try:
                    call()
                except BaseException as error:
                    self._error = error
