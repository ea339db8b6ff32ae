"""Anchors are trivial answers, judged like any others."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.contract import EXPRESSION_SLICE, attribute_ranges
from perreactor_model.metrics.anchors import ANCHORS, anchor, possible_anchors
from perreactor_model.metrics.evaluation import evaluate
from perreactor_model.metrics.example import example
from perreactor_model.metrics.predictions import Predictions

LENGTHS = (80, 50, 60, 100)


def ragged(**changes) -> Predictions:
    draw = np.random.default_rng(0)
    given = {
        "prediction": [draw.random((3, 70, 25), np.float32) for _ in LENGTHS],
        "listener": [draw.random((length, 25), np.float32) for length in LENGTHS],
        "speaker": [draw.random((length, 25), np.float32) for length in LENGTHS],
        "appropriate": np.eye(4, dtype=bool),
    }
    return Predictions.from_arrays(**given | changes)


@pytest.fixture(scope="module")
def scores() -> dict:
    """A few realistic clips; two speakers behave alike, and so do their listeners."""
    return evaluate(
        Predictions.from_arrays(**example(samples=3, frames=250)),
        ("reference", "corrected"),
        ("FRCorr", "FRDist", "FRDiv", "FRDvs", "FRVar", "FRSyn", "lag_error"),
        anchors=True,
    )["anchors"]


@pytest.mark.parametrize("name", ANCHORS)
def test_an_anchor_answers_with_as_many_samples_as_long_as_the_listener(name):
    answers = anchor(ragged(), name).prediction
    assert [clip.shape for clip in answers] == [(3, length, 25) for length in LENGTHS]
    assert all(np.isfinite(clip).all() for clip in answers)
    assert np.array_equal(answers[-1], answers[3])
    assert len(answers[1:]) == 3
    with pytest.raises(IndexError):
        answers[4]


def test_ground_truth_is_the_listener_and_mime_the_speaker():
    data = ragged()
    assert np.array_equal(anchor(data, "ground_truth").prediction[2][1], data.listener[2])
    assert np.array_equal(anchor(data, "mime").prediction[2][0], data.speaker[2])


def test_the_mean_sequence_counts_the_listeners_that_reach_a_frame():
    data = ragged()
    mean = anchor(data, "mean_sequence").prediction[3][0]
    everyone = np.mean([listener[10] for listener in data.listener], axis=0)
    assert mean[10] == pytest.approx(everyone, rel=1e-6)
    assert mean[90] == pytest.approx(data.listener[3][90])


def test_the_mean_frame_is_held_still():
    data = ragged()
    held = anchor(data, "mean_frame").prediction[0]
    assert (held == held[0, 0]).all()
    assert held[0, 0] == pytest.approx(np.concatenate(data.listener).mean(axis=0), rel=1e-5)


def test_noise_keeps_the_range_of_each_attribute_and_depends_on_seed_and_clip_alone():
    data = ragged()
    noise = anchor(data, "random", seed=1).prediction
    low, high = attribute_ranges()
    assert ((noise[0] >= low) & (noise[0] <= high)).all()
    assert noise[0][..., EXPRESSION_SLICE].sum(axis=-1) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(noise[2], anchor(data, "random", seed=1).prediction[2])
    assert not np.array_equal(noise[2][:, :50], noise[1])
    assert not np.array_equal(noise[2], anchor(data, "random", seed=2).prediction[2])


def test_the_nearest_neighbour_is_the_listener_of_the_speaker_most_alike_but_never_its_own():
    data = ragged()
    alike = [data.speaker[0], data.speaker[1], data.speaker[2], data.speaker[1].repeat(2, axis=0)]
    alike[2] = data.speaker[0] + 0.01
    answers = anchor(ragged(speaker=alike), "nearest_neighbour").prediction
    assert np.array_equal(answers[0][0][:60], data.listener[2])
    assert (answers[0][0][60:] == data.listener[2][-1]).all()
    assert np.array_equal(answers[2][0], data.listener[0][:60])
    for clip, answer in enumerate(answers):
        own = data.listener[clip]
        assert not any(np.array_equal(sample[: len(own)], own) for sample in answer)


def test_what_lacks_speakers_or_a_second_clip_has_fewer_anchors():
    assert possible_anchors(ragged()) == ANCHORS
    assert set(ANCHORS) - set(possible_anchors(ragged(speaker=None))) == {
        "mime",
        "nearest_neighbour",
    }
    one = ragged()
    alone = Predictions.from_arrays(
        one.prediction[:1], one.listener[:1], one.speaker[:1], np.ones((1, 1), bool)
    )
    assert set(ANCHORS) - set(possible_anchors(alone)) == {"mean_sequence", "nearest_neighbour"}


def test_ground_truth_is_best_and_noise_is_worst(scores):
    told = {name: tables["corrected"] for name, tables in scores.items()}
    assert told["ground_truth"]["FRCorr"] == 1.0
    assert told["ground_truth"]["FRDist"] == told["ground_truth"]["lag_error"] == 0.0
    for name in set(ANCHORS) - {"ground_truth"}:
        assert told[name]["FRCorr"] < 1.0
        assert 0.0 < told[name]["FRDist"] <= told["random"]["FRDist"]


def test_only_answers_that_differ_have_diversity(scores):
    told = {name: tables["corrected"] for name, tables in scores.items()}
    for name in ("ground_truth", "mime", "mean_sequence", "mean_frame"):
        assert told[name]["FRDiv"] == 0.0
    assert told["mean_frame"]["FRDvs"] == told["mean_sequence"]["FRDvs"] == 0.0
    assert told["mean_frame"]["FRVar"] == 0.0
    assert told["random"]["FRDiv"] > 0.1
    assert told["nearest_neighbour"]["FRDiv"] > 0.0


def test_mime_is_in_step_with_the_speaker_and_a_mean_face_is_published_as_2_s_off(scores):
    assert scores["mime"]["corrected"]["FRSyn"] == 0.0
    assert scores["mean_frame"]["corrected"]["FRSyn"] is None
    assert scores["mean_frame"]["reference"]["FRSyn"] == 49.0


def test_copies_score_what_the_same_samples_written_out_score():
    data = ragged()
    copies = anchor(data, "mime")
    written_out = Predictions.from_arrays(
        [np.array(clip) for clip in copies.prediction],
        data.listener,
        data.speaker,
        data.appropriate,
    )
    modes, metrics = ("reference", "corrected"), ("FRCorr", "FRDist", "FRDiv", "FRVar", "FRSyn")
    some = evaluate(copies, modes, metrics)
    every = evaluate(written_out, modes, metrics)
    for mode in modes:
        assert some[mode] == pytest.approx(every[mode], rel=1e-12)
