"""Prepared corpora: computed once, never stale, finished where they were stopped, without leaks."""

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.audio.features import clip_features
from perreactor_model.cli.main import main
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.corpora.reading import read_audio
from perreactor_model.corpora.recordings import CorpusError
from perreactor_model.preparation import PreparedCorpus, PreparedError, keys, open_prepared
from perreactor_model.preparation.keys import key_of
from perreactor_model.preparation.preparing import prepare
from perreactor_model.preparation.settings import PreparationSettings
from perreactor_model.preparation.storing import whole_history
from perreactor_model.synthesis.corpus import CorpusPlan, SyntheticCorpus
from perreactor_model.synthesis.writing import write_corpus

SETTINGS = PreparationSettings()


def written(root: Path, layout: str) -> Path:
    write_corpus(CorpusPlan(layout, listeners=5, sessions=3, seconds=5.0), root)
    return root


@pytest.fixture(scope="module", params=["mars", "react2024"])
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("prepare") / request.param, request.param)


@pytest.fixture(scope="module")
def prepared(corpus: Path) -> PreparedCorpus:
    return prepare(corpus, corpus.parent / f"cache-{corpus.name}", SETTINGS)


def test_prepared_rows_are_those_of_the_files(corpus: Path, prepared: PreparedCorpus) -> None:
    index = open_corpus(corpus).splits["train"]
    split = prepared.splits["train"]
    assert np.array_equal(split.pairs, index.pairs)
    for number in (0, len(index.recordings) - 1):
        recording = index.recordings[number]
        frames = split.frames(number)
        sound, rate = read_audio(recording)
        expected = clip_features(sound, rate)[:frames]
        assert np.allclose(split.speaker_audio(number, 0, frames), expected, atol=1e-5)
        assert split.keys[number] == recording.key
        assert split.identity_names[split.identity[number]] == recording.identity
        assert split.reaction(number, 3, 10).shape == (7, 83)


def test_what_is_appropriate_is_what_the_corpus_says(
    corpus: Path, prepared: PreparedCorpus
) -> None:
    made = SyntheticCorpus.open(corpus)
    for name, split in prepared.splits.items():
        assert np.array_equal(split.appropriate, made.appropriate(name))
        who = split.listener_identity
        assert not split.personal[who[:, None] != who[None, :]].any()
        assert np.diag(split.personal).all()


def test_the_past_of_a_listener_is_never_what_is_to_be_met(prepared: PreparedCorpus) -> None:
    for split in prepared.splits.values():
        for pair in range(len(split.pairs)):
            past = split.other_recordings(pair)
            met = split.pairs[np.flatnonzero(split.appropriate[pair]), 1]
            assert len(past)
            assert not set(past.tolist()) & {*met.tolist(), int(split.pairs[pair, 1])}
            own = split.identity[split.pairs[pair, 1]]
            assert (split.identity[past] == own).all()


def test_what_the_generator_sees_is_what_an_analyzer_would(prepared: PreparedCorpus) -> None:
    split = prepared.splits["val"]
    seen = split.speaker_visual(0, 0, split.frames(0))
    face = ~np.isnan(seen).all(axis=1)
    assert np.isnan(seen[:, 25:77]).all(), "no analyzer gives expression coefficients"
    assert np.isfinite(seen[face][:, 77:]).all()
    assert np.isnan(seen[:, 11]).all(), "AU23"
    true = dataclasses.replace(split, speaker_view="true")
    frames = split.frames(0)
    assert np.array_equal(true.speaker_visual(0, 0, frames), split.reaction(0, 0, frames))


def test_histories_have_no_holes_and_keep_their_length(prepared: PreparedCorpus) -> None:
    split = prepared.splits["train"]
    assert np.isfinite(split.history).all()
    assert len(split.history) == split.start[-1]
    assert split.history_rows(0, 2, 9, "true").shape == (7, 31)
    rows = np.full((50, 31), np.nan, np.float32)
    assert np.isfinite(whole_history(rows)).all()
    rows[10:15] = 0.5
    assert whole_history(rows).shape == (50, 31)


def test_a_split_travels_without_its_arrays(prepared: PreparedCorpus) -> None:
    split = prepared.splits["train"]
    assert split.attributes is not None
    parcel = pickle.dumps(split)
    assert len(parcel) < 5000
    assert np.array_equal(pickle.loads(parcel).pairs, split.pairs)


def test_preparing_again_computes_nothing(corpus: Path, prepared: PreparedCorpus) -> None:
    before = {p: p.stat().st_mtime_ns for p in prepared.folder.rglob("*")}
    again = prepare(corpus, prepared.folder.parent, SETTINGS)
    assert again.key == prepared.key
    assert {p: p.stat().st_mtime_ns for p in prepared.folder.rglob("*")} == before


def test_a_changed_setting_or_file_is_never_served_stale(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "mars")
    keys = {key_of(open_corpus(root), SETTINGS)}
    for change in ({"speaker_view": "true"}, {"audio_rate": 8000}, {"matrix": "sessions"}):
        keys.add(key_of(open_corpus(root), dataclasses.replace(SETTINGS, **change)))
    sound = next((root / "train" / "audio").rglob("*.wav"))
    state = sound.stat()
    os.utime(sound, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    keys.add(key_of(open_corpus(root), SETTINGS))
    assert len(keys) == 5


def test_stopped_at_any_recording_it_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path / "c", "mars")
    whole = prepare(root, tmp_path / "whole", SETTINGS)
    done: list[int] = []

    def stop(count: int, total: int) -> None:
        done.append(count)
        if count == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(root, tmp_path / "cut", SETTINGS, progress=stop)
    with pytest.raises(PreparedError, match="holds no prepared corpus"):
        open_prepared(tmp_path / "cut" / whole.key[:16])
    counted: list[int] = []
    cut = prepare(root, tmp_path / "cut", SETTINGS, progress=lambda n, total: counted.append(n))
    assert counted[0] == 8
    for path in whole.folder.rglob("*.npy"):
        assert (cut.folder / path.relative_to(whole.folder)).read_bytes() == path.read_bytes()
    assert not (cut.folder / "parts").exists()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "mars")
    whole = prepare(root, tmp_path / "whole", SETTINGS)
    words = [sys.executable, "-m", "perreactor_model", "prepare", str(root)]
    words += ["--out", str(tmp_path / "cut"), "--workers", "2"]
    work = tmp_path / "cut" / whole.key[:16] / "parts"
    for enough in (2, 9):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            while run.poll() is None and len(list(work.glob("*.npz"))) < enough:
                time.sleep(0.005)
            run.kill()
    cut = prepare(root, tmp_path / "cut", SETTINGS)
    for path in whole.folder.rglob("*.npy"):
        assert (cut.folder / path.relative_to(whole.folder)).read_bytes() == path.read_bytes()
    assert not (cut.folder / "parts").exists()


def test_what_older_code_made_is_never_served(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "features.py"
    monkeypatch.setattr(keys, "CODE", (*keys.CODE, str(code)))
    found = set()
    for text in ("one way", "another way", "one way"):
        code.write_text(text)
        found.add(key_of(open_corpus(corpus), SETTINGS))
    assert len(found) == 2


def test_unknown_labels_are_refused_by_name(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "mars")
    path = next((root / "val" / "facial-attributes" / "listener").rglob("*.npy"))
    rows = np.load(path)
    rows[3:9, 4] = np.nan
    np.save(path, rows)
    with pytest.raises(CorpusError, match=f"{path.name} holds NaN"):
        prepare(root, tmp_path / "cache", SETTINGS)


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same(corpus: Path, prepared: PreparedCorpus, tmp_path):
    other = prepare(corpus, tmp_path, SETTINGS, workers=2)
    for path in prepared.folder.rglob("*.npy"):
        assert (other.folder / path.relative_to(prepared.folder)).read_bytes() == path.read_bytes()


def test_missing_files_and_lengths_that_differ_are_named(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "mars")
    sound = next((root / "val" / "audio" / "listener").rglob("*.wav"))
    kept = sound.read_bytes()
    sound.unlink()
    with pytest.raises(CorpusError, match=r"1 files are missing .*audio of listener/session"):
        prepare(root, tmp_path / "cache", SETTINGS)
    sound.write_bytes(kept)
    short = next((root / "val" / "coefficients" / "listener").rglob("*.npy"))
    np.save(short, np.load(short)[:50])
    with pytest.raises(CorpusError, match="do not belong together .* coefficients 41 frames"):
        prepare(root, tmp_path / "cache", SETTINGS)


def test_a_matrix_of_another_size_is_refused(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "react2024")
    np.save(root / "neighbour_emotion_val.npy", np.eye(3))
    with pytest.raises(PreparedError, match=r"shape \(3, 3\).*expected \(6, 6\)"):
        prepare(root, tmp_path / "cache", SETTINGS)
    with pytest.raises(PreparedError, match="neither a matrix .* nor sessions"):
        prepare(root, tmp_path / "other", dataclasses.replace(SETTINGS, matrix="sessions"))


def test_without_a_mean_face_that_of_training_is_taken_off(tmp_path: Path) -> None:
    root = written(tmp_path / "c", "mars")
    (root / "synthetic.json").unlink()
    prepared = prepare(root, tmp_path / "cache", SETTINGS)
    assert np.abs(np.asarray(prepared.splits["train"].coefficients).mean(axis=0)).max() < 1e-4
    assert np.abs(prepared.mean_face).max() > 0.01
    assert not prepared.synthetic


def test_the_command_tells_where_it_is_and_what_to_do_next(corpus: Path, capsys) -> None:
    words = ["prepare", str(corpus), "--out", str(corpus.parent / "told"), "--workers", "1"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert open_prepared(told["folder"]).key == told["key"]
    assert main(words) == 0
    assert f"perreactor train gag --data {told['folder']}" in capsys.readouterr().out


def test_a_folder_that_was_not_prepared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreparedError, match="holds no prepared corpus"):
        open_prepared(tmp_path)
    (tmp_path / "prepared.json").write_text('{"perreactor_prepared": 99}')
    with pytest.raises(PreparedError, match="has format 99, this version reads 1"):
        open_prepared(tmp_path)
