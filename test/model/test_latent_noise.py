"""The latent noise is stationary, keyed, and independent of how frames are asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perreactor_model.streaming.noise import HeldNoise, LatentNoise


def walk(noise: LatentNoise, frames: range) -> np.ndarray:
    return np.stack([noise.at(frame) for frame in frames])


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 60), min_size=1))
def test_skipped_frames_do_not_change_later_noise(kept: set[int]) -> None:
    whole = walk(LatentNoise(8, 2.0, 5, "robot_a"), range(61))
    sparse = LatentNoise(8, 2.0, 5, "robot_a")
    sparse.at(0)
    for frame in sorted(kept - {0}):
        assert sparse.at(frame).tobytes() == whole[frame].tobytes()


def test_noise_is_standard_normal_with_the_asked_time_constant() -> None:
    values = walk(LatentNoise(64, 0.4, 1, "robot_a"), range(1500)).astype(np.float64)
    assert abs(values.mean()) < 0.05
    assert abs(values.var() - 1.0) < 0.1
    lag = 10  # frames: 0.4 s, one time constant
    correlation = (values[:-lag] * values[lag:]).mean() / values.var()
    assert correlation == pytest.approx(math.exp(-1.0), abs=0.07)


@pytest.mark.parametrize(
    "other",
    [(6, "robot_a", 0), (5, "robot_b", 0), (5, "robot_a", 1)],
    ids=["seed", "robot", "sample"],
)
def test_seed_robot_and_sample_each_give_their_own_noise(other: tuple[int, str, int]) -> None:
    seed, robot, sample = other
    first = LatentNoise(8, 8.0, 5, "robot_a", 0).at(3)
    assert not np.allclose(first, LatentNoise(8, 8.0, seed, robot, sample).at(3))
    assert np.array_equal(first, LatentNoise(8, 8.0, 5, "robot_a", 0).at(3))


def test_infinite_seconds_hold_the_first_draw_and_zero_seconds_draw_afresh() -> None:
    held = walk(LatentNoise(8, math.inf, 0, "robot_a"), range(20))
    assert (held == held[0]).all()
    fresh = walk(LatentNoise(400, 0.0, 0, "robot_a"), range(2))
    assert abs(np.corrcoef(fresh)[0, 1]) < 0.2


def test_a_frame_number_that_goes_back_starts_the_process_anew() -> None:
    noise = LatentNoise(8, 8.0, 0, "robot_a")
    first = noise.at(0)
    noise.at(50)
    assert np.array_equal(noise.at(0), first)


def test_a_gap_of_years_costs_nothing_and_starts_afresh() -> None:
    noise = LatentNoise(8, 8.0, 0, "robot_a")
    noise.at(0)
    assert np.array_equal(noise.at(10**12), LatentNoise(8, 8.0, 0, "robot_a").at(10**12))


def test_negative_or_undefined_seconds_are_refused() -> None:
    for seconds in (-1.0, math.nan):
        with pytest.raises(ValueError, match="noise_seconds"):
            LatentNoise(8, seconds, 0, "robot_a")


def test_held_noise_is_the_given_vector() -> None:
    given_vector = np.arange(4.0)
    assert np.array_equal(HeldNoise(given_vector).at(7), given_vector.astype(np.float32))


def test_a_long_gap_keeps_what_the_time_constant_keeps() -> None:
    noise = LatentNoise(4000, 4000.0, 0, "robot_a")
    before, after = noise.at(0), noise.at(20_000)
    correlation = np.corrcoef(before, after)[0, 1]
    assert correlation == pytest.approx(math.exp(-0.2), abs=0.03)
