"""FRSyn's lag, as published to the frame and corrected in seconds."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.synchrony import lags

FRAMES = 200


def moving(frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((frames, 25), np.float32)


def trailing(speaker: np.ndarray, frames: int) -> np.ndarray:
    """The speaker's own behaviour, so many frames later (earlier for less than 0)."""
    return np.roll(speaker, frames, axis=0)


def seconds(reaction: np.ndarray, speaker: np.ndarray, **known) -> float:
    return float(lags(reaction[None], speaker, **known)[0])


def published(reaction: np.ndarray, speaker: np.ndarray) -> float:
    return float(lags(reaction[None], speaker, "reference")[0])


@pytest.mark.parametrize("frames", [-49, -12, -1, 0, 1, 7, 49])
def test_a_shifted_copy_has_exactly_its_lag_and_the_published_sign_is_the_other(frames):
    speaker = moving()
    assert seconds(trailing(speaker, frames), speaker) == pytest.approx(frames / 25, abs=1e-12)
    assert published(trailing(speaker, frames), speaker) == -frames


def test_scale_and_offset_do_not_change_a_lag():
    speaker = moving()
    assert seconds(0.2 * trailing(speaker, 5) + 0.3, speaker) == 0.2
    assert published(0.2 * trailing(speaker, 5) + 0.3, speaker) == -5


@pytest.mark.parametrize(
    ("still", "decided"),
    [
        (slice(None), 49),  # the first lag of all, -49, is undefined already
        (slice(0, FRAMES - 20), 49),  # and without the last 49 frames it is, too
        (slice(20, None), -20),  # the first 20 frames leave the window at lag 20
        (slice(40, None), -40),
    ],
)
def test_one_channel_that_stands_still_decides_the_published_lag_only(still, decided):
    speaker = moving()
    reaction = trailing(speaker, 3)
    reaction[still, 8] = 0.5
    assert published(reaction, speaker) == decided
    assert seconds(reaction, speaker) == 0.12


def test_a_reaction_without_any_movement_is_undefined_but_published_as_the_largest_lag():
    still = np.full((FRAMES, 25), 0.3, np.float32)
    assert np.isnan(seconds(still, moving()))
    assert np.isnan(seconds(moving(), still))
    assert published(still, moving()) == 49


def test_of_equal_peaks_the_published_lag_is_the_first_and_the_corrected_the_nearest():
    wave = np.sin(2 * np.pi * np.arange(FRAMES) / 20)[:, None].repeat(25, axis=1)
    assert seconds(wave, wave) == 0.0
    assert published(wave, wave) == 40
    assert seconds(trailing(wave, 3), wave) == pytest.approx(0.12)
    assert seconds(trailing(wave, 10), wave) == pytest.approx(0.4), "10 before is 10 behind"


@pytest.mark.parametrize("frames", [1, 2, 30, 49, 50])
def test_too_few_frames_for_every_lag_are_published_as_the_largest(frames):
    assert published(moving(frames), moving(frames, 1)) == 49


def test_the_corrected_lags_leave_half_of_a_short_clip_to_compare():
    speaker = moving(40)
    assert seconds(trailing(speaker, 6), speaker) == pytest.approx(0.24)
    assert abs(seconds(moving(40, 1), speaker)) <= 20 / 25
    assert np.isnan(seconds(moving(1), moving(1)))
    assert np.isnan(seconds(moving(2), moving(2)))


def test_unknown_channels_do_not_count():
    known = np.ones(25, bool)
    known[10:] = False
    speaker = moving()
    reaction = trailing(speaker, 4)
    reaction[:, 10:] = trailing(speaker, -9)[:, 10:]
    assert seconds(reaction, speaker) == pytest.approx(-0.36)
    reaction[:, 11:] = np.nan
    assert seconds(reaction, speaker, channels=known) == pytest.approx(0.16)


def test_unequal_lengths_are_compared_over_the_frames_they_share():
    speaker = moving(250)
    longer = trailing(speaker, 5)
    assert seconds(longer[:180], speaker) == 0.2
    assert seconds(longer, speaker[:180]) == seconds(longer[:180], speaker[:180])


def test_each_reaction_has_its_own_lag_whatever_the_others():
    speaker = moving()
    reactions = np.stack([trailing(speaker, frames) for frames in (3, -8, 20)])
    assert lags(reactions, speaker).tolist() == [0.12, -0.32, 0.8]
    assert lags(reactions[::-1], speaker, "reference").tolist() == [-20, 8, -3]


KINDS = ("noise", "wave", "steps", "nearly still", "burst", "walk", "fading", "switch", "repeated")


def drawn(generator: np.random.Generator, kind: str, frames: int) -> np.ndarray:
    time = np.arange(frames)[:, None]
    noise = generator.random((frames, 25))
    if kind == "wave":
        wave = np.sin(2 * np.pi * (time + generator.integers(9)) / generator.integers(2, 40))
        return wave * noise[0] + noise[-1]
    if kind == "steps":
        period = generator.choice([4, 5, 8, 10, 20, 25])
        return np.round(np.sin(2 * np.pi * time / period) * noise[0, 0]) * np.ones(25)
    if kind == "nearly still":
        return noise[:1] + np.float32(6e-8) * generator.integers(0, 2, (frames, 25))
    if kind == "burst":
        quiet = np.zeros((frames, 25))
        start = generator.integers(frames)
        quiet[start : start + generator.integers(1, 30)] = noise[0]
        return quiet
    if kind == "walk":
        return 0.1 * np.cumsum(generator.standard_normal((frames, 25)), axis=0)
    if kind == "fading":
        noise[generator.integers(frames) :] *= 1e-4
        return noise + 0.5
    if kind == "switch":
        return np.round(noise)
    if kind == "repeated":
        return np.tile(noise[:10], (frames // 10 + 1, 1))[:frames]
    return noise


@st.composite
def conversations(draw) -> tuple[np.ndarray, np.ndarray]:
    """A reaction and its speaker: often a shifted copy, often with equal peaks."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = draw(st.sampled_from((1, 3, 49, 50, 51, 52, 60, 99, 100, 150)))
    speaker = drawn(generator, draw(st.sampled_from(KINDS)), frames)
    reaction = drawn(generator, draw(st.sampled_from(KINDS)), frames)
    if draw(st.booleans()):
        reaction = trailing(speaker, draw(st.integers(-60, 60)))
    if draw(st.booleans()):
        reaction = reaction + 1e-3 * generator.standard_normal((frames, 25))
    return reaction.astype(np.float32), speaker.astype(np.float32)


def by_torch(reaction: np.ndarray, speaker: np.ndarray) -> int:
    """The published way: a coefficient for every lag and channel, means and peak by torch."""
    torch = pytest.importorskip("torch", reason="its order of summing decides between equal peaks")
    frames, means = len(speaker), []
    for lag in range(-49, 50):
        window = max(frames - abs(lag), 0)
        ours, theirs = reaction[max(lag, 0) :][:window], speaker[max(-lag, 0) :][:window]
        with np.errstate(all="ignore"):
            each = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours.T, theirs.T, strict=True)]
        means.append(torch.mean(torch.Tensor(each)))
    return 49 - int(torch.argmax(torch.Tensor(means)))


@pytest.mark.filterwarnings("ignore:Degrees of freedom", "ignore:Mean of empty slice")
@settings(max_examples=10, deadline=None)
@given(conversations())
def test_the_reference_is_the_published_algorithm_to_the_frame(conversation):
    assert published(*conversation) == by_torch(*conversation)


@settings(max_examples=20, deadline=None)
@given(conversations())
def test_the_corrected_lag_is_told_alike_from_either_side(conversation):
    reaction, speaker = conversation
    behind, before = seconds(reaction, speaker), seconds(speaker, reaction)
    assert abs(behind) == pytest.approx(abs(before), nan_ok=True)
