"""The overlay: what was measured is drawn where it is, and unknown is never drawn as zero."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.contract import ATTRIBUTE_COUNT, FRAME_NS, FRAME_RATE, neutral_attributes
from perreactor_model.face_analysis.observation import FaceObservation, Knowledge
from perreactor_model.face_analysis.recording import frames_of
from perreactor_model.media.attribute_overlay import (
    OVERLAY_SIZE,
    PICTURE_SIZE,
    AttributeOverlay,
    draw_observation,
)
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import probe, read_pictures, read_sound
from perreactor_model.vision.detector import FaceBox

GREY = np.full((480, 640, 3), 90, np.uint8)
RATE = 16_000


def observed(**changed) -> FaceObservation:
    knowledge = np.where(np.arange(ATTRIBUTE_COUNT) < 15, Knowledge.MEASURED, Knowledge.DERIVED)
    seen = FaceObservation(
        stamp_ns=0,
        box=FaceBox(320.0, 240.0, 200.0),
        person=1,
        attributes=neutral_attributes(),
        knowledge=knowledge.astype(np.uint8),
        rotation=np.zeros(3, np.float32),
        translation=np.zeros(3, np.float32),
        calibration=1.0,
    )
    return replace(seen, **changed)


def with_unit(value: float, column: int = 7) -> FaceObservation:
    attributes = neutral_attributes()
    attributes[column] = value
    return observed(attributes=attributes)


def panel(seen: FaceObservation) -> np.ndarray:
    return draw_observation(None, seen)[:, PICTURE_SIZE[0] :].astype(int)


def blue(image: np.ndarray) -> int:
    return int(((image[..., 2] > 200) & (image[..., 0] < 120)).sum())


def amber(image: np.ndarray) -> int:
    return int(((image[..., 0] > 220) & (image[..., 2] < 120)).sum())


def changed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.argwhere((one.astype(int) != other).any(axis=-1))


def test_a_stronger_unit_has_a_longer_blue_bar():
    lengths = [blue(panel(with_unit(value))) for value in (0.0, 0.2, 0.5, 1.0)]
    assert lengths == sorted(set(lengths))
    assert lengths[3] - lengths[0] == pytest.approx(2 * (lengths[2] - lengths[0]), rel=0.05)


def test_an_unknown_unit_looks_neither_like_zero_nor_like_any_value():
    unknown, zero = panel(with_unit(np.nan)), panel(with_unit(0.0))
    assert blue(unknown) == blue(zero)
    hatched = changed(unknown, zero)
    bar = hatched[hatched[:, 1] < 305]
    assert len(bar) > 200
    assert bar[:, 1].max() - bar[:, 1].min() > 150


def test_derived_values_are_amber():
    happy = neutral_attributes()
    happy[17:19] = 0.2, 0.8
    measured = np.full(ATTRIBUTE_COUNT, Knowledge.MEASURED, np.uint8)
    assert amber(panel(observed(attributes=happy))) > 500
    assert amber(panel(observed(attributes=happy, knowledge=measured))) < 120


def test_pleasure_is_to_the_right_and_arousal_up():
    def dot(valence: float, arousal: float) -> np.ndarray:
        attributes = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
        attributes[15:17] = valence, arousal
        image = panel(observed(attributes=attributes))[:, :130]
        rows, columns = np.nonzero((image[..., 0] > 220) & (image[..., 2] < 120))
        return np.array([columns.mean(), rows.mean()])

    right, up = dot(0.8, 0.0) - dot(-0.8, 0.0), dot(0.0, -0.8) - dot(0.0, 0.8)
    assert right == pytest.approx([80, 0], abs=3)
    assert up == pytest.approx([0, 80], abs=3)


def test_without_a_face_the_picture_stays_as_it_is():
    image = draw_observation(GREY, FaceObservation(0))
    assert image.shape == (OVERLAY_SIZE[1], OVERLAY_SIZE[0], 3)
    assert np.array_equal(image[:, : PICTURE_SIZE[0]], GREY)
    assert len(changed(panel(FaceObservation(0)), panel(observed()))) > 1000


def test_landmarks_and_box_follow_the_scale_of_the_picture():
    landmarks = np.array([[200.0, 100.0], [210.0, 104.0]], np.float16)
    seen = observed(
        box=FaceBox(220.0, 160.0, 90.0), landmarks=landmarks, rotation=np.full(3, np.nan)
    )
    image = draw_observation(GREY, seen, scale=2.0)[:, : PICTURE_SIZE[0]]
    for x, y in landmarks.astype(float) * 2:
        assert image[int(y), int(x)].min() > 200
    places = changed(image[250:], GREY[250:]) + [250, 0]
    assert places[:, 0].max() == pytest.approx(2 * (160 + 45), abs=2)
    assert places[:, 1].min() == pytest.approx(2 * (220 - 45), abs=2)


def test_a_small_picture_is_centred():
    image = draw_observation(GREY[:240, :320], FaceObservation(0))
    assert np.array_equal(image[120:360, 160:480], GREY[:240, :320])
    assert image[:120, : PICTURE_SIZE[0]].max() < 40


@pytest.mark.parametrize(
    ("rotation", "towards"),
    [
        ((0.5, 0, 0), (0, 1)),
        ((-0.5, 0, 0), (0, -1)),
        ((0, 0.5, 0), (1, 0)),
        ((0, -0.5, 0), (-1, 0)),
    ],
)
def test_the_arrow_goes_where_the_face_looks(rotation, towards):
    image = draw_observation(GREY, observed(rotation=np.array(rotation, np.float32)))
    image = image[:, : PICTURE_SIZE[0]].astype(int)
    tip = (image[..., 0] > 240) & (image[..., 1] > 225) & (image[..., 2] < 140)
    rows, columns = np.nonzero(tip)
    way = np.array([columns.mean(), rows.mean()]) - [320, 240]
    assert way @ towards > 15
    assert abs(way @ towards[::-1]) < 5


def test_the_head_tilts_as_the_head_does():
    """Roll is positive towards the right shoulder: to the left of the picture."""
    image = draw_observation(GREY, observed(rotation=np.array([0, 0, 0.5], np.float32)))
    image = image[:, : PICTURE_SIZE[0]].astype(int)
    rows, columns = np.nonzero((image[..., 1] > 200) & (image[..., 0] < 140))
    upper = rows < 190
    assert columns[upper].mean() < 300


@pytest.mark.parametrize("x", [-500.0, 0.0, 640.0, 5000.0])
def test_a_face_at_the_edge_or_beyond_is_no_trouble(x):
    landmarks = np.full((478, 2), x, np.float32)
    image = draw_observation(GREY, observed(box=FaceBox(x, x, 300.0), landmarks=landmarks))
    assert image.shape == (OVERLAY_SIZE[1], OVERLAY_SIZE[0], 3)


def test_calibration_is_shown_as_it_goes_on():
    unknown = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
    early, late = (
        panel(observed(attributes=unknown, calibration=share))[45:55] for share in (0.2, 0.9)
    )
    assert amber(early) > 0
    assert amber(late) == pytest.approx(4.5 * amber(early), rel=0.1)
    assert amber(panel(observed())[45:55]) == 0


def video_with_a_beep(path: Path, first_picture: int = 0, seconds: int = 2) -> Path:
    """Pictures from frame `first_picture` on, a tone from 1.0 s to 1.2 s."""
    time = np.arange(seconds * RATE) / RATE
    sound = np.where((time >= 1.0) & (time < 1.2), np.sin(2 * np.pi * 440 * time), 0.0) * 0.7
    with VideoWriter(path, 160, 120, audio_rate=RATE) as writer:
        for index in range(seconds * FRAME_RATE):
            if index >= first_picture:
                writer.write(np.full((120, 160, 3), 4 * index, np.uint8), index)
            writer.write_sound(sound[index * 640 : (index + 1) * 640].astype(np.float32))
    return path


@pytest.mark.parametrize("first_picture", [0, 10])
def test_the_sound_stays_with_the_pictures(tmp_path, first_picture):
    video = video_with_a_beep(tmp_path / "beep.mp4", first_picture)
    out = tmp_path / "overlay.mp4"
    frames = list(frames_of(read_pictures(video)))
    with AttributeOverlay(video, out) as overlay:
        for stamp_ns, _ in frames:
            overlay.add(FaceObservation(stamp_ns))
    info = probe(out)
    assert (info.width, info.height, info.frame_rate) == (*OVERLAY_SIZE, FRAME_RATE)
    shown = list(read_pictures(out))
    assert len(shown) == len(frames) == 50 - first_picture
    brightness = [picture.image[200:280, 200:440].mean() for picture in shown]
    expected = [picture.image.mean() for _, picture in frames if picture is not None]
    assert brightness == pytest.approx(expected, abs=4)
    sound = np.concatenate([block.samples for block in read_sound(out)])
    loud = np.flatnonzero(np.abs(sound) > 0.2) / RATE
    late = first_picture * FRAME_NS / 1e9
    assert loud.min() == pytest.approx(1.0 - late, abs=0.03)
    assert loud.max() == pytest.approx(1.2 - late, abs=0.03)


def test_a_video_without_sound_has_an_overlay_without_sound(tmp_path):
    video, out = tmp_path / "silent.mp4", tmp_path / "overlay.mp4"
    with VideoWriter(video, 64, 48) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    with AttributeOverlay(video, out) as overlay:
        for stamp_ns, _ in frames_of(read_pictures(video)):
            overlay.add(FaceObservation(stamp_ns))
    assert not probe(out).has_sound
    assert len(list(read_pictures(out))) == 3
