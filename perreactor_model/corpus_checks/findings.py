"""What can be wrong with a corpus, and how often it was found, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One thing that a corpus should be; `advice` says what would be right."""

    title: str
    advice: str
    error: bool = True


def _warning(title: str, advice: str) -> Rule:
    return Rule(title, advice, error=False)


RULES: Mapping[str, Rule] = {
    "index": Rule("broken lines of an index", "mend the line, or take it out"),
    "missing": Rule("missing files", "add the file, or take its pairs out of the index"),
    "unpaired": Rule(
        "files without the other person's", "both persons of a dyad have the same session and stem"
    ),
    "unreadable": Rule("unreadable files", "copy the file again from where it came"),
    "shape": Rule(
        "files of another shape", "a row per frame: 25 attributes, 58 coefficients, 31 observed"
    ),
    "not-finite": Rule(
        "NaN or infinite numbers", "only observed values may be unknown: fill them, or cut the clip"
    ),
    "range": Rule(
        "attributes out of range",
        "action units and expressions are from 0 to 1 (intensities up to 5: divide by 5), valence "
        "and arousal from -1 to 1",
    ),
    "misaligned": Rule(
        "files of one recording that differ in length", "all cover the same seconds"
    ),
    "misaligned-pair": Rule(
        "pairs that differ in length by more than a second", "both persons cover the same seconds"
    ),
    "self": Rule("pairs of a recording with itself", "name two different persons"),
    "shared-identity": Rule(
        "people in more than one split", "prepare with --splits by-identity, or move their pairs"
    ),
    "shared-recording": Rule(
        "recordings in more than one split, with equal content", "keep each in one split only"
    ),
    "matrix": Rule(
        "unusable matrices", "a row and a column for each pair, listed ones and then mirrored ones"
    ),
    "matrix-value": Rule("matrix entries other than 0 and 1", "0: does not fit, 1: fits"),
    "matrix-empty": Rule("matrix rows without any entry", "a pair's own reaction always fits"),
    "matrix-diagonal": Rule(
        "matrix rows without their own reaction",
        "a pair's own reaction always fits: is the order that of the index?",
    ),
    "matrix-unmatched": Rule(
        "clips that the master matrix does not know", "list them in data_indices.csv"
    ),
    "missing-some": _warning(
        "missing files that only some models need",
        "add the videos if faces are to be seen; else nothing",
    ),
    "unlikely": _warning(
        "unlikely coefficients", "52 expressions, rotation in radians, translation"
    ),
    "expressions": _warning(
        "expressions that do not sum to 1", "eight probabilities of each frame sum to 1"
    ),
    "still": _warning("attributes that never change", "was a face found in this clip?"),
    "silent": _warning("silent recordings", "was the microphone on?"),
    "audio-rate": _warning("unusual audio rates", "from 8000 to 48000 Hz"),
    "uneven": _warning(
        "files or persons that differ in length by more than 3 frames",
        "the longer one is cut to the shorter one",
    ),
    "listed-twice": _warning(
        "pairs that are listed twice", "list each once; REACT's are mirrored by the reader"
    ),
    "copies": _warning("recordings with equal attributes", "is one a copy of the other?"),
    "split-missing": _warning(
        "missing splits", "training wants train and val, evaluation wants test"
    ),
    "unlisted": _warning("files that no pair uses", "list them, or leave them"),
    "alone": _warning(
        "listeners with a single recording",
        "a history is another recording of the same person: these have none",
    ),
    "identities": _warning(
        "unknown people", "say in identities.csv who is in each file, or each stem counts as one"
    ),
    "matrix-missing": _warning(
        "splits without a matrix",
        "put neighbour_emotion_<split>.npy into the root, or prepare with --matrix similarity",
    ),
    "matrix-differs": _warning(
        "matrices that differ from the master matrix", "the split's own is used"
    ),
}
"""Errors first; the order in which they are told."""


@dataclass(frozen=True)
class Fault:
    """One thing found. column: which of the columns, where it is about one."""

    rule: str
    example: str
    column: str = ""


@dataclass
class Finding:
    """How often a rule was broken; the first few places; and how often in which column."""

    rule: Rule
    count: int = 0
    examples: list[str] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)


class CorpusFindings:
    """What a walk through a corpus found. `looked_at`: how many of what, by split."""

    def __init__(self, root: Path, layout: str, examples: int = 5) -> None:
        self.root, self.layout = root, layout
        self.looked_at: dict[str, dict[str, Any]] = {}
        self._examples = examples
        self._found: dict[str, Finding] = {}

    def add(self, faults: Iterable[Fault]) -> None:
        """Count them; paths are told below the root."""
        for fault in faults:
            finding = self._found.setdefault(fault.rule, Finding(RULES[fault.rule]))
            finding.count += 1
            if fault.column:
                finding.columns[fault.column] += 1
            if len(finding.examples) < self._examples:
                finding.examples.append(fault.example.replace(f"{self.root}/", ""))

    @property
    def found(self) -> Mapping[str, Finding]:
        """Errors first, in the order of RULES."""
        return {name: self._found[name] for name in RULES if name in self._found}

    @property
    def errors(self) -> int:
        """How many faults are errors."""
        return sum(each.count for each in self._found.values() if each.rule.error)

    @property
    def warnings(self) -> int:
        """How many faults are warnings."""
        return sum(each.count for each in self._found.values() if not each.rule.error)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.errors == 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "corpus": str(self.root),
            "layout": self.layout,
            "ok": self.ok,
            "errors": self.errors,
            "warnings": self.warnings,
            "splits": self.looked_at,
            "findings": {
                name: {
                    "severity": "error" if each.rule.error else "warning",
                    "title": each.rule.title,
                    "advice": each.rule.advice,
                    "count": each.count,
                    "columns": dict(each.columns.most_common()),
                    "examples": each.examples,
                }
                for name, each in self.found.items()
            },
        }
