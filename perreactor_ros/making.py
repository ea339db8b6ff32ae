"""Making a listener profile beside everything else, in a thread of its own.

Threads: whoever made a `Making` calls its public methods; inside, only `_run` is the new thread's.
"""

from __future__ import annotations

import queue
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perreactor_model.profiles import ListenerHistory, ListenerProfile, make_profile
from perreactor_model.profiles.shelf import keep

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

_JOIN_SECONDS = 10.0


@dataclass(frozen=True)
class Result:
    """Whether the profile is on disk, and what to tell; `trace` only where something broke."""

    made: bool
    message: str
    trace: str = ""


class Making:
    """Begins at once to make the profile `name` from a history, and to write it to `folder`.

    With `keep_history` the history is written beside it.
    """

    def __init__(
        self,
        name: str,
        history: ListenerHistory,
        bundle: Bundle,
        folder: Path,
        keep_history: bool = False,
    ) -> None:
        self._name = name
        self._history = history
        self._bundle = bundle
        self._folder = folder
        self._keep_history = keep_history
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._saving = threading.Lock()
        self._saved = self._cancelled = False
        self._thread = threading.Thread(target=self._run, name="making", daemon=True)
        self._thread.start()

    def result(self) -> Result | None:
        """The result, once; None as long as there is none."""
        try:
            return self._results.get_nowait()
        except queue.Empty:
            return None

    def cancel(self) -> bool:
        """See that nothing is written; False if it has been already."""
        with self._saving:
            self._cancelled = not self._saved
            return self._cancelled

    def join(self) -> None:
        """Wait for the thread's end; it is not waited for any longer than 10 s."""
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self._results.put(self._make())
        except ValueError as error:
            self._results.put(Result(False, str(error)))
        except OSError as error:
            self._results.put(
                Result(
                    False,
                    f"'{self._name}' could not be written to {self._folder} ({error}): make room "
                    "there, or let the parameter profiles name a folder that can be written to",
                )
            )
        except Exception as error:
            self._results.put(Result(False, f"{error!r}", traceback.format_exc()))

    def _make(self) -> Result:
        profile = make_profile(self._name, self._history, self._bundle, self._keep_history)
        with self._saving:
            if self._cancelled:
                return Result(False, "cancelled")
            path = keep(profile, self._folder, self._history if self._keep_history else None)
            self._saved = True
        return Result(True, _told(profile, path))


def _told(profile: ListenerProfile, path: Path) -> str:
    quality = profile.provenance["quality"]
    doubts = "; ".join(quality["reasons"])
    return (
        f"profile '{profile.name}' can be chosen: {quality['verdict']}, made from "
        f"{profile.provenance['seconds']:.1f} s ({path})" + (f"; {doubts}" if doubts else "")
    )
