"""FRRea-motion: 0 for real motion, and more the less a face moves like a real one."""

import numpy as np
import pytest

from perreactor_model.metrics.motion import WINDOW, motion_distance, window_features
from perreactor_model.metrics.predictions import Predictions

CLIPS, FRAMES = 12, 4 * WINDOW


def smooth(seed: int, *shape: int, channels: int = 25) -> np.ndarray:
    """Curves that wander like faces do, with a spread of about 0.1 around 0.4."""
    noise = np.random.default_rng(seed).normal(size=(*shape, channels))
    kernel = np.hanning(27)
    spectrum = np.fft.rfft(noise, axis=-2) * np.fft.rfft(kernel / 30, shape[-1])[:, None]
    return (0.4 + np.fft.irfft(spectrum, shape[-1], axis=-2)).astype(np.float32)


REAL = smooth(0, CLIPS, FRAMES)


def distance(generated: np.ndarray | list[np.ndarray], real: np.ndarray = REAL) -> float:
    value = motion_distance(judged(generated, real))["distance"]
    assert value is not None
    return value


def judged(generated: np.ndarray | list[np.ndarray], real: np.ndarray = REAL) -> Predictions:
    return Predictions.from_arrays(generated, real, None, np.eye(len(real)))


def test_features_of_a_ramp_and_of_a_zigzag_are_the_known_ones() -> None:
    frames = np.arange(WINDOW, dtype=np.float64)
    ramp, zigzag = 0.01 * frames, (-1.0) ** frames
    features = window_features(np.stack([ramp, zigzag], axis=1)[None])[0, 0]
    spread = 0.01 * np.sqrt((WINDOW**2 - 1) / 12)
    np.testing.assert_allclose(features[0], [0.245, spread, 0.01, 0.0], atol=1e-7)
    np.testing.assert_allclose(features[1], [0.0, 1.0, 2.0, 4.0], atol=1e-12)


def test_real_reactions_are_at_no_distance_however_often_they_are_copied() -> None:
    assert distance(REAL[:, None]) < 1e-12
    assert distance(np.repeat(REAL[:, None], 5, axis=1)) < 1e-12


def test_copies_that_share_memory_count_like_copies_that_do_not() -> None:
    halves = 0.5 * REAL[:, None]
    shared = [np.broadcast_to(one, (3, FRAMES, 25)) for one in halves]
    assert distance(shared) == pytest.approx(distance(np.repeat(halves, 3, axis=1)), rel=1e-9)


def test_other_motion_of_the_same_kind_is_nearer_than_any_distortion() -> None:
    other = smooth(1, CLIPS, FRAMES)[:, None]
    jitter = np.random.default_rng(2).normal(0, 0.03, other.shape)
    frozen = np.repeat(other.mean(axis=2, keepdims=True), FRAMES, axis=2)
    near = distance(other)
    for distorted in (0.5 * other, 1.5 * other, other + jitter, frozen, other[:, :, ::3]):
        assert distance(distorted) > 2 * near


def test_distance_grows_with_the_distortion() -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, REAL[:, None].shape)
    jittered = [distance(REAL[:, None] + amount * noise) for amount in (0, 1, 2, 4)]
    calmed = [distance(0.4 + amount * (REAL[:, None] - 0.4)) for amount in (1, 0.7, 0.4, 0.0)]
    assert jittered == sorted(jittered) and calmed == sorted(calmed)


def test_a_shift_by_one_spread_of_every_window_mean_costs_a_quarter() -> None:
    # One of the four features of each channel moves by one standard deviation.
    spread = window_features(REAL)[..., 0].reshape(-1, 25).std(axis=0)
    assert distance((REAL + spread)[:, None]) == pytest.approx(0.25, rel=1e-3)


def test_units_of_a_channel_do_not_matter() -> None:
    # The smallest spread of the group stays above the floor.
    units = np.where(np.arange(25) % 2, 1.0, 3.0)
    other = smooth(1, CLIPS, FRAMES)[:, None]
    assert distance(other * units, REAL * units) == pytest.approx(distance(other), rel=1e-4)


def test_order_of_clips_and_samples_does_not_matter() -> None:
    generated = smooth(4, CLIPS, 3, FRAMES)
    assert distance(generated[::-1, ::-1]) == pytest.approx(distance(generated), rel=1e-9)


def test_how_many_windows_are_taken_at_a_time_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generated = smooth(4, CLIPS, 3, FRAMES)
    at_once = distance(generated)
    monkeypatch.setattr("perreactor_model.metrics.motion._BLOCK", 30)
    assert distance(generated) == pytest.approx(at_once, rel=1e-9)


def test_ragged_clips_count_by_their_whole_windows() -> None:
    ragged = [smooth(5, 2, frames) for frames in (3 * WINDOW + 7, WINDOW - 1)] * (CLIPS // 2)
    result = motion_distance(judged(ragged))
    assert result["generated_windows"] == 6 * 2 * 3
    assert result["real_windows"] == CLIPS * 4
    assert result["features"] == 100


def test_few_windows_give_a_finite_symmetric_answer() -> None:
    first, second = smooth(6, 2, FRAMES), smooth(7, 2, FRAMES)
    result = motion_distance(judged(first[:, None], second))
    assert result["distance"] is not None and 0 < result["distance"] < 20


def test_a_channel_frozen_in_all_real_reactions_may_not_jitter() -> None:
    real = REAL.copy()
    real[..., 3] = 0.1
    jitter = real[:, None].copy()
    jitter[..., 3] += np.random.default_rng(8).normal(0, 0.1, jitter.shape[:-1])
    assert distance(real[:, None], real) < 1e-12
    assert distance(jitter, real) > 1.0


def test_coefficients_take_part_where_both_sides_have_them() -> None:
    coefficients = smooth(9, CLIPS, FRAMES, channels=58)
    jitter = np.random.default_rng(10).normal(0, 0.1, (CLIPS, 1, FRAMES, 58))
    predictions = Predictions.from_arrays(
        REAL[:, None],
        REAL,
        None,
        np.eye(CLIPS),
        prediction_3dmm=coefficients[:, None] + jitter,
        listener_3dmm=coefficients,
    )
    result = motion_distance(predictions)
    assert result["features"] == 4 * (25 + 58)
    assert result["distance"] is not None and result["distance"] > 1.0
    assert result["attributes_distance"] == pytest.approx(0.0, abs=1e-12)


def test_unknown_channels_take_no_part() -> None:
    known = np.arange(25) < 15
    generated = smooth(11, CLIPS, 2, FRAMES)
    generated[..., ~known] = np.nan
    predictions = Predictions.from_arrays(generated, REAL, None, np.eye(CLIPS), channels=known)
    result = motion_distance(predictions)
    assert result["features"] == 60
    assert result["distance"] is not None and np.isfinite(result["distance"])


def test_too_little_or_lifeless_material_gives_no_value_and_a_reason() -> None:
    short = REAL[:, : WINDOW - 1]
    still = np.broadcast_to(np.float32(0.1), REAL.shape)
    cases = {
        "2 real windows": judged(REAL[:, None], short),
        "2 generated windows": judged(short[:, None]),
        "the same in every window": judged(REAL[:, None], still),
    }
    for reason, predictions in cases.items():
        result = motion_distance(predictions)
        assert result["distance"] is None
        assert reason in (result["reason"] or "")
