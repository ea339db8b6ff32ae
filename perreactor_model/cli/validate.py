"""`perreactor validate`: all that is wrong with a corpus, in one pass."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from perreactor_model.shown_progress import shown_progress

if TYPE_CHECKING:
    from perreactor_model.corpus_checks.findings import CorpusFindings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from perreactor_model.corpora.opening import LAYOUTS

    parser.epilog = (
        "Exit status: 0 without errors (warnings are told all the same), 1 with errors, 2 where "
        "DIR is no corpus. Nothing is written."
    )
    parser.add_argument("corpus", type=Path, metavar="DIR", help="folder of the corpus")
    parser.add_argument("--layout", choices=LAYOUTS, default="auto", help="(%(default)s)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="look at names, lengths and matrices only: no values, no CSV, no videos",
    )
    parser.add_argument(
        "--examples", type=int, default=5, metavar="N", help="told of each finding (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Look, tell, and return 1 where there are errors. Raises ValueError and OSError."""
    from perreactor_model.corpus_checks.validating import validate

    with shown_progress("looking") as progress:
        findings = validate(
            arguments.corpus,
            arguments.layout,
            quick=arguments.quick,
            examples=max(0, arguments.examples),
            workers=arguments.workers,
            progress=progress,
        )
    if arguments.json:
        print(json.dumps(findings.to_dict()))
    else:
        print("\n".join(_lines(findings, arguments.quick)))
    return 0 if findings.ok else 1


def _lines(findings: CorpusFindings, quick: bool) -> list[str]:
    lines = [f"{findings.root}: layout {findings.layout}"]
    for name, counts in findings.looked_at.items():
        minutes = f", {counts['minutes']:8.1f} minutes" if counts["minutes"] else ""
        lines.append(
            f"  {name:<6} {counts['pairs']:6d} pairs, {counts['recordings']:6d} recordings, "
            f"{counts['people']:4d} people{minutes}"
        )
    for each in findings.found.values():
        severity = "ERROR" if each.rule.error else "warning"
        lines.append(f"{severity}: {each.rule.title}: {each.count}  ({each.rule.advice})")
        if len(each.columns) > 1:
            most = each.columns.most_common(8)
            more = ", ..." if len(each.columns) > 8 else ""
            lines.append("    of which: " + ", ".join(f"{n} {c}" for n, c in most) + more)
        lines += [f"    {example}" for example in each.examples]
        if each.count > len(each.examples) > 0:
            lines.append(f"    ... and {each.count - len(each.examples)} more")
    seen = "quick look: values, tables of text and videos were not read; " if quick else ""
    lines.append(f"{seen}{findings.errors} errors, {findings.warnings} warnings")
    return lines
