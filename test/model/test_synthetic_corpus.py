"""Synthetic corpora: in the layouts of the real ones, the same bytes again, and heard as spoken."""

import dataclasses
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.cli.main import main
from perreactor_model.synthesis.corpus import (
    SPLITS,
    CorpusPlan,
    CorpusPlanError,
    SyntheticCorpus,
)
from perreactor_model.synthesis.dyad import simulate
from perreactor_model.synthesis.personas import shipped_persona
from perreactor_model.synthesis.scripts import draw_script
from perreactor_model.synthesis.seeds import stream
from perreactor_model.synthesis.voice import VOICE_RATE, draw_microphone, speak
from perreactor_model.synthesis.writing import write_corpus

SMALL = CorpusPlan(listeners=5, sessions=2, seconds=6.0)


@pytest.fixture(scope="module", params=["mars", "react2024"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora") / request.param
    write_corpus(dataclasses.replace(SMALL, layout=request.param), root)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_plan_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    plan = SyntheticCorpus.open(written).plan
    write_corpus(plan, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(written)
    other = write_corpus(dataclasses.replace(plan, seed=1), tmp_path / "other")
    assert contents(tmp_path / "other") != contents(written)
    assert other.plan.seed == 1


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_corpus(SyntheticCorpus.open(written).plan, tmp_path / "two", workers=2)
    assert contents(tmp_path / "two") == contents(written)


def test_a_corpus_that_was_begun_is_finished(written: Path, tmp_path: Path) -> None:
    plan = SyntheticCorpus.open(written).plan
    root = tmp_path / "begun"
    write_corpus(plan, root)
    sounds = [name for name in contents(root) if name.endswith(".wav")]
    last = [name for name in sounds if "/listener/" in name or "/P2/" in name]
    assert len(last) == 10
    for name in (last[0], sounds[0]):
        (root / name).unlink(missing_ok=True)
    before = (root / last[1]).stat().st_mtime_ns
    write_corpus(plan, root)
    assert contents(root) == contents(written)
    assert (root / last[1]).stat().st_mtime_ns == before


def test_another_folder_is_never_overwritten(written: Path, tmp_path: Path) -> None:
    plan = SyntheticCorpus.open(written).plan
    with pytest.raises(CorpusPlanError, match="made with other options"):
        write_corpus(dataclasses.replace(plan, seed=9), written)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CorpusPlanError, match="is not empty"):
        write_corpus(plan, tmp_path)


def test_mars_has_roles_sessions_and_30_frames_a_second(tmp_path: Path) -> None:
    write_corpus(SMALL, tmp_path / "m")
    for kind, width in (("facial-attributes", 25), ("coefficients", 58)):
        for role in ("speaker", "listener"):
            files = sorted((tmp_path / "m" / "train" / kind / role).rglob("*.npy"))
            assert len(files) == 3 * 2
            assert all(np.load(file).shape == (180, width) for file in files)
            assert {file.parent.name for file in files} == {"session0", "session1"}
    observed = next((tmp_path / "m/test/facial-attributes-observed/listener").rglob("*.npy"))
    assert np.load(observed).shape == (180, 31)
    with wave.open(str(next((tmp_path / "m/test/audio/speaker").rglob("*.wav")))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (VOICE_RATE, 1)
        assert sound.getnframes() == 6 * VOICE_RATE
    lines = (tmp_path / "m" / "identities.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 5 * 2


def test_react2024_has_tables_an_index_and_a_matrix(tmp_path: Path) -> None:
    write_corpus(dataclasses.replace(SMALL, layout="react2024"), tmp_path / "r")
    root = tmp_path / "r"
    index = (root / "train.csv").read_text().splitlines()
    assert index[0] == ",speaker_path,listener_path"
    assert len(index) == 1 + 3 * 2
    speaker, listener = index[1].split(",")[1:]
    table = (root / "train/Emotion" / f"{listener}.csv").read_text().splitlines()
    assert len(table) == 1 + 151
    assert len(table[0].split(",")) == 25
    assert np.load(root / "train/3D_FV_files" / f"{speaker}.npy").shape == (151, 58)
    matrix = np.load(root / "neighbour_emotion_train.npy")
    assert matrix.shape == (12, 12) and matrix.dtype == np.float64
    assert (np.diag(matrix) == 1).all()
    assert not matrix[:6, 6:].any(), "roles differ"


def test_splits_share_neither_people_nor_scripts() -> None:
    corpus = SyntheticCorpus(SMALL)
    people = {
        split: {p.name for each in corpus.performances(split) for p in corpus.people(each)}
        for split in SPLITS
    }
    assert not people["train"] & people["test"] and not people["val"] & people["test"]
    spoken = {
        split: corpus.perform(corpus.performances(split)[0]).speaker.speech.phrases
        for split in SPLITS
    }
    assert len({tuple(phrase.onset for phrase in phrases) for phrases in spoken.values()}) == 3


def test_the_files_hold_what_was_simulated_and_redraws_differ_from_it(written: Path) -> None:
    corpus = SyntheticCorpus.open(written)
    performance, mirrored = corpus.rows("test")[0]
    listener = corpus.record(performance)[1]
    first, _ = corpus.redraw("test", 0, 1)
    second, _ = corpus.redraw("test", 0, 2)
    assert not mirrored
    assert first.shape == second.shape == listener.attributes.shape
    assert not np.array_equal(first, listener.attributes)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, corpus.redraw("test", 0, 1)[0])


def test_the_command_makes_and_redraws_a_corpus(tmp_path: Path, capsys) -> None:
    words = ["--listeners", "5", "--sessions", "1", "--seconds", "4", "--workers", "1", "--json"]
    assert main(["synthesize", "--out", str(tmp_path / "c"), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["listeners"] == {"train": 3, "val": 1, "test": 1}
    again = ["synthesize", "--redraw", str(tmp_path / "c"), "--samples", "2"]
    assert main([*again, "--out", str(tmp_path / "r.npz")]) == 0
    with np.load(tmp_path / "r.npz") as arrays:
        assert arrays["prediction"].shape == (1, 2, 100, 25)
        assert set(arrays) >= {"listener", "speaker", "appropriate", "identity"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listeners": 4}, "5 are needed"),
        ({"sessions": 4, "scripts": 2}, "at least as many"),
        ({"seconds": 1.0}, "give 4 to 3600 s"),
        ({"layout": "tv"}, "layout must be one of react2024, mars"),
        ({"units": "perhaps"}, "action units must be one of"),
    ],
)
def test_a_corpus_that_cannot_be_made_is_refused(options: dict, words: str) -> None:
    with pytest.raises(CorpusPlanError, match=words):
        CorpusPlan(**options)


def test_the_voice_is_loud_when_its_track_is_and_quiet_when_it_is_not() -> None:
    for seed in range(3):
        script = draw_script(stream((2, seed)), 12.0)
        track = simulate(script, shipped_persona("lively"), shipped_persona("warm"), seed)
        track = track.speaker.speech
        sound = speak(track, draw_microphone(stream(seed)), seed)
        assert sound.dtype == np.float32 and len(sound) == 12 * VOICE_RATE
        assert np.abs(sound).max() <= 1.0
        loudness = np.sqrt((sound.reshape(len(track.energy), -1) ** 2).mean(axis=1))
        assert np.corrcoef(loudness, track.energy)[0, 1] > 0.8
        assert loudness[track.energy == 0].mean() < 0.2 * loudness[track.energy > 0.1].mean()


def test_who_says_nothing_is_not_heard() -> None:
    script = draw_script(stream(2), 6.0)
    listener = dataclasses.replace(shipped_persona("stoic"), backchannel_rate=0.0)
    track = simulate(script, shipped_persona("warm"), listener, 1).listener.speech
    sound = speak(track, draw_microphone(stream(0)), 0)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() < 0.1
