"""The judges judge each reaction by itself, know when things happen, and know for whom."""

import pytest
import torch

from perreactor_model.networks.discriminators import (
    AppropriatenessDiscriminator,
    RealismDiscriminator,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def judge(**options: int) -> AppropriatenessDiscriminator:
    return AppropriatenessDiscriminator(83, 16, heads=2, **options).train()


def test_realism_is_judged_frame_by_frame() -> None:
    frames = torch.rand(2, 3, 10, 83)
    network = RealismDiscriminator(16).train()
    judged = network(frames)
    assert judged.shape == (2, 3, 10)
    shuffled = torch.randperm(10)
    assert torch.allclose(network(frames[:, :, shuffled]), judged[:, :, shuffled], atol=1e-6)


def test_the_score_of_a_reaction_does_not_depend_on_the_others_nor_on_their_order() -> None:
    reactions, speaker = torch.rand(2, 4, 12, 83), torch.rand(2, 12, 83)
    network = judge()
    together = network(reactions, speaker)
    changed = reactions.clone()
    changed[:, 0] = 1 - changed[:, 0]
    assert torch.allclose(network(changed, speaker)[:, 1:], together[:, 1:], atol=1e-6)
    assert torch.allclose(network(reactions.flip(1), speaker), together.flip(1), atol=1e-6)
    alone = torch.cat([network(reactions[:, k : k + 1], speaker) for k in range(4)], dim=1)
    assert torch.allclose(alone, together, atol=1e-6)


def test_the_score_of_a_clip_does_not_depend_on_other_clips() -> None:
    reactions, speaker = torch.rand(3, 2, 12, 83), torch.rand(3, 12, 83)
    network = judge()
    assert torch.allclose(
        network(reactions[1:2], speaker[1:2]), network(reactions, speaker)[1:2], atol=1e-6
    )


def test_it_matters_who_speaks_and_when() -> None:
    reactions, speaker = torch.rand(1, 2, 12, 83), torch.rand(1, 12, 83)
    network = judge()
    score = network(reactions, speaker)
    assert (network(reactions, 1 - speaker) - score).abs().min() > 1e-4
    assert (network(reactions, speaker.roll(4, dims=1)) - score).abs().min() > 1e-5


def test_the_pattern_matters_to_the_personal_judge() -> None:
    reactions, speaker = torch.rand(1, 2, 12, 83), torch.rand(1, 12, 83)
    network = judge(pattern_size=8)
    pattern = torch.randn(1, 8)
    score = network(reactions, speaker, pattern)
    assert (network(reactions, speaker, -pattern) - score).abs().min() > 1e-3
    each = torch.stack([pattern, -pattern], dim=1)
    own = network(reactions, speaker, each)
    assert torch.allclose(own[:, :1], score[:, :1], atol=1e-6)
    assert torch.allclose(own[:, 1:], network(reactions, speaker, -pattern)[:, 1:], atol=1e-6)


def test_nothing_is_random_in_a_judge() -> None:
    reactions, speaker = torch.rand(1, 2, 12, 83), torch.rand(1, 12, 83)
    network = judge()
    assert torch.equal(network(reactions, speaker), network(reactions, speaker))


@pytest.mark.parametrize("pool", [1, 3])
def test_frames_may_be_averaged_before_judging(pool: int) -> None:
    assert judge(pool=pool)(torch.rand(2, 3, 13, 83), torch.rand(2, 13, 83)).shape == (2, 3)


def test_averaging_leaves_constant_clips_what_they_are() -> None:
    face = torch.rand(1, 2, 1, 83).expand(-1, -1, 12, -1)
    speaker = torch.rand(1, 1, 83).expand(-1, 12, -1)
    torch.manual_seed(1)
    fine = judge(pool=1)
    torch.manual_seed(1)
    coarse = judge(pool=2)
    # The tables of distances differ in length; of clips that stand still they decide nothing.
    shared = {k: v for k, v in fine.state_dict().items() if k != "listening.table"}
    coarse.load_state_dict(shared, strict=False)
    short = fine(face[:, :, :6], speaker[:, :6])
    assert torch.allclose(coarse(face, speaker), short, atol=1e-5)
