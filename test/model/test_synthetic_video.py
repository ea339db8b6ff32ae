"""Films of simulated people: faces move as simulated, everybody looks different."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNITS, COEFFICIENT_COUNT
from perreactor_model.corpora.opening import open_corpus
from perreactor_model.media.video import probe, read_pictures
from perreactor_model.synthesis.corpus import CorpusPlan, CorpusPlanError, SyntheticCorpus
from perreactor_model.synthesis.rendering import (
    MOVEMENT_COLUMNS,
    Footage,
    draw_appearance,
    draw_camera,
)
from perreactor_model.synthesis.seeds import stream
from perreactor_model.synthesis.writing import write_corpus

FILMED = CorpusPlan(listeners=5, sessions=1, seconds=4.0, video=True)
GAZE = slice(len(ACTION_UNITS) + COEFFICIENT_COUNT + 1, MOVEMENT_COLUMNS)
LIDS = len(ACTION_UNITS) + COEFFICIENT_COUNT


def film(movement: np.ndarray, person: int = 0, camera: int = 0) -> np.ndarray:
    footage = Footage(
        movement=movement.astype(np.float32),
        appearance=draw_appearance(stream((1, person))),
        camera=draw_camera(stream((2, camera))),
        size=96,
        rate=25,
        seed=camera,
    )
    return np.stack(list(footage.pictures())).astype(float)


def still(rows: int = 1) -> np.ndarray:
    return np.zeros((rows, MOVEMENT_COLUMNS))


def test_everybody_looks_different_and_the_same_again() -> None:
    people = [film(still(), person)[0] for person in range(4)]
    assert np.array_equal(people[0], film(still(), 0)[0])
    for one in range(4):
        for other in range(one):
            assert np.abs(people[one] - people[other]).mean() > 8.0


def test_cameras_differ_too() -> None:
    assert np.abs(film(still(), 0, 0) - film(still(), 0, 1)).mean() > 4.0


@pytest.mark.parametrize("unit", ["AU1", "AU4", "AU12", "AU15", "AU25", "AU26"])
def test_what_a_muscle_does_shows_through_the_noise(unit: str) -> None:
    for person in range(3):
        movement = still(12)
        movement[6:, ACTION_UNITS.index(unit)] = 1.0
        pictures = film(movement, person, person)
        moved = np.abs(pictures[6:].mean(axis=0) - pictures[:6].mean(axis=0)).max(axis=2)
        assert (moved > 25.0).sum() > 10


def test_lids_and_gaze_are_to_be_seen() -> None:
    for change in (LIDS, GAZE.start):
        movement = still(12)
        movement[6:, change] = 0.4 if change != LIDS else 1.0
        pictures = film(movement)
        moved = np.abs(pictures[6:].mean(axis=0) - pictures[:6].mean(axis=0)).max(axis=2)
        assert (moved > 25.0).sum() > 10


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "size", "rate"), [("mars", 384, 30), ("react2024", 256, 25)])
def test_films_lie_where_readers_look_with_a_picture_for_each_row(
    layout: str, size: int, rate: int, tmp_path: Path
) -> None:
    write_corpus(dataclasses.replace(FILMED, layout=layout), tmp_path)
    corpus = open_corpus(tmp_path)
    recording = corpus.splits["test"].recordings[0]
    info = probe(recording.files["video"])
    assert (info.width, info.height, round(info.frame_rate)) == (size, size, rate)
    rows = len(np.load(recording.files["coefficients"]))
    assert sum(1 for _ in read_pictures(recording.files["video"])) == rows


def test_the_same_plan_gives_the_same_films(tmp_path: Path) -> None:
    corpus = SyntheticCorpus(FILMED)
    performance = corpus.performances("val")[0]
    for name in ("one.mp4", "two.mp4"):
        person = SyntheticCorpus(FILMED).record(performance)[1]
        corpus.film(performance, 1, person.movement[:25], 64, 25).write(tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_replacing_removes_an_older_corpus_and_nothing_else(tmp_path: Path) -> None:
    plan = CorpusPlan(listeners=5, sessions=1, seconds=4.0)
    write_corpus(plan, tmp_path)
    (tmp_path / "thesis.txt").write_text("years of work")
    stale = next((tmp_path / "train/coefficients/listener").rglob("*.npy"))
    before = np.load(stale)
    other = dataclasses.replace(plan, seed=1)
    with pytest.raises(CorpusPlanError, match="--replace"):
        write_corpus(other, tmp_path)
    write_corpus(other, tmp_path, replace=True)
    assert SyntheticCorpus.open(tmp_path).plan == other
    assert not np.array_equal(np.load(stale), before)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_is_no_corpus_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CorpusPlanError, match="is not empty"):
        write_corpus(FILMED, tmp_path, replace=True)
    assert (tmp_path / "thesis.txt").exists()
