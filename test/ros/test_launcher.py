"""The launcher: names in front of lines, restarts, and an end in good order.

Small programs stand where nodes would, so that each misbehaves at will; the last tests do the same
to the real nodes.
"""

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from live_graph import DEADLINE

from perreactor_ros.bringup.launcher import USER_ERROR, Launcher, Patience
from perreactor_ros.bringup.processes import ProcessSpec

QUICK = Patience(longest_respawn_delay=0.2, healthy_after=60, interrupt=0.5, terminate=0.5)


class Output(io.StringIO):
    """What the launcher prints; a test waits until it holds a text often enough."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def write(self, text: str) -> int:
        with self._changed:
            self._changed.notify_all()
            return super().write(text)

    def wait_for(self, text: str, count: int = 1) -> None:
        with self._changed:
            seen = self._changed.wait_for(lambda: self.getvalue().count(text) >= count, DEADLINE)
        assert seen, f"waited in vain for {count} times {text!r} in\n{self.getvalue()}"


@pytest.fixture
def program(tmp_path: Path) -> Callable:
    """Makes a process of some lines of Python, which say when they are up."""

    def make(name: str, source: str, respawn: bool = True) -> ProcessSpec:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{source}\n")
        path.chmod(0o755)
        return ProcessSpec(name, str(path), respawn=respawn, respawn_delay=0.05)

    return make


STAYS = "print('up', flush=True)\ntry:\n    signal.pause()\nexcept KeyboardInterrupt:\n    pass"


def test_every_line_appears_behind_the_name_of_its_process(program):
    output = Output()
    specs = [
        program("one", "print('hello'); print('bad', file=sys.stderr)", respawn=False),
        program("two", "print('world', end='')", respawn=False),
    ]
    with Launcher(specs, output=output) as launcher:
        assert launcher.wait(DEADLINE) == 0
    lines = output.getvalue().splitlines()
    assert {"[one] hello", "[one] bad", "[two] world"} <= set(lines)


def test_a_killed_process_comes_back_and_the_others_do_not_notice(program):
    output = Output()
    specs = [program("victim", STAYS), program("bystander", STAYS)]
    with Launcher(specs, output=output, patience=QUICK) as launcher:
        output.wait_for("up", 2)
        victim, bystander = launcher.pid("victim"), launcher.pid("bystander")
        os.kill(victim, signal.SIGKILL)
        output.wait_for("[victim] up", 2)
        assert launcher.pid("victim") not in (None, victim)
        assert launcher.pid("bystander") == bystander
    assert "[launcher] victim was ended by SIGKILL; again in 0.05 s" in output.getvalue()


def test_a_process_that_crashes_again_and_again_is_started_at_growing_intervals(program):
    output = Output()
    with Launcher([program("bad", "sys.exit(7)")], output=output, patience=QUICK):
        output.wait_for("again in 0.2 s", 2)
    delays = re.findall(r"exit status 7; again in (\S+) s", output.getvalue())
    assert delays[:4] == ["0.05", "0.1", "0.2", "0.2"]


def test_a_refused_argument_ends_everything_instead_of_being_tried_again(program):
    output = Output()
    specs = [program("refuses", f"sys.exit({USER_ERROR})"), program("bystander", STAYS)]
    with Launcher(specs, output=output) as launcher:
        assert launcher.wait(DEADLINE) == USER_ERROR
        assert launcher.pid("bystander") is None
    assert "refuses ended with exit status 2; stopping everything" in output.getvalue()


def test_a_failed_process_that_must_not_come_back_ends_everything(program):
    output = Output()
    specs = [program("recorder", "sys.exit(1)", respawn=False), program("bystander", STAYS)]
    with Launcher(specs, output=output) as launcher:
        assert launcher.wait(DEADLINE) == 1


def test_stopping_interrupts_every_process_once_and_returns_0(program):
    output = Output()
    counts = "n = []\nsignal.signal(signal.SIGINT, lambda *_: n.append(1))\n"
    counts += "print('up', flush=True)\nwhile not n: time.sleep(0.01)\nprint('interrupted', len(n))"
    launcher = Launcher([program("node", counts)], output=output)
    launcher.start()
    output.wait_for("up")
    assert launcher.stop() == 0
    assert output.getvalue().endswith("[node] interrupted 1\n")


def test_a_process_that_ignores_ctrl_c_is_terminated_and_one_that_ignores_all_is_killed(program):
    output = Output()
    deaf = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    deafer = deaf + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    wait = "print('up', flush=True)\nwhile True: signal.pause()"
    launcher = Launcher([program("deaf", deaf + wait)], output=output, patience=QUICK)
    launcher.start()
    output.wait_for("up")
    assert launcher.stop() == 0
    launcher = Launcher([program("deafer", deafer + wait)], output=output, patience=QUICK)
    launcher.start()
    output.wait_for("[deafer] up")
    assert launcher.stop() == 1
    assert "[launcher] deafer did not end; killed" in output.getvalue()


def test_a_program_that_is_not_there_leaves_no_other_running(program):
    launcher = Launcher(
        [program("there", STAYS), ProcessSpec("not_there", "/nowhere/to/be/found")],
        output=Output(),
    )
    with pytest.raises(OSError, match="nowhere"):
        launcher.start()
    assert launcher.pid("there") is None


def test_a_name_that_is_not_in_the_list_is_told_with_the_names_that_are(program):
    with pytest.raises(KeyError, match="there"):
        Launcher([program("there", STAYS)]).pid("elsewhere")


# --- The real nodes ------------------------------------------------------------------------------


def _bringup(graph, bundle: Path, *arguments: str):
    command = [sys.executable, "-m", "perreactor_model.cli.main", "bringup", f"bundle:={bundle}"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return graph.run([*command, *arguments], PATH=path)


def _pid_of(launcher, name: str) -> int:
    """Process id of a node below the launcher's process."""
    for pid in _children(launcher.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if any(part.endswith(f"/perreactor_ros/{name}".encode()) for part in command):
            return pid
    raise AssertionError(f"{name} does not run")


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reactor", "perception"])
def test_a_killed_node_comes_back_by_itself_and_the_reactions_go_on(graph, speaker, bundle, name):
    from perreactor_ros.msg import FacialReaction

    reactions = graph.collect(FacialReaction, "robot_b/reaction")
    launcher = _bringup(graph, bundle, "--robots", "robot_a:warm,robot_b:stoic")
    speaker()
    graph.wait_for_more(reactions, 10, "reactions")
    os.kill(_pid_of(launcher, name), signal.SIGKILL)
    launcher.wait_for_line(rf"\[launcher\] {name} was ended by SIGKILL")
    after = graph.wait_for_more(reactions, 30, "reactions after the restart")
    assert after[-1].listener_profile == "stoic"
    assert launcher.stop() == 0


@pytest.mark.slow
def test_ctrl_c_ends_every_node_and_the_launcher_with_exit_status_0(graph, speaker, bundle):
    launcher = _bringup(graph, bundle)
    graph.wait_for_state("robot_a/reactor", "active")
    children = _children(launcher.pid)
    assert len(children) == 2
    assert launcher.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert "Traceback" not in launcher.output


def test_bringup_tells_a_wrong_argument_in_one_line(graph, bundle):
    launcher = _bringup(graph, bundle, "robots:=robot a")
    assert launcher.wait() == 2
    assert launcher.says("perreactor: error: robots: 'robot a' is no robot name")


@pytest.mark.slow
def test_under_nohup_a_closed_terminal_ends_nothing(graph, speaker, bundle):
    from perreactor_ros.msg import FacialReaction

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        launcher = _bringup(graph, bundle)
    finally:
        signal.signal(signal.SIGHUP, before)
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    speaker()
    graph.wait_for_more(reactions, 5, "reactions")
    os.kill(launcher.pid, signal.SIGHUP)
    graph.wait_for_more(reactions, 25, "reactions after the hang-up")
    assert launcher.running
    assert launcher.stop() == 0


@pytest.mark.slow
def test_a_closed_terminal_leaves_no_node_behind(graph, bundle, hang_up_counts):
    launcher = _bringup(graph, bundle)
    launcher.wait_for_line("listening to")
    nodes = _children(launcher.pid)
    assert nodes
    assert launcher.stop(signal.SIGHUP) == 0, launcher.output
    assert not any(Path(f"/proc/{node}").exists() for node in nodes)
