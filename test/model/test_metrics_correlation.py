"""FRCorr's concordance correlation, as published and corrected."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.bench import published_algorithms
from perreactor_model.metrics.correlation import MODES, ConcordanceIndex

FRAMES = 90


def moving(count: int, frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, frames, 25), np.float32)


def score(sample: np.ndarray, listener: np.ndarray, mode: str = "corrected", **known) -> float:
    return float(
        ConcordanceIndex([listener], **known).scores(sample[None], np.array([0]), mode)[0, 0]
    )


@pytest.mark.parametrize("samples", [1, 4, 5, 6, 11])
def test_a_real_reaction_concords_with_itself_exactly(samples):
    listeners = moving(samples)
    table = ConcordanceIndex(listeners).scores(listeners, np.arange(samples))
    assert (np.diagonal(table) == 1.0).all()
    assert (table <= 1.0).all()


def test_a_still_channel_costs_the_published_score_and_is_left_out_of_the_corrected():
    listener = moving(1)[0]
    listener[:, 4] = 0.5
    assert score(listener, listener) == 1.0
    assert score(listener, listener, "reference") == pytest.approx(24 / 25, abs=1e-6)


def test_freezing_a_channel_is_not_rewarded():
    listener = moving(1)[0]
    frozen = listener.copy()
    frozen[:, 4] = listener[:, 4].mean()
    assert score(frozen, listener) == pytest.approx(24 / 25)


def test_a_listener_that_never_moves_is_undefined_but_published_as_zero():
    still = np.full((FRAMES, 25), 0.3, np.float32)
    assert np.isnan(score(moving(1)[0], still))
    assert score(moving(1)[0], still, "reference") == 0.0


def test_scaled_and_shifted_copies_score_the_closed_form():
    listener = moving(1).astype(np.float64)[0]
    spread, mean = listener.var(axis=0), listener.mean(axis=0)
    scaled = 2 * 0.5 * spread / (spread + 0.25 * spread + (0.5 * mean) ** 2)
    assert score(0.5 * listener, listener) == pytest.approx(scaled.mean(), rel=1e-12)
    shifted = 2 * spread / (2 * spread + 0.25**2)
    assert score(listener + 0.25, listener) == pytest.approx(shifted.mean(), rel=1e-12)
    assert score(2 * mean - listener, listener) == pytest.approx(-1.0)


def test_noise_scores_near_zero():
    table = ConcordanceIndex(moving(20, 500)).scores(moving(10, 500, seed=1), np.arange(20))
    assert abs(table.mean()) < 0.002


def test_an_epsilon_pulls_tiny_movements_to_zero_in_the_published_score_only():
    listener = 1e-5 * moving(1)[0]
    assert score(listener, listener) == 1.0
    assert score(listener, listener, "reference") < 0.01


def test_unknown_channels_do_not_count():
    known = np.ones(25, bool)
    known[:5] = False
    listener, sample = moving(2)
    changed = sample.copy()
    changed[:, :5] = np.nan
    assert score(changed, listener, channels=known) == score(sample, listener, channels=known)


def test_unequal_lengths_are_compared_over_the_frames_they_share():
    long, short = moving(1)[0], moving(1)[0, :60]
    assert score(long, short) == 1.0
    assert score(short, long) == 1.0
    samples, rows = moving(3, seed=2), np.array([1, 0])
    table = ConcordanceIndex([long, short]).scores(samples, rows)
    assert table[2, 1] == score(samples[2], long)
    assert table[2, 0] == score(samples[2, :60], short)


def test_both_modes_together_are_each_alone_and_no_order_matters():
    listeners, samples = moving(7), moving(6, seed=3)
    listeners[2, :, 3] = 0
    rows = np.array([5, 0, 2])
    both = ConcordanceIndex(listeners).scores_by_mode(samples, rows, MODES)
    for mode, table in zip(MODES, both, strict=True):
        assert np.array_equal(table, ConcordanceIndex(listeners).scores(samples, rows, mode))
        turned = ConcordanceIndex(listeners).scores(samples[::-1], rows[::-1], mode)
        assert np.array_equal(table, turned[::-1, ::-1])


@st.composite
def sequences(draw) -> np.ndarray:
    """Two sequences: offsets, spreads over nine decades, still channels, float32 or float64."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = draw(st.integers(1, 140))
    spread = 10.0 ** generator.uniform(-9, 0, (2, 1, 25))
    values = generator.random((2, 1, 25)) + spread * generator.standard_normal((2, frames, 25))
    still = generator.random((2, 25)) < 0.2
    for sequence, channels in zip(values, still, strict=True):
        sequence[:, channels] = 0.3
    if draw(st.booleans()):
        values[1] = values[0] + 1e-3
    return values.astype(draw(st.sampled_from((np.float32, np.float64))))


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@settings(max_examples=60, deadline=None)
@given(sequences())
def test_the_reference_is_the_published_algorithm(pair):
    sample, listener = pair
    with np.errstate(all="ignore"):
        published = published_algorithms.concordance(sample, listener)
    assert score(sample, listener, "reference") == pytest.approx(published, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(sequences(), st.integers(-3, 3))
def test_the_corrected_score_knows_no_units_and_no_sides(pair, power):
    sample, listener = pair.astype(np.float64)
    scale = 2.0**power
    moved = score(sample * scale, listener * scale)
    assert moved == pytest.approx(score(sample, listener), abs=1e-9, nan_ok=True)
    both = score(sample, listener), score(listener, sample)
    if not np.isnan(both).any() and np.array_equal(np.ptp(sample, 0) > 0, np.ptp(listener, 0) > 0):
        assert both[0] == pytest.approx(both[1], abs=1e-12)
