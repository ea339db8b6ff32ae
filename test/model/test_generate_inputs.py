"""What `generate` is given is checked, and the message says what is expected."""

import numpy as np
import pytest

from perreactor_model.generate import GenerationInput, GenerationOptions, InputError, read_input
from perreactor_model.generate.inputs import checked_array


def video(clips: int = 1, frames: int = 2) -> np.ndarray:
    return np.zeros((clips, frames, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("speaker_video", np.zeros((1, 2, 3, 8, 8), np.uint8), "uint8.*p / 127.5 - 1"),
        ("speaker_video", video() + 200, r"\[-1, 1\]"),
        ("speaker_video", video() * np.nan, "NaN"),
        ("speaker_video", np.zeros((1, 2, 8, 8, 3), np.float32), r"\(clips, frames, 3, height"),
        ("speaker_video", video(frames=0), "none empty"),
        ("speaker_audio", np.zeros((1, 2, 39)), "78"),
        ("speaker_audio", np.full((1, 2, 78), np.inf), "infinite"),
        ("listener_history", np.zeros((480, 25)), r"\(clips, history frames"),
        ("noise", np.zeros(6), r"\(clips \* samples, feature size\)"),
    ],
)
def test_an_unfit_array_is_named_with_what_is_expected(name, array, told):
    with pytest.raises(InputError, match=f"'{name}'.*{told}"):
        checked_array(name, array)


def test_other_float_types_become_single_precision():
    assert checked_array("speaker_video", video().astype(np.float16)).dtype == np.float32
    assert checked_array("beta", np.array(0.1)).shape == ()


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("speaker_audio", np.zeros((1, 3, 78), np.float32), "3 frames, 'speaker_video' 2"),
        ("listener_history", np.zeros((2, 480, 25), np.float32), "2 clips, 'speaker_video' 1"),
    ],
)
def test_arrays_that_disagree_are_both_named(name, array, told):
    with pytest.raises(InputError, match=f"'{name}' has {told}"):
        GenerationInput(speaker_video=video(), **{name: array})


def test_samples_come_from_the_noise_then_from_the_user_then_are_ten():
    assert GenerationInput(speaker_video=video(2)).samples(None) == 10
    assert GenerationInput(speaker_video=video(2)).samples(3) == 3
    noisy = GenerationInput(speaker_video=video(2), noise=np.zeros((8, 4), np.float32))
    assert noisy.samples(None) == noisy.samples(4) == 4
    with pytest.raises(InputError, match="5 samples asked for.*4 samples of each of 2"):
        noisy.samples(5)


def test_noise_that_does_not_fit_is_refused():
    given = GenerationInput(speaker_video=video(2), noise=np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="3 rows: expected a multiple of 2"):
        given.samples(None)
    with pytest.raises(InputError, match="rows of 4 numbers.*feature size is 8"):
        given.noise_of(0, 0, 1, 8)


def test_a_file_without_a_speaker_lists_what_it_has(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, speaker_vidoe=video())
    with pytest.raises(InputError, match="expected 'speaker_video'.*found speaker_vidoe"):
        read_input(path)


def test_python_objects_in_a_file_are_not_unpickled(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, speaker_video=np.array([{"code": 1}], object))
    with pytest.raises(InputError, match="'speaker_video' cannot be read"):
        read_input(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "in.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"in\.npz"):
        read_input(path)


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "in.npy"
    np.save(path, video())
    with pytest.raises(InputError, match="single array"):
        read_input(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "live"},
        {"samples": 0},
        {"window": 0},
        {"beta": float("nan")},
        {"noise_seconds": -1.0},
    ],
)
def test_options_are_checked_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GenerationOptions(**wrong)
