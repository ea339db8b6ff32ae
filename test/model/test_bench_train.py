"""`bench train`: both sides do what is said of them."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from perreactor_model.bench import train  # noqa: E402
from perreactor_model.bench.train_authors import (  # noqa: E402
    AuthorsStep,
    FrameByFrameDiscriminator,
    frame_discriminator,
)

SMALL = train.Size(
    clips=2,
    frames=16,
    samples=2,
    feature_size=16,
    image_size=32,
    rounds=1,
    encoded_clips=1,
)


def weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_discriminators_that_are_raced_have_the_sizes_of_the_authors():
    assert weights(FrameByFrameDiscriminator()) == 522_753
    assert weights(frame_discriminator()) == 172_673


def test_the_authors_step_teaches_generator_and_both_discriminators(tmp_path):
    race = train._Race(SMALL, tmp_path)
    theirs: AuthorsStep = race._theirs
    parts = [race._their_generator.generator, theirs.realism, theirs.appropriateness]
    before = [[value.clone() for value in part.parameters()] for part in parts]
    race.authors_step()
    for part, kept in zip(parts, before, strict=True):
        moved = [not torch.equal(a, b) for a, b in zip(part.parameters(), kept, strict=True)]
        assert any(moved)


def test_every_step_of_the_loop_sees_other_clips(tmp_path):
    race = train._Race(SMALL, tmp_path)
    assert race._next().key != race._next().key


def test_what_is_held_for_backpropagation_is_counted_once():
    weight = torch.ones(1000, requires_grad=True)

    def work() -> None:
        (weight * weight.detach() * 2.0).sum().backward()

    assert 4000 <= train._held(work) < 12_000
    assert train._held(lambda: None) == 0


@pytest.mark.slow
def test_a_small_race_has_all_figures():
    told = train.measure(SMALL)
    for name in ("step", "loop_stage_1", "loop_stage_2_encoder_frozen"):
        assert told[name]["authors_s"] > 0
        assert told[name]["ratio"] > 0
    assert set(told["memory_per_clip"]) == {
        "ours_in_a_batch",
        "authors_in_a_batch",
        "ours_in_a_step",
        "authors_in_a_step",
    }
