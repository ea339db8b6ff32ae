"""The One-Euro filter is smooth at rest and quick when something happens."""

import numpy as np
import pytest

from perreactor_model.face_analysis.smoothing import OneEuro, OneEuroSettings

FRAME_NS = 40_000_000


def run(values: np.ndarray, settings: OneEuroSettings | None = None) -> np.ndarray:
    filter_ = OneEuro(settings)
    return np.array([filter_.filter(row, k * FRAME_NS) for k, row in enumerate(values)])


def test_noise_at_rest_is_at_least_halved() -> None:
    noise = np.random.default_rng(0).normal(0, 0.001, (500, 8)).astype(np.float32)
    assert run(noise)[20:].std() < 0.6 * noise.std()


def test_an_onset_loses_less_than_a_frame() -> None:
    ramp = np.clip((np.arange(40) - 10) / 6, 0, 1)[:, None] * 0.08  # full in 240 ms
    filtered = run(ramp)[:, 0]

    def half(track: np.ndarray) -> float:
        return float(np.interp(0.04, track[8:18], np.arange(8, 18)))

    assert half(filtered) - half(ramp[:, 0]) < 1.0


def test_a_constant_passes_unchanged() -> None:
    np.testing.assert_allclose(run(np.full((10, 3), 0.25)), 0.25)


def test_components_do_not_touch_each_other() -> None:
    values = np.zeros((20, 2))
    values[10:, 0] = 1.0
    assert (run(values)[:, 1] == 0.0).all()


def test_the_stamps_decide_not_the_count_of_frames() -> None:
    slow, quick = OneEuro(), OneEuro()
    for filter_, step in ((slow, 100_000_000), (quick, 10_000_000)):
        filter_.filter(np.zeros(1), 0)
        filter_.filter(np.full(1, 0.01), step)
    after_slow = slow.filter(np.full(1, 0.01), 100_000_001)
    after_quick = quick.filter(np.full(1, 0.01), 10_000_001)
    assert after_slow > after_quick


def test_unknown_stays_unknown_and_comes_back() -> None:
    filter_ = OneEuro()
    filter_.filter(np.array([0.1, 0.1]), 0)
    assert np.isnan(filter_.filter(np.array([np.nan, 0.1]), FRAME_NS)).tolist() == [True, False]
    assert filter_.filter(np.array([0.1, 0.1]), 2 * FRAME_NS)[0] == pytest.approx(0.1)


def test_after_a_long_gap_the_filter_starts_anew() -> None:
    filter_ = OneEuro()
    filter_.filter(np.zeros(1), 0)
    assert filter_.filter(np.ones(1), 2_000_000_000)[0] == 1.0


def test_an_older_stamp_changes_nothing() -> None:
    filter_ = OneEuro()
    filter_.filter(np.zeros(1), 5 * FRAME_NS)
    assert filter_.filter(np.ones(1), 4 * FRAME_NS)[0] == 0.0


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        OneEuroSettings(slowest_hz=0.0)
    with pytest.raises(ValueError, match="beta"):
        OneEuroSettings(beta=-1.0)
