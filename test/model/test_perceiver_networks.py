"""Perception with the real frame encoder: what is absent leaves no trace in the token."""

import numpy as np
import pytest
from skimage import data

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS
from perreactor_model.streaming.frames import FrameInput, SpeakerFrame
from perreactor_model.streaming.perceiver import Perceiver

SOMEBODY = data.astronaut()
NOBODY = np.full((512, 512, 3), 120, np.uint8)


def frame(index: int, image: np.ndarray | None, pitch: float | None) -> FrameInput:
    """One complete frame with a picture and a tone, or without."""
    stamp = index * FRAME_NS
    time = np.arange(640) / 16000
    audio = None if pitch is None else np.sin(2 * np.pi * pitch * time).astype(np.float32)
    image_stamp = None if image is None else stamp
    return FrameInput(index, 0, stamp, image, image_stamp, audio)


def tokens(frames: list[SpeakerFrame]) -> list[bytes]:
    assert all(each.token is not None and np.isfinite(each.token).all() for each in frames)
    return [b"" if each.token is None else each.token.tobytes() for each in frames]


@pytest.fixture
def eye(tiny_image_bundle: Bundle) -> Perceiver:
    return Perceiver(tiny_image_bundle, device="cpu")


def test_a_token_has_the_size_of_the_bundle(eye: Perceiver, tiny_image_bundle: Bundle) -> None:
    (seen,) = eye.encode([frame(0, SOMEBODY, 300.0)])
    assert seen.token is not None
    assert seen.token.shape == (tiny_image_bundle.config.feature_size,)
    assert seen.token.dtype == np.float32
    assert eye.provider == "CPUExecutionProvider"


def test_face_and_voice_both_show_in_the_token(eye: Perceiver) -> None:
    mirrored = np.ascontiguousarray(SOMEBODY[:, ::-1])
    pictures = [(SOMEBODY, 300.0), (mirrored, 300.0), (SOMEBODY, 900.0)]
    seen = [eye.encode([frame(k, *each)])[0] for k, each in enumerate(pictures)]
    assert all(each.face_present and each.voice_present for each in seen)
    assert len(set(tokens(seen))) == 3


def test_what_is_absent_leaves_no_trace(eye: Perceiver) -> None:
    first, second = eye.encode([frame(0, None, 300.0), frame(1, NOBODY, 300.0)])
    assert not first.face_present and not second.face_present
    assert tokens([first]) == tokens([second])
    assert tokens(eye.encode([frame(2, None, None)])) == tokens(eye.encode([frame(3, None, None)]))
    assert tokens(eye.encode([frame(4, None, None)])) != tokens([first])


def test_many_frames_at_once_give_the_bytes_of_one_by_one(tiny_image_bundle: Bundle) -> None:
    frames = [frame(k, SOMEBODY, 200.0 + 50 * k) for k in range(6)]
    at_once = Perceiver(tiny_image_bundle, device="cpu").encode(frames)
    alone = Perceiver(tiny_image_bundle, device="cpu")
    assert tokens(at_once) == tokens([alone.encode([each])[0] for each in frames])


def test_unknown_attributes_leave_no_trace(tiny_attributes_bundle: Bundle) -> None:
    eye = Perceiver(tiny_attributes_bundle, device="cpu")
    nothing = np.full(25, np.nan, np.float32)
    described = [FrameInput(0, 0, 0), FrameInput(1, 0, FRAME_NS, attributes=nothing)]
    first, second = eye.encode(described)
    assert not first.face_present and not second.face_present
    assert tokens([first]) == tokens([second])
    smile = nothing.copy()
    smile[7] = 0.8
    (third,) = eye.encode([FrameInput(2, 0, 2 * FRAME_NS, attributes=smile)])
    assert third.face_present
    assert tokens([third]) != tokens([first])
