"""FRDiv, FRDvs and FRVar against closed forms and against all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perreactor_model.metrics.diversity import clip_diversity, motion_variance, sample_diversity

ALL = np.ones(25, bool)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((*shape, 25), np.float32)


def test_uniform_noise_scores_a_sixth_a_sixth_and_a_twelfth():
    clips = noise(6, 5, 800)
    assert np.mean([sample_diversity(clip) for clip in clips]) == pytest.approx(1 / 6, rel=0.01)
    assert clip_diversity(clips, ALL) == pytest.approx(1 / 6, rel=0.01)
    assert np.mean([motion_variance(clip) for clip in clips]) == pytest.approx(1 / 12, rel=0.01)


def test_copies_do_not_differ_however_they_are_made():
    one = noise(50)
    real, view = np.stack([one] * 4), np.broadcast_to(one, (4, *one.shape))
    for clip in (real, view):
        assert sample_diversity(clip) == 0.0
        assert clip_diversity([clip, clip, clip], ALL) == 0.0
        assert motion_variance(clip) == pytest.approx(motion_variance(one[None])[0])


def test_a_face_that_stands_still_does_not_vary():
    assert (motion_variance(np.full((3, 40, 25), 0.7, np.float32)) == 0.0).all()


def test_a_constant_offset_between_samples_or_clips_scores_its_square():
    one = noise(1, 30).astype(np.float64)
    assert sample_diversity(np.concatenate([one, one + 0.3])) == pytest.approx(0.09)
    assert clip_diversity([one, one + 0.3], ALL) == pytest.approx(0.09)


def test_what_has_nothing_to_differ_from_is_undefined():
    assert math.isnan(sample_diversity(noise(1, 30)))
    assert math.isnan(clip_diversity([noise(3, 30)], ALL))
    assert np.isnan(motion_variance(noise(3, 1))).all()


def test_a_common_value_costs_no_digits():
    clips = noise(5, 3, 40).astype(np.float64)
    far = clips + 1e6
    assert sample_diversity(far[0]) == pytest.approx(sample_diversity(clips[0]), rel=1e-6)
    assert clip_diversity(far, ALL) == pytest.approx(clip_diversity(clips, ALL), rel=1e-6)


def test_unknown_channels_do_not_count():
    clips = noise(3, 2, 20)
    known = ALL.copy()
    known[4:] = False
    spoilt = clips.copy()
    spoilt[..., 4:] = np.nan
    assert clip_diversity(spoilt, known) == clip_diversity(clips, known)


def all_pairs(clips: list[np.ndarray]) -> float:
    """Mean over samples and pairs of clips of the mean squared difference over shared frames."""
    found = []
    for index, one in enumerate(clips):
        for other in clips[:index]:
            frames = min(one.shape[1], other.shape[1])
            apart = one[:, :frames].astype(np.float64) - other[:, :frames]
            found.append((apart**2).mean(axis=(1, 2)))
    return float(np.mean(found))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 30), min_size=2, max_size=7),
    st.integers(1, 4),
)
def test_every_clip_is_compared_with_every_other_over_the_frames_they_share(seed, lengths, samples):
    generator = np.random.default_rng(seed)
    clips = [generator.random((samples, frames, 25), np.float32) for frames in lengths]
    assert clip_diversity(clips, ALL) == pytest.approx(all_pairs(clips), rel=1e-9)
    turned = [clips[index] for index in generator.permutation(len(clips))]
    assert clip_diversity(turned, ALL) == pytest.approx(clip_diversity(clips, ALL), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 30))
def test_every_sample_is_compared_with_every_other(seed, samples, frames):
    clip = np.random.default_rng(seed).random((samples, frames, 25), np.float32)
    pairs = [
        ((clip[a].astype(np.float64) - clip[b]) ** 2).mean()
        for a in range(samples)
        for b in range(a)
    ]
    assert sample_diversity(clip) == pytest.approx(np.mean(pairs), rel=1e-9)
