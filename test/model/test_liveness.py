"""Measures of whether a face is alive, on movements whose answer is known."""

import numpy as np

from perreactor_model import liveness


def _wandering(seconds: int, offset: float = 0.0, seed: int = 0) -> np.ndarray:
    """A face (T, 25) that moves smoothly around `offset`: sines of different speeds."""
    random = np.random.default_rng(seed)
    time = np.arange(seconds * 25)[:, None] / 25
    speed, phase = random.uniform(1, 6, 25), random.uniform(0, 6, 25)
    return (offset + 0.1 * np.sin(speed * time + phase)).astype(np.float32)


def _numbers(face: np.ndarray) -> np.ndarray:
    return np.arange(len(face))


def test_a_smoothly_moving_face_moves_without_jumps():
    face = _wandering(10)
    motion = liveness.motion(face, _numbers(face))
    assert motion is not None
    assert motion.passed
    assert motion.abrupt < 0.01


def test_a_face_that_is_put_somewhere_else_at_once_has_jumped():
    face = _wandering(10)
    face[120:] += 0.3
    motion = liveness.motion(face, _numbers(face))
    assert motion is not None
    assert not motion.passed


def test_a_quick_smile_of_a_calm_face_is_no_jump():
    face = 0.02 * _wandering(10)
    onset = np.clip((np.arange(250) - 100) / 8, 0, 1)
    face[:, 7] += 0.5 * onset - np.float32(0.1) * onset**2
    motion = liveness.motion(face, _numbers(face))
    assert motion is not None and motion.passed


def test_a_face_that_jumps_while_it_moves_has_jumped():
    face = _wandering(10)
    face[100:, 7] += np.clip((np.arange(150)) / 8, 0, 1)
    face[104:] += 0.3
    motion = liveness.motion(face, _numbers(face))
    assert motion is not None and not motion.passed


def test_frames_that_were_never_published_are_no_jump():
    face = _wandering(20)
    kept = np.r_[0:200, 300:500]
    motion = liveness.motion(face[kept], _numbers(face)[kept])
    assert motion is not None
    assert motion.passed


def test_a_frozen_face_is_not_alive():
    face = np.full((250, 25), 0.1, np.float32)
    motion = liveness.motion(face, _numbers(face))
    assert motion is not None
    assert not motion.passed


def test_two_profiles_around_different_faces_differ_by_more_than_chance():
    contrast = liveness.profile_contrast(_wandering(30), _wandering(30, offset=0.2, seed=1))
    assert contrast is not None
    assert contrast.passed
    assert np.isclose(contrast.distance, 0.2 * 5, rtol=0.1)  # 25 attributes: a factor of 5


def test_two_profiles_around_one_face_do_not_differ():
    contrast = liveness.profile_contrast(_wandering(30), _wandering(30, seed=1))
    assert contrast is not None
    assert not contrast.passed


def test_a_face_that_wanders_off_hides_a_difference():
    away = np.linspace(-1, 1, 750, dtype=np.float32)[:, None]
    one, other = _wandering(30) + away, _wandering(30, offset=0.2, seed=1)
    contrast = liveness.profile_contrast(one, other)
    assert contrast is not None
    assert not contrast.passed


def test_the_same_reaction_to_two_speakers_is_no_reaction_to_them():
    face = _wandering(10)
    contrast = liveness.speaker_contrast(face, face.copy())
    assert contrast is not None
    assert contrast.distance == 0
    assert not contrast.passed


def test_a_reaction_that_depends_on_the_speaker_passes():
    contrast = liveness.speaker_contrast(_wandering(10), _wandering(8, seed=1))
    assert contrast is not None
    assert contrast.passed


def test_what_is_too_short_is_not_judged():
    face = _wandering(1)
    assert liveness.motion(face, _numbers(face)) is None
    assert liveness.profile_contrast(_wandering(9), _wandering(9)) is None
    assert liveness.speaker_contrast(face, face) is None
