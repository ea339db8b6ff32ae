"""Builds the demo's speakers: a moving, talking face from freely usable sources.

`python -m perreactor_model.media.speaker --out resource/speaker` writes `speaker.mp4` and
`speaker_b.mp4`. The face is the public-domain NASA portrait in scikit-image, animated by warping;
the voice is espeak-ng. Both are needed for building only, not for playing the files.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from perreactor_model.contract import FRAME_RATE
from perreactor_model.media.face_animation import FaceAnimator, FaceControls
from perreactor_model.media.portrait import LANDMARKS
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.speech import (
    SPEECH_RATE,
    Sentence,
    SpokenSentence,
    brightness,
    loudness,
    say,
)

MOODS = {
    "calm": FaceControls(smile=0.15),
    "happy": FaceControls(smile=0.85, brow_left=0.25, brow_right=0.25),
    "puzzled": FaceControls(frown=0.8, brow_left=0.55, brow_right=-0.25, roll=0.09, yaw=0.06),
    "asking": FaceControls(brow_left=0.8, brow_right=0.8, smile=0.1, roll=-0.07, pitch=-0.05),
    "waiting": FaceControls(smile=0.4, brow_left=0.35, brow_right=0.35, roll=-0.05),
    "annoyed": FaceControls(frown=1.0, pitch=0.06, brow_left=-0.2, brow_right=-0.2),
}
"""The resting face of each mood; speech, blinks and head motion come on top."""


@dataclass(frozen=True)
class Speaker:
    """Who speaks, how, and what. `other_person` mirrors the portrait and changes its colours."""

    name: str
    voice: str
    speed: int
    pitch: int
    sentences: tuple[Sentence, ...]
    seed: int
    other_person: bool = False


SPEAKERS = (
    Speaker(
        "speaker",
        voice="en-us+f3",
        speed=150,
        pitch=55,
        seed=1,
        sentences=(
            Sentence("Hello, it is good to see you.", 0.9, "calm"),
            Sentence("This morning I heard that our team has won the prize!", 0.5, "happy"),
            Sentence("I was so happy.", 1.2, "happy"),
            Sentence("But then a letter came, and it makes no sense to me.", 1.0, "puzzled"),
            Sentence("What do you think it could mean?", 2.2, "asking"),
            Sentence("Well, thank you for listening.", 1.0, "waiting"),
        ),
    ),
    Speaker(
        "speaker_b",
        voice="en-gb+m3",
        speed=165,
        pitch=40,
        seed=2,
        other_person=True,
        sentences=(
            Sentence("I have lost my keys again, and nobody wants to help me.", 0.6, "annoyed"),
            Sentence("Have you seen them?", 1.2, "asking"),
            Sentence("Oh, they are in my pocket!", 1.2, "happy"),
        ),
    ),
)


def build(speaker: Speaker, path: Path) -> None:
    """Write one speaker's video (640x480, 25 frames a second, mono sound)."""
    sound, spoken = say(
        speaker.sentences, voice=speaker.voice, speed=speaker.speed, pitch=speaker.pitch
    )
    frames = script_face(sound, spoken, speaker.seed)
    animator = FaceAnimator(portrait_of(speaker))
    noise = np.random.default_rng(speaker.seed)
    with VideoWriter(
        path, 640, 480, FRAME_RATE, audio_rate=SPEECH_RATE, quality=24, preset="slow",
        fragmented=False,
    ) as writer:  # fmt: skip
        frame_samples = SPEECH_RATE // FRAME_RATE
        for index, controls in enumerate(frames):
            image = animator.draw(controls)
            image = _as_other_person(image) if speaker.other_person else image
            writer.write(_with_camera_noise(image, noise))
            writer.write_sound(sound[index * frame_samples : (index + 1) * frame_samples])


def script_face(sound: np.ndarray, spoken: list[SpokenSentence], seed: int) -> list[FaceControls]:
    """What the face does in each frame: mood, lips on the sound, blinks, nods and sway."""
    loud, bright = loudness(sound), brightness(sound)
    count = len(loud)
    random = np.random.default_rng(seed)
    mood = _moods_over_time(spoken, count)
    blink = _blinks(count, random)
    stress = _smoothed(loud, 7)
    drift = {name: _slow_motion(count, random) for name in ("yaw", "pitch", "roll", "sway")}
    frames = []
    for k in range(count):
        frame = FaceControls(**{name: float(track[k]) for name, track in mood.items()})
        ahead = min(k + 1, count - 1)  # lips move a little before the sound is heard
        frame.mouth_open += 0.72 * float(loud[ahead])
        frame.mouth_width += 0.8 * float(bright[ahead])
        frame.smile *= 1.0 - 0.35 * float(loud[ahead])
        frame.mouth_open += 0.38 * max(0.0, frame.smile - 0.45)
        frame.blink = float(blink[k])
        frame.brow_left += 0.25 * float(stress[k])
        frame.brow_right += 0.25 * float(stress[k])
        frame.pitch += 0.05 * float(drift["pitch"][k]) + 0.05 * float(stress[k])
        frame.yaw += 0.09 * float(drift["yaw"][k])
        frame.roll += 0.04 * float(drift["roll"][k])
        frame.sway += 2.5 * float(drift["sway"][k])
        frames.append(frame)
    return frames


def portrait_of(speaker: Speaker) -> np.ndarray:
    """The portrait as RGB uint8 (512, 512, 3); another person has other colours."""
    from skimage import data

    portrait = data.astronaut()
    if not speaker.other_person:
        return portrait
    hair = _hair_mask(portrait)[..., None]
    skin = _skin_mask(portrait)[..., None] * (1 - hair)
    around = np.clip(1 - hair - skin, 0, 1)
    picture = portrait.astype(np.float32)
    dark_hair = picture * np.array([0.42, 0.36, 0.34]) + 4
    tanned = picture * np.array([0.93, 0.84, 0.77])
    blue_suit = picture[..., ::-1] * np.array([0.72, 0.82, 0.86])
    return np.clip(dark_hair * hair + tanned * skin + blue_suit * around, 0, 255).astype(np.uint8)


def _hair_mask(portrait: np.ndarray) -> np.ndarray:
    """Where hair is: dark or golden, in the hair's outline, not in the face. 0..1."""
    picture = portrait.astype(np.float32)
    dark = np.clip((172 - picture.mean(axis=2)) / 22, 0, 1)
    golden = np.clip((picture[..., 0] - picture[..., 2] - 15) / 12, 0, 1)
    dark[:70] = np.maximum(dark, golden)[:70]  # highlights on top, where there is no skin
    face = _outline_mask(portrait, "face_outline", grow=1)
    face[:84] = 0
    return cv2.GaussianBlur(
        _outline_mask(portrait, "hair", grow=4) * dark * (1 - face), (0, 0), 0.8
    )


def _skin_mask(portrait: np.ndarray) -> np.ndarray:
    """Where face, ears and neck are: warm colours near the face. 0..1."""
    picture = portrait.astype(np.float32)
    warm = np.clip((picture[..., 0] - picture[..., 2] - 22) / 12, 0, 1)
    near = np.zeros(portrait.shape[:2], np.float32)
    near[60:195, 165:288] = 1
    face = _outline_mask(portrait, "face_outline", grow=0)
    return cv2.GaussianBlur(np.maximum(warm * near, face), (0, 0), 0.8)


def _outline_mask(portrait: np.ndarray, group: str, grow: int) -> np.ndarray:
    """The area within a group of landmarks (their convex hull), feathered. (512, 512), 0..1."""
    mask: np.ndarray = np.zeros(portrait.shape[:2], np.uint8)
    points = np.array([landmark[:2] for landmark in LANDMARKS[group]], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(points).astype(np.int32), 255, cv2.LINE_AA)
    if grow:
        cv2.dilate(mask, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8), mask)
    return cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255


def _as_other_person(image: np.ndarray) -> np.ndarray:
    """Mirrored and a little broader: another face to a detector, the same to the animation."""
    height, width = image.shape[:2]
    broader = cv2.resize(image, (int(width * 1.08), height), interpolation=cv2.INTER_AREA)
    left = (broader.shape[1] - width) // 2
    return np.ascontiguousarray(broader[:, left : left + width][:, ::-1])


def _moods_over_time(spoken: list[SpokenSentence], count: int) -> dict[str, np.ndarray]:
    """Mood controls as smooth tracks; a mood starts a little before its sentence."""
    names = [name for name in vars(FaceControls()) if name not in ("blink",)]
    tracks = {name: np.full(count, getattr(MOODS["calm"], name), np.float32) for name in names}
    for part in spoken:
        begin = max(0, int((part.begin - 0.35) * FRAME_RATE))
        for name in names:
            tracks[name][begin:] = getattr(MOODS[part.sentence.mood], name)
    return {name: _smoothed(_smoothed(track, 13), 9) for name, track in tracks.items()}


def _blinks(count: int, random: np.random.Generator) -> np.ndarray:
    """Lids: closed within two frames, open within four, every two to four seconds."""
    shape = np.array([0.45, 1.0, 0.9, 0.5, 0.2])
    lids = np.zeros(count + len(shape), np.float32)
    at = int(random.uniform(0.6, 1.5) * FRAME_RATE)
    while at < count:
        lids[at : at + len(shape)] = np.maximum(lids[at : at + len(shape)], shape)
        at += int(random.uniform(1.8, 4.0) * FRAME_RATE)
    return lids[:count]


def _slow_motion(count: int, random: np.random.Generator) -> np.ndarray:
    """A restless but smooth track of about -1..1: three slow sines with random phases."""
    time = np.arange(count) / FRAME_RATE
    track = np.zeros(count)
    for frequency, share in ((0.13, 0.5), (0.31, 0.35), (0.73, 0.15)):
        track += share * np.sin(2 * np.pi * (frequency * time + random.uniform()))
    return track


def _smoothed(track: np.ndarray, width: int) -> np.ndarray:
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(track, width // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")[: len(track)]


def _with_camera_noise(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A little sensor noise: two frames of a real camera are never equal."""
    noise = random.normal(0, 1.0, image.shape[:2]).astype(np.float32)[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the mp4 files")
    folder = parser.parse_args().out
    for speaker in SPEAKERS:
        build(speaker, folder / f"{speaker.name}.mp4")


if __name__ == "__main__":
    main()
