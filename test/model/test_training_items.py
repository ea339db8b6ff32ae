"""Clips of training: who meets whom, what is withheld, and that it is drawn from its key alone."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import training_corpus as corpora

from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.training.collating import batches, collate
from perreactor_model.training.items import Clip, ClipMaker
from perreactor_model.training.options import OptionError, TrainOptions
from perreactor_model.training.overrides import build, read_words

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> PreparedSplit:
    return corpora.make_noise_corpus(tmp_path_factory.mktemp("noise")).splits["train"]


def options(stage: str, *words: str) -> TrainOptions:
    return build(stage, read_words([*corpora.TINY, *words]))


def many(maker: ClipMaker, epochs: int = 8) -> Iterator[tuple[int, Clip]]:
    for epoch in range(epochs):
        for item in maker.items.tolist():
            yield item, maker.make(epoch, item)


def recordings(places: tuple[tuple[int, int], ...]) -> set[int]:
    return {recording for recording, _ in places}


def pairs_of(split: PreparedSplit, places: tuple[tuple[int, int], ...]) -> list[int]:
    listener = split.pairs[:, 1].tolist()
    return [listener.index(recording) for recording, _ in places]


def same(first: Clip, second: Clip) -> bool:
    return all(
        np.array_equal(getattr(first, part.name), getattr(second, part.name), equal_nan=True)
        if isinstance(getattr(first, part.name), np.ndarray)
        else getattr(first, part.name) == getattr(second, part.name)
        for part in fields(Clip)
    )


# --- Stage 1 -------------------------------------------------------------------------------------


def test_reactions_shown_as_fitting_fit_and_the_others_do_not(noise: PreparedSplit) -> None:
    for item, clip in many(ClipMaker(noise, options("gag"))):
        fits = noise.appropriate[item]
        assert all(fits[pair] for pair in pairs_of(noise, clip.chosen.fitting))
        assert not any(fits[pair] for pair in pairs_of(noise, clip.chosen.wrong))
        assert clip.chosen.speaker == noise.pairs[item, 0]


def test_a_fitting_reaction_is_cut_where_its_speaker_is(noise: PreparedSplit) -> None:
    for _, clip in many(ClipMaker(noise, options("gag"))):
        start = clip.chosen.start
        assert {begin for _, begin in clip.chosen.fitting} == {start}
        speaker = clip.chosen.speaker
        assert np.array_equal(clip.speaker, noise.reaction(speaker, start, start + 32))
        recording, _ = clip.chosen.fitting[0]
        assert np.array_equal(clip.appropriate[0], noise.reaction(recording, start, start + 32))
        assert np.array_equal(clip.audio, noise.speaker_audio(speaker, start, start + 32))


def test_over_epochs_every_fitting_reaction_is_shown(noise: PreparedSplit) -> None:
    shown: dict[int, set[int]] = {}
    for item, clip in many(ClipMaker(noise, options("gag")), epochs=30):
        shown.setdefault(item, set()).update(pairs_of(noise, clip.chosen.fitting))
    for item, seen in shown.items():
        assert seen == set(np.flatnonzero(noise.appropriate[item]).tolist())


def test_what_is_missing_is_padded_with_weight_zero(noise: PreparedSplit) -> None:
    _, clip = next(many(ClipMaker(noise, options("gag", "data.appropriate=7"))))
    assert clip.appropriate.shape[0] == 7
    assert clip.appropriate_weight.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert not clip.appropriate[4:].any()


def test_stage_1_needs_no_history(noise: PreparedSplit) -> None:
    _, clip = next(many(ClipMaker(noise, options("gag"))))
    assert clip.history is None
    assert clip.others is None


def test_the_generator_does_not_see_what_the_face_analyzer_does_not(noise: PreparedSplit) -> None:
    _, clip = next(many(ClipMaker(noise, options("gag"))))
    assert clip.visual is not None
    assert np.isnan(clip.visual[:, 11]).all()
    assert np.isnan(clip.visual[:, 25:77]).all()
    assert not np.isnan(clip.speaker).any()


# --- Stage 2 -------------------------------------------------------------------------------------


def test_the_history_is_never_the_target(noise: PreparedSplit) -> None:
    for item, clip in many(ClipMaker(noise, options("pag")), epochs=20):
        chosen = clip.chosen
        assert chosen.past is not None
        past = chosen.past[0]
        assert past not in recordings(chosen.fitting)
        assert past not in recordings(chosen.wrong)
        assert past not in recordings(chosen.others)
        fitting = noise.pairs[noise.appropriate[item], 1]
        assert past not in fitting.tolist(), "nor another reaction that would fit as well"


def test_no_frame_of_the_history_is_a_frame_to_be_met(noise: PreparedSplit) -> None:
    for _, clip in many(ClipMaker(noise, options("pag", "data.history_view=true"))):
        assert clip.history is not None
        past = {row.tobytes() for row in clip.history[:, :25]}
        for reaction, weight in zip(clip.appropriate, clip.appropriate_weight, strict=True):
            if weight:
                assert not past & {row.tobytes() for row in reaction[:, :25]}


def test_history_and_reactions_are_of_one_listener_and_others_are_not(
    noise: PreparedSplit,
) -> None:
    for item, clip in many(ClipMaker(noise, options("pag"))):
        chosen = clip.chosen
        assert chosen.past is not None
        listener = noise.identity[chosen.past[0]]
        fits = noise.appropriate[item]
        for pair in pairs_of(noise, chosen.fitting):
            assert noise.listener_identity[pair] == listener and fits[pair]
        for pair in pairs_of(noise, chosen.wrong):
            assert noise.listener_identity[pair] == listener and not fits[pair]
        for pair in pairs_of(noise, chosen.others):
            assert noise.listener_identity[pair] != listener and fits[pair]


def test_over_epochs_every_listener_with_a_fitting_reaction_is_met(noise: PreparedSplit) -> None:
    met: dict[int, set[int]] = {}
    for item, clip in many(ClipMaker(noise, options("pag")), epochs=30):
        assert clip.chosen.past is not None
        met.setdefault(item, set()).add(int(noise.identity[clip.chosen.past[0]]))
    assert all(len(listeners) == 4 for listeners in met.values())


def test_a_history_has_the_rows_that_the_pattern_encoder_reads(noise: PreparedSplit) -> None:
    _, clip = next(many(ClipMaker(noise, options("pag"))))
    assert clip.history is not None
    assert clip.history.shape == (64, 31)
    assert not np.isnan(clip.history).any()
    _, clip = next(many(ClipMaker(noise, options("pag", "model.pattern_input=attributes"))))
    assert clip.history is not None
    assert clip.history.shape == (64, 25)


def test_two_sessions_are_enough_then_no_clip_is_known_as_unfit(tmp_path: Path) -> None:
    split = corpora.make_noise_corpus(tmp_path, sessions=2).splits["train"]
    _, clip = next(many(ClipMaker(split, options("pag"))))
    assert not clip.inappropriate_weight.any()
    assert clip.others_weight is not None and clip.others_weight.any()


def test_one_session_is_not_enough_and_is_refused_with_advice(tmp_path: Path) -> None:
    split = corpora.make_noise_corpus(tmp_path, sessions=1).splits["train"]
    with pytest.raises(OptionError, match="more sessions of each listener"):
        ClipMaker(split, options("pag"))


def test_clips_longer_than_recordings_are_refused_with_what_would_do(noise: PreparedSplit) -> None:
    with pytest.raises(OptionError, match="data.clip_frames is 121.*give at most 120"):
        ClipMaker(noise, options("gag", "data.clip_frames=121"))
    with pytest.raises(OptionError, match="data.history_frames is 121.*give at most 120"):
        ClipMaker(noise, options("pag", "data.history_frames=121"))


def test_a_corpus_without_faces_cannot_train_on_them(noise: PreparedSplit) -> None:
    with pytest.raises(OptionError, match="facial_attributes"):
        ClipMaker(noise, options("gag", "model.visual_input=face_image"))


def test_pictures_travel_as_bytes_and_are_seen_from_minus_1_to_1(tmp_path: Path) -> None:
    split = corpora.make_noise_corpus(tmp_path, pixels=32).splits["train"]
    words = ["model.visual_input=face_image", "model.image_size=32"]
    maker = ClipMaker(split, options("gag", *words))
    clip = maker.make(0, 0)
    assert clip.visual is not None and clip.visual.dtype == np.uint8
    (batch,) = batches(maker, [[(0, 0)]], CPU)
    assert batch.visual is not None and batch.visual.shape == (1, 32, 3, 32, 32)
    expected = clip.visual[5, 7, 9].astype(np.float32) / 127.5 - 1
    assert np.allclose(batch.visual[0, 5, :, 7, 9].numpy(), expected, atol=1e-6)
    with pytest.raises(OptionError, match="model.image_size is 64.*model.image_size=32"):
        ClipMaker(split, options("gag", words[0], "model.image_size=64"))


def test_features_of_faces_take_the_place_of_pictures(tmp_path: Path) -> None:
    split = corpora.make_noise_corpus(tmp_path, features=16).splits["train"]
    maker = ClipMaker(split, options("gag", "model.visual_input=face_image"))
    clip = maker.make(0, 0)
    assert clip.visual is None and split.face_tokens is not None
    first = int(split.start[clip.chosen.speaker]) + clip.chosen.start
    assert np.array_equal(clip.face_token, split.face_tokens[first : first + 32])
    with pytest.raises(OptionError, match="model.feature_size is 32.*model.feature_size=16"):
        ClipMaker(split, options("gag", "model.visual_input=face_image", "model.feature_size=32"))


# --- Randomness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["gag", "pag"])
def test_a_clip_is_a_function_of_seed_epoch_and_item(noise: PreparedSplit, stage: str) -> None:
    first, second = (ClipMaker(noise, options(stage)) for _ in range(2))
    for item in first.items[::-1].tolist():
        first.make(3, item)
    assert same(first.make(1, 5), second.make(1, 5))
    assert not same(first.make(1, 5), first.make(2, 5))
    other = ClipMaker(noise, options(stage, "loop.seed=1"))
    assert not same(first.make(1, 5), other.make(1, 5))


def test_an_option_of_one_thing_does_not_move_another(noise: PreparedSplit) -> None:
    plain = ClipMaker(noise, options("gag")).make(1, 5)
    changed = ClipMaker(
        noise, options("gag", "data.voice_dropout=1", "data.latents=offline", "data.samples=3")
    ).make(1, 5)
    assert changed.chosen == plain.chosen
    assert np.array_equal(changed.face_present, plain.face_present)


def test_threads_build_the_same_batches_in_the_same_order(noise: PreparedSplit) -> None:
    maker = ClipMaker(noise, options("pag"))
    shares = [[(epoch, item), (epoch, item + 1)] for epoch in range(4) for item in range(6)]
    alone = list(batches(maker, shares, CPU))
    for threads in (1, 3):
        together = list(batches(maker, shares, CPU, threads))
        assert [batch.key for batch in together] == [batch.key for batch in alone]
        for ours, theirs in zip(alone, together, strict=True):
            assert torch.equal(ours.noise, theirs.noise)
            assert torch.equal(ours.appropriate, theirs.appropriate)


def test_an_error_in_a_thread_comes_out(noise: PreparedSplit) -> None:
    maker = ClipMaker(noise, options("gag"))
    with pytest.raises(IndexError):
        list(batches(maker, [[(0, 10**6)]], CPU, 2))


# --- What is withheld ----------------------------------------------------------------------------


def test_about_as_many_clips_as_asked_for_lose_a_span_of_the_face(noise: PreparedSplit) -> None:
    maker = ClipMaker(noise, options("gag", "data.face_dropout=0.3", "data.voice_dropout=0.0"))
    lost = []
    for _, clip in many(maker, epochs=60):
        assert clip.voice_present.all()
        edges = np.abs(np.diff(np.concatenate([[True], clip.face_present, [True]]))).sum()
        assert edges in (0, 2), "one span"
        lost.append(not clip.face_present.all())
        whole = not clip.face_present.any()
        assert not whole or lost[-1]
    assert 0.25 < np.mean(lost) < 0.35


def test_held_out_clips_lose_nothing(noise: PreparedSplit) -> None:
    words = ["data.face_dropout=1", "data.voice_dropout=1"]
    for _, clip in many(ClipMaker(noise, options("gag", *words), held_out=True), epochs=1):
        assert clip.face_present.all() and clip.voice_present.all()


@pytest.mark.parametrize(
    ("modalities", "face", "voice"), [("audio", False, True), ("visual", True, False)]
)
def test_one_modality_alone_is_the_same_switch(
    noise: PreparedSplit, modalities: str, face: bool, voice: bool
) -> None:
    words = [f"data.modalities={modalities}", "data.face_dropout=0", "data.voice_dropout=0"]
    for held_out in (False, True):
        for _, clip in many(ClipMaker(noise, options("gag", *words), held_out), epochs=1):
            assert (clip.face_present == face).all()
            assert (clip.voice_present == voice).all()


def test_latents_are_held_or_wander_or_half_of_each(noise: PreparedSplit) -> None:
    for latents, low, high in (("offline", 0, 0), ("stream", 1, 1), ("mixed", 0.3, 0.7)):
        clips = [
            clip for _, clip in many(ClipMaker(noise, options("gag", f"data.latents={latents}")))
        ]
        assert low <= np.mean([clip.stream for clip in clips]) <= high
        for clip in clips:
            assert clip.noise.shape == (2, 32, 16)
            assert (clip.noise == clip.noise[:, :1]).all() != clip.stream


def test_a_batch_holds_its_clips(noise: PreparedSplit) -> None:
    maker = ClipMaker(noise, options("pag"))
    clips = [maker.make(0, item) for item in (1, 4)]
    batch = collate(clips)
    assert len(batch) == 2
    assert batch.key == ((0, 0, 1), (0, 0, 4))
    assert torch.equal(batch.appropriate[1], torch.from_numpy(clips[1].appropriate))
    assert batch.history is not None and batch.history.shape == (2, 64, 31)
    assert batch.others is not None and batch.others.shape == (2, 2, 32, 83)
    assert batch.stream.dtype == torch.bool
