"""A change of profile is a straight line from the current mix, without a jump."""

import numpy as np
import pytest

from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE, Mix, ProfileFade

WARM = Mix({PERSONAL_SOURCE: 1.0}, np.array([1.0, 0.0], np.float32))
STOIC = Mix({PERSONAL_SOURCE: 1.0}, np.array([0.0, 1.0], np.float32))
GENERIC = Mix({GENERIC_SOURCE: 1.0})


def test_two_personal_profiles_fade_along_a_straight_line_in_pattern_space() -> None:
    fade = ProfileFade(WARM, fade_frames=4)
    fade.at(10)
    fade.change(STOIC)
    patterns = [fade.at(frame).pattern for frame in range(11, 16)]
    expected = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0], [0.0, 1.0]]
    assert np.allclose(np.array(patterns), expected)


def test_generic_to_personal_moves_the_weight_and_not_the_pattern() -> None:
    fade = ProfileFade(GENERIC, fade_frames=2)
    fade.at(0)
    fade.change(WARM)
    half = fade.at(1)
    assert half.weights == {GENERIC_SOURCE: 0.5, PERSONAL_SOURCE: 0.5}
    assert np.array_equal(half.pattern, WARM.pattern)
    assert fade.at(2).weights == {PERSONAL_SOURCE: 1.0}


def test_a_change_during_a_fade_goes_on_from_the_current_mix() -> None:
    fade = ProfileFade(WARM, fade_frames=4)
    fade.at(0)
    fade.change(STOIC)
    fade.at(2)
    fade.change(WARM)
    assert np.allclose(fade.at(3).pattern, [0.625, 0.375])


def test_skipped_frames_count_as_time() -> None:
    fade = ProfileFade(WARM, fade_frames=4)
    fade.at(0)
    fade.change(STOIC)
    fade.at(1)
    assert np.allclose(fade.at(3).pattern, [0.25, 0.75])


@pytest.mark.parametrize("target", [STOIC, GENERIC, Mix({"neutral": 1.0})])
def test_weights_always_sum_to_one(target: Mix) -> None:
    fade = ProfileFade(WARM, fade_frames=7)
    fade.at(0)
    fade.change(target)
    for frame in range(1, 10):
        assert sum(fade.at(frame).weights.values()) == pytest.approx(1.0)


def test_no_fade_time_changes_at_once() -> None:
    fade = ProfileFade(WARM, fade_frames=0)
    fade.change(STOIC)
    assert fade.at(0) is STOIC
