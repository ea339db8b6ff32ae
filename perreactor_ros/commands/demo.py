"""`perreactor demo`: two robots with different profiles react live to a person in a video.

Starts player, perception, reactor and face_view, tells once a second what the robots do, and at the
end how alive they were and where the recording is. Other ROS tools see all of it meanwhile.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from perreactor_model import liveness
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.media.video import probe
from perreactor_model.media.view_recorder import free_path
from perreactor_ros.bringup.launcher import Launcher, stop_signals
from perreactor_ros.bringup.options import BringupError, BringupOptions
from perreactor_ros.bringup.processes import (
    ProcessSpec,
    face_view_process,
    process_list,
    share_folder,
)
from perreactor_ros.demo import (
    Finding,
    Watcher,
    report_motion,
    report_profiles,
    report_speakers,
)
from perreactor_ros.parameters import default_of

ROBOTS = "robot_a:warm,robot_b:stoic"
START_SECONDS = 60.0
"""Time within which the robots must react; far more than a slow machine needs."""

SWAP_SECONDS = 8.0
"""Length of the two recordings that are compared."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the demo."""
    parser.add_argument("--video", default="", help="any video with sound (default: our speaker)")
    parser.add_argument("--seconds", type=float, help="how long (default: until Ctrl-C)")
    parser.add_argument("--out", default="demo", help="folder of the recording (default: demo)")
    parser.add_argument(
        "--robots", default=ROBOTS, help=f"robots and their listener profiles (default: {ROBOTS})"
    )
    parser.add_argument("--bundle", default="", help="model bundle, a folder or a name")
    parser.add_argument(
        "--json", action="store_true", help="print one object on stdout; the rest goes to stderr"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 once it ran, whatever the report says. Raises ValueError for wrong input."""
    if arguments.seconds is not None and arguments.seconds <= 0:
        raise BringupError(f"--seconds: {arguments.seconds:g} is no length of time; give some 20")
    video = _video(arguments.video)
    options = BringupOptions.from_text(
        {
            "robots": arguments.robots,
            "video": str(video),
            "bundle": arguments.bundle,
            "log_level": "info",
        }
    )
    if not options.robots:
        raise BringupError(f"--robots is empty; give at least one, as in {ROBOTS}")
    bundle = Bundle.load(options.bundle or default_of("bundle"))
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    recording = free_path(folder / "demo.mp4")
    log = recording.with_suffix(".log")
    console = sys.stderr if arguments.json else sys.stdout
    _introduce(options, bundle, arguments.seconds, console)
    specs = [*process_list(options), face_view_process(options, record=recording)]
    with open(log, "w", encoding="utf-8") as file:
        watcher, status = _watch(specs, options, arguments.seconds, NodeLog(file, console), console)
    if status:
        print(f"The demo could not go on; all that the nodes said is in {log}", file=console)
        return status
    findings = _judge(watcher, options, bundle, video, console)
    print(f"Recording: {recording}   what the nodes said: {log}", file=console)
    if arguments.json:
        print(json.dumps(_result(bundle, recording, findings)))
    return 0


class NodeLog:
    """Everything the nodes say, in a file; what they warn of, on the console as well."""

    def __init__(self, file: TextIO, console: TextIO) -> None:
        self._file = file
        self._console = console

    def write(self, text: str) -> int:
        """Take one whole line, as the launcher writes them."""
        loud = ("[WARN]", "[ERROR]", "[FATAL]", "[launcher]", "perreactor: error", "Traceback")
        if any(word in text for word in loud) and "untrained" not in text:
            self._console.write(text)
            self._console.flush()
        return self._file.write(text)

    def flush(self) -> None:
        """Let others see what was written."""
        self._file.flush()


def _video(given: str) -> Path:
    """The video to play. Raises BringupError or VideoError where it cannot be played."""
    if not given:
        return share_folder() / "speaker" / "speaker.mp4"
    path = Path(given).expanduser()
    if not path.is_file():
        raise BringupError(f"--video: there is no file {given}")
    info = probe(path)
    if not info.has_pictures:
        raise BringupError(f"--video: {given} has no pictures; the demo needs a face to look at")
    return path.absolute()


def _introduce(
    options: BringupOptions, bundle: Bundle, seconds: float | None, console: TextIO
) -> None:
    assert options.video is not None
    end = f"for {seconds:g} s" if seconds else "until Ctrl-C"
    names = " and ".join(str(robot) for robot in options.robots)
    lines = [f"{names} listen to {options.video.name} {end}; model {bundle.model_id}."]
    if not bundle.trained:
        lines.append("The weights are UNTRAINED: judge whether the faces live, not what they mean.")
    if not probe(options.video).has_sound:
        lines.append("The video has no sound: the robots see the speaker and hear nobody.")
    robot = options.robots[0].name
    lines += [
        f"Where ROS's command line is installed (ROS_DOMAIN_ID={os.environ.get('ROS_DOMAIN_ID', 0)}"
        "), look from another terminal:",
        f"  ros2 topic echo /{robot}/reaction --once",
        f"  ros2 param set /{robot}/reactor listener_profile lively",
    ]
    print("\n".join(lines), file=console, flush=True)


def _watch(
    specs: list[ProcessSpec],
    options: BringupOptions,
    seconds: float | None,
    log: NodeLog,
    console: TextIO,
) -> tuple[Watcher, int]:
    """Run the processes and tell about them; returns the watcher and an exit status."""
    stopped: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: stopped.append(number))
        for number in stop_signals()
    }
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    watcher = Watcher([robot.name for robot in options.robots])
    executor = SingleThreadedExecutor()
    executor.add_node(watcher)
    try:
        with Launcher(specs, output=log) as launcher:
            clock = _DemoClock(seconds)
            while not (stopped or clock.over):
                executor.spin_once(timeout_sec=0.1)
                if launcher.wait(0) is not None:
                    break
                if clock.waits and watcher.all_react:
                    clock.begin()
                    watcher.lines()  # what came while the nodes started is no rate
                if clock.too_late:
                    silent = [
                        robot for robot, heard in watcher.heard.items() if not heard.reactions
                    ]
                    print(f"No reaction of {', '.join(silent)} came.", file=console)
                    return watcher, 1
                if clock.second_is_over():
                    print("\n".join(watcher.lines()), file=console, flush=True)
            return watcher, launcher.wait(0) or 0
    finally:
        executor.shutdown(timeout_sec=0)
        watcher.destroy_node()
        rclpy.try_shutdown()
        for number, handler in handlers.items():
            signal.signal(number, handler)


class _DemoClock:
    """When the demo began, and whether a second or all of it is over; begins with all reacting."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._started = time.monotonic()
        self._began: float | None = None
        self._next = 0.0

    @property
    def waits(self) -> bool:
        return self._began is None

    @property
    def too_late(self) -> bool:
        return self.waits and time.monotonic() - self._started > START_SECONDS

    @property
    def over(self) -> bool:
        if self._began is None or self._seconds is None:
            return False
        return time.monotonic() - self._began >= self._seconds

    def begin(self) -> None:
        self._began = time.monotonic()
        self._next = self._began + 1

    def second_is_over(self) -> bool:
        if self._began is None or time.monotonic() < self._next:
            return False
        self._next += 1
        return True


def _judge(
    watcher: Watcher, options: BringupOptions, bundle: Bundle, video: Path, console: TextIO
) -> list[Finding]:
    """Print the liveness report; Ctrl-C leaves out what has not been measured yet."""
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        print(finding, file=console, flush=True)

    print("Are the faces alive?", file=console)
    heard = list(watcher.heard.values())
    for each in heard:
        tell(report_motion(each))
    for other in heard[1:]:
        tell(report_profiles(heard[0], other))
    try:
        tell(_swap_speakers(options, bundle, video))
    except KeyboardInterrupt:
        print("  (the swap of the speaker is left out)", file=console)
    return findings


def _swap_speakers(options: BringupOptions, bundle: Bundle, video: Path) -> Finding:
    """The first robot's reaction to the video against that to one of our speakers, without ROS."""
    robot = options.robots[0]
    ours = [share_folder() / "speaker" / name for name in ("speaker.mp4", "speaker_b.mp4")]
    other = ours[1] if video.samefile(ours[0]) else ours[0]
    robots = {robot.name: robot.profile or default_of("listener_profile")}
    one, two = (
        liveness.reactions_to_video(bundle, path, robots, SWAP_SECONDS)[robot.name]
        for path in (video, other)
    )
    contrast = liveness.speaker_contrast(one, two)
    return report_speakers(robot.name, contrast, f"{video.name} against {other.name}")


def _result(bundle: Bundle, recording: Path, findings: list[Finding]) -> dict[str, object]:
    return {
        "model_id": bundle.model_id,
        "trained": bundle.trained,
        "recording": str(recording),
        "liveness": [asdict(finding) for finding in findings],
    }
