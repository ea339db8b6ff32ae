"""Calibration: whether real reactions fall inside the generated distribution."""

import numpy as np
import pytest

from perreactor_model.metrics.calibration import bins_of, calibration
from perreactor_model.metrics.predictions import Predictions

CLIPS, SAMPLES, FRAMES = 6, 9, 750


def judge(generated: np.ndarray | list, real: np.ndarray | list, fits: object = None) -> dict:
    matrix = np.eye(len(real)) if fits is None else fits
    return dict(calibration(Predictions.from_arrays(generated, real, None, matrix)))


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


REAL = noise(0, CLIPS, FRAMES, 25)


def test_samples_drawn_like_the_real_reactions_are_calibrated() -> None:
    result = judge(noise(1, CLIPS, SAMPLES, FRAMES, 25), REAL)
    assert result["error"] < 0.03
    np.testing.assert_allclose(result["histogram"], np.full(10, 0.1), atol=0.02)
    assert [one["nominal"] for one in result["coverage"]] == [0.2, 0.4, 0.6, 0.8]
    for one in result["coverage"]:
        assert one["observed"] == pytest.approx(one["nominal"], abs=0.03)


def test_too_narrow_a_distribution_leaves_real_values_at_both_ends() -> None:
    result = judge(0.01 * noise(1, CLIPS, SAMPLES, FRAMES, 25), REAL)
    assert result["histogram"][0] == pytest.approx(0.5, abs=0.05)
    assert result["error"] == pytest.approx(0.25, abs=0.03)
    assert result["coverage"][-1]["observed"] < 0.05


def test_too_wide_a_distribution_holds_more_than_it_should() -> None:
    result = judge(10 * noise(1, CLIPS, SAMPLES, FRAMES, 25), REAL)
    assert result["coverage"][1]["observed"] > 1.8 * 0.4  # nominal: 0.4


def test_values_below_all_samples_have_the_largest_error() -> None:
    result = judge(100 + noise(1, CLIPS, SAMPLES, FRAMES, 25), REAL)
    assert result["histogram"][0] == 1.0
    assert result["error"] == pytest.approx(0.5)
    assert result["coverage"][-1]["observed"] == 0.0


def test_opposite_errors_of_two_channels_do_not_cancel() -> None:
    apart = np.where(np.arange(25) % 2, 100.0, -100.0)
    assert judge(apart + noise(1, CLIPS, SAMPLES, FRAMES, 25), REAL)["error"] == pytest.approx(0.5)


def test_a_tie_is_shared_by_the_bins_it_touches() -> None:
    samples = np.array([0.0, 1.0, 1.0, 2.0])[:, None, None]
    counted = np.ones((1, 1), bool)
    real = np.full((1, 1, 1), 1.0)
    third = 1 / 3
    np.testing.assert_allclose(bins_of(samples, real, counted), [[0, third, third, third, 0]])
    np.testing.assert_allclose(bins_of(samples, real + 0.5, counted), [[0, 0, 0, 1, 0]])


def test_copies_of_the_real_reaction_are_calibrated_to_it_alone() -> None:
    copies = np.repeat(REAL[:, None], SAMPLES, axis=1)
    assert judge(copies, REAL)["error"] == pytest.approx(0.0, abs=1e-12)
    assert judge(copies, REAL, np.ones((CLIPS, CLIPS)))["error"] > 0.15


def test_all_fitting_listeners_count_and_no_others() -> None:
    real = REAL[:3].copy()
    real[2] += 100
    generated = noise(1, 3, SAMPLES, FRAMES, 25)
    fits = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]])
    # Two clips are calibrated; of the third, every second real value lies above all samples.
    histogram = judge(generated, real, fits)["histogram"]
    assert histogram[-1] == pytest.approx((0.1 + 0.1 + 0.55) / 3, abs=0.03)


def test_channels_that_never_move_in_a_real_reaction_are_left_out() -> None:
    real = REAL.copy()
    real[..., 4] = 7.0
    result = judge(noise(1, CLIPS, SAMPLES, FRAMES, 25), real)
    assert result["channels"] == 24
    assert result["error"] < 0.03


def test_frames_are_taken_once_a_second() -> None:
    real = np.zeros((1, 100, 25), np.float32)
    real[0, [12, 37, 62, 87]] = 1.0
    samples = np.full((1, 2, 100, 25), 0.5)
    assert judge(samples, real)["histogram"] == [0.0, 0.0, 1.0]


def test_order_of_clips_and_samples_does_not_matter() -> None:
    generated = noise(1, CLIPS, SAMPLES, 60, 25)
    fits = np.eye(CLIPS) + (np.arange(CLIPS)[:, None] < np.arange(CLIPS))
    order = np.random.default_rng(2).permutation(CLIPS)
    expected = judge(generated, REAL[:, :60], fits)
    turned = judge(generated[order][:, ::-1], REAL[order][:, :60], fits[np.ix_(order, order)])
    assert turned["error"] == pytest.approx(expected["error"])
    assert turned["histogram"] == pytest.approx(expected["histogram"])


def test_ragged_clips_are_compared_over_the_frames_they_share() -> None:
    generated = [noise(index, 3, 40 + 30 * index, 25) for index in range(4)]
    real = [noise(9 + index, 130 - 25 * index, 25) for index in range(4)]
    result = judge(generated, real, np.ones((4, 4)))
    assert sum(result["histogram"]) == pytest.approx(1.0)
    assert judge([noise(0, 2, 1, 25)], [noise(1, 2, 25)])["channels"] == 25


def test_one_sample_or_lifeless_listeners_give_no_value_and_a_reason() -> None:
    single = judge(noise(1, CLIPS, 1, 60, 25), REAL[:, :60])
    assert single["error"] is None and "at least 2" in single["reason"]
    still = judge(noise(1, CLIPS, 3, 60, 25), np.ones((CLIPS, 60, 25)))
    assert still["error"] is None and "moves" in still["reason"]


def test_unknown_channels_are_left_out() -> None:
    known = np.arange(25) < 15
    real = REAL.copy()
    real[..., ~known] = np.nan
    predictions = Predictions.from_arrays(
        noise(1, CLIPS, SAMPLES, FRAMES, 25), real, None, np.eye(CLIPS), channels=known
    )
    result = calibration(predictions)
    assert result["channels"] == 15
    assert result["error"] is not None and result["error"] < 0.03
