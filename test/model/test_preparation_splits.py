"""Splits in which nobody is twice, and a past that is never what is to be met."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.recordings import Corpus, Recording, SplitIndex
from perreactor_model.preparation import PreparedError, open_prepared
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.resplitting import by_identity, check_apart
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.synthesis.corpus import CorpusPlan
from perreactor_model.synthesis.writing import write_corpus


def corpus_of(layout: str, **splits: list[tuple[str, str]]) -> Corpus:
    """Each dyad is a listed pair of people, in a clip of their own."""
    made = {}
    for name, dyads in splits.items():
        recordings = [
            Recording(f"{who}/{number}", who, "s", 25.0, {})
            for number, dyad in enumerate(dyads)
            for who in dyad
        ]
        pairs = np.arange(2 * len(dyads), dtype=np.int32).reshape(-1, 2)
        if layout == "react2024":
            pairs = np.concatenate([pairs, pairs[:, ::-1]])
        made[name] = SplitIndex(name, tuple(recordings), pairs, Path("matrix.npy"))
    return Corpus(Path("nowhere"), layout, made)


def people(split: SplitIndex) -> set[str]:
    return {recording.identity for recording in split.recordings}


MIXED = {
    "train": [("a", "b"), ("a", "c"), ("d", "e"), ("f", "g")],
    "val": [("d", "e"), ("h", "i"), ("j", "k")],
    "test": [("b", "c"), ("l", "m"), ("j", "k")],
}


def test_people_in_two_splits_are_named() -> None:
    with pytest.raises(PreparedError, match=r"6 people .*b \(test, train\).*splits=by-identity"):
        check_apart(corpus_of("mars", **MIXED).splits)


@pytest.mark.parametrize("layout", ["mars", "react2024"])
def test_divided_anew_nobody_is_in_two_splits_and_no_pair_is_lost(layout: str) -> None:
    corpus = corpus_of(layout, **MIXED)
    divided = by_identity(corpus)
    check_apart(divided.splits)
    assert set(divided.splits) == {"train", "val", "test"}
    assert all(len(split.pairs) for split in divided.splits.values())

    def dyads(whole: Corpus) -> list[tuple[str, str]]:
        return sorted(
            (split.recordings[speaker].identity, split.recordings[listener].identity)
            for split in whole.splits.values()
            for speaker, listener in split.pairs
        )

    assert dyads(divided) == dyads(corpus)
    for split in divided.splits.values():
        keys = [recording.key for recording in split.recordings]
        assert len(set(keys)) == len(keys)
        assert split.matrix is None, "it says nothing of pairs from other splits"
        if layout == "react2024":
            half = len(split.pairs) // 2
            assert np.array_equal(split.pairs[half:], split.pairs[:half, ::-1])
    shares = {name: len(split.pairs) for name, split in divided.splits.items()}
    assert shares["train"] > max(shares["val"], shares["test"])
    again = by_identity(corpus)
    for name, split in divided.splits.items():
        assert people(again.splits[name]) == people(split)


def test_people_who_all_know_each_other_cannot_be_divided() -> None:
    chain = corpus_of("mars", train=[("a", "b"), ("b", "c")], val=[("c", "d")])
    with pytest.raises(PreparedError, match="connected to 1 groups"):
        by_identity(chain)


@pytest.fixture(scope="module")
def shared_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose file of people says that a listener of training is tested on as well."""
    root = tmp_path_factory.mktemp("people") / "c"
    write_corpus(CorpusPlan("mars", listeners=8, sessions=2, seconds=4.0), root)
    (root / "synthetic.json").unlink()
    who = {
        recording.identity
        for recording in open_corpus(root).splits["test"].recordings
        if recording.key.startswith("listener")
    }
    other = open_corpus(root).splits["train"].recordings[1].identity
    text = (root / "identities.csv").read_text()
    (root / "identities.csv").write_text(text.replace(sorted(who)[0], other))
    return root


def test_a_corpus_is_prepared_only_with_people_kept_apart(
    shared_people: Path, tmp_path: Path
) -> None:
    with pytest.raises(PreparedError, match="in more than one split"):
        prepare(shared_people, tmp_path, PreparationSettings())
    made = prepare(shared_people, tmp_path, PreparationSettings(splits="by-identity"))
    names = [set(split.identity_names) for split in made.splits.values()]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    total = sum(len(split.pairs) for split in open_corpus(shared_people).splits.values())
    assert sum(len(split.pairs) for split in made.splits.values()) == total


def test_a_listener_with_only_this_clip_has_no_past(tmp_path: Path) -> None:
    write_corpus(CorpusPlan("mars", listeners=5, sessions=1, seconds=4.0), tmp_path / "c")
    made = prepare(tmp_path / "c", tmp_path / "cache", PreparationSettings())
    for split in made.splits.values():
        for pair in range(len(split.pairs)):
            assert not len(split.other_recordings(pair))


def test_what_is_prepared_is_found_from_the_corpus(tmp_path: Path) -> None:
    root = tmp_path / "c"
    write_corpus(CorpusPlan("mars", listeners=5, sessions=1, seconds=4.0), root)
    made = prepare(root, root / "prepared", PreparationSettings())
    assert open_prepared(root).folder == made.folder
    assert open_prepared(root / "prepared").key == made.key
    shutil.copytree(made.folder, root / "prepared" / "other")
    with pytest.raises(PreparedError, match="2 prepared corpora: give one of"):
        open_prepared(root)
