"""`perreactor synthesize`: a corpus that anybody can make, in the layout of the real ones."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from perreactor_model.shown_progress import shown_progress
from perreactor_model.whole_files import replacing


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from perreactor_model.contract import AU_SEMANTICS
    from perreactor_model.synthesis.corpus import LAYOUTS, SPLITS, CorpusPlan

    plan = CorpusPlan()
    parser.epilog = (
        "Nobody was recorded: people are simulated after published rules of conversation. The same "
        "options make the same bytes. Stopped, it goes on when it is started again."
    )
    parser.add_argument("--out", type=Path, help="folder of the corpus; with --redraw an .npz")
    parser.add_argument("--layout", choices=LAYOUTS, default=plan.layout, help="(%(default)s)")
    parser.add_argument(
        "--listeners", type=int, default=plan.listeners, help="people in all splits (%(default)s)"
    )
    parser.add_argument(
        "--sessions", type=int, default=plan.sessions, help="of each listener (%(default)s)"
    )
    parser.add_argument(
        "--scripts", type=int, default=0, help="different ones in a split (as many as sessions)"
    )
    parser.add_argument(
        "--seconds", type=float, default=plan.seconds, help="of a session (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=plan.seed, help="(%(default)s)")
    parser.add_argument(
        "--au",
        choices=AU_SEMANTICS,
        default=plan.units,
        help="action units from 0 to 1, or 0 or 1 as in REACT (%(default)s)",
    )
    parser.add_argument(
        "--video", action="store_true", help="with drawn faces, all people and cameras different"
    )
    parser.add_argument(
        "--replace", action="store_true", help="remove a synthetic corpus of other options in --out"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)"
    )
    parser.add_argument(
        "--redraw",
        type=Path,
        metavar="DIR",
        help="let the listeners of a corpus made earlier react anew: what no model can surpass",
    )
    parser.add_argument(
        "--statistics",
        type=Path,
        metavar="DIR",
        help="tell how the people of a corpus made earlier behave, beside published figures",
    )
    parser.add_argument(
        "--split",
        choices=tuple(SPLITS),
        default="test",
        help="for --redraw and --statistics (%(default)s)",
    )
    parser.add_argument("--samples", type=int, default=10, help="for --redraw (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Make a corpus, redraw one, or tell of one. Raises ValueError and OSError."""
    from perreactor_model.synthesis.corpus import SPLITS, CorpusPlan, CorpusPlanError

    if arguments.statistics is not None:
        return _statistics(arguments)
    if arguments.out is None:
        raise CorpusPlanError("--out is missing: where to write")
    if arguments.redraw is not None:
        return _redraw(arguments)
    from perreactor_model.synthesis.writing import write_corpus
    from perreactor_model.whole_files import tidy_when_ended

    plan = CorpusPlan(
        layout=arguments.layout,
        listeners=arguments.listeners,
        sessions=arguments.sessions,
        scripts=arguments.scripts,
        seconds=arguments.seconds,
        seed=arguments.seed,
        units=arguments.au,
        video=arguments.video,
    )
    with shown_progress("performing") as progress, tidy_when_ended():
        corpus = write_corpus(plan, arguments.out, arguments.workers, progress, arguments.replace)
    sessions = {split: len(corpus.performances(split)) for split in SPLITS}
    size = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    told = {
        "folder": str(arguments.out),
        "layout": plan.layout,
        "listeners": {split: plan.listeners_in(split) for split in SPLITS},
        "sessions": sessions,
        "minutes": round(sum(sessions.values()) * plan.seconds / 60.0, 1),
        "megabytes": round(size / 1e6, 1),
    }
    _tell(told, arguments.json)
    return 0


def _redraw(arguments: argparse.Namespace) -> int:
    from perreactor_model.synthesis.corpus import SyntheticCorpus
    from perreactor_model.synthesis.redrawing import redrawn

    corpus = SyntheticCorpus.open(arguments.redraw)
    with shown_progress("reacting") as progress:
        arrays = redrawn(corpus, arguments.split, arguments.samples, progress)
    with replacing(arguments.out) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    pairs = len(arrays["listener"])
    told = {"file": str(arguments.out), "pairs": pairs, "samples": arguments.samples}
    _tell(told, arguments.json)
    return 0


def _statistics(arguments: argparse.Namespace) -> int:
    from perreactor_model.synthesis.corpus import SyntheticCorpus
    from perreactor_model.synthesis.statistics import measure, table

    corpus = SyntheticCorpus.open(arguments.statistics)
    with shown_progress("counting") as progress:
        measured = measure(corpus, arguments.split, progress)
    print(json.dumps(measured.to_dict()) if arguments.json else table(measured))
    return 0


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number}" for key, number in value.items())
        print(f"{name:<10} {value}")
