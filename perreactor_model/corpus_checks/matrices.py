"""What is wrong with the matrices that say which reactions are appropriate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from perreactor_model.corpora.recordings import Corpus, SplitIndex
from perreactor_model.corpus_checks.findings import Fault
from perreactor_model.preparation.matrices import (
    UnknownClipsError,
    appropriate_of,
    master_files,
    read_matrix,
)
from perreactor_model.preparation.prepared import PreparedError


def look_at_matrices(corpus: Corpus) -> Iterator[Fault]:
    """Of all splits. MARS has none, and needs none: there sessions say what is appropriate."""
    master = bool(master_files(corpus.root))
    for split in corpus.splits.values():
        own = None
        if split.matrix is not None:
            try:
                own = read_matrix(split.matrix, split)
            except PreparedError as error:
                yield Fault("matrix", str(error))
                continue
            yield from _look_at(split, own)
        elif corpus.layout == "react2024" and not master:
            yield Fault("matrix-missing", split.name)
        if master:
            yield from _look_at_master(corpus, split, own)


def _look_at(split: SplitIndex, matrix: np.ndarray) -> Iterator[Fault]:
    for row in range(len(matrix)):
        entries = matrix[row]
        place = f"{split.matrix}, row {row}"
        odd = ~np.isin(entries, (0, 1))
        if odd.any():
            yield Fault("matrix-value", f"{place}: {entries[odd][0]:g}")
        if not (entries > 0.5).any():
            yield Fault("matrix-empty", place)
        elif not entries[row] > 0.5:
            yield Fault("matrix-diagonal", place)


def _look_at_master(corpus: Corpus, split: SplitIndex, own: np.ndarray | None) -> Iterator[Fault]:
    # As without the split's own, of which `appropriate_of` thinks first.
    try:
        derived = appropriate_of(replace(split, matrix=None), "file", corpus.root)
    except UnknownClipsError as error:
        if own is None:
            yield Fault("matrix-unmatched", str(error))
        return
    except PreparedError as error:
        yield Fault("matrix", str(error))
        return
    if own is not None:
        rows = int(((own > 0.5) != derived).any(axis=1).sum())
        if rows:
            told = f"{split.matrix}: {rows} of {len(own)} rows differ from the master matrix"
            yield Fault("matrix-differs", told)
