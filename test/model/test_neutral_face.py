"""The neutral face is the face at rest, whatever its owner does while it is learnt."""

import json
from collections.abc import Iterable

import numpy as np
import pytest

from perreactor_model.face_analysis.measurements import MEASUREMENT_COUNT, MEASUREMENTS
from perreactor_model.face_analysis.neutral import NeutralFace, NeutralSettings

REST = np.linspace(-0.3, 0.3, MEASUREMENT_COUNT).astype(np.float32)
MOUTH = [index for index, name in enumerate(MEASUREMENTS) if "lip" in name or "corner" in name]
LIP_GAP = MEASUREMENTS.index("lip_gap")
CORNERS = [MEASUREMENTS.index(f"corner_up_{side}") for side in ("right", "left")]
BROWS = [MEASUREMENTS.index(f"brow_inner_{side}") for side in ("right", "left")]


def frames(seconds: float, seed: int = 0) -> np.ndarray:
    """A face at rest at 25 frames a second, with a millimetre's tenth of noise."""
    count = int(seconds * 25)
    return REST + np.random.default_rng(seed).normal(0, 0.001, (count, MEASUREMENT_COUNT))


def show(neutral: NeutralFace, rows: Iterable[np.ndarray], start: float = 0.0) -> float:
    now = start
    for row in rows:
        neutral.observe(row.astype(np.float32), now)
        now += 0.04
    return now


def calibrated() -> tuple[NeutralFace, float]:
    neutral = NeutralFace()
    return neutral, show(neutral, frames(5))


def test_a_few_seconds_of_rest_are_enough() -> None:
    neutral = NeutralFace()
    now = show(neutral, frames(2))
    assert 0.4 < neutral.progress < 0.6
    assert not neutral.ready
    assert np.isnan(neutral.value).all()
    show(neutral, frames(3, seed=1), now)
    assert neutral.ready
    np.testing.assert_allclose(neutral.value, REST, atol=0.002)


def test_talking_during_calibration_does_not_part_the_neutral_lips() -> None:
    rows = frames(5)
    rows[:, LIP_GAP] += 0.09 * np.abs(np.sin(np.arange(len(rows)) * 0.55))
    neutral = NeutralFace()
    show(neutral, rows)
    assert neutral.value[LIP_GAP] - REST[LIP_GAP] < 0.025


def test_a_smile_for_half_of_the_calibration_does_not_become_the_neutral() -> None:
    rows = frames(5)
    rows[50:, CORNERS] += 0.08
    neutral = NeutralFace()
    show(neutral, rows)
    np.testing.assert_allclose(neutral.value[CORNERS], REST[CORNERS], atol=0.005)


def test_a_neutral_learnt_from_a_smile_is_put_right_when_the_smile_ends() -> None:
    rows = frames(5)
    rows[:, CORNERS] += 0.08
    neutral = NeutralFace()
    now = show(neutral, rows)
    assert (neutral.value[CORNERS] - REST[CORNERS] > 0.07).all()
    show(neutral, frames(60, seed=1), now)
    assert (neutral.value[CORNERS] - REST[CORNERS] < 0.016).all()


def test_a_smile_held_for_two_minutes_stays_a_smile() -> None:
    neutral, now = calibrated()
    rows = frames(120, seed=1)
    rows[:, CORNERS] += 0.08
    show(neutral, rows, now)
    np.testing.assert_allclose(neutral.value[CORNERS], REST[CORNERS], atol=0.003)


def test_raised_brows_are_not_adapted_to() -> None:
    neutral, now = calibrated()
    rows = frames(60, seed=1)
    rows[:, BROWS] += 0.04
    show(neutral, rows, now)
    np.testing.assert_allclose(neutral.value[BROWS], REST[BROWS], atol=0.003)


def test_a_small_lasting_change_of_the_face_at_rest_is_followed_within_minutes() -> None:
    neutral, now = calibrated()
    changed = frames(600, seed=1) + 0.008
    now = show(neutral, changed[:750], now)
    assert np.median(neutral.value - REST) < 0.003
    show(neutral, changed[750:], now)
    assert np.median(neutral.value - REST) > 0.006


def test_corners_held_down_for_a_while_now_and_then_do_not_become_the_neutral() -> None:
    neutral, now = calibrated()
    for minute in range(10):
        rows = frames(60, seed=minute)
        rows[:250, CORNERS] -= 0.05  # ten seconds of every minute
        now = show(neutral, rows, now)
    np.testing.assert_allclose(neutral.value[CORNERS], REST[CORNERS], atol=0.004)


def test_a_wrong_neutral_is_left_again_even_if_rest_then_looks_like_an_action() -> None:
    neutral, now = calibrated()
    rows = frames(100, seed=1)
    rows[:, CORNERS] -= 0.05
    now = show(neutral, rows, now)
    assert (neutral.value[CORNERS] - REST[CORNERS] < -0.03).all()
    show(neutral, frames(800, seed=2), now)
    np.testing.assert_allclose(neutral.value[CORNERS], REST[CORNERS], atol=0.006)


def test_looking_down_for_long_changes_nothing() -> None:
    neutral = NeutralFace()
    for k, row in enumerate(frames(5)):
        neutral.observe(row.astype(np.float32), 0.04 * k, np.zeros(3))
    for k, row in enumerate(frames(200, seed=1) - 0.03):
        neutral.observe(row.astype(np.float32), 5 + 0.04 * k, np.array([0.3, 0.0, 0.0]))
    np.testing.assert_allclose(neutral.value, REST, atol=0.003)


def test_what_was_hidden_during_calibration_is_learnt_when_it_shows() -> None:
    neutral = NeutralFace()
    rows = frames(5)
    rows[:, MOUTH] = np.nan
    now = show(neutral, rows)
    assert neutral.ready
    assert np.isnan(neutral.value[MOUTH]).all()
    assert np.isfinite(neutral.value[BROWS]).all()
    show(neutral, frames(5, seed=1), now)
    np.testing.assert_allclose(neutral.value[MOUTH], REST[MOUTH], atol=0.002)


def test_time_without_the_face_does_not_count_as_calibration() -> None:
    neutral = NeutralFace()
    neutral.observe(REST, 0.0)
    neutral.observe(REST, 100.0)
    assert neutral.progress < 0.1


def test_the_noise_at_rest_is_learnt_although_the_face_moves() -> None:
    rows = frames(5)
    rows[:, CORNERS] += 0.05 * np.sin(np.arange(len(rows)) * 0.05)[:, None]
    neutral = NeutralFace()
    show(neutral, rows)
    np.testing.assert_allclose(neutral.noise[CORNERS], 0.001, rtol=0.6)


def test_a_whole_recording_gives_the_neutral_of_its_rest() -> None:
    rows = frames(30)
    rows[:300, CORNERS] += 0.08
    rows[100:500:2, LIP_GAP] += 0.08
    rows[:, BROWS[0]] = np.nan
    neutral = NeutralFace.from_recording(rows)
    assert neutral.ready
    np.testing.assert_allclose(neutral.value[CORNERS], REST[CORNERS], atol=0.004)
    assert neutral.value[LIP_GAP] == pytest.approx(float(REST[LIP_GAP]), abs=0.003)
    assert np.isnan(neutral.value[BROWS[0]])


def test_a_recording_without_a_face_has_no_neutral() -> None:
    empty = NeutralFace.from_recording(np.full((50, MEASUREMENT_COUNT), np.nan))
    assert not empty.ready
    assert not NeutralFace.from_recording(np.zeros((0, MEASUREMENT_COUNT))).ready


def test_the_state_goes_through_json_and_back() -> None:
    neutral, _ = calibrated()
    again = NeutralFace.from_state(json.loads(json.dumps(neutral.state())))
    assert again.ready
    np.testing.assert_allclose(again.value, neutral.value)
    np.testing.assert_allclose(again.noise, neutral.noise)


def test_a_state_of_other_measurements_is_refused() -> None:
    with pytest.raises(ValueError, match="calibrate again"):
        NeutralFace.from_state({"measurements": ["something"], "value": [0.0], "noise": [0.0]})


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="seconds must be positive"):
        NeutralSettings(seconds=0.0)
