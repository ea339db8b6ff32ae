"""Starts a list of processes and keeps them running, without the `launch` package.

Every line a process writes appears behind its name. A process that crashes is started again, at
growing intervals. Ctrl-C asks all to end, then insists: SIGINT, SIGTERM, SIGKILL.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from perreactor_ros.bringup.processes import ProcessSpec

USER_ERROR = 2
"""Exit status of a process whose arguments are wrong: starting it again would not help."""


def stop_signals() -> tuple[signal.Signals, ...]:
    """What ends a bringup: Ctrl-C, SIGTERM, and a closed terminal unless `nohup` has it ignored."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if ignored else (signal.SIGHUP,)))


class Output(Protocol):
    """Where lines go: any text file, or what takes whole lines like one."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


@dataclass(frozen=True)
class Patience:
    """Intervals in seconds: between restarts, and before a stopping process is pressed harder."""

    longest_respawn_delay: float = 30.0
    healthy_after: float = 30.0
    """A process that lived this long starts again after the first, short delay."""
    interrupt: float = 10.0
    terminate: float = 5.0


class Launcher:
    """Runs processes until stopped: `with Launcher(specs) as launcher: launcher.wait(10)`.

    The thread that supervises the processes is its own, so `wait` and `stop` may be called from
    anywhere; `run` is the whole life of a command line program.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        output: Output | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._printer = _Printer(output or sys.stdout)
        self._events: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        self._processes = [_Process(spec, self._printer, self._events.put) for spec in specs]
        self._supervisor = threading.Thread(target=self._supervise, name="launcher", daemon=True)
        self._ended = threading.Event()
        self._status = 0

    def __enter__(self) -> "Launcher":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all processes. Raises OSError, leaving none, where one cannot be started."""
        try:
            for process in self._processes:
                process.start()
        except OSError:
            self._end_all()
            self._ended.set()
            raise
        self._supervisor.start()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit status once all has ended (see `stop`), or None after `timeout` seconds."""
        return self._status if self._ended.wait(timeout) else None

    def stop(self) -> int:
        """End all processes and wait for that.

        Returns 0 after a clean end, USER_ERROR where a process refused its arguments, and 1 where
        one failed for good or had to be killed.
        """
        self._events.put(None)
        self._ended.wait()
        return self._status

    def pid(self, name: str) -> int | None:
        """Process id of the process `name`, None while it is not running."""
        for process in self._processes:
            if process.spec.name == name:
                return process.pid
        raise KeyError(f"no process {name!r}; there are {[p.spec.name for p in self._processes]}")

    def run(self) -> int:
        """Start, run until `stop_signals` or the end of all processes; returns the exit status.

        Must be called from the main thread, which alone may set signal handlers.
        """
        previous = {
            number: signal.signal(number, lambda *_: self._events.put(None))
            for number in stop_signals()
        }
        try:
            self.start()
            self._ended.wait()
            return self._status
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _supervise(self) -> None:
        """Take ended processes from the queue and start them again when it is time."""
        try:
            while self._status == 0 and any(process.wanted for process in self._processes):
                try:
                    ended = self._events.get(timeout=self._until_next_respawn())
                except queue.Empty:
                    self._respawn_due()
                    continue
                if ended is None:
                    break
                self._judge(ended)
        finally:
            killed = self._end_all()
            self._status = self._status or int(killed)
            self._ended.set()

    def _judge(self, process: "_Process") -> None:
        """Decide what follows from the end of a process, and say it."""
        code = process.reap()
        spec = process.spec
        if code == 0 and not spec.respawn:
            self._printer.line("launcher", f"{spec.name} has finished")
        elif code == USER_ERROR or not spec.respawn:
            self._printer.line("launcher", f"{spec.name} {_fate(code)}; stopping everything")
            self._status = USER_ERROR if code == USER_ERROR else 1
        else:
            delay = process.schedule_respawn(self._patience)
            self._printer.line("launcher", f"{spec.name} {_fate(code)}; again in {delay:g} s")

    def _until_next_respawn(self) -> float | None:
        due = [process.due for process in self._processes if process.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _respawn_due(self) -> None:
        for process in self._processes:
            if process.due is not None and process.due <= time.monotonic():
                try:
                    process.start()
                except OSError as error:
                    delay = process.schedule_respawn(self._patience)
                    name = process.spec.name
                    self._printer.line("launcher", f"{name}: {error}; again in {delay:g} s")

    def _end_all(self) -> bool:
        """SIGINT to all at once, then SIGTERM, then SIGKILL. Returns whether one was killed."""
        for number, patience in (
            (signal.SIGINT, self._patience.interrupt),
            (signal.SIGTERM, self._patience.terminate),
        ):
            for process in self._processes:
                process.send(number)
            deadline = time.monotonic() + patience
            if all(process.join(deadline - time.monotonic()) for process in self._processes):
                return False
        for process in self._processes:
            if process.send(signal.SIGKILL):
                self._printer.line("launcher", f"{process.spec.name} did not end; killed")
            process.join(self._patience.terminate)
        return True


class _Process:
    """One process with the two threads that read its output and wait for its end."""

    def __init__(
        self, spec: ProcessSpec, printer: "_Printer", report_end: Callable[["_Process"], None]
    ) -> None:
        self.spec = spec
        self.due: float | None = None
        """When it shall start again, on the monotonic clock; None when nothing is planned."""
        self._printer = printer
        self._report_end = report_end
        self._child: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._started = 0.0
        self._delay = 0.0

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def wanted(self) -> bool:
        """It runs, or will run again."""
        return self._child is not None or self.due is not None

    def start(self) -> None:
        self.due = None
        self._started = time.monotonic()
        self._child = subprocess.Popen(
            self.spec.command(),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.spec.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # the terminal's Ctrl-C reaches us alone; we pass it on once
        )
        self._reader = threading.Thread(target=self._read, args=(self._child,), daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, args=(self._child,), daemon=True).start()

    def reap(self) -> int:
        """Exit status of the ended process, negative for a signal."""
        assert self._child is not None
        code = self._child.wait()
        self.drain()
        self._child = None
        return code

    def drain(self) -> None:
        """Let its last lines appear; a pipe that it left to others is not waited for."""
        if self._reader is not None:
            self._reader.join(timeout=1.0)

    def schedule_respawn(self, patience: Patience) -> float:
        """Plan the next start; returns the delay, doubled at each crash in a row."""
        healthy = time.monotonic() - self._started >= patience.healthy_after
        first = self._delay == 0.0 or healthy
        self._delay = self.spec.respawn_delay if first else 2 * self._delay
        self._delay = min(self._delay, max(self.spec.respawn_delay, patience.longest_respawn_delay))
        self.due = time.monotonic() + self._delay
        return self._delay

    def send(self, number: signal.Signals) -> bool:
        """Signal the process and all it started; False where it has ended already."""
        if self.pid is None:
            return False
        assert self._child is not None
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return False
        return True

    def join(self, timeout: float) -> bool:
        """Whether the process has ended within `timeout` seconds."""
        if self._child is None:
            return True
        try:
            self._child.wait(max(0.0, timeout))
        except subprocess.TimeoutExpired:
            return False
        self.drain()
        return True

    def _read(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdout is not None
        for line in child.stdout:
            self._printer.line(self.spec.name, line.rstrip("\n"))
        child.stdout.close()

    def _wait(self, child: "subprocess.Popen[str]") -> None:
        child.wait()
        self._report_end(self)


class _Printer:
    """Whole lines from many threads, each behind the name of its process."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        with self._lock:
            try:
                self._output.write(f"[{name}] {text}\n")
                self._output.flush()
            except (ValueError, OSError):
                pass  # whoever read us is gone; the processes are still to be looked after


def _fate(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
