"""A voice for a simulated person: pulses of the vocal folds, coloured by three formants.

The source-filter model: G. Fant: "Acoustic theory of speech production", Mouton, 1960. Pulses after
A. E. Rosenberg: "Effect of glottal pulse shape on the quality of natural vowels", JASA 49(2B),
1971. First formants rise with the opening of the mouth and second ones fall with rounding lips: G.
E. Peterson, H. L. Barney: "Control methods used in a study of the vowels", JASA 24(2), 1952, whose
ranges are used. It babbles: there are no words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter, sosfilt

from perreactor_model.contract import FRAME_RATE
from perreactor_model.synthesis.seeds import Seed, stream
from perreactor_model.synthesis.talk import (
    CLOSURE,
    END,
    LOUDNESS,
    ONSET,
    OPENNESS,
    ROUNDING,
    SpeechTrack,
)

VOICE_RATE = 16000
"""Samples a second."""

_BANDWIDTHS = (80.0, 110.0, 160.0)
_CONSONANT = 0.055
"""Seconds of noise or silence with which a syllable begins."""

_FADE = 0.012


@dataclass(frozen=True)
class Microphone:
    """How a person is recorded: RMS of speech and of noise, `tilt` of the spectrum 0..0.6."""

    level: float
    noise: float
    tilt: float


def draw_microphone(generator: np.random.Generator) -> Microphone:
    """Speech at -32 to -16 dB of full scale, noise 25 to 45 dB below it."""
    level = 10.0 ** (generator.uniform(-32.0, -16.0) / 20.0)
    noise = level * 10.0 ** (-generator.uniform(25.0, 45.0) / 20.0)
    return Microphone(float(level), float(noise), float(generator.uniform(0.0, 0.6)))


def speak(track: SpeechTrack, microphone: Microphone, seed: Seed) -> np.ndarray:
    """Sound of a person over all frames of `track`: float32 (T * 640,), mono, in [-1, 1]."""
    count = len(track.energy) * VOICE_RATE // FRAME_RATE
    source = _source(track, count, stream(seed, 0))
    voiced = _formants(source, track, count)
    sound = voiced * _envelope(track, count) + _consonants(track, count, stream(seed, 1))
    loud = np.abs(sound) > 1e-6
    if loud.any():
        sound *= microphone.level / np.sqrt(np.mean(sound[loud] ** 2))
    sound += microphone.noise * _room(count, stream(seed, 2))
    if microphone.tilt:
        sound = lfilter([1.0 - microphone.tilt], [1.0, -microphone.tilt], sound)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def _source(track: SpeechTrack, count: int, generator: np.random.Generator) -> np.ndarray:
    """Pulses at the track's pitch with a little breath, all the time."""
    frames = np.arange(len(track.pitch))
    voiced = track.pitch > 0
    pitch = np.full(len(frames), track.voice_pitch)
    if voiced.any():
        pitch = np.interp(frames, frames[voiced], track.pitch[voiced])
    wobble = 1.0 + 0.006 * lfilter([0.1], [1.0, -0.9], generator.standard_normal(len(frames)))
    places = np.arange(count) / VOICE_RATE * FRAME_RATE
    phase = np.cumsum(np.interp(places, frames, pitch * wobble)) / VOICE_RATE % 1.0
    opening = np.where(phase < 0.4, 0.5 * (1.0 - np.cos(np.pi * phase / 0.4)), 0.0)
    closing = np.where(
        (phase >= 0.4) & (phase < 0.56), np.cos(0.5 * np.pi * (phase - 0.4) / 0.16), 0.0
    )
    flow = opening + closing + 0.02 * generator.standard_normal(count)
    return np.diff(flow, prepend=flow[:1])


def _formants(source: np.ndarray, track: SpeechTrack, count: int) -> np.ndarray:
    """The source through three resonances that change with each syllable."""
    # Shorter vocal tracts go with higher voices.
    size = 1.0 + 0.16 * np.clip((track.voice_pitch - 120.0) / 80.0, -0.5, 1.5)
    state = np.zeros((3, 2))
    sound = np.zeros(count)
    begin = 0
    for row, end in zip(track.syllables, _ends(track.syllables, count), strict=True):
        if end == begin:
            continue
        first = (270.0 + 480.0 * row[OPENNESS]) * size
        second = (1500.0 - 650.0 * row[ROUNDING] * (1.2 - row[OPENNESS])) * size
        filters = np.stack(
            [
                _resonance(hertz, width)
                for hertz, width in zip((first, second, 2550.0 * size), _BANDWIDTHS, strict=True)
            ]
        )
        sound[begin:end], state = sosfilt(filters, source[begin:end], zi=state)
        begin = end
    return sound


def _ends(syllables: np.ndarray, count: int) -> list[int]:
    """Where the mouth leaves each syllable for the next, in samples, never going back."""
    if not len(syllables):
        return []
    onsets = np.round(syllables[1:, ONSET] * VOICE_RATE).astype(int)
    return np.maximum.accumulate(np.clip([*onsets, count], 0, count)).tolist()


def _resonance(hertz: float, width: float) -> np.ndarray:
    """A two-pole filter as a row of `sosfilt`, with gain 1 at 0 Hz."""
    radius = np.exp(-np.pi * width / VOICE_RATE)
    poles = np.array([1.0, -2.0 * radius * np.cos(2.0 * np.pi * hertz / VOICE_RATE), radius**2])
    return np.concatenate([[poles.sum(), 0.0, 0.0], poles])


def _envelope(track: SpeechTrack, count: int) -> np.ndarray:
    """Loudness of what is voiced: each syllable swells after its consonant and fades."""
    envelope = np.zeros(count)
    for row in track.syllables:
        first, last = _span(row[ONSET] + 0.5 * _CONSONANT, row[END] + _FADE, count)
        if last - first < 8:
            continue
        share = np.linspace(0.0, 1.0, last - first)
        bump = row[LOUDNESS] * (0.3 + 0.7 * np.sin(np.pi * share) ** 0.7)
        edge = np.minimum(1.0, np.minimum(share, 1.0 - share) * (last - first) / VOICE_RATE / _FADE)
        envelope[first:last] = np.maximum(envelope[first:last], bump * edge)
    return envelope


def _consonants(track: SpeechTrack, count: int, generator: np.random.Generator) -> np.ndarray:
    """Hiss at the begin of some syllables; those with closed lips begin with a soft burst."""
    sound = np.zeros(count)
    for row in track.syllables:
        kind, colour = generator.random(), generator.uniform(0.2, 0.9)
        if row[CLOSURE]:
            first, last = _span(row[ONSET] + 0.02, row[ONSET] + 0.035, count)
            size = 0.05
        elif kind < 0.45:
            first, last = _span(row[ONSET], row[ONSET] + _CONSONANT, count)
            size = 0.12
        else:
            continue
        noise = generator.standard_normal(max(0, last - first))
        if len(noise) > 1:
            hiss = noise - colour * np.roll(noise, 1)
            sound[first:last] += size * row[LOUDNESS] * hiss * np.hanning(len(noise))
    return 0.1 * sound


def _room(count: int, generator: np.random.Generator) -> np.ndarray:
    """Noise of a room, RMS 1: more low than high."""
    noise = lfilter([1.0], [1.0, -0.85], generator.standard_normal(count))
    return np.asarray(noise * np.sqrt(1.0 - 0.85**2))


def _span(begin: float, end: float, count: int) -> tuple[int, int]:
    first = min(count, max(0, round(begin * VOICE_RATE)))
    return first, max(first, min(count, round(end * VOICE_RATE)))
