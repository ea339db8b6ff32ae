"""Encoders, pattern encoder, heads and checkpoints keep what they promise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from perreactor_model.bundle import synthetic
from perreactor_model.contract import (
    AFFECT_SLICE,
    EXPRESSION_SLICE,
    FRAME_RATE,
    SPEAKER_VECTOR_COUNT,
    attribute_ranges,
)
from perreactor_model.networks.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.encoders import FrameEncoder
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.networks.paces import PER_VALUE, paced
from perreactor_model.networks.scales import observed_scale

IMAGE = ModelConfig(
    feature_size=32, feed_forward=32, window=8, visual_channels=16, image_size=64, beta=0.5
)
ATTRIBUTES = replace(IMAGE, visual_input="facial_attributes")


def networks(config: ModelConfig, seed: int = 0) -> ReactionGenerator:
    torch.manual_seed(seed)
    return ReactionGenerator(config).eval().requires_grad_(False)


def visual(config: ModelConfig, frames: int) -> torch.Tensor:
    if config.visual_input == "face_image":
        return torch.rand(frames, 3, config.image_size, config.image_size) * 2 - 1
    return torch.rand(frames, SPEAKER_VECTOR_COUNT)


@pytest.mark.parametrize("config", [IMAGE, ATTRIBUTES])
def test_an_absent_face_or_voice_hides_whatever_its_input_holds(config: ModelConfig) -> None:
    encoder = networks(config).frame_encoder
    face, voice = visual(config, 2), torch.randn(2, 78)
    face[1], voice[1] = torch.nan, torch.nan
    no, yes = torch.tensor([False, False]), torch.tensor([True, True])
    nobody = encoder(face, voice, no, no)
    assert nobody.isfinite().all()
    torch.testing.assert_close(nobody[0], nobody[1])
    heard = encoder(face, voice[:1].expand(2, -1), no, yes)
    torch.testing.assert_close(heard[0], heard[1])
    assert (heard[0] - nobody[0]).abs().max() > 0.01


def test_an_unknown_attribute_is_not_a_zero() -> None:
    encoder = networks(ATTRIBUTES).frame_encoder
    face = torch.zeros(2, SPEAKER_VECTOR_COUNT)
    face[1, 25:] = torch.nan
    on = torch.tensor([True, True])
    token = encoder(face, torch.zeros(2, 78), on, on)
    assert token.isfinite().all()
    assert (token[0] - token[1]).abs().max() > 0.01


def test_a_frame_is_encoded_by_itself() -> None:
    encoder = networks(IMAGE).frame_encoder
    face, voice, on = visual(IMAGE, 4), torch.randn(4, 78), torch.ones(4, dtype=torch.bool)
    together = encoder(face, voice, on, on)
    alone = encoder(face[2:3], voice[2:3], on[:1], on[:1])
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=0)


def _explained(token: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Share of the variance of each target that ridge regression explains on held-out frames."""
    train = 2 * len(token) // 3
    rows = (token - token[:train].mean(0)) / token[:train].std(0)
    seen, mean = rows[:train], target[:train].mean(0)
    penalty = 1.0 * np.eye(rows.shape[1])
    weights = np.linalg.solve(seen.T @ seen + penalty, seen.T @ (target[:train] - mean))
    error = target[train:] - (rows[train:] @ weights + mean)
    return 1 - (error**2).mean(0) / target[train:].var(0)


def _probe(each_channel_to_itself: bool) -> np.ndarray:
    """Mean share of mouth opening and brow raise that a token of an untrained encoder tells."""
    scores = []
    generator = np.random.default_rng(5)
    people = [synthetic.drawn_faces(generator, 300, IMAGE.image_size, 6) for _ in range(3)]
    for seed in (0, 1):
        torch.manual_seed(seed)
        encoder = FrameEncoder(replace(IMAGE, visual_channels=32)).eval().requires_grad_(False)
        for module in encoder.modules():
            if each_channel_to_itself and isinstance(module, torch.nn.GroupNorm):
                module.num_groups = module.num_channels
        for person in people:
            image = torch.from_numpy(person.image)
            silence, on = torch.zeros(len(image), 78), torch.ones(len(image), dtype=torch.bool)
            token = encoder(image, silence, on, ~on).numpy()
            scores.append(_explained(token, np.stack([person.mouth, person.brow], axis=1)))
    return np.mean(scores, axis=0)


def test_a_linear_probe_reads_mouth_and_brow_from_the_token() -> None:
    together, channels_apart = _probe(False), _probe(True)
    assert together.min() > 0.5
    assert (together > channels_apart).all()


@pytest.mark.parametrize("exponent", [2, 3, 4])
def test_a_history_of_any_length_gives_a_pattern_of_one_scale(exponent: int) -> None:
    config = replace(ATTRIBUTES, pattern_exponent=exponent)
    generator = networks(config)
    for frames in (2**exponent, 2**exponent + 3, 100, 480):
        pattern = generator.pattern(torch.rand(frames, config.pattern_channels))
        assert pattern.shape == (config.feature_size,)
        assert pattern.square().mean().sqrt() == pytest.approx(1.0, abs=0.05)


def test_of_a_history_that_does_not_divide_the_oldest_frames_are_left_out() -> None:
    generator = networks(ATTRIBUTES)
    history = torch.rand(43, ATTRIBUTES.pattern_channels)
    torch.testing.assert_close(generator.pattern(history), generator.pattern(history[3:]))


def test_the_pattern_meets_segments_half_a_history_apart() -> None:
    generator = networks(ATTRIBUTES)
    met = []
    hook = generator.pattern_encoder.meet.register_forward_hook(
        lambda _, segments, __: met.append((segments[0].shape[0], segments[1].shape[0]))
    )
    generator.pattern(torch.rand(64, ATTRIBUTES.pattern_channels))
    hook.remove()
    assert met == [(2, 2), (1, 1)]


def people(count: int, channels: int, days: int = 1) -> torch.Tensor:
    """Who rests and moves in ways of their own, and day by day a bit otherwise: histories
    (count days, 64, channels).
    """
    drawn = torch.Generator().manual_seed(3)

    def each(size: float) -> torch.Tensor:
        own = torch.rand(count, 1, 1, channels, generator=drawn)
        return size * (own + torch.rand(count, days, 1, channels, generator=drawn)) / 2

    moves = torch.rand(count, days, 64, channels, generator=drawn)
    # What differs most is the day, and tells nothing of who it is.
    day = 0.2 * torch.rand(count, days, 1, 1, generator=drawn)
    return (each(0.1) + day + each(0.2) * moves).flatten(0, 1)


def test_statistics_tell_a_pattern_how_far_a_face_moves() -> None:
    config = replace(ATTRIBUTES, pattern_statistics=True)
    encoder = networks(config).pattern_encoder
    history = people(1, config.pattern_channels)[0]
    told = encoder.features(history)[config.feature_size :].unflatten(0, (PER_VALUE, -1))
    rest = history.mean(dim=0)
    torch.testing.assert_close(told[0], rest / observed_scale())
    livelier = encoder.features(rest + 2 * (history - rest))[config.feature_size :]
    moves, seen = told[1:].unflatten(0, (-1, 3)).split([2, 1], dim=1)
    twice, oftener = (
        livelier.unflatten(0, (PER_VALUE, -1))[1:].unflatten(0, (-1, 3)).split([2, 1], 1)
    )
    torch.testing.assert_close(twice, 2 * moves, atol=5e-3, rtol=0)
    assert (oftener > seen).all() and oftener.max() < 1.0


def waves(seconds: float) -> torch.Tensor:
    """48 s of a value that goes up and down by 1 in so many seconds, (T, 1)."""
    return torch.sin(torch.arange(1200) / FRAME_RATE * 2 * torch.pi / seconds).unsqueeze(-1)


@pytest.mark.parametrize(("seconds", "pace"), [(0.1, 0), (0.4, 1), (1.2, 2), (8.0, 3)])
def test_each_pace_has_a_number_of_its_own(seconds: float, pace: int) -> None:
    level, *told = paced(0.3 + waves(seconds)).tolist()
    assert abs(level - 0.3) < 0.02
    root, size = told[::3], told[1::3]
    assert root.index(max(root)) == size.index(max(size)) == pace, "trembling, nod, smile, mood"
    assert max(root) > 0.5, "the most of its spread, the root of a half"


def test_few_large_nods_are_not_many_small_ones() -> None:
    once, often = torch.zeros(500, 1), 0.5 * waves(0.4)[:500]
    once[100:225] = waves(0.4)[:125]
    pace = slice(4, 7)
    (one, size, seldom), (root, mean, always) = paced(once)[pace], paced(often)[pace]
    assert one == pytest.approx(float(root), rel=0.1) and size < 0.6 * mean
    assert seldom < 0.35 * always, "a quarter of the time"


@pytest.mark.parametrize("frames", [1, 2, 5, 30])
def test_a_face_at_rest_has_no_pace_however_short_it_is_seen(frames: int) -> None:
    told = paced(torch.full((2, frames, 3), 0.7)).unflatten(-1, (PER_VALUE, 3))
    torch.testing.assert_close(told[:, 0], torch.full((2, 3), 0.7))
    assert told[:, 1:].max() < 2e-3


@pytest.mark.parametrize("statistics", [False, True])
def test_patterns_can_begin_by_telling_people_apart(statistics: bool) -> None:
    config = replace(ATTRIBUTES, pattern_statistics=statistics)
    generator = networks(config)
    days = 4
    met = people(120, config.pattern_channels, days)

    def alike() -> float:
        """Of people who were not met: how much of a pattern is everybody's."""
        return float(generator.pattern(met[100 * days :]).mean(dim=0).square().mean())

    def known() -> float:
        """How often the pattern of a day is nearest to the person's mean of the other days."""
        pattern = generator.pattern(met[100 * days :]).unflatten(0, (-1, days))
        others = (pattern.sum(dim=1, keepdim=True) - pattern) / (days - 1)
        hits = [
            torch.cdist(pattern[:, day], others[:, day]).argmin(dim=1) == torch.arange(20)
            for day in range(days)
        ]
        return float(torch.stack(hits).float().mean())

    assert alike() > 0.9, "random weights: nearly all of a pattern is everybody's"
    before = known()
    who = torch.arange(100).repeat_interleave(days)
    generator.pattern_encoder.tell_apart(met[: 100 * days], who)
    assert alike() < 0.3
    assert known() > before
    assert known() > (0.7 if statistics else 0.3)


def test_a_channel_that_never_moves_tells_nobody_apart() -> None:
    config = replace(ATTRIBUTES, pattern_statistics=True)
    generator = networks(config)
    met = people(8, config.pattern_channels)
    met[..., 0] = 0.5
    generator.pattern_encoder.tell_apart(met, torch.arange(8))
    assert generator.pattern(met).isfinite().all()


@pytest.mark.parametrize("decoder", ["aligned", "paper"])
def test_a_pattern_may_say_how_large_movements_become(decoder: str) -> None:
    config = replace(ATTRIBUTES, decoder=decoder, latent_skip=True, pattern_gain=True)
    generator = networks(config)
    assert not any("gain" in name for name in generator.decoder_generic.state_dict())
    token, latent = torch.randn(30, 32), torch.randn(1, 1, 32).expand(1, 30, 32)

    def hidden_moves() -> torch.Tensor:
        return generator.decode(latent, token, personal=True).coefficients.std(dim=-2)

    before = hidden_moves()
    generic = generator.decode(latent, token).coefficients.std(dim=-2)
    torch.testing.assert_close(before, generic, msg="PAG begins as GAG")
    gain = generator.decoder_personal.latent_skip.gain
    assert isinstance(gain, torch.nn.Linear)
    # One latent says: three times of all that the layers made.
    gain.weight.copy_((2.0 * latent[0, 0] / latent[0, 0].square().sum()).expand(32, 32))
    torch.testing.assert_close(hidden_moves(), 3.0 * before, atol=1e-5, rtol=1e-3)
    generator.personal_from_generic()
    assert gain.weight.any(), "what only PAG has stays"


@pytest.mark.parametrize("decoder", ["aligned", "paper"])
def test_attributes_stay_in_range_whatever_the_weights(decoder: str) -> None:
    generator = networks(replace(ATTRIBUTES, decoder=decoder))
    for parameter in generator.parameters():
        parameter.data *= 3
    token, noise = torch.randn(12, 32) * 5, torch.randn(2, 32) * 5
    attributes = generator.generate(token, noise).attributes.numpy()
    low, high = attribute_ranges()
    assert (attributes >= low).all() and (attributes <= high).all()
    assert np.allclose(attributes[..., EXPRESSION_SLICE].sum(-1), 1, atol=1e-5)
    assert np.abs(attributes[..., AFFECT_SLICE]).max() <= 1


def test_the_deviation_is_bounded_however_large_the_input() -> None:
    generator = networks(ATTRIBUTES)
    generator.distribution.log_variance.weight.mul_(1e6)
    deviation = generator.distribution_of(torch.randn(9, 32)).deviation
    assert deviation.min() >= np.exp(-5.01) and deviation.max() <= np.exp(2.01)


def test_the_personal_decoder_starts_as_the_generic_one() -> None:
    generator = networks(ATTRIBUTES)
    token, latent = torch.randn(5, 32), torch.randn(2, 5, 32)
    generic = generator.decode(latent, token)
    personal = generator.decode(latent, token, personal=True)
    assert torch.equal(generic.attributes, personal.attributes)


def test_a_checkpoint_gives_back_the_same_networks(tmp_path: Path) -> None:
    generator = networks(ATTRIBUTES)
    save_checkpoint(generator, tmp_path / "model.pt")
    loaded = load_checkpoint(tmp_path / "model.pt").requires_grad_(False)
    assert loaded.config == generator.config
    token, noise = torch.randn(6, 32), torch.randn(2, 32)
    assert torch.equal(
        generator.generate(token, noise).attributes, loaded.generate(token, noise).attributes
    )


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(networks(ATTRIBUTES), path)
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["distribution.tokens"]
    content["state_dict"]["distribution.mean.bias"] = torch.zeros(7)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="missing distribution.tokens.*mean.bias is"):
        load_checkpoint(path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"perreactor": 1, "config": Path("."), "state_dict": {}}, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)
