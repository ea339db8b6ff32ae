"""What a generator begins to learn from: a face at rest, and a speaker who is heard."""

import pytest
import torch

from perreactor_model.contract import ACTION_UNIT_SLICE, EXPRESSION_SLICE
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.beginning import begin
from perreactor_model.training.generic_stage import decoded, tokens_of
from test.model.training_batches import small_batch, small_generator

DECODERS = ("aligned", "paper")


def faces(generator: ReactionGenerator) -> torch.Tensor:
    """(B, M, T, 83) of noise of a speaker who differs in every frame."""
    batch = small_batch()
    with torch.no_grad():
        return decoded(generator, batch.noise, tokens_of(generator, batch), personal=False)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_face_begins_at_rest(decoder: str) -> None:
    generator = small_generator(decoder=decoder)
    begin(generator)
    face = faces(generator)
    assert 0.08 < face[..., ACTION_UNIT_SLICE].mean() < 0.2
    assert face[..., EXPRESSION_SLICE.start].mean() > 0.6
    assert face[..., 25:].abs().max() < 0.1


def test_the_speaker_counts_for_more_than_in_random_networks() -> None:
    random, begun = small_generator(), small_generator()
    begin(begun)

    def moving(generator: ReactionGenerator) -> float:
        face = faces(generator)[..., 25:]
        return float(face.var(dim=-2).mean() / face.square().mean())

    assert moving(begun) > 5 * moving(random)


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_personal_decoder_begins_as_the_generic_one(decoder: str) -> None:
    generator = small_generator(decoder=decoder)
    begin(generator)
    personal = generator.decoder_personal.state_dict()
    for name, value in generator.decoder_generic.state_dict().items():
        assert torch.equal(value, personal[name]), name
