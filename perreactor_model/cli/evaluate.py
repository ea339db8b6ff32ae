"""`perreactor evaluate`: trained models over a split, as rows of the paper's Table 1."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perreactor_model.contract import FRAME_RATE
from perreactor_model.shown_progress import shown_steps

_NEEDED = {"torch": "training", "numba": "evaluation"}
_EPILOG = """\
M: against what anybody did who fits (MAFRG); P: against what the pair's own listener did (PMAFRG).
GAG's reactions are generic; PAG's have the pattern of the listener's past, another recording of
theirs that does not fit the speaker. Several --checkpoint are runs of one method with other seeds:
means and standard deviations are shown. docs/evaluation.md says what every section means.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        required=True,
        help="of `perreactor train`; once for each run of the method",
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder made by `perreactor prepare`"
    )
    _add_reacting(parser.add_argument_group("reactions"))
    _add_rows(parser.add_argument_group("other rows"))
    _add_sections(parser.add_argument_group("what else is looked at"))
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that judge (%(default)s)"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one object on stdout")
    shown.add_argument("--markdown", action="store_true", help="print tables in Markdown")


def _add_reacting(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--split", default="test", help="(%(default)s)")
    group.add_argument("--samples", type=int, default=10, help="reactions a pair (%(default)s)")
    group.add_argument(
        "--mode",
        choices=("offline", "stream", "both"),
        default="offline",
        help="whole clips at once, or frame by frame as live (%(default)s)",
    )
    group.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    group.add_argument(
        "--history", type=float, help="seconds of the listener's past (as many as in training)"
    )
    group.add_argument(
        "--history-choice",
        type=int,
        default=0,
        help="another number takes another recording as the past, as in Table 5 (%(default)s)",
    )


def _add_rows(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--method",
        action="append",
        default=[],
        metavar="NAME=CKPT[,CKPT]",
        help="another method of ours, as Trans-VAE or an ablation: its runs",
    )
    group.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=FILE.npz",
        help="anybody's reactions to the same split, as `perreactor metrics` reads them",
    )
    group.add_argument(
        "--anchors",
        action="store_true",
        help="ground truth, random, mime; means and the nearest speakers of the training split",
    )
    group.add_argument(
        "--synthetic",
        type=Path,
        metavar="DIR",
        help="the synthetic corpus that --data was prepared from: its listeners react anew, which "
        "no model can surpass, and their true lags are known",
    )
    group.add_argument(
        "--published", action="store_true", help="the paper's rows, marked as published"
    )


def _add_sections(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--timing", action="store_true", help="by how long smiles follow the speaker's"
    )
    group.add_argument(
        "--personality",
        action="store_true",
        help="how often a classifier of real reactions names a reaction's listener",
    )
    group.add_argument(
        "--traits",
        action="store_true",
        help="whether traits of reactions follow those of simulated strangers",
    )
    group.add_argument(
        "--persons", type=int, default=20, help="strangers for --traits (%(default)s)"
    )
    group.add_argument(
        "--judge",
        action="store_true",
        help="whether D_A^P ranks a reaction higher with its own listener's pattern",
    )


def run(arguments: argparse.Namespace) -> int:
    """React, judge, print. Raises ValueError and OSError for what the user can put right."""
    _require_installed()
    groups = {"": arguments.checkpoint}
    for name, paths in _named(arguments.method, "--method").items():
        groups[name] = [Path(path) for path in paths.split(",")]
    others = {
        name: Path(path) for name, path in _named(arguments.predictions, "--predictions").items()
    }
    from perreactor_model.evaluation.published import published_rows
    from perreactor_model.evaluation.scoring import score
    from perreactor_model.preparation.prepared import open_prepared
    from perreactor_model.synthesis.corpus import SyntheticCorpus

    asked = _asked(arguments)
    corpus = open_prepared(arguments.data)
    synthetic = SyntheticCorpus.open(arguments.synthetic) if arguments.synthetic else None
    with shown_steps() as steps:
        told = score(groups, corpus, asked, others, synthetic, steps)
    if arguments.published:
        for name, figures in published_rows().items():
            told["rows"][f"{name} (published, REACT 2024)"] = {"reference": figures}
    if arguments.json:
        about = {"split": asked.split, "mode": asked.mode, "samples": asked.samples}
        print(json.dumps(_finite(about | told), indent=2, allow_nan=False))
        return 0
    kind = "synthetic" if corpus.synthetic else "recorded"
    print(
        f"{', '.join(map(str, arguments.checkpoint))}: {kind} corpus {corpus.key[:12]}, split "
        f"{asked.split}, {asked.mode}, {asked.samples} reactions a pair"
    )
    _print(told, asked.modes, arguments.markdown)
    return 0


def _asked(arguments: argparse.Namespace) -> Any:
    from perreactor_model.evaluation.asked import Asked

    history = arguments.history
    return Asked(
        split=arguments.split,
        samples=arguments.samples,
        mode=arguments.mode,
        seed=arguments.seed,
        history_frames=None if history is None else round(history * FRAME_RATE),
        history_choice=arguments.history_choice,
        anchors=arguments.anchors,
        timing=arguments.timing,
        personality=arguments.personality,
        traits=arguments.traits,
        judge=arguments.judge,
        persons=arguments.persons,
        processes=arguments.processes,
    )


def _named(words: Sequence[str], option: str) -> dict[str, str]:
    named = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option} {word!r} is no NAME=FILE")
        if name in named:
            raise ValueError(f"{option} names {name!r} twice")
        named[name] = value
    return named


def _require_installed() -> None:
    for name, extra in _NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"evaluate needs {name}, which is not installed: pip install 'perreactor[{extra}]'"
            )


def _print(told: dict[str, Any], modes: Sequence[str], markdown: bool) -> None:
    from perreactor_model.evaluation import text

    shown = text.as_markdown if markdown else text.as_text
    for mode in modes:
        print(f"\n{mode}\n\n{shown(text.main_table(told, mode))}")
    for table in (
        text.ratio_table,
        text.timing_table,
        text.personality_table,
        text.trait_table,
        text.judge_table,
    ):
        lines = table(told)
        if len(lines) > 1:
            print(f"\n{shown(lines)}")


def _finite(value: Any) -> Any:
    """JSON knows no infinity: the open end of an interval is null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
