"""Runs from the command line: killed and resumed, shared by two processes, refused in one line."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import training_corpus as corpora
from torch import Tensor

import perreactor_model
from perreactor_model.preparation.prepared import PreparedCorpus
from perreactor_model.training.checkpoints import read_checkpoint
from perreactor_model.training.progress import read_log

SOURCE = Path(perreactor_model.__file__).parents[1]


ALONE = [sys.executable]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return corpora.make_noise_corpus(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def gag(noise: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gag") / "run"
    done = train(noise, out, "gag", *corpora.TINY, "loop.steps=3")
    assert done.returncode == 0, done.stderr
    return out / "last.ckpt"


def start(
    corpus: PreparedCorpus, out: Path, *words: str, python: list[str] = ALONE
) -> subprocess.Popen:
    # Its own threads would only compete, and one thread adds in one order.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCE)}
    command = [*python, "-m", "perreactor_model", "train", words[0]]
    command += ["--data", str(corpus.folder), "--out", str(out), *words[1:]]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def train(
    corpus: PreparedCorpus, out: Path, *words: str, python: list[str] = ALONE
) -> subprocess.CompletedProcess:
    process = start(corpus, out, *words, python=python)
    told, errors = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, told, errors)


def weights(folder: Path) -> dict[str, Tensor]:
    content = read_checkpoint(folder / "last.ckpt")
    judges = {f"judge {key}": value for key, value in content["training"]["judges"].items()}
    return {**content["state_dict"], **judges}


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    words = [*corpora.TINY, "loop.steps=40", "loop.save=1", "optimiser.ema=0.9", "loop.workers=2"]
    assert train(noise, tmp_path / "whole", "gag", *words).returncode == 0
    out, moment = tmp_path / "killed", random.Random(5)
    for kill in range(3):
        process = start(noise, out, "gag", *words, "--resume")
        reached = _step(out) + 4 if kill else 3
        while process.poll() is None and _step(out) < reached:
            time.sleep(0.02)
        time.sleep(moment.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was still at work"
    done = train(noise, out, "gag", *words, "--resume")
    assert done.returncode == 0
    assert "goes on after step" in done.stderr
    whole, killed = weights(tmp_path / "whole"), weights(out)
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not list(out.glob(".*")), "nothing half written is left"
    assert _steps_told(out) == _steps_told(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_asked_to_stop_keeps_what_it_has_learnt(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    words = [*corpora.TINY, "loop.steps=100000", "loop.log=1"]
    process = start(noise, tmp_path / "run", "gag", *words)
    while not (tmp_path / "run" / "log.jsonl").is_file():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    step = read_checkpoint(tmp_path / "run" / "last.ckpt")["training"]["step"]
    assert f"stopped after step {step}; --resume goes on from there" in told


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["gag", "pag"])
def test_two_processes_with_half_the_batch_each_agree_with_one(
    stage: str, noise: PreparedCorpus, gag: Path, tmp_path: Path
) -> None:
    words = [stage, *(["--gag", str(gag)] if stage == "pag" else [])]
    tiny = [word for word in corpora.TINY if stage == "gag" or not word.startswith("model.")]
    words += [*tiny, "loop.steps=20", "optimiser.ema=0", "optimiser.lr=1e-3"]
    for name, python in (("one", ALONE), ("two", TWO)):
        done = train(noise, tmp_path / name, *words, python=python)
        assert done.returncode == 0, done.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in one.items():
        assert torch.allclose(value, two[name], rtol=0, atol=1e-5), name
    for alone, shared in zip(read_log(tmp_path / "one"), read_log(tmp_path / "two"), strict=True):
        assert shared == pytest.approx(alone, rel=1e-4, abs=1e-5), "the log tells of all clips"


@pytest.mark.slow
def test_processes_can_be_started_without_torchrun_too(
    noise: PreparedCorpus, tmp_path: Path
) -> None:
    words = ["gag", *corpora.TINY, "loop.steps=2"]
    done = train(noise, tmp_path / "two", *words, "loop.devices=2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("train gag begins") == 1, "one process speaks"
    assert read_checkpoint(tmp_path / "two" / "last.ckpt")["training"]["step"] == 2


def test_what_the_user_can_put_right_is_told_in_one_line(
    noise: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from perreactor_model.cli.main import main

    place = ["--data", str(noise.folder), "--out", str(tmp_path)]
    (tmp_path / "other").mkdir()
    for words, told in (
        (["gag", *place, "loss.diversty=1"], "did you mean 'loss.diversity'?"),
        (["pag", *place], "give its best.ckpt as --gag"),
        (["gag", *place, "--gag", "x.ckpt"], "--gag is for `perreactor train pag`"),
        (["pag", *place, "--gag", str(tmp_path / "none.ckpt")], "none.ckpt"),
        (["gag", "--data", str(tmp_path / "other"), "--out", str(tmp_path)], "no prepared corpus"),
        (["gag", *place, "--config", str(tmp_path / "no.yaml")], "no.yaml"),
        (["gag", *place, "loop.devices=3"], "cannot be shared"),
    ):
        assert main(["train", *words]) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("perreactor: error: ") and errors.count("\n") == 1
        assert told in errors
    assert not list(tmp_path.glob("*.ckpt"))


def test_a_folder_with_a_run_is_not_written_over(
    noise: PreparedCorpus, gag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from perreactor_model.cli.main import main

    before = gag.read_bytes()
    place = ["--data", str(noise.folder), "--out", str(gag.parent)]
    assert main(["train", "gag", *place]) == 2
    assert "go on with it with --resume" in capsys.readouterr().err
    assert main(["train", "pag", *place, "--resume"]) == 2
    assert "is of `perreactor train gag`" in capsys.readouterr().err
    assert main(["train", "gag", *place, "--resume", "data.samples=3"]) == 2
    assert "data.samples is 3 now and was 2" in capsys.readouterr().err
    assert gag.read_bytes() == before


def _step(out: Path) -> int:
    """Of the last checkpoint; 0 before there is one."""
    path = out / "last.ckpt"
    return int(read_checkpoint(path)["training"]["step"]) if path.is_file() else 0


def _steps_told(out: Path) -> list[int]:
    return [line["step"] for line in read_log(out)]
