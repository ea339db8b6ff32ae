"""Losses say what the equations say: per clip, over all pairs, for padding nothing."""

import math

import pytest
import torch

from perreactor_model.networks.paces import PER_VALUE
from perreactor_model.networks.scales import face_scale
from perreactor_model.training.adversarial import (
    clip_mean,
    judged_as,
    looks_real,
    not_deceived,
)
from perreactor_model.training.checked import OptionError
from perreactor_model.training.discriminator_options import DiscriminatorOptions
from perreactor_model.training.instance_noise import noisy
from perreactor_model.training.loss_options import ADVERSARIAL, LossOptions
from perreactor_model.training.regularisers import (
    Manners,
    affect,
    coverage,
    divergence,
    diversity,
    energy,
    manner,
    manner_of_past,
    meet_manners,
    nearest,
    smoothness,
)

ONE = torch.ones(83)


def test_minimax_is_the_equation_to_the_letter() -> None:
    logit = torch.linspace(-3, 3, 7)
    probability = logit.sigmoid()
    assert torch.allclose(judged_as("minimax", logit, True), -probability.log(), atol=1e-6)
    assert torch.allclose(judged_as("minimax", logit, False), -(1 - probability).log(), atol=1e-6)
    assert torch.allclose(not_deceived("minimax", logit), (1 - probability).log(), atol=1e-6)
    assert torch.allclose(not_deceived("non_saturating", logit), -probability.log(), atol=1e-6)


@pytest.mark.parametrize("form", ADVERSARIAL)
def test_the_generator_pays_less_the_better_it_deceives(form: str) -> None:
    logit = torch.linspace(-2, 0.9, 5, requires_grad=True)
    not_deceived(form, logit).sum().backward()
    assert (logit.grad < 0).all()


@pytest.mark.parametrize("form", ADVERSARIAL)
def test_a_judge_pays_least_for_the_truth(form: str) -> None:
    sure, unsure, wrong = (torch.tensor([value]) for value in (1.0, 0.5, 0.0))
    if form != "least_squares":
        sure, unsure, wrong = 6 * sure, torch.zeros(1), wrong - 6
    for real, order in ((True, (sure, unsure, wrong)), (False, (wrong, unsure, sure))):
        costs = [float(judged_as(form, logit, real)) for logit in order]
        assert costs == sorted(costs)
        assert bool(looks_real(form, order[0])) is real


@pytest.mark.parametrize("form", ADVERSARIAL)
def test_a_judge_shown_more_wrong_than_right_is_asked_whether_it_knows_more_than_that(
    form: str,
) -> None:
    # Best guess without knowledge, of one real and three wrong ones: 1 in 4.
    guess = torch.tensor(0.25 if form == "least_squares" else -math.log(3))
    assert not looks_real(form, guess - 0.01, wrong=3)
    assert looks_real(form, guess + 0.01, wrong=3)


def test_smoothing_makes_certainty_cost() -> None:
    assert judged_as("minimax", torch.tensor([9.0]), True, 0.1) > judged_as(
        "minimax", torch.tensor([2.2]), True, 0.1
    )


def test_each_clip_weighs_the_same_whatever_it_holds() -> None:
    values = torch.tensor([[1.0, 1.0, 1.0], [4.0, 9.0, 9.0], [7.0, 7.0, 7.0]])
    weight = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    assert float(clip_mean(values, weight)) == pytest.approx((1 + 4 + 0) / 3)
    assert float(clip_mean(values)) == pytest.approx(values.mean())


def test_halves_of_a_batch_average_to_the_whole() -> None:
    reactions = torch.rand(4, 3, 9, 83)
    for loss in (
        lambda r: smoothness(r, ONE),
        lambda r: diversity(r, ONE, 1.0),
        lambda r: divergence(r, r + 0.5),
    ):
        whole = loss(reactions)
        assert torch.allclose((loss(reactions[:2]) + loss(reactions[2:])) / 2, whole, atol=1e-6)


def test_diversity_pushes_every_pair_apart() -> None:
    reactions = (0.5 + 0.05 * torch.randn(1, 4, 6, 83)).requires_grad_()
    diversity(reactions, face_scale(), 1.0).backward()
    pushes = reactions.grad.flatten(2).norm(dim=-1)
    assert (pushes > 0.2 * pushes.max()).all()


def test_diversity_has_a_slope_at_ordinary_spread_and_does_not_depend_on_length() -> None:
    short = 0.3 * torch.randn(1, 2, 64, 83)
    long = 0.3 * torch.randn(1, 2, 256, 83)
    near, far = (float(diversity(r, face_scale(), 1.0)) for r in (short, long))
    assert 0.05 < near < 0.95
    assert near == pytest.approx(far, rel=0.25)


def test_reactions_that_are_all_but_the_same_are_pushed_apart() -> None:
    reactions = 0.5 + 1e-4 * torch.randn(1, 3, 64, 83)
    reactions.requires_grad_()
    diversity(reactions, face_scale(), 0.5).backward()
    step = reactions.grad.norm() * reactions.grad.numel() ** -0.5
    apart = reactions.detach().clone() + 0.1 * torch.randn(1, 3, 64, 83)
    apart.requires_grad_()
    diversity(apart, face_scale(), 0.5).backward()
    assert step > 0.05 * apart.grad.norm() * apart.grad.numel() ** -0.5


def test_one_reaction_alone_is_not_alike_to_anything() -> None:
    assert float(diversity(torch.rand(2, 1, 5, 83), ONE, 1.0)) == 0.0


def test_smoothness_is_the_mean_squared_change_in_spreads() -> None:
    ramp = torch.arange(5.0).view(1, 1, 5, 1).expand(1, 1, 5, 83)
    assert float(smoothness(ramp, 2 * ONE)) == pytest.approx(0.25)


def test_divergence_is_that_of_normal_distributions() -> None:
    mean, deviation = torch.tensor([[[0.5]]]), torch.tensor([[[2.0]]])
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(0.5, 2.0), torch.distributions.Normal(0.0, 1.0)
    )
    assert float(divergence(mean, deviation)) == pytest.approx(float(expected))
    assert float(divergence(torch.zeros(1, 1, 3), torch.ones(1, 1, 3))) == 0.0


def test_nearest_counts_the_nearest_real_reaction_and_no_padding() -> None:
    made = torch.zeros(1, 1, 4, 83)
    real = torch.stack([made[0, 0] + 3, made[0, 0] + 1, made[0, 0]])[None]
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    assert float(nearest(made, real, weight, ONE)) == pytest.approx(1.0)
    only_affect = made.clone()
    only_affect[..., :15] = 9
    assert float(affect(only_affect, real, weight)) == pytest.approx(1.0)


def test_noise_depends_on_the_clip_and_the_view_and_on_nothing_else() -> None:
    frames = torch.zeros(2, 3, 4, 83)
    keys = [(0, 1, 5), (0, 1, 6)]
    both = noisy(frames, ONE, 0.5, keys, 0)
    alone = noisy(frames[1:], ONE, 0.5, keys[1:], 0)
    assert torch.equal(both[1:], alone)
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(both, noisy(frames, ONE, 0.5, keys, 1))
    assert float(both.std()) == pytest.approx(0.5, rel=0.1)
    assert noisy(frames, ONE, 0.0, keys, 0) is frames


def test_noise_falls_to_its_floor() -> None:
    options = DiscriminatorOptions(instance_noise=0.5, noise_floor=0.1, noise_steps=100)
    assert [options.noise_at(step) for step in (0, 50, 100, 1000)] == pytest.approx(
        [0.5, 0.3, 0.1, 0.1]
    )
    assert DiscriminatorOptions(instance_noise=0.0).noise_at(0) == 0.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"adversarial": "hinge"}, "loss.adversarial must be one of non_saturating"),
        ({"diversity": -1.0}, "loss.diversity must be at least 0"),
        ({"kl": math.nan}, "loss.kl must be a number"),
        ({"diversity_scale": 0.0}, "loss.diversity_scale"),
    ],
)
def test_a_wrong_option_is_named(options: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        LossOptions(**options)


def test_reconstruction_asks_no_judge() -> None:
    options = LossOptions(objective="reconstruction")
    assert not options.judged_for_realism and not options.judged_for_appropriateness
    assert options.reconstruction_weight == 1.0
    assert LossOptions(objective="reconstruction", reconstruction=3.0).reconstruction_weight == 3.0


def test_manner_is_the_way_of_moving_not_the_moment() -> None:
    drawn = torch.Generator().manual_seed(2)
    real = torch.rand(2, 3, 40, 83, generator=drawn)
    known, later = torch.ones(2, 3), real.roll(7, dims=-2)
    assert manner(real, real, known, ONE) < 1e-9
    assert manner(later, real, known, ONE) < 0.01 < nearest(later, real, known, ONE)
    still = real.mean(dim=-2, keepdim=True).expand_as(real)
    assert manner(still, real, known, ONE) > 0.1, "a face at rest has another manner"


def test_manner_goes_to_the_nearest_reaction_and_never_to_padding() -> None:
    real = torch.zeros(1, 2, 10, 83)
    real[:, 0] += 1.0
    made = torch.full((1, 1, 10, 83), 0.1)
    near, far = torch.ones(1, 2), torch.tensor([[1.0, 0.0]])
    # A third of what is compared is the level.
    torch.testing.assert_close(manner(made, real, near, ONE), torch.tensor(0.01 / 3))
    torch.testing.assert_close(manner(made, real, far, ONE), torch.tensor(0.81 / 3))


MANNERS = Manners(torch.ones(PER_VALUE * 83), torch.ones(PER_VALUE * 83))


def test_the_manner_of_a_past_is_that_of_pieces_as_long_as_a_reaction() -> None:
    drawn = torch.Generator().manual_seed(4)
    piece = torch.rand(2, 40, 83, generator=drawn)
    past = piece.repeat(1, 3, 1)
    like = piece[:, None].expand(-1, 2, -1, -1)
    assert manner_of_past(like, past, ONE, MANNERS) < 1e-9
    older = torch.cat([torch.rand(2, 15, 83, generator=drawn), past], dim=1)
    assert manner_of_past(like, older, ONE, MANNERS) < 1e-9, "the oldest fill no piece"
    assert manner_of_past(like, past.flip(0), ONE, MANNERS) > 1e-4, "somebody else's"
    assert manner_of_past(like, past[:, :10], ONE, MANNERS).isfinite()


def test_one_reaction_may_be_livelier_if_another_is_calmer() -> None:
    past = torch.zeros(1, 20, 83)
    apart = torch.stack([torch.ones(1, 20, 83), -torch.ones(1, 20, 83)], dim=1)
    assert manner_of_past(apart, past, ONE, MANNERS) < 1e-9


def test_somebody_elses_manner_is_about_1_away_whatever_is_measured() -> None:
    drawn = torch.Generator().manual_seed(5)
    size = torch.logspace(0.5, 2, 83)
    own = torch.rand(400, 1, 83, generator=drawn) + torch.rand(400, 1, 83, generator=drawn)
    past = size * own * torch.rand(400, 40, 83, generator=drawn)
    known = meet_manners(past, torch.arange(400), 40, ONE)
    assert known.spread.shape == known.weight.shape == (PER_VALUE * 83,)
    twice = manner_of_past(past.roll(1, dims=0)[:, None], past, ONE, known)
    # Two people are the square root of two spreads apart.
    torch.testing.assert_close(twice, torch.tensor(2.0), atol=0.2, rtol=0)
    still = meet_manners(torch.zeros(5, 40, 83), torch.arange(5), 40, ONE)
    assert still.spread.min() > 0 and still.weight.isfinite().all(), "nobody moves"


def test_a_manner_is_what_is_the_persons_and_not_the_days() -> None:
    drawn = torch.Generator().manual_seed(6)
    people, days = 60, 5
    person = torch.randn(people, 1, 1, 83, generator=drawn).expand(people, days, 1, 83)
    day = torch.randn(people, days, 1, 83, generator=drawn)
    level = torch.where(torch.arange(83) % 2 == 0, person, day)
    past = (level + 0.1 * torch.randn(people, days, 40, 83, generator=drawn)).flatten(0, 1)
    who = torch.arange(people).repeat_interleave(days)
    weight = meet_manners(past, who, 40, ONE).weight.unflatten(0, (PER_VALUE, 83))
    assert weight[0, 1::2].mean() < 0.1 * weight[0, 0::2].mean()
    units, angles = weight[0, 0:15:2].sum(), weight[0, 78:80:2].sum()
    assert angles == pytest.approx(float(units) * (1 / 3) / (8 / 15), rel=0.1), "parts count alike"
    alone = meet_manners(past, torch.arange(len(past)), 40, ONE).weight
    assert alone.mean() == pytest.approx(1.0, abs=1e-4) and alone.min() > 0, "one day of each"


def drawn(generator: torch.Generator, spread: float, middle: float = 0.0) -> torch.Tensor:
    """400 clips with 2 reactions each, all values of a clip alike."""
    draw = torch.randn(400, 2, 1, 1, generator=generator)
    return (middle + spread * draw).expand(400, 2, 10, 83)


def test_the_energy_score_is_lowest_for_who_draws_as_people_do() -> None:
    generator = torch.Generator().manual_seed(3)
    real, weight = drawn(generator, 1.0), torch.ones(400, 2)
    scores = {
        name: float(energy(drawn(generator, *made), real, weight, ONE))
        for name, made in {
            "as people": (1.0,),
            "mean": (0.0,),
            "too like": (0.3,),
            "too various": (2.5,),
            "elsewhere": (1.0, 1.0),
        }.items()
    }
    assert min(scores, key=lambda name: scores[name]) == "as people", scores


def test_the_energy_score_leaves_padding_out_and_has_a_slope_where_all_are_alike() -> None:
    face = torch.zeros(1, 3, 40, 83, requires_grad=True)
    real = torch.ones(1, 2, 40, 83)
    real[:, 1] = 50.0
    score = energy(face, real, torch.tensor([[1.0, 0.0]]), ONE)
    assert float(score) == pytest.approx(1.0, abs=0.01)
    score.backward()
    assert torch.isfinite(face.grad).all() and face.grad.abs().sum() > 0
    assert float(energy(real, real, torch.ones(1, 2), ONE)) == pytest.approx(0.0, abs=0.01)


def test_covering_asks_for_a_reaction_near_to_each_real_one() -> None:
    ways = torch.tensor([-1.0, 1.0])[None, :, None, None].expand(1, 2, 10, 83)
    weight = torch.ones(1, 2)
    assert float(coverage(ways, ways, weight, ONE)) == 0.0
    assert float(coverage(ways[:, :1], ways, weight, ONE)) == pytest.approx(2.0)
    assert float(coverage(ways[:, :1], ways, torch.tensor([[1.0, 0.0]]), ONE)) == 0.0
