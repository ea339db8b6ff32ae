"""A synthetic corpus on disk: every session on its own, in as many processes as wanted.

Stopped and begun again it goes on: a session whose files are there is not written again, and each
file is there whole or not at all.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from perreactor_model.synthesis.corpus import (
    SPLITS,
    SYNTHETIC_NAME,
    CorpusPlan,
    CorpusPlanError,
    Performance,
    SyntheticCorpus,
)
from perreactor_model.synthesis.storing import Content, store
from perreactor_model.synthesis.writing_mars import last_mars_file, mars_files, mars_index
from perreactor_model.synthesis.writing_react2024 import (
    last_react2024_file,
    react2024_files,
    react2024_index,
)
from perreactor_model.whole_files import replacing

_FILES: Mapping[str, Callable[[SyntheticCorpus, Performance], Mapping[str, Content]]] = {
    "mars": mars_files,
    "react2024": react2024_files,
}
_LAST: Mapping[str, Callable[[Performance], str]] = {
    "mars": last_mars_file,
    "react2024": last_react2024_file,
}
_INDEX: Mapping[str, Callable[[SyntheticCorpus], Mapping[str, Content]]] = {
    "mars": mars_index,
    "react2024": react2024_index,
}


def write_corpus(
    plan: CorpusPlan,
    root: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    replace: bool = False,
) -> SyntheticCorpus:
    """Write a corpus into `root`, or go on with it.

    `replace` removes a synthetic corpus made with other options, and nothing but one. Raises
    CorpusPlanError where `root` holds something else, and OSError.
    """
    corpus = SyntheticCorpus(plan)
    if replace:
        _make_room(root, corpus)
    _claim(root, corpus)
    performances = [each for split in SPLITS for each in corpus.performances(split)]
    job = partial(_write, plan, root)
    done = 0
    if workers <= 1:
        for each in performances:
            job(each)
            done += 1
            if progress is not None:
                progress(done, len(performances))
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for _ in pool.map(job, performances, chunksize=4):
                done += 1
                if progress is not None:
                    progress(done, len(performances))
    for name, content in _INDEX[plan.layout](corpus).items():
        store(root / name, content)
    return corpus


def _claim(root: Path, corpus: SyntheticCorpus) -> None:
    """Leave `synthetic.json` in an empty folder, or see that it says the same."""
    if (root / SYNTHETIC_NAME).is_file():
        if SyntheticCorpus.open(root).plan != corpus.plan:
            raise CorpusPlanError(
                f"{root} holds a synthetic corpus made with other options: choose another folder, "
                "or say --replace to have that corpus removed"
            )
        return
    if root.is_dir() and any(root.iterdir()):
        raise CorpusPlanError(f"{root} is not empty: choose an empty folder, or a new one")
    root.mkdir(parents=True, exist_ok=True)
    _say(root, corpus)


def _make_room(root: Path, corpus: SyntheticCorpus) -> None:
    """Remove the corpus in `root`, if it is another one of ours; other files stay."""
    if not (root / SYNTHETIC_NAME).is_file() or SyntheticCorpus.open(root).plan == corpus.plan:
        return
    for split in SPLITS:
        if (root / split).is_dir():
            shutil.rmtree(root / split)
        for name in (f"{split}.csv", f"neighbour_emotion_{split}.npy"):
            (root / name).unlink(missing_ok=True)
    (root / "identities.csv").unlink(missing_ok=True)
    # Last: stopped in between, the folder is still known as ours.
    _say(root, corpus)


def _say(root: Path, corpus: SyntheticCorpus) -> None:
    with replacing(root / SYNTHETIC_NAME) as path:
        path.write_text(json.dumps(corpus.about(), indent=1), encoding="utf-8")


def _write(plan: CorpusPlan, root: Path, performance: Performance) -> None:
    corpus = SyntheticCorpus(plan)
    # Files are written in order: where the last one is, all are.
    if (root / _LAST[plan.layout](performance)).is_file():
        return
    for name, content in _FILES[plan.layout](corpus, performance).items():
        store(root / name, content)
