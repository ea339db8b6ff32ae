"""Speech for the demo's speaker: sentences said by espeak-ng, with pauses, as one sound."""

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perreactor_model.contract import FRAME_RATE

SPEECH_RATE = 22050
"""Samples a second that espeak-ng gives out."""


@dataclass(frozen=True)
class Sentence:
    """`text` is said, then silence for `pause` seconds. `mood` names the face that goes with it."""

    text: str
    pause: float
    mood: str = "calm"


@dataclass(frozen=True)
class SpokenSentence:
    """A sentence with its place in the sound, in seconds."""

    sentence: Sentence
    begin: float
    end: float


def say(
    sentences: tuple[Sentence, ...], *, voice: str, speed: int, pitch: int, lead: float = 0.8
) -> tuple[np.ndarray, list[SpokenSentence]]:
    """All sentences as float32 mono at SPEECH_RATE, after `lead` seconds of silence.

    Raises RuntimeError when espeak-ng is not installed.
    """
    parts = [np.zeros(int(lead * SPEECH_RATE), np.float32)]
    spoken, position = [], len(parts[0])
    for sentence in sentences:
        samples = _one_sentence(sentence.text, voice, speed, pitch)
        begin, end = position / SPEECH_RATE, (position + len(samples)) / SPEECH_RATE
        spoken.append(SpokenSentence(sentence, begin, end))
        silence = np.zeros(int(sentence.pause * SPEECH_RATE), np.float32)
        parts += [samples, silence]
        position += len(samples) + len(silence)
    sound = np.concatenate(parts)
    return 0.7 * sound / max(float(np.abs(sound).max()), 1e-6), spoken


def loudness(sound: np.ndarray) -> np.ndarray:
    """How loud each frame of 1/25 s is, 0..1, quick to rise and slower to fall. Shape (frames,)."""
    frame = SPEECH_RATE // FRAME_RATE
    count = len(sound) // frame
    power = (sound[: count * frame].reshape(count, frame) ** 2).mean(axis=1) ** 0.5
    level = np.clip(power / (np.percentile(power[power > 0.01], 85) + 1e-6), 0, 1) ** 0.7
    smooth = np.zeros(count, np.float32)
    for k in range(1, count):
        share = 0.75 if level[k] > smooth[k - 1] else 0.55
        smooth[k] = smooth[k - 1] + share * (level[k] - smooth[k - 1])
    return smooth


def brightness(sound: np.ndarray) -> np.ndarray:
    """Where a frame's energy lies: -1 dark (o, u: rounded lips) .. 1 bright (i, s: spread lips)."""
    frame = SPEECH_RATE // FRAME_RATE
    count = len(sound) // frame
    spectrum = np.abs(np.fft.rfft(sound[: count * frame].reshape(count, frame), axis=1)) ** 2
    frequency = np.fft.rfftfreq(frame, 1 / SPEECH_RATE)
    total = spectrum.sum(axis=1)
    centre = (spectrum * frequency).sum(axis=1) / np.maximum(total, 1e-9)
    bright = np.clip((centre - 1000.0) / 1200.0, -1, 1) * (total > 1e-2)
    return np.convolve(bright, [0.25, 0.5, 0.25], mode="same").astype(np.float32)


def _one_sentence(text: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    if shutil.which("espeak-ng") is None:
        raise RuntimeError("espeak-ng is needed to build the speaker: apt-get install espeak-ng")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentence.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path)]
        subprocess.run([*command, text], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == SPEECH_RATE and file.getnchannels() == 1
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(samples) > 100)
    return (samples[loud[0] : loud[-1] + 1] / 32768.0).astype(np.float32)
