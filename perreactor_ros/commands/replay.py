"""`perreactor replay`: react to a recorded bag as the nodes would, write the reactions, judge them.

Exit status: 0 once something was reacted to, whatever troubles were told on the error output; 1
where live nodes were to be compared with and could not; 2 where nothing was reacted to; 130 after
Ctrl-C, which keeps the reactions so far.
"""

from __future__ import annotations

import argparse
import json
import shlex
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import perreactor_model
from perreactor_model.bundle.manifest import Bundle
from perreactor_ros.parameters import default_of
from perreactor_ros.replay.topics import ReplayError, Sources, TopicOptions

if TYPE_CHECKING:
    from perreactor_model.report.contents import LiveTrack, ReportContents
    from perreactor_ros.replay.comparison import HeardReactions
    from perreactor_ros.replay.pipeline import RobotSpec
    from perreactor_ros.replay.scoring import Scores
    from perreactor_ros.replay.session import Outcome, Plan

STORAGES = ("mcap", "sqlite3")
MOST_SAMPLES = 100

_SHOWN = ("FRCorr", "FRDist", "FRDiv", "FRVar", "FRSyn")
_BEST = {"FRCorr": max, "FRDist": min}
"""Metrics that say how near a reaction is to the real one, and which value is the best."""


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
    from perreactor_ros.bags.reader import BagReader
    from perreactor_ros.bags.writer import BagWriter
    from perreactor_ros.replay.comparison import reactions_in
    from perreactor_ros.replay.outcome import REACTIONS, OutputFolder
    from perreactor_ros.replay.session import replay

    console = sys.stderr if arguments.json else sys.stdout
    bundle = Bundle.load(arguments.bundle or default_of("bundle"))
    out = OutputFolder(arguments.out or Path(f"{_stem(arguments.bag)}_replay"))
    recorded = None if arguments.against is None else reactions_in(arguments.against)
    live = None
    with BagReader(arguments.bag) as reader:
        plan = _plan(arguments, bundle, reader)
        _introduce(arguments.bag, plan, console)
        with out as folder:
            with BagWriter(folder / REACTIONS, arguments.storage) as writer:
                with _bar(reader.start_ns, reader.end_ns) as progress:
                    outcome = replay(reader, plan, writer, progress)
            _require_reactions(outcome)
            if outcome.stopped:
                numbers = None
            else:
                live = _live(arguments, plan, outcome, recorded, folder, console)
                numbers = _report(arguments, plan, outcome, live, folder, console)
    _conclude(outcome, out.path, arguments.no_report, console)
    if arguments.json and numbers is not None:
        print(json.dumps(numbers))
    asked = arguments.live or recorded is not None
    return 130 if outcome.stopped else int(asked and live is None)


# --- Before ------------------------------------------------------------------------------------


def _plan(arguments: argparse.Namespace, bundle: Bundle, reader: Any) -> Plan:
    from perreactor_ros.replay.session import Plan
    from perreactor_ros.replay.settings import node_settings
    from perreactor_ros.replay.topics import find_sources

    if not 1 <= arguments.samples <= MOST_SAMPLES:
        raise ReplayError(f"--samples is {arguments.samples}: give 1 to {MOST_SAMPLES}")
    given = {"seed": arguments.seed, "device": arguments.device}
    settings = node_settings(
        {name: value for name, value in given.items() if value is not None}, arguments.params_file
    )
    options = _named_topics(arguments)
    sources = find_sources(reader, bundle.config.visual_input, bundle.model_id, options)
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
    name = bag.absolute().name
    return name.removesuffix(".mcap").removesuffix(".db3")


def _introduce(bag: Path, plan: Plan, console: TextIO) -> None:
    robots = " and ".join(f"{robot.name}:{robot.profile}" for robot in plan.robots)
    listen = "listens" if len(plan.robots) == 1 else "listen"
    print(f"{robots} {listen} to {bag}: {_heard(plan.sources)}.", file=console)
    print(f"Model {plan.bundle.model_id}, seed {plan.settings.engine.seed}.", file=console)
    if not plan.bundle.trained:
        print(
            "The weights are UNTRAINED: judge whether the faces live, not what they mean.",
            file=console,
        )
    console.flush()


def _heard(sources: Sources) -> str:
    topics = ", ".join(sources.kinds)
    real = f"; the real listener in {', '.join(sources.real)}" if sources.real else ""
    return topics + real


@contextmanager
def _bar(begin_ns: int, end_ns: int) -> Iterator[Any]:
    """Progress over the bag's time, on the error output if someone looks at it."""
    from tqdm import tqdm

    total = max(round((end_ns - begin_ns) / 1e9, 1), 0.1)
    layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
    with tqdm(total=total, file=sys.stderr, disable=None, leave=False, bar_format=layout) as bar:

        def progress(time_ns: int) -> None:
            done = min((time_ns - begin_ns) / 1e9, total)
            if done > bar.n:
                bar.update(done - bar.n)

        yield progress


# --- After -------------------------------------------------------------------------------------


def _require_reactions(outcome: Outcome) -> None:
    if any(len(track.stamp_ns) for track in outcome.reactions):
        return
    if outcome.stopped:
        raise KeyboardInterrupt
    troubles = "".join(f"\n  {trouble}" for trouble in outcome.troubles)
    raise ReplayError(f"nothing in the bag could be reacted to, and nothing was written{troubles}")


def _live(
    arguments: argparse.Namespace,
    plan: Plan,
    outcome: Outcome,
    recorded: Mapping[str, HeardReactions] | None,
    folder: Path,
    console: TextIO,
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
        _note(f"there is no comparison with live nodes: {error}")
        return None
    print("Live against offline:", *describe(live), sep="\n  ", file=console, flush=True)
    return live


def _play_live(
    arguments: argparse.Namespace, plan: Plan, outcome: Outcome, folder: Path, console: TextIO
) -> LiveTrack:
    from perreactor_ros.replay.live import LiveReplay, replay_live
    from perreactor_ros.replay.outcome import LIVE_LOG

    settings = LiveReplay(
        bag=arguments.bag,
        bundle=str(plan.bundle.path),
        robots={robot.name: robot.profile for robot in plan.robots},
        seed=plan.settings.engine.seed,
        device=arguments.device,
        topics=_named_topics(arguments),
        params_file=arguments.params_file,
    )
    with open(folder / LIVE_LOG, "w", encoding="utf-8") as log:
        return replay_live(
            settings,
            outcome.reactions,
            log,
            lambda sentence: print(f"Live: {sentence}", file=console, flush=True),
        )


def _report(
    arguments: argparse.Namespace,
    plan: Plan,
    outcome: Outcome,
    live: LiveTrack | None,
    folder: Path,
    console: TextIO,
) -> Mapping[str, Any]:
    """Score, tell, and write the report unless it is not wanted; returns its numbers."""
    from perreactor_ros.replay.outcome import report_contents
    from perreactor_ros.replay.scoring import score
    from perreactor_ros.replay.strip import strip_material

    step = plan.settings.engine.step
    scores = score(outcome.reactions, outcome.speaker, outcome.real, step)
    _tell_scores(plan, scores, console)
    for note in scores.notes:
        _note(note)
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


def _tell_scores(plan: Plan, scores: Scores, console: TextIO) -> None:
    if not scores.robots:
        print(f"No scores: {scores.why_not}.", file=console)
        return
    print(
        f"Scores (corrected) over {scores.clips} clips, {scores.seconds:.0f} s together:",
        file=console,
    )
    values = {robot: each["corrected"] for robot, each in scores.robots.items()}
    shown = [name for name in _SHOWN if any(name in each for each in values.values())]
    print(f"  {'':<22}" + "".join(f"{name:>10}" for name in shown), file=console)
    for robot in plan.robots:
        cells = "".join(_cell(values[robot.name].get(name)) for name in shown)
        print(f"  {f'{robot.name}:{robot.profile}':<22}{cells}", file=console)
    if len(plan.robots) > 1:
        print(f"Nearest to the real listener: {_nearest(plan, values)}.", file=console)


def _cell(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:>10.4f}"


def _nearest(plan: Plan, values: Mapping[str, Mapping[str, Any]]) -> str:
    profiles = {robot.name: robot.profile for robot in plan.robots}
    nearest = []
    for metric, best in _BEST.items():
        known = {
            name: each[metric] for name, each in values.items() if each.get(metric) is not None
        }
        if known:
            robot = best(known, key=lambda name: known[name])
            nearest.append(f"{robot}:{profiles[robot]} by {metric}")
    return ", ".join(nearest) or "none can be told"


def _conclude(outcome: Outcome, path: Path, no_report: bool, console: TextIO) -> None:
    from perreactor_ros.replay.outcome import REACTIONS

    for trouble in outcome.troubles:
        _note(trouble)
    seconds = max(outcome.compute_s, 1e-9)
    frames = max(len(track.stamp_ns) for track in outcome.reactions)
    print(
        f"{frames} frames ({outcome.duration_s:.1f} s) in {seconds:.1f} s: "
        f"{outcome.duration_s / seconds:.1f} times real time",
        file=console,
    )
    print(f"Reactions: {path / REACTIONS}", file=console)
    if outcome.stopped:
        print(
            f"Stopped after {outcome.duration_s:.1f} s of the recording: the reactions up to there "
            "are complete, the rest is missing, and there is no report.",
            file=sys.stderr,
        )
    elif not no_report:
        print(f"Report:    {path / 'report.html'}", file=console)


def _note(sentence: str) -> None:
    print(f"perreactor: note: {sentence}", file=sys.stderr)
