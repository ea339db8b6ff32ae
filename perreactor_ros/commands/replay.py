"""`perreactor replay`: react to a recorded bag as the nodes would, write the reactions, judge them.

Exit status: 0 once something was reacted to, whatever troubles were told on the error output; 1
where the report could not be made, or live nodes not be compared with; 2 where nothing was reacted
to; 130 after Ctrl-C or SIGTERM, which keep the reactions so far.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import signal
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import perreactor_model
from perreactor_model.bundle.manifest import Bundle
from perreactor_ros.parameters import default_of
from perreactor_ros.replay.topics import ReplayError, TopicOptions

if TYPE_CHECKING:
    from perreactor_model.report.contents import LiveTrack, ReportContents
    from perreactor_ros.replay.comparison import HeardReactions
    from perreactor_ros.replay.console import Console
    from perreactor_ros.replay.pipeline import RobotSpec
    from perreactor_ros.replay.session import Outcome, Plan

STORAGES = ("mcap", "sqlite3")
MOST_SAMPLES = 100
LARGEST_SEED = 2**53
"""As the nodes have it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="BAG", type=Path, help="rosbag2 recording: folder or file")
    parser.add_argument("--bundle", default="", help="model bundle, a folder or a name")
    parser.add_argument(
        "--profile",
        default="",
        help="listener profile of robot_a, or P,P2 of robot_a and robot_b ... (default: generic)",
    )
    parser.add_argument("--out", type=Path, help="folder to write (default: BAG's name + _replay)")
    parser.add_argument(
        "--samples", type=int, default=1, help="reactions of each robot to each frame (default: 1)"
    )
    parser.add_argument("--seed", type=int, help="of the reactions' variation (default: 0)")
    parser.add_argument(
        "--storage", choices=STORAGES, default="mcap", help="of the reactions (default: mcap)"
    )
    parser.add_argument("--image-topic", help="camera (default: found by type)")
    parser.add_argument("--audio-topic", help="microphone (default: found by type)")
    parser.add_argument(
        "--behaviour-topic", help="encoded behaviour, or an analyzer's attributes of the speaker"
    )
    parser.add_argument(
        "--real-topic",
        action="append",
        default=[],
        help="the real listener's reactions; may be given several times (a face that got new ids)",
    )
    parser.add_argument("--params-file", type=Path, help="parameters of the nodes, as for bringup")
    parser.add_argument("--device", help="where the networks run: auto, cpu or cuda")
    live = parser.add_mutually_exclusive_group()
    live.add_argument(
        "--live",
        action="store_true",
        help="also play the bag to running nodes at its own speed, and compare",
    )
    live.add_argument(
        "--against",
        metavar="LIVE_BAG",
        type=Path,
        help="compare with reactions that were recorded live (perreactor record, ros2 bag record)",
    )
    parser.add_argument("--no-report", action="store_true", help="write the bag only")
    parser.add_argument(
        "--json", action="store_true", help="print the report's numbers as one object on stdout"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay, score, report. Raises ValueError and OSError for what the user can put right."""
    with _terminated_as_interrupted():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("rosbags") is None:
        raise ReplayError(
            "replay needs rosbags, which is not installed: `pip install 'perreactor[evaluation]'`, "
            "or `make setup` in a checkout"
        )
    from perreactor_ros.bags.reader import BagReader
    from perreactor_ros.bags.writer import BagWriter
    from perreactor_ros.replay.comparison import reactions_in
    from perreactor_ros.replay.console import Console
    from perreactor_ros.replay.outcome import REACTIONS, OutputFolder
    from perreactor_ros.replay.session import replay

    console = Console(sys.stderr if arguments.json else sys.stdout)
    bundle = Bundle.load(arguments.bundle or default_of("bundle"))
    out = OutputFolder(arguments.out or Path(f"{_stem(arguments.bag)}_replay"))
    recorded = None if arguments.against is None else reactions_in(arguments.against)
    if recorded is not None and not recorded:
        raise ReplayError(f"--against: {arguments.against} holds no reaction of a robot")
    made = _Made()
    with BagReader(arguments.bag) as reader:
        plan = _plan(arguments, bundle, reader)
        console.introduce(arguments.bag, plan)
        try:
            with out as folder:
                with BagWriter(folder / REACTIONS, arguments.storage) as writer:
                    with console.progress(reader.start_ns, reader.end_ns) as progress:
                        outcome = replay(reader, plan, writer, progress, folder)
                _require_reactions(outcome)
                if not outcome.stopped:
                    made = _judge(arguments, plan, outcome, recorded, folder, console)
        except KeyboardInterrupt:
            console.note("stopped: nothing was written")
            raise
    console.conclude(plan, outcome, out.path)
    if arguments.json and made.numbers is not None:
        print(json.dumps(made.numbers))
    return 130 if outcome.stopped else made.status


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal act as Ctrl-C does: no node, no half result stays behind."""
    from perreactor_ros.bringup.launcher import stop_signals

    def interrupt(_: int, frame: Any) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):  # a shell's background job, which Ctrl-C is not to end
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    numbers = [number for number in stop_signals() if number != signal.SIGINT]
    try:
        before = {number: signal.signal(number, interrupt) for number in numbers}
    except ValueError:  # not in the main thread: whoever called decides about signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Made:
    """What was made of the reactions: the report's numbers, and the command's exit status."""

    numbers: Mapping[str, Any] | None = None
    status: int = 0


# --- Before ------------------------------------------------------------------------------------


def _plan(arguments: argparse.Namespace, bundle: Bundle, reader: Any) -> Plan:
    from perreactor_model.face_analysis.choice import chosen_analyzer
    from perreactor_ros.replay.session import Plan
    from perreactor_ros.replay.settings import node_settings
    from perreactor_ros.replay.topics import find_sources

    if not 1 <= arguments.samples <= MOST_SAMPLES:
        raise ReplayError(f"--samples is {arguments.samples}: give 1 to {MOST_SAMPLES}")
    if arguments.seed is not None and not 0 <= arguments.seed <= LARGEST_SEED:
        raise ReplayError(f"--seed is {arguments.seed}: give 0 to {LARGEST_SEED}")
    given = {"seed": arguments.seed, "device": arguments.device}
    settings = node_settings(
        {name: value for name, value in given.items() if value is not None}, arguments.params_file
    )
    options = _named_topics(arguments)
    visual_input = bundle.config.visual_input
    analyzer = chosen_analyzer(settings.perceiver["analyzer"], visual_input)
    sources = find_sources(reader, visual_input, bundle.model_id, options, analyzer)
    return Plan(bundle, robots_of(arguments.profile), arguments.samples, sources, settings)


def _named_topics(arguments: argparse.Namespace) -> TopicOptions:
    return TopicOptions(
        image=arguments.image_topic,
        audio=arguments.audio_topic,
        behaviour=arguments.behaviour_topic,
        real=tuple(arguments.real_topic),
    )


def robots_of(profiles: str) -> list[RobotSpec]:
    """robot_a, robot_b and so on with the profiles of `P,P2`. Raises ReplayError."""
    from perreactor_ros.replay.pipeline import RobotSpec

    names = [name.strip() for name in (profiles or default_of("listener_profile")).split(",")]
    if not all(names) or len(names) > len(string.ascii_lowercase):
        raise ReplayError(
            f"--profile is {profiles!r}: give one to {len(string.ascii_lowercase)} names, as in "
            "warm,stoic"
        )
    return [
        RobotSpec(f"robot_{letter}", name)
        for letter, name in zip(string.ascii_lowercase, names, strict=False)
    ]


def _stem(bag: Path) -> str:
    path = Path(os.path.abspath(bag))  # without "..", and links keep their names
    name = path.parent.name if path.name == "metadata.yaml" else path.name
    return name.removesuffix(".mcap").removesuffix(".db3")


# --- After -------------------------------------------------------------------------------------


def _require_reactions(outcome: Outcome) -> None:
    if any(len(track.stamp_ns) for track in outcome.reactions):
        return
    if outcome.stopped:
        raise KeyboardInterrupt
    troubles = "".join(f"\n  {trouble}" for trouble in outcome.troubles)
    raise ReplayError(f"nothing in the bag could be reacted to, and nothing was written{troubles}")


def _judge(
    arguments: argparse.Namespace,
    plan: Plan,
    outcome: Outcome,
    recorded: Mapping[str, HeardReactions] | None,
    folder: Path,
    console: Console,
) -> _Made:
    """Compare, score and report; the reactions are kept whatever happens to that."""
    from perreactor_ros.replay.outcome import discard_report

    try:
        live = _live(arguments, plan, outcome, recorded, folder, console)
        numbers = _report(arguments, plan, outcome, live, folder, console)
    except KeyboardInterrupt:
        discard_report(folder)
        console.note("stopped: the reactions are complete, there is no report")
        return _Made(status=130)
    except (ValueError, OSError, ImportError) as error:
        discard_report(folder)
        console.note(f"the reactions are complete, but there is no report: {error}")
        return _Made(status=1)
    asked = arguments.live or recorded is not None
    return _Made(numbers, int(asked and live is None))


def _live(
    arguments: argparse.Namespace,
    plan: Plan,
    outcome: Outcome,
    recorded: Mapping[str, HeardReactions] | None,
    folder: Path,
    console: Console,
) -> LiveTrack | None:
    """What running nodes made of the same bag, now or when it was recorded.

    None where that was not asked for, or failed: what was made offline is kept all the same.
    """
    from perreactor_ros.replay.comparison import compare, describe

    try:
        if recorded is not None:
            live = compare(outcome.reactions, recorded)
        elif arguments.live:
            live = _play_live(arguments, plan, outcome, folder, console)
        else:
            return None
    except ValueError as error:
        console.note(f"there is no comparison with live nodes: {error}")
        return None
    console.tell("Live against offline:", *(f"  {line}" for line in describe(live)))
    return live


def _play_live(
    arguments: argparse.Namespace, plan: Plan, outcome: Outcome, folder: Path, console: Console
) -> LiveTrack:
    from perreactor_ros.replay.live import LiveReplay, replay_live
    from perreactor_ros.replay.outcome import LIVE_LOG

    settings = LiveReplay(
        bag=arguments.bag,
        bundle=str(plan.bundle.path),
        robots={robot.name: robot.profile for robot in plan.robots},
        seed=plan.settings.engine.seed,
        device=arguments.device,
        analyzer=plan.settings.perceiver["analyzer"],
        topics=_named_topics(arguments),
        params_file=arguments.params_file,
    )
    with open(folder / LIVE_LOG, "w", encoding="utf-8") as log:
        return replay_live(
            settings,
            outcome.reactions,
            log,
            lambda sentence: console.tell(f"Live: {sentence}"),
        )


def _report(
    arguments: argparse.Namespace,
    plan: Plan,
    outcome: Outcome,
    live: LiveTrack | None,
    folder: Path,
    console: Console,
) -> Mapping[str, Any] | None:
    """Score, tell, and write the report unless it is not wanted; returns its numbers."""
    from perreactor_ros.replay.outcome import report_contents
    from perreactor_ros.replay.scoring import score
    from perreactor_ros.replay.strip import strip_material

    step = plan.settings.engine.step
    scores = score(outcome.reactions, outcome.speaker, outcome.real, step)
    console.scores(plan, scores)
    if arguments.no_report and not arguments.json:
        return None
    contents = report_contents(
        title=_stem(arguments.bag),
        command=shlex.join(["perreactor", *sys.argv[1:]]),
        bundle=plan.bundle,
        outcome=outcome,
        scores=scores,
        strip=strip_material(arguments.bag, plan.sources, plan.settings.assumed_sound),
        provenance=_provenance(plan),
        live=live,
    )
    return _write(contents, folder, arguments.no_report)


def _write(contents: ReportContents, folder: Path, no_report: bool) -> Mapping[str, Any]:
    """The report's numbers, with all the rest of the report unless it is not wanted."""
    if no_report:
        from perreactor_model.report.analysis import analyse
        from perreactor_model.report.numbers import report_numbers

        return report_numbers(contents, analyse(contents))
    from perreactor_model.report.folder import NUMBERS, write_report

    write_report(contents, folder)
    return json.loads((folder / NUMBERS).read_text(encoding="utf-8"))


def _provenance(plan: Plan) -> dict[str, str | int | float]:
    return {
        "seed": plan.settings.engine.seed,
        "samples": plan.samples,
        "step": plan.settings.engine.step,
        "perreactor": perreactor_model.__version__,
        **{kind: topic for topic, kind in plan.sources.kinds.items()},
    }
