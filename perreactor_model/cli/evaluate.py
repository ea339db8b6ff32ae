"""`perreactor evaluate`: a trained model over a split, as rows of the paper's Table 1."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_MODES = ("offline", "stream")
_NEEDED = {"torch": "training", "numba": "evaluation"}
_EPILOG = """\
M: against what anybody did who fits (MAFRG); P: against what the pair's own listener did (PMAFRG).
GAG's reactions are generic; PAG's have the pattern of the listener's past, another recording of
theirs that does not fit the speaker. docs/metrics.md defines every figure.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("--checkpoint", type=Path, required=True, help="of `perreactor train`")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder made by `perreactor prepare`"
    )
    parser.add_argument("--split", default="test", help="(%(default)s)")
    parser.add_argument("--samples", type=int, default=10, help="reactions a pair (%(default)s)")
    parser.add_argument(
        "--mode",
        choices=_MODES,
        default="offline",
        help="whole clips at once, or frame by frame as live (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (%(default)s)")
    parser.add_argument(
        "--history",
        type=float,
        default=19.2,
        help="seconds of the listener's past; 9.6, 19.2 and 28.8 in Table 4 (%(default)s)",
    )
    parser.add_argument(
        "--anchors",
        action="store_true",
        help="also ground truth, random, mime, means, and the nearest speakers of training",
    )
    parser.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=FILE.npz",
        help="another method's reactions to the same split, as `perreactor metrics` reads them",
    )
    parser.add_argument(
        "--published", action="store_true", help="add the paper's rows, marked as published"
    )
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that judge (%(default)s)"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one object on stdout")
    shown.add_argument("--markdown", action="store_true", help="print tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """React, judge, print. Raises ValueError and OSError for what the user can put right."""
    _require_installed()
    others = _others(arguments.predictions)
    if arguments.samples < 1:
        raise ValueError(f"--samples is {arguments.samples}: give 1 or more")
    from perreactor_model.evaluation.published import published_rows
    from perreactor_model.evaluation.scoring import Asked, score, table_rows
    from perreactor_model.preparation.prepared import open_prepared

    asked = Asked(
        split=arguments.split,
        samples=arguments.samples,
        mode=arguments.mode,
        seed=arguments.seed,
        history_frames=round(arguments.history * 25),
        anchors=arguments.anchors,
        processes=arguments.processes,
    )
    corpus = open_prepared(arguments.data)
    with _Shown() as shown:
        rows = score(arguments.checkpoint, corpus, asked, others, shown)
    if arguments.published:
        for name, figures in published_rows().items():
            rows[f"{name} (published, REACT 2024)"] = {"reference": figures}
    if arguments.json:
        told = {"split": asked.split, "mode": asked.mode, "samples": asked.samples, "rows": rows}
        print(json.dumps(told, indent=2, allow_nan=False))
        return 0
    kind = "synthetic" if corpus.synthetic else "recorded"
    print(
        f"{arguments.checkpoint}, {kind} corpus {corpus.key[:12]}, split {asked.split}, "
        f"{asked.mode}, {asked.samples} reactions a pair"
    )
    for mode in asked.modes:
        print(f"\n{mode}\n")
        _print_table(table_rows(rows, mode), arguments.markdown)
    return 0


def _others(words: Sequence[str]) -> dict[str, Path]:
    others = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise ValueError(f"--predictions {word!r} is no NAME=FILE.npz")
        others[name] = Path(path)
    return others


def _require_installed() -> None:
    for name, extra in _NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"evaluate needs {name}, which is not installed: pip install 'perreactor[{extra}]'"
            )


def _print_table(lines: Sequence[Sequence[str]], markdown: bool) -> None:
    if markdown:
        for number, cells in enumerate(lines):
            print("| " + " | ".join(cells) + " |")
            if number == 0:
                print("|" + "---|" * len(cells))
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        first = f"{cells[0]:<{widths[0]}}"
        rest = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
        print("  ".join(["  " + first, *rest]).rstrip())


class _Shown:
    """A bar on the error output for each thing that takes time, if someone looks."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(file=sys.stderr, disable=None, leave=False)
        self._what = ""

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._what != what:
            self._what = what
            self._bar.reset(total)
            self._bar.set_description(what)
        self._bar.update(done - self._bar.n)
