"""Who learns in which step, from what: two stages, one forward, and no leak between the players."""

import dataclasses

import pytest
import torch
import training_batches as batches

from perreactor_model.training.discriminator_options import DiscriminatorOptions, NegativesOptions
from perreactor_model.training.generic_stage import GenericStage
from perreactor_model.training.loss_options import LossOptions
from perreactor_model.training.personal_stage import PersonalStage

OPTIONS = DiscriminatorOptions(size=12)


def generic(losses: LossOptions | None = None, options: DiscriminatorOptions = OPTIONS):
    torch.manual_seed(1)
    return GenericStage(batches.small_generator(), losses or LossOptions(), options).train()


def personal(losses: LossOptions | None = None, negatives: NegativesOptions | None = None):
    torch.manual_seed(1)
    made = batches.small_generator()
    return PersonalStage(made, losses or LossOptions(), OPTIONS, negatives).train()


def gradients(module: torch.nn.Module) -> set[str]:
    return {name.split(".")[0] for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("make", [generic, personal])
def test_the_judges_step_gives_the_generator_nothing(make) -> None:
    stage, batch = make(), batches.small_batch()
    losses, told = stage.discriminator_losses(batch, stage.react(batch), 0)
    sum(losses.values()).backward()
    assert set(losses) == {"realism", "appropriateness"}
    assert gradients(stage.generator) == set()
    assert gradients(stage.judges) == {"realism", "appropriateness"}
    assert all(0.0 <= float(share) <= 1.0 for share in told.values())


def test_the_generators_step_gives_the_judges_nothing_and_gag_everything() -> None:
    stage, batch = generic(LossOptions(kl=1e-3, affect=1.0)), batches.small_batch()
    terms = stage.generator_losses(batch, stage.react(batch), 0)
    sum(terms.values()).backward()
    assert gradients(stage.judges) == set()
    assert gradients(stage.generator) == {"frame_encoder", "distribution", "decoder_generic"}
    assert all(parameter.requires_grad for parameter in stage.judges.parameters())
    expected = {"realism", "appropriateness", "smoothness", "diversity", "kl", "affect"}
    assert set(terms) == expected


@pytest.mark.parametrize("pattern", [0.0, 1.0])
def test_in_stage_two_gag_is_frozen_and_only_pag_learns(pattern: float) -> None:
    stage, batch = personal(LossOptions(pattern=pattern)), batches.small_batch()
    terms = stage.generator_losses(batch, stage.react(batch), 0)
    sum(terms.values()).backward()
    assert gradients(stage.generator) == {"pattern_encoder", "decoder_personal"}
    assert gradients(stage.judges) == set()
    assert {"smoothness", "diversity"} <= set(terms)
    assert ("pattern" in terms) == (pattern > 0)
    frozen = (stage.generator.frame_encoder, stage.generator.distribution)
    assert not any(module.training for part in frozen for module in part.modules())


def test_the_pattern_reaches_the_reactions_and_the_judge_of_stage_two() -> None:
    stage, batch = personal(), batches.small_batch()
    other = dataclasses.replace(batch, history=1 - batch.history)
    made, theirs = stage.react(batch), stage.react(other)
    assert (made.reaction - theirs.reaction).abs().max() > 1e-4
    speaker = stage.judges.speaker_view(batch, made.token)
    score = stage.judges.appropriateness(made.reaction, speaker, made.pattern)
    assert (
        stage.judges.appropriateness(made.reaction, speaker, theirs.pattern) - score
    ).abs().max() > 1e-4


def test_reactions_of_other_listeners_are_wrong_for_the_personal_judge_unless_switched_off() -> (
    None
):
    batch = batches.small_batch()
    for on in (True, False):
        stage = personal(negatives=NegativesOptions(other_listeners=on))
        _, told = stage.discriminator_losses(batch, stage.react(batch), 0)
        assert ("appropriate_others" in told) is on


def test_a_padded_reaction_changes_nothing() -> None:
    stage, batch = generic(), batches.small_batch()
    filled = batch.appropriate.clone()
    filled[-1, 2] = 0.123
    changed = dataclasses.replace(batch, appropriate=filled)
    for one, other in zip(
        stage.discriminator_losses(batch, stage.react(batch), 0),
        stage.discriminator_losses(changed, stage.react(changed), 0),
        strict=True,
    ):
        assert {k: v.item() for k, v in one.items()} == pytest.approx(
            {k: v.item() for k, v in other.items()}, abs=1e-6
        )


@pytest.mark.parametrize("make", [generic, personal])
def test_halves_of_a_batch_lose_on_average_what_the_whole_loses(make) -> None:
    stage, batch = make(), batches.small_batch(clips=4)
    parts = [batch, *(batches.clips_of(batch, slice(k, k + 2)) for k in (0, 2))]
    told = []
    for part in parts:
        made = stage.react(part)
        judged, _ = stage.discriminator_losses(part, made, 0)
        paid = stage.generator_losses(part, made, 0)
        told.append(
            {f"D {k}": float(v) for k, v in judged.items()} | {k: float(v) for k, v in paid.items()}
        )
    whole, first, second = told
    assert whole == pytest.approx({k: (first[k] + second[k]) / 2 for k in whole}, abs=1e-5)


def test_held_latents_come_from_the_whole_clip_and_streamed_ones_from_what_was_heard() -> None:
    stage, batch = generic(), batches.small_batch(clips=2)
    batch = dataclasses.replace(batch, stream=torch.tensor([False, True]))
    later = batch.audio.clone()
    later[:, -1] += 5
    made = stage.react(batch)
    changed = stage.react(dataclasses.replace(batch, audio=later))
    assert (made.mean[0, 0] - changed.mean[0, 0]).abs().max() > 1e-4
    assert torch.equal(made.mean[1, :-1], changed.mean[1, :-1])
    assert torch.allclose(made.reaction[1, :, :-1], changed.reaction[1, :, :-1], atol=1e-6)


def test_features_of_a_frozen_encoder_stand_for_the_face() -> None:
    stage, batch = generic(), batches.small_batch()
    encoder = stage.generator.frame_encoder
    token = encoder.face(batch.visual.flatten(0, 1)).unflatten(0, batch.visual.shape[:2])
    cached = dataclasses.replace(batch, visual=None, face_token=token.detach())
    assert torch.allclose(stage.react(cached).reaction, stage.react(batch).reaction, atol=1e-6)


def test_the_judge_sees_tokens_or_what_the_speaker_really_did() -> None:
    for view, size in (("tokens", 16), ("attributes", 83)):
        stage = generic(options=dataclasses.replace(OPTIONS, speaker=view))
        batch = batches.small_batch()
        seen = stage.judges.speaker_view(batch, stage.react(batch).token)
        assert seen.shape[-1] == size
        assert not seen.requires_grad


def test_reconstruction_has_no_judges_and_follows_the_nearest_real_reaction() -> None:
    stage, batch = generic(LossOptions(objective="reconstruction", kl=2e-4)), batches.small_batch()
    made = stage.react(batch)
    assert stage.discriminator_losses(batch, made, 0) == ({}, {})
    assert set(stage.generator_losses(batch, made, 0)) == {
        "smoothness",
        "diversity",
        "reconstruction",
        "kl",
    }
    assert not list(stage.judges.parameters())


@pytest.mark.parametrize("form", ["non_saturating", "minimax", "least_squares"])
def test_a_few_steps_teach_the_judge_to_tell_fitting_from_unfitting(form: str) -> None:
    stage, batch = generic(LossOptions(adversarial=form)), batches.small_batch(clips=2)
    optimiser = torch.optim.AdamW(stage.judges.parameters(), 5e-3)
    made = stage.react(batch)
    first = None
    for step in range(40):
        losses, _ = stage.discriminator_losses(batch, made, step)
        loss = sum(losses.values())
        first = loss.item() if first is None else first
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.8 * first
