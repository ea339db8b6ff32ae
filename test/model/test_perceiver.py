"""The perceiver makes one token of each 1/25 s, whatever comes, however it is cut.

The encoder here is a small graph whose token shows what it was given, so a test sees which image
and which sound reached it: mean of the left and right half, largest audio feature, presence.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skimage import data

from perreactor_model.audio.features import frame_features
from perreactor_model.contract import FRAME_NS, neutral_attributes
from perreactor_model.networks.config import ModelConfig
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_model.streaming.perceiver import Perceiver
from perreactor_model.vision.crop import TrackerSettings
from perreactor_model.vision.encodings import EncodedImage, ImageError

SIZE = 64
RATE = 16000
START = 10**9
LEFT, RIGHT, LOUDEST, FACE, VOICE = range(5)
"""What the entries of a token show."""


@dataclass
class EncoderOnly:
    """As much of a bundle as perception needs."""

    config: ModelConfig
    path: Path

    def graph_path(self, graph: str) -> Path:
        assert graph == "frame_encoder"
        return self.path


def number(name: str, value: int) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [1], [value])


def telling_encoder(path: Path, visual: str) -> Path:
    """A frame encoder that tells what it is given; it must never be given NaN as image."""
    shape = ["N", 3, SIZE, SIZE] if visual == "image" else ["N", 83]
    half = SIZE // 2 if visual == "image" else 25
    axis, reduced = (3, [1, 2, 3]) if visual == "image" else (1, [1])
    mean = "ReduceMean" if visual == "image" else "ReduceMax"
    floats = [
        helper.make_tensor_value_info(visual, TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["N", 78]),
    ]
    flags = [
        helper.make_tensor_value_info(name, TensorProto.BOOL, ["N"])
        for name in ("face_present", "voice_present")
    ]
    constants = [
        number("zero", 0),
        number("half", half),
        number("end", 2**31),
        number("axis", axis),
        number("one", 1),
        helper.make_tensor("reduced", TensorProto.INT64, [len(reduced)], reduced),
        helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1]),
    ]
    nodes = [
        helper.make_node("Slice", [visual, "zero", "half", "axis"], ["left"]),
        helper.make_node("Slice", [visual, "half", "end", "axis"], ["right"]),
        helper.make_node(mean, ["left", "reduced"], ["left_all"], keepdims=1),
        helper.make_node(mean, ["right", "reduced"], ["right_all"], keepdims=1),
        helper.make_node("Reshape", ["left_all", "column"], ["token_left"]),
        helper.make_node("Reshape", ["right_all", "column"], ["token_right"]),
        helper.make_node("ReduceMax", ["audio", "one"], ["token_audio"], keepdims=1),
        helper.make_node("Cast", ["face_present"], ["face_flat"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["voice_present"], ["voice_flat"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["face_flat", "column"], ["token_face"]),
        helper.make_node("Reshape", ["voice_flat", "column"], ["token_voice"]),
        helper.make_node(
            "Concat",
            ["token_left", "token_right", "token_audio", "token_face", "token_voice"],
            ["token"],
            axis=1,
        ),
    ]
    token = helper.make_tensor_value_info("token", TensorProto.FLOAT, ["N", 5])
    graph = helper.make_graph(nodes, "telling", [*floats, *flags], [token], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def sees_images(tmp_path_factory: pytest.TempPathFactory) -> EncoderOnly:
    config = ModelConfig(feature_size=8, heads=2, image_size=SIZE, audio_rate=RATE)
    path = tmp_path_factory.mktemp("images") / "frame_encoder.onnx"
    return EncoderOnly(config, telling_encoder(path, "image"))


@pytest.fixture(scope="module")
def sees_attributes(tmp_path_factory: pytest.TempPathFactory) -> EncoderOnly:
    config = ModelConfig(feature_size=8, heads=2, audio_rate=RATE, visual_input="facial_attributes")
    path = tmp_path_factory.mktemp("attributes") / "frame_encoder.onnx"
    return EncoderOnly(config, telling_encoder(path, "attributes"))


def perceiver(bundle: EncoderOnly, **options: object) -> Perceiver:
    return Perceiver(bundle, device="cpu", **{"crop": False, **options})


def halves(left: int, right: int) -> np.ndarray:
    """A picture with a left half and a right half."""
    image = np.full((48, 96, 3), left, np.uint8)
    image[:, 48:] = right
    return image


def at(frame: float) -> int:
    return START + round(frame * FRAME_NS)


def sound(frame: int, rate: int = RATE) -> np.ndarray:
    """A tone for one frame, of a pitch and loudness of its own."""
    time = np.arange(rate // 25) / rate
    return (0.3 * np.sin(2 * np.pi * (200 + 40 * frame) * time)).astype(np.float32)


def encoded(image: np.ndarray) -> EncodedImage:
    """The same picture as a message brings it."""
    return EncodedImage(image.tobytes(), "rgb8", *image.shape[:2], 3 * image.shape[1])


def test_each_frame_gets_its_own_image_and_sound(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images, speaker_id="anna")
    for frame in range(5):
        eye.push_image(halves(50 * frame, 255), at(frame))
        eye.push_audio(sound(frame), at(frame), RATE)
    eye.finish()
    frames = eye.take()
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    for index, frame in enumerate(frames):
        assert frame.stamp_ns == at(index)
        assert frame.speaker_id == "anna"
        assert frame.token is not None
        assert frame.token.dtype == np.float32
        assert frame.token[LEFT] == pytest.approx(50 * index / 127.5 - 1.0, abs=1e-5)
        assert frame.token[RIGHT] == pytest.approx(1.0, abs=1e-5)
        loudest = frame_features(sound(index), RATE).max()
        assert frame.token[LOUDEST] == pytest.approx(loudest, rel=1e-3)
        assert (frame.face_present, frame.voice_present) == (True, True)
        assert (frame.token[FACE], frame.token[VOICE]) == (1.0, 1.0)
        assert np.isnan(frame.attributes).all() and np.isnan(frame.coefficients).all()


def recorded(bundle: EncoderOnly, pieces: int, take_often: bool) -> list[SpeakerFrame]:
    """The same second of a walking face and sound, pushed in another number of pieces."""
    eye = perceiver(bundle, crop=True)
    portrait = cv2.resize(data.astronaut(), (300, 300), interpolation=cv2.INTER_AREA)
    wave = np.concatenate([sound(frame) for frame in range(25)])
    inputs: list[tuple[int, Callable[[], None]]] = []
    for frame in range(25):
        image = np.full((300, 400, 3), 90, np.uint8)
        image[:, 3 * frame : 300 + 3 * frame] = portrait
        stamp = at(frame) + (frame * 7919) % 9_000_000
        inputs.append((stamp, lambda i=image, s=stamp: eye.push_image(i, s)))
    for part in np.array_split(np.arange(wave.size), pieces):
        stamp = START + int(part[0]) * 10**9 // RATE
        inputs.append((stamp, lambda p=part, s=stamp: eye.push_audio(wave[p], s, RATE)))
    frames = []
    for _, push in sorted(inputs, key=lambda each: each[0]):
        push()
        frames += eye.take() if take_often else []
    eye.finish()
    return frames + eye.take()


def test_tokens_do_not_depend_on_how_the_input_is_cut(sees_images: EncoderOnly) -> None:
    runs = [
        [(frame.index, frame.token.tobytes()) for frame in recorded(sees_images, pieces, often)]
        for pieces, often in ((25, False), (25, True), (7, True), (100, True))
    ]
    assert len(runs[0]) >= 24
    assert runs[1:] == [runs[0]] * 3


def test_without_camera_the_face_counts_as_absent(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images)
    for frame in range(5):
        eye.push_audio(sound(frame), at(frame), RATE)
    eye.finish()
    frames = eye.take()
    assert len(frames) == 5
    assert not any(frame.face_present for frame in frames)
    assert all(frame.voice_present for frame in frames)
    assert eye.counters["frames_without_face"] == 5


def test_without_microphone_the_voice_counts_as_absent(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images)
    for frame in range(5):
        eye.push_image(halves(10, 20), at(frame))
    eye.finish()
    frames = eye.take()
    assert len(frames) == 5
    assert all(frame.face_present and not frame.voice_present for frame in frames)
    assert {frame.token[VOICE] for frame in frames if frame.token is not None} == {0.0}


def test_while_the_robot_speaks_the_voice_counts_as_absent(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images)
    eye.set_robot_speaking(True, at(1))
    eye.set_robot_speaking(False, at(3))
    for frame in range(5):
        eye.push_image(halves(10, 20), at(frame))
        eye.push_audio(sound(frame), at(frame), RATE)
    eye.finish()
    assert [frame.voice_present for frame in eye.take()] == [True, False, False, True, True]


class CountingImage:
    """An image that counts how often it is decoded."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.decoded = 0

    def rgb(self) -> np.ndarray:
        self.decoded += 1
        return self.image


def test_an_image_is_decoded_once_or_never(sees_images: EncoderOnly) -> None:
    slow, fast = perceiver(sees_images), perceiver(sees_images)
    slow_images = [CountingImage(halves(k, k)) for k in range(5)]
    fast_images = [CountingImage(halves(k, k)) for k in range(48)]
    for frame in range(20):
        for eye in (slow, fast):
            eye.push_audio(sound(0), at(frame), RATE)
    for k, image in enumerate(slow_images):
        slow.push_image(image, at(4 * k))
    for k, image in enumerate(fast_images):
        fast.push_image(image, at(k * 0.4))
    for eye in (slow, fast):
        eye.finish()
        frames = eye.take()
        assert len(frames) == 20
        assert all(frame.face_present for frame in frames)
    assert [image.decoded for image in slow_images] == [1] * 5
    assert sum(image.decoded for image in fast_images) == 20
    assert max(image.decoded for image in fast_images) == 1


def test_a_broken_image_is_no_face_and_reported_once_a_kind(
    sees_images: EncoderOnly, caplog: pytest.LogCaptureFixture
) -> None:
    whole = encoded(halves(10, 20))
    truncated = EncodedImage(whole.data[:-1], "rgb8", 48, 96, 288)
    unknown = EncodedImage(whole.data, "32FC4", 48, 96, 288)
    jpeg = cv2.imencode(".jpg", halves(10, 20))[1].tobytes()[:200]
    half_jpeg = EncodedImage(jpeg, "jpeg", compressed=True)
    images = [whole, truncated, truncated, unknown, whole, unknown, half_jpeg, whole]
    eye = perceiver(sees_images)
    with caplog.at_level(logging.WARNING):
        for frame, image in enumerate(images):
            eye.push_image(image, at(frame))
            eye.push_audio(sound(frame), at(frame), RATE)
        eye.finish()
        frames = eye.take()
    assert [frame.face_present for frame in frames] == [image is whole for image in images]
    assert all(frame.voice_present for frame in frames)
    assert eye.counters["broken_images"] == 5
    reports = [record.getMessage() for record in caplog.records]
    assert len(reports) == 2
    assert "only" in reports[0] and "32FC4" in reports[1]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        b"bytes",
    ],
    ids=["grey", "alpha", "floats", "empty", "bytes"],
)
def test_an_array_that_is_no_rgb_image_is_refused_at_once(
    sees_images: EncoderOnly, image: object
) -> None:
    with pytest.raises(ImageError, match="RGB uint8|EncodedImage"):
        perceiver(sees_images).push_image(image, START)  # type: ignore[arg-type]


def test_the_face_is_cropped_lost_and_found_again(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images, crop=True, tracker=TrackerSettings(lost_seconds=0.4))
    somebody, nobody = data.astronaut(), np.full((512, 512, 3), 120, np.uint8)
    for frame in range(60):
        eye.push_image(nobody if 10 <= frame < 40 else somebody, at(frame))
        eye.push_audio(sound(frame), at(frame), RATE)
    eye.finish()
    present = [frame.face_present for frame in eye.take()]
    assert all(present[:15])
    assert not any(present[22:40])
    assert all(present[46:])
    counters = eye.counters
    assert (counters["faces_found"], counters["faces_lost"]) == (2, 1)
    assert counters["frames_without_face"] == present.count(False)
    assert counters["images"] == 60


def test_a_reset_forgets_the_face_and_counts_frames_anew(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images, crop=True)
    somebody = data.astronaut()
    for start in (0, 100):
        for frame in range(start, start + 3):
            eye.push_image(somebody, at(frame))
            eye.push_audio(sound(0), at(frame), RATE)
        eye.finish()
        frames = eye.take()
        assert [(frame.epoch, frame.index) for frame in frames] == [
            (start // 100, 0), (start // 100, 1), (start // 100, 2)
        ]  # fmt: skip
        assert all(frame.face_present for frame in frames)
        eye.reset()
    assert eye.counters["faces_found"] == 2


def test_the_same_stamp_after_a_reset_is_another_image(sees_images: EncoderOnly) -> None:
    eye = perceiver(sees_images)
    for grey in (0, 255):
        eye.push_image(halves(grey, grey), at(0))
        eye.push_audio(sound(0), at(0), RATE)
        eye.finish()
        (frame,) = eye.take()
        assert frame.token is not None
        assert frame.token[LEFT] == pytest.approx(grey / 127.5 - 1.0, abs=1e-5)
        eye.reset()


def test_attributes_are_seen_and_handed_through(sees_attributes: EncoderOnly) -> None:
    eye = perceiver(sees_attributes)
    attributes = neutral_attributes()
    attributes[3] = 5.0
    coefficients = np.full(58, 7.0, np.float32)
    for frame in range(3):
        eye.push_attributes(attributes, coefficients, at(frame))
        eye.push_audio(sound(frame), at(frame), RATE)
    eye.finish()
    frames = eye.take()
    assert len(frames) == 3
    for frame in frames:
        assert frame.face_present
        assert frame.token is not None
        assert (frame.token[LEFT], frame.token[RIGHT]) == (5.0, 7.0)
        np.testing.assert_array_equal(frame.attributes, attributes)
        np.testing.assert_array_equal(frame.coefficients, coefficients)


@pytest.mark.parametrize(
    ("known", "present"), [((), False), ((4,), True), ((70,), True)], ids=["none", "AU", "head"]
)
def test_a_face_is_there_when_anything_of_it_is_known(
    sees_attributes: EncoderOnly, known: tuple[int, ...], present: bool
) -> None:
    vector = np.full(83, np.nan, np.float32)
    vector[0] = np.inf
    vector[list(known)] = 0.5
    eye = perceiver(sees_attributes)
    eye.push_attributes(vector[:25], vector[25:], at(0))
    eye.push_audio(sound(0), at(0), RATE)
    eye.finish()
    (frame,) = eye.take()
    assert frame.face_present is present
    assert np.isnan(frame.attributes[0])


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_microphones_of_every_rate_are_heard(
    sees_images: EncoderOnly, rate: int, channels: int
) -> None:
    eye = perceiver(sees_images)
    for frame in range(3):
        eye.push_image(halves(1, 2), at(frame))
        piece = np.repeat(sound(frame, rate)[:, None], channels, axis=1)
        eye.push_audio(piece, at(frame), rate)
    eye.finish()
    frames = eye.take()
    assert len(frames) == 3
    assert all(frame.voice_present for frame in frames)
    assert all(np.isfinite(frame.token).all() for frame in frames)


def test_inputs_taken_first_and_encoded_later_give_the_same(sees_images: EncoderOnly) -> None:
    eyes = [perceiver(sees_images) for _ in range(2)]
    for eye in eyes:
        for frame in range(3):
            eye.push_image(encoded(halves(frame, 7)), at(frame))
            eye.push_audio(sound(frame), at(frame), RATE)
        eye.finish()
    at_once = eyes[0].take()
    later = eyes[1].encode(eyes[1].take_inputs())
    assert [a.token.tobytes() for a in at_once] == [b.token.tobytes() for b in later]
