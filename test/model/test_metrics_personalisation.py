"""Personalisation accuracy: reactions are to be like the person they are for."""

import numpy as np
import pytest

from perreactor_model.metrics.personalisation import personalisation, signatures
from perreactor_model.metrics.predictions import Predictions

FRAMES = 60


def people(persons: int, clips: int, difference: float, seed: int = 0) -> tuple:
    """Real reactions (N, T, 25) of persons who differ in their means, and who they are (N,)."""
    generator = np.random.default_rng(seed)
    identity = np.repeat(np.arange(persons), clips)
    habits = generator.normal(0.0, difference, (persons, 1, 25))[identity]
    return habits + generator.random((len(identity), FRAMES, 25)), identity


def judge(reactions: np.ndarray, real: np.ndarray, identity: np.ndarray | None) -> dict:
    predictions = Predictions.from_arrays(reactions, real, None, np.eye(len(real)), identity)
    return dict(personalisation(predictions))


def test_signature_holds_mean_spread_and_speed_of_each_known_channel() -> None:
    sequence = np.zeros((1, 4, 25))
    sequence[0, :, 0] = [0, 1, 0, 1]
    sequence[0, :, 1] = 3.0
    signature = signatures(sequence, np.arange(25) < 2)
    np.testing.assert_allclose(signature, [[0.5, 3.0, 0.5, 0.0, 1.0, 0.0]])


def test_persons_who_differ_are_told_apart() -> None:
    real, identity = people(5, 4, difference=1.0)
    generated = real[:, None] + np.random.default_rng(1).normal(0, 0.05, (20, 3, FRAMES, 25))
    result = judge(generated, real, identity)
    assert result["accuracy"] == result["real_accuracy"] == 1.0
    assert result["mean_rank"] == 1.0
    assert (result["identities"], result["clips"], result["chance"]) == (5, 20, 0.2)


def test_reactions_made_for_somebody_else_are_never_right() -> None:
    real, identity = people(5, 4, difference=1.0)
    result = judge(np.roll(real, 4, axis=0)[:, None], real, identity)
    assert result["accuracy"] == 0.0
    assert result["mean_rank"] > 1.0


@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_reactions_that_say_nothing_of_a_person_are_right_by_chance(offset: float) -> None:
    # Far from all real ones (the offset) as well as among them.
    real, identity = people(10, 12, difference=0.0)
    generated = offset + np.random.default_rng(2).random((120, 10, FRAMES, 25))
    result = judge(generated, real, identity)
    assert result["accuracy"] == pytest.approx(0.1, abs=0.09)
    assert result["mean_rank"] == pytest.approx(5.5, abs=0.8)


def test_the_real_reaction_of_the_clip_itself_gives_nothing_away() -> None:
    real, identity = people(10, 12, difference=0.0, seed=3)
    assert judge(real[:, None], real, identity)["accuracy"] < 0.25


def test_a_reaction_that_is_nobodys_shares_its_place_with_all() -> None:
    pair = np.repeat(np.array([[0.0], [1.0]]), FRAMES, axis=1)[..., None] * np.ones(25)
    real = np.concatenate([pair, pair])  # two persons with the same two clips each
    result = judge(np.full((4, 1, FRAMES, 25), 0.5), real, np.array(["a", "a", "b", "b"]))
    assert result["mean_rank"] == pytest.approx(1.5)
    assert result["accuracy"] == pytest.approx(0.5)


def test_units_and_order_do_not_matter() -> None:
    real, identity = people(4, 3, difference=0.1)
    generated = real[:, None] + np.random.default_rng(4).normal(0, 0.3, (12, 2, FRAMES, 25))
    expected = judge(generated, real, identity)
    assert 0 < expected["accuracy"] < 1
    order = np.random.default_rng(5).permutation(12)
    assert judge(generated[order][:, ::-1], real[order], identity[order]) == pytest.approx(expected)
    units = np.linspace(0.1, 9, 25)
    assert judge(units * generated, units * real, identity) == pytest.approx(expected)


def test_ragged_clips_and_copies_that_share_memory_are_taken() -> None:
    real, identity = people(3, 3, difference=1.0)
    ragged = [clip[: 20 + 4 * index] for index, clip in enumerate(real)]
    shared = [np.broadcast_to(clip, (4, *clip.shape)) for clip in ragged]
    result = judge(shared, ragged, identity)
    assert result["accuracy"] == result["real_accuracy"] == 1.0


def test_persons_with_one_clip_can_be_mistaken_for_but_are_not_judged() -> None:
    real, _ = people(3, 2, difference=1.0)
    result = judge(real[:5, None], real[:5], np.array([0, 0, 1, 1, 2]))
    assert (result["clips"], result["identities"]) == (4, 3)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (None, "not given"),
        (np.arange(6), "no listener has two clips"),
        (np.zeros(6, int), "only one listener"),
    ],
)
def test_where_nobody_can_be_told_apart_there_is_a_reason(
    identity: np.ndarray | None, reason: str
) -> None:
    real, _ = people(3, 2, difference=1.0)
    result = judge(real[:, None], real, identity)
    assert result["accuracy"] is None
    assert reason in result["reason"]


def test_real_reactions_that_are_all_alike_give_a_reason() -> None:
    real = np.full((4, FRAMES, 25), 0.1)
    result = judge(np.zeros((4, 1, FRAMES, 25)), real, np.array([0, 0, 1, 1]))
    assert result["accuracy"] is None
    assert "same signature" in result["reason"]


def test_unknown_channels_change_nothing() -> None:
    real, identity = people(3, 4, difference=1.0)
    known = np.arange(25) < 15
    broken = real.copy()
    broken[..., ~known] = np.nan
    predictions = Predictions.from_arrays(
        broken[:, None], broken, None, np.eye(12), identity, channels=known
    )
    assert personalisation(predictions)["accuracy"] == 1.0
