"""One walk through a corpus that finds all that is wrong with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from perreactor_model.contract import FRAME_RATE
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.recordings import Corpus
from perreactor_model.corpus_checks.files import Look, look_at_mean_face, look_into, missing_videos
from perreactor_model.corpus_checks.findings import CorpusFindings, Fault
from perreactor_model.corpus_checks.matrices import look_at_matrices
from perreactor_model.corpus_checks.splits import (
    look_at_copies,
    look_at_identities,
    look_at_leftovers,
    look_at_pairs,
    look_at_people,
    look_at_splits,
)
from perreactor_model.preparation.computing import in_processes
from perreactor_model.shown_progress import Progress

FEW = 64
"""Recordings that are looked at sooner than other processes start."""


def validate(
    root: Path | str,
    layout: str = "auto",
    *,
    quick: bool = False,
    examples: int = 5,
    workers: int = 1,
    progress: Progress | None = None,
) -> CorpusFindings:
    """Look at everything, whatever is wrong with some of it.

    quick: no tables of text, no values, no videos. Raises CorpusError only for what is no corpus.
    """
    root = Path(root)
    broken: list[str] = []
    corpus = open_corpus(root, layout, broken.append)
    findings = CorpusFindings(root, corpus.layout, examples)
    findings.add(Fault("index", message) for message in broken)
    looks = _looks(corpus, quick, workers, progress)
    for name, split in corpus.splits.items():
        findings.add(fault for look in looks[name] for fault in look.faults)
        findings.add(missing_videos(split))
        findings.add(look_at_pairs(corpus, split, looks[name]))
        findings.looked_at[name] = {
            "pairs": len(split.pairs),
            "recordings": len(split.recordings),
            "people": len({each.identity for each in split.recordings}),
            "minutes": round(sum(look.frames for look in looks[name]) / FRAME_RATE / 60, 1),
        }
    findings.add(look_at_mean_face(root))
    findings.add(look_at_splits(corpus))
    findings.add(look_at_people(corpus))
    findings.add(look_at_identities(corpus))
    findings.add(look_at_copies(corpus, looks))
    findings.add(look_at_leftovers(corpus))
    findings.add(look_at_matrices(corpus))
    return findings


def _looks(
    corpus: Corpus, quick: bool, workers: int, progress: Progress | None
) -> dict[str, list[Look]]:
    recordings = [
        (name, each) for name, split in corpus.splits.items() for each in split.recordings
    ]
    workers = workers if len(recordings) >= FEW else 1
    seen: list[Look] = []
    for look in in_processes(partial(look_into, quick), recordings, workers):
        seen.append(look)
        if progress is not None:
            progress(len(seen), len(recordings))
    looks, first = {}, 0
    for name, split in corpus.splits.items():
        looks[name] = seen[first : first + len(split.recordings)]
        first += len(split.recordings)
    return looks
