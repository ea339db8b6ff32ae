"""Which reactions are appropriate: from a master matrix, from files, or from alike speakers."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.corpora.recordings import Recording, SplitIndex
from perreactor_model.preparation import PreparedError
from perreactor_model.preparation.matrices import appropriate_of
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.preparation.similarity import compare, comparisons, joined
from perreactor_model.synthesis.corpus import CorpusPlan
from perreactor_model.synthesis.writing import write_corpus

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="warping in time needs numba"
)

INDEX = "site,chat_index,clip_index\nNoXI,010_Paris,1\nNoXI,010_Paris,2\nUDIVA,s_animals,1\n"


def split_of(*listed: tuple[str, str]) -> SplitIndex:
    keys = list(dict.fromkeys(key for pair in listed for key in pair))
    recordings = tuple(Recording(key, key.rsplit("/", 1)[0], "", 25.0, {}) for key in keys)
    forward = [(keys.index(speaker), keys.index(listener)) for speaker, listener in listed]
    pairs = np.array(forward + [pair[::-1] for pair in forward], np.int32)
    return SplitIndex("val", recordings, pairs)


def noxi(clip: str) -> tuple[str, str]:
    return f"NoXI/010_Paris/Expert_video/{clip}", f"NoXI/010_Paris/Novice_video/{clip}"


def test_rows_of_a_master_matrix_are_found_by_name_in_both_roles(tmp_path: Path) -> None:
    (tmp_path / "data_indices.csv").write_text(INDEX)
    master = np.random.default_rng(0).integers(0, 2, (6, 6)).astype(float)
    np.save(tmp_path / "Approprirate_facial_reaction.npy", master)
    udiva = ("UDIVA/animals/s/FC1/1", "UDIVA/animals/s/FC2/1")
    found = appropriate_of(split_of(udiva, noxi("1")), "auto", tmp_path)
    expected = master[np.ix_([2, 0, 5, 3], [2, 0, 5, 3])] > 0.5
    np.fill_diagonal(expected, True)
    assert np.array_equal(found, expected)


def test_clips_that_a_master_matrix_does_not_know_are_named(tmp_path: Path) -> None:
    (tmp_path / "data_indices.csv").write_text(INDEX)
    np.save(tmp_path / "Approprirate_facial_reaction.npy", np.zeros((6, 6)))
    with pytest.raises(PreparedError, match="1 clips of 'val' .*NoXI/010_Paris/Expert_video/7"):
        appropriate_of(split_of(noxi("1"), noxi("7")), "auto", tmp_path)
    np.save(tmp_path / "Approprirate_facial_reaction.npy", np.zeros((8, 8)))
    with pytest.raises(PreparedError, match=r"\(8, 8\).*lists 3 clips: expected \(6, 6\)"):
        appropriate_of(split_of(noxi("1")), "file", tmp_path)


def test_a_file_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(PreparedError, match="no matrix .* use sessions or similarity"):
        appropriate_of(split_of(noxi("1")), "file", tmp_path)


def plain_distance(one: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for first, last, weight in ((0, 15, 1 / 15), (15, 17, 1.0), (17, 25, 1 / 8)):
        cost = ((one[:, None, first:last] - other[None, :, first:last]) ** 2).sum(-1)
        paths = np.full((len(one) + 1, len(other) + 1), np.inf)
        paths[0, 0] = 0.0
        for i, j in np.ndindex(cost.shape):
            paths[i + 1, j + 1] = cost[i, j] + min(paths[i, j], paths[i, j + 1], paths[i + 1, j])
        total += weight * np.sqrt(paths[-1, -1])
    return total


@needs_numba
@pytest.mark.parametrize("rule", ["threshold", "per_row"])
def test_alike_is_who_is_near_by_the_fields_distance(tmp_path: Path, rule: str) -> None:
    generator = np.random.default_rng(3)
    rows = [
        np.cumsum(generator.normal(0, 0.2, (int(generator.integers(12, 20)), 25)), axis=0)
        for _ in range(18)
    ]
    speakers = []
    for number, attributes in enumerate(rows):
        speakers.append(tmp_path / f"{number}.npz")
        np.savez(speakers[-1], attributes=attributes.astype(np.float32))
    table = np.array([[plain_distance(one, other) for other in rows] for one in rows])
    if rule == "threshold":
        limit = float(np.median(table))
        jobs = comparisons(tuple(speakers), limit, None, tmp_path, "train")
        expected = table <= limit
    else:
        jobs = comparisons(tuple(speakers), None, 4, tmp_path, "train")
        expected = table <= np.sort(table, axis=1)[:, 4:5]  # themselves and four others
    assert len(jobs) > 1
    for job in jobs:
        compare(job)
    assert np.array_equal(joined(jobs), expected)


@needs_numba
def test_speakers_are_compared_for_pairs_of_a_corpus(tmp_path: Path) -> None:
    write_corpus(CorpusPlan("mars", listeners=5, sessions=3, seconds=4.0), tmp_path / "c")
    near = PreparationSettings(matrix="similarity", per_row=2)
    split = prepare(tmp_path / "c", tmp_path / "cache", near).splits["train"]
    assert (split.appropriate.sum(axis=1) == 3).all()
    all_fit = dataclasses.replace(near, per_row=None, threshold=1e6)
    split = prepare(tmp_path / "c", tmp_path / "cache", all_fit).splits["train"]
    assert split.appropriate.all()
    none_else = dataclasses.replace(near, per_row=None, threshold=1e-6)
    split = prepare(tmp_path / "c", tmp_path / "cache", none_else).splits["train"]
    assert np.array_equal(split.appropriate, np.eye(len(split.pairs), dtype=bool))


def test_similarity_asks_for_one_rule() -> None:
    for wrong in (
        {"matrix": "similarity"},
        {"matrix": "similarity", "threshold": 3.0, "per_row": 2},
        {"threshold": 3.0},
    ):
        with pytest.raises(PreparedError, match="needs a threshold or per_row, one of them"):
            PreparationSettings(**wrong)
    with pytest.raises(PreparedError, match="give more than 0"):
        PreparationSettings(matrix="similarity", threshold=-1.0)
