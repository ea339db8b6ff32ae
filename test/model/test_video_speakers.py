"""The shipped speakers show a face that moves and talks."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from perreactor_model.media.video import probe, read_pictures, read_sound

FOLDER = Path(__file__).parents[2] / "resource" / "speaker"
SPEAKERS = ("speaker.mp4", "speaker_b.mp4")


def small_grey(name: str, every: int) -> list[np.ndarray]:
    pictures = read_pictures(FOLDER / name, size=(320, 240))
    return [
        cv2.cvtColor(picture.image, cv2.COLOR_RGB2GRAY)
        for index, picture in enumerate(pictures)
        if index % every == 0
    ]


@pytest.mark.parametrize(("name", "seconds"), [("speaker.mp4", 20), ("speaker_b.mp4", 10)])
def test_a_speaker_is_a_short_small_video_with_sound(name, seconds):
    info = probe(FOLDER / name)
    assert (info.width, info.height) == (640, 480)
    assert info.frame_rate == pytest.approx(25)
    assert info.duration == pytest.approx(seconds, abs=2)
    assert info.has_sound
    assert (FOLDER / name).stat().st_size < 2_000_000


@pytest.mark.parametrize("name", SPEAKERS)
def test_the_face_is_found_in_nearly_every_picture(name):
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    pictures = small_grey(name, every=15)
    found = [len(finder.detectMultiScale(p, 1.2, 4, minSize=(50, 50))) == 1 for p in pictures]
    assert np.mean(found) > 0.95


@pytest.mark.parametrize("name", SPEAKERS)
def test_the_mouth_moves_while_there_is_speech(name):
    pictures = np.stack(small_grey(name, every=1)).astype(np.float32)
    sound = np.concatenate([block.samples for block in read_sound(FOLDER / name, rate=8000)])
    frames = min(len(pictures), len(sound) // 320)
    power = np.sqrt((sound[: frames * 320].reshape(frames, 320) ** 2).mean(axis=1))
    mouth = pictures[:frames, 145:185, 130:190]
    motion = np.abs(np.diff(mouth, axis=0)).mean(axis=(1, 2))
    speech, silence = power[1:] > 0.03, power[1:] < 0.001
    assert speech.mean() > 0.3 and silence.mean() > 0.2
    assert motion[speech].mean() > 1.5 * motion[silence].mean()


def test_the_two_speakers_look_and_sound_different():
    one, other = (small_grey(name, every=1000)[0].astype(int) for name in SPEAKERS)
    assert np.abs(one - other).mean() > 15
