"""Corpora are read as they are distributed, quirks included, and wrong ones are refused by name."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.reading import (
    read_attributes,
    read_audio,
    read_coefficients,
    read_observed,
    to_contract_rate,
)
from perreactor_model.corpora.recordings import CorpusError, Recording
from perreactor_model.face_analysis.attribute_files import AttributeTrack, write_attributes
from perreactor_model.synthesis.corpus import CorpusPlan, SyntheticCorpus
from perreactor_model.synthesis.writing import write_corpus

NOXI = "NoXI/010_2016-03-25_Paris"


@pytest.fixture(scope="module", params=["mars", "react2024"])
def synthetic(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("read") / request.param
    write_corpus(CorpusPlan(request.param, listeners=5, sessions=2, seconds=6.0), root)
    return root


def react(root: Path, listed: list[tuple[str, str]], header: str = ",speaker_path,listener_path"):
    """An index and, for each place, attributes, coefficients and sound under the name P1 or P2."""
    lines = [header] + [f"{k},{s},{t}" for k, (s, t) in enumerate(listed)]
    (root / "train.csv").write_text("\n".join(lines) + "\n")
    for speaker, listener in listed:
        for place, person in ((speaker, "P1"), (listener, "P2")):
            parts = place.split("/")
            parts[-2] = person if parts[0] == "NoXI" else parts[-2]
            write_person(root / "train", "/".join(parts))


def write_person(split: Path, place: str, frames: int = 26) -> None:
    rows = np.full((frames, 25), 0.25, np.float32)
    rows[:, 0] = np.arange(frames)
    for folder, suffix in (("Emotion", ".csv"), ("3D_FV_files", ".npy"), ("Audio_files", ".wav")):
        path = split / folder / f"{place}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".csv":
            np.savetxt(path, rows, "%.5g", ",", header=",".join("abcdefghijklmnopqrstuvwxy"))
        elif suffix == ".npy":
            np.save(path, np.zeros((frames, 1, 58), np.float32))
        else:
            wavfile.write(path, 44100, np.zeros((frames * 1764, 2), np.int16))


def test_what_was_written_is_read(synthetic: Path) -> None:
    corpus = open_corpus(synthetic)
    made = SyntheticCorpus.open(synthetic)
    assert corpus.layout == made.plan.layout
    for name, split in corpus.splits.items():
        rows = made.rows(name)
        assert len(split.pairs) == len(rows)
        for row in (0, len(rows) - 1):
            performance, mirrored = rows[row]
            people = made.record(performance)
            speaker, listener = people[::-1] if mirrored else people
            for person, number in ((speaker, split.pairs[row, 0]), (listener, split.pairs[row, 1])):
                recording = split.recordings[number]
                attributes = to_contract_rate(read_attributes(recording), recording.frame_rate)
                # At 30 a second straight lines cut the peaks of quick movements.
                assert np.abs(attributes - person.attributes).max() < 0.35
                assert np.abs(attributes - person.attributes).mean() < 0.005
                assert len(read_coefficients(recording)) == len(read_attributes(recording))
                assert read_observed(recording).shape[1] == 31
                sound, rate = read_audio(recording)
                assert rate == 16000 and np.abs(sound - person.sound).max() < 1e-4


def test_identities_are_people_and_sessions_are_scripts(synthetic: Path) -> None:
    corpus = open_corpus(synthetic)
    split = corpus.splits["train"]
    listeners = {split.recordings[number].identity for number in split.pairs[:, 1]}
    assert len(listeners) == (3 if corpus.layout == "mars" else 6)
    assert (split.matrix is None) == (corpus.layout == "mars")


def test_react_counts_every_pair_in_both_directions(tmp_path: Path) -> None:
    listed = [(f"{NOXI}/Expert_video/{k}", f"{NOXI}/Novice_video/{k}") for k in (1, 2)]
    react(tmp_path, listed)
    split = open_corpus(tmp_path).splits["train"]
    assert np.array_equal(split.pairs[2:], split.pairs[:2, ::-1])
    assert len(split.recordings) == 4


def test_only_the_persons_part_of_a_path_is_renamed(tmp_path: Path) -> None:
    root = tmp_path / "Expert_video" / "P25"
    root.mkdir(parents=True)
    react(root, [(f"{NOXI}/Expert_video/1", f"{NOXI}/Novice_video/1")])
    split = open_corpus(root).splits["train"]
    recording = split.recordings[0]
    assert recording.files["attributes"].parts[-2:] == ("P1", "1.csv")
    assert recording.identity == f"{NOXI}/Expert_video"
    assert read_attributes(recording)[:, 0].tolist() == list(range(26))


def test_a_listed_name_goes_before_the_published_one(tmp_path: Path) -> None:
    react(tmp_path, [(f"{NOXI}/Expert_video/1", f"{NOXI}/Novice_video/1")])
    write_person(tmp_path / "train", f"{NOXI}/Expert_video/1", frames=30)
    recording = open_corpus(tmp_path).splits["train"].recordings[0]
    assert recording.files["attributes"].parts[-2] == "Expert_video"


def test_paths_of_five_parts_are_people_too(tmp_path: Path) -> None:
    place = "UDIVA/talk/001/{}/1"
    react(tmp_path, [(place.format("FC1"), place.format("FC2"))])
    split = open_corpus(tmp_path).splits["train"]
    assert [each.identity for each in split.recordings] == [
        "UDIVA/talk/001/FC1",
        "UDIVA/talk/001/FC2",
    ]
    assert all("attributes" in each.files for each in split.recordings)


def test_a_table_without_a_header_keeps_its_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.csv"
    np.savetxt(path, np.arange(75.0).reshape(3, 25), "%.1f", ",")
    rows = read_attributes(Recording("clip", "a", "", 25.0, {"attributes": path}))
    assert rows.shape == (3, 25) and rows[0, 1] == 1.0


def test_an_index_without_a_header_keeps_its_first_pair(tmp_path: Path) -> None:
    react(tmp_path, [("S/1/P1/1", "S/1/P2/1"), ("S/1/P1/2", "S/1/P2/2")])
    path = tmp_path / "train.csv"
    path.write_text("\n".join(path.read_text().splitlines()[1:]) + "\n")
    assert len(open_corpus(tmp_path).splits["train"].pairs) == 4


def test_what_file_systems_leave_behind_is_no_recording(synthetic: Path, tmp_path: Path) -> None:
    corpus = open_corpus(synthetic)
    if corpus.layout == "mars":
        folder = synthetic / "train/facial-attributes/listener/session0"
        (folder / "._Camera-train-0000.npy").write_bytes(b"junk")
        assert len(open_corpus(synthetic).splits["train"].pairs) == len(
            corpus.splits["train"].pairs
        )


@pytest.mark.parametrize(
    ("row", "words"),
    [("0,only-one", "line 2: expected a number"), ("0,a/b,c/d/e/1", "is no path such as")],
)
def test_a_broken_index_is_refused_with_its_line(tmp_path: Path, row: str, words: str) -> None:
    text = f",speaker_path,listener_path\n{row.replace('0,only-one', 'alone')}\n"
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(CorpusError, match=words):
        open_corpus(tmp_path)


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is no corpus we know"):
        open_corpus(tmp_path)
    with pytest.raises(CorpusError, match="is no folder"):
        open_corpus(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="layout must be one of"):
        open_corpus(tmp_path, "tape")


def test_files_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((5, 24)))
    recording = Recording("x", "a", "", 25.0, {"attributes": path, "coefficients": path})
    with pytest.raises(CorpusError, match=r"shape \(5, 24\): expected rows of 25"):
        read_attributes(recording)
    path.write_bytes(b"not an array")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_coefficients(recording)
    with pytest.raises(CorpusError, match="has no file of audio"):
        read_audio(dataclasses.replace(recording, files={}))


def test_other_rates_keep_duration_labels_and_gaps() -> None:
    seconds = np.arange(90) / 30
    rows = np.stack([seconds, (seconds > 1).astype(float), np.where(seconds > 2, np.nan, 1.5)], 1)
    slower = to_contract_rate(rows, 30.0)
    assert slower.shape == (75, 3)
    assert np.allclose(slower[:, 0], np.arange(75) / 25, atol=1e-5)
    assert set(np.unique(slower[:, 1])) == {0.0, 1.0}
    assert abs(np.isnan(slower[:, 2]).sum() - 24) <= 1
    assert to_contract_rate(rows, 25.0).shape == (90, 3)


def test_what_the_analyzer_saw_may_be_a_table_of_perreactor_attributes(tmp_path: Path) -> None:
    react(tmp_path, [(f"{NOXI}/Expert_video/1", f"{NOXI}/Novice_video/1")])
    rows = np.random.default_rng(0).uniform(0, 0.2, (26, 31)).astype(np.float32)
    rows[3:5] = np.nan
    track = AttributeTrack.of_attributes(rows[:, :25], rows[:, 25:28], rows[:, 28:])
    for person in ("P1", "P2"):
        path = tmp_path / "train" / "Emotion_observed" / f"{NOXI}/{person}/1.csv"
        path.parent.mkdir(parents=True)
        write_attributes(track, path)
    for recording in open_corpus(tmp_path).splits["train"].recordings:
        seen = read_observed(recording)
        assert np.allclose(seen, rows, atol=1e-6, equal_nan=True)
