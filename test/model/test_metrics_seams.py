"""Seam smoothness: a joint counts only as far as it bends more than the rest."""

import numpy as np
import pytest

from perreactor_model.metrics.seams import GOOD_RATIO, seam_smoothness


def wave(frames: int = 60) -> np.ndarray:
    """A smooth curve in three channels."""
    return np.sin(np.arange(frames)[:, None] * np.array([0.2, 0.25, 0.3]))


def test_joints_of_a_smooth_curve_cannot_be_told_from_the_rest() -> None:
    seams = seam_smoothness([wave()], step=8)
    assert seams["ratio"] == pytest.approx(1.0, abs=0.1)
    assert seams["ratio"] is not None and seams["ratio"] < GOOD_RATIO


def test_a_jump_at_one_joint_is_measured_against_the_roughest_place_elsewhere() -> None:
    sequence = np.zeros((40, 2))
    sequence[16:, 0] = 0.6  # a jump: second differences of 0.6
    sequence[5, 1] = 0.2  # a spike: second differences of 0.2, 0.4, 0.2
    seams = seam_smoothness([sequence], step=8)
    assert seams["at_seams"] == pytest.approx(0.6)
    assert seams["elsewhere"] == pytest.approx(0.4)
    assert seams["ratio"] == pytest.approx(1.5)


def test_the_same_jump_within_a_piece_is_no_seam() -> None:
    sequence = wave()
    sequence[20:] += 0.5
    assert (seam_smoothness([sequence], step=8)["ratio"] or 0) < 0.2


@pytest.mark.parametrize("place", [15, 16])
def test_both_second_differences_that_span_a_joint_belong_to_it(place: int) -> None:
    sequence = wave() * 0.01
    sequence[place] += 1.0
    seams = seam_smoothness([sequence], step=16)
    assert seams["at_seams"] == pytest.approx(2.0, abs=0.01)


def test_order_and_number_of_sequences_do_not_matter() -> None:
    curves = [wave(30), wave(47) ** 3, wave(9)]
    assert seam_smoothness(curves, 5) == seam_smoothness(curves[::-1] + curves, 5)


def test_scaling_the_reactions_leaves_the_ratio() -> None:
    rough = wave() + np.random.default_rng(0).normal(0, 0.1, (60, 3))
    one, other = seam_smoothness([rough], 6), seam_smoothness([7.0 * rough], 6)
    assert one["ratio"] == pytest.approx(other["ratio"])


def test_a_sequence_shorter_than_a_bend_has_none() -> None:
    seams = seam_smoothness([np.ones((2, 3))], 8)
    assert seams["ratio"] is None
    assert seams["reason"] == "no reaction bends anywhere"


def test_what_bends_at_seams_only_is_told_apart_from_what_never_bends() -> None:
    steps = np.repeat(np.arange(5.0), 8)[:, None]
    seams = seam_smoothness([steps], 8)
    assert seams["ratio"] is None
    assert "at seams only" in (seams["reason"] or "")


@pytest.mark.parametrize("step", [1, 2])
def test_steps_too_short_for_an_inside_have_no_ratio(step: int) -> None:
    seams = seam_smoothness([wave()], step)
    assert seams["ratio"] is None
    assert f"step of {step}" in (seams["reason"] or "")


def test_a_step_below_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame, not 0"):
        seam_smoothness([wave()], 0)
