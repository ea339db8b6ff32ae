"""Reaction lag error: how far the timing is from the real listener's."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.lag_error import clip_lag_errors, lag_error
from perreactor_model.metrics.predictions import Predictions

FRAMES = 200


def speaker(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((FRAMES, 25), np.float32)


def later(sequence: np.ndarray, frames: int) -> np.ndarray:
    """The sequence, `frames` later; what is not known yet stands still."""
    return np.concatenate([np.repeat(sequence[:1], frames, axis=0), sequence[: FRAMES - frames]])


def predictions(reactions: list[np.ndarray], listeners: list[np.ndarray]) -> Predictions:
    speakers = [speaker(index) for index in range(len(listeners))]
    return Predictions.from_arrays(reactions, listeners, speakers, np.eye(len(listeners)))


def test_the_real_timing_has_no_error_whatever_its_lag() -> None:
    listener = later(speaker(), 20)
    assert lag_error(predictions([listener[None]], [listener]))["seconds"] == 0.0


def test_each_frame_too_late_or_too_early_costs_its_40_ms() -> None:
    said = speaker()
    reactions = np.stack([later(said, frames) for frames in (5, 10, 13)])
    errors = clip_lag_errors(reactions, later(said, 10), said)
    np.testing.assert_allclose(errors, [0.2, 0.0, 0.12], atol=1e-12)


def test_a_frozen_reaction_has_no_lag_and_is_counted_as_undefined() -> None:
    said = speaker()
    reactions = np.stack([later(said, 5), np.zeros((FRAMES, 25), np.float32)])
    result = lag_error(predictions([reactions], [later(said, 10)]))
    assert result["seconds"] == pytest.approx(0.2)
    assert result["undefined"] == 0.5


def test_nothing_defined_gives_no_value_and_a_reason() -> None:
    still = np.zeros((FRAMES, 25), np.float32)
    result = lag_error(predictions([still[None]], [later(speaker(), 3)]))
    assert (result["seconds"], result["undefined"]) == (None, 1.0)
    assert "moves" in (result["reason"] or "")


def test_without_speakers_there_is_no_value_and_a_reason() -> None:
    real = later(speaker(), 3)
    result = lag_error(Predictions.from_arrays([real[None]], [real], None, np.eye(1)))
    assert result["seconds"] is None
    assert "no speaker" in (result["reason"] or "")


def test_unknown_channels_change_nothing() -> None:
    said = speaker()
    known = np.arange(25) < 15
    reactions, real = later(said, 5)[None].copy(), later(said, 10)
    reactions[..., ~known] = np.nan
    assert clip_lag_errors(reactions, real, said, known) == pytest.approx(0.2)


def test_order_of_clips_and_samples_does_not_matter() -> None:
    reactions = [
        np.stack([later(speaker(clip), 2 * clip + sample) for sample in range(3)])
        for clip in range(4)
    ]
    listeners = [later(speaker(clip), 5) for clip in range(4)]
    errors = [
        clip_lag_errors(*one)
        for one in zip(reactions, listeners, map(speaker, range(4)), strict=True)
    ]
    turned = [
        clip_lag_errors(made[::-1], *rest)
        for made, *rest in zip(reactions, listeners, map(speaker, range(4)), strict=True)
    ]
    np.testing.assert_array_equal(np.array(errors), np.array(turned)[:, ::-1])
