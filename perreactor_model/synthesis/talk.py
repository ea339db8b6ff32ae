"""How talking looks and sounds: syllables, loudness, pitch, lips.

Mouth opening follows the loudness of speech at 2 to 7 Hz, and is ahead of it by 0.1 to 0.2 s:
C. Chandrasekaran et al.: "The natural statistics of audiovisual speech", PLoS Computational Biology
5(7), 2009. Pitch falls over a phrase and rises at the end of many questions: J. J. Ohala: "An
ethological perspective on common cross-language utilization of F0 of voice", Phonetica 41(1), 1984.
It is higher, wider and louder when aroused, lower and softer when sad: K. R. Scherer: "Vocal
communication of emotion: a review of research paradigms", Speech Communication 40, 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS, FRAME_RATE
from perreactor_model.synthesis.personas import Persona
from perreactor_model.synthesis.scripts import Moment, Phrase

SYLLABLE_FIELDS = ("onset", "end", "loudness", "openness", "rounding", "pitch", "closure")
"""Columns of `SpeechTrack.syllables`: seconds, seconds, 0..1, 0..1 (closed hum .. wide vowel), -1
(spread: i) .. 1 (rounded: u), Hz in its middle, 0 or 1 (it begins with closed lips: p, b, m)."""

ONSET, END, LOUDNESS, OPENNESS, ROUNDING, PITCH, CLOSURE = range(len(SYLLABLE_FIELDS))

_LIPS_AHEAD = 0.1
_QUESTION_RISE = 6.0
"""Semitones over the last 0.45 s."""

_VOICE_OF = {  # loudness factor, semitones
    "funny": (1.2, 3.0),
    "sad": (0.6, -2.5),
    "surprising": (1.3, 5.0),
    "annoying": (1.25, 1.0),
    "disgusting": (0.95, -1.0),
    "frightening": (0.9, 3.5),
    "doubtful": (0.85, -1.0),
}


@dataclass(frozen=True)
class SpeechTrack:
    """What somebody says, without words; all at 25 frames a second.

    energy: float32 (T,), loudness 0..1. pitch: float32 (T,), Hz, 0 where unvoiced. phrases: what
    the script has this person say. syllables: float64 (n, 7), see SYLLABLE_FIELDS; those of short
    acknowledgements ("mm") while listening are among them. voice_pitch: Hz, the person's usual.
    """

    energy: np.ndarray
    pitch: np.ndarray
    phrases: tuple[Phrase, ...]
    syllables: np.ndarray
    voice_pitch: float


def utter(
    phrases: Sequence[Phrase],
    moments: Sequence[Moment],
    persona: Persona,
    generator: np.random.Generator,
) -> np.ndarray:
    """The syllables (n, 7) of phrases."""
    rows: list[list[float]] = []
    for phrase in phrases:
        clock = phrase.onset
        while clock < phrase.end - 0.06:
            length = float(np.clip(generator.gamma(12.0, 1.0 / 12.0), 0.5, 1.8)) / persona.talk_rate
            end = min(clock + length, phrase.end)
            stress = 1.0 if generator.random() < 0.35 else generator.uniform(0.45, 0.75)
            place = (clock - phrase.onset) / (phrase.end - phrase.onset)
            louder, higher = _voice_at(moments, clock)
            semitones = 2.0 - 4.0 * place + 2.0 * (stress == 1.0) + generator.normal(0, 0.6)
            loudness = float(np.clip(stress * (1.0 - 0.3 * place) * 0.8 * louder, 0.05, 1.0))
            rows.append(
                [
                    clock,
                    end,
                    loudness,
                    generator.uniform(0.25, 1.0),
                    generator.uniform(-1.0, 1.0),
                    persona.voice_pitch * 2.0 ** ((semitones + higher) / 12.0),
                    float(generator.random() < 0.2),
                ]
            )
            clock = end
    return np.array(rows).reshape(-1, len(SYLLABLE_FIELDS))


def hums(onsets: Sequence[float], persona: Persona) -> np.ndarray:
    """Acknowledgements with closed lips, "mm", as syllables (n, 7)."""
    rows = [[t, t + 0.3, 0.3, 0.05, 0.0, persona.voice_pitch * 0.95, 1.0] for t in onsets]
    return np.array(rows).reshape(-1, len(SYLLABLE_FIELDS))


def sound(
    syllables: np.ndarray, phrases: Sequence[Phrase], persona: Persona, frames: int
) -> SpeechTrack:
    """Loudness and pitch of syllables, frame by frame."""
    syllables = syllables[np.argsort(syllables[:, ONSET], kind="stable")]
    energy = np.zeros(frames)
    pitch = np.zeros(frames)
    seconds = np.arange(frames) / FRAME_RATE
    for row in syllables:
        first, last = _frames(row[ONSET], row[END], frames)
        share = (seconds[first:last] - row[ONSET]) / (row[END] - row[ONSET])
        # 0.35: syllables run into each other; between two of them it is never quite silent.
        bump = row[LOUDNESS] * (0.35 + 0.65 * np.sin(np.pi * np.clip(share, 0.0, 1.0)))
        energy[first:last] = np.maximum(energy[first:last], bump)
        pitch[first:last] = row[PITCH]
    rise = np.zeros(frames)
    for phrase in phrases:
        if phrase.kind == "question":
            first, last = _frames(phrase.end - 0.45, phrase.end, frames)
            rise[first:last] = (seconds[first:last] - phrase.end + 0.45) / 0.45
    pitch = pitch * 2.0 ** (_QUESTION_RISE * np.clip(rise, 0.0, 1.0) / 12.0)
    return SpeechTrack(
        energy=energy.astype(np.float32),
        pitch=pitch.astype(np.float32),
        phrases=tuple(phrases),
        syllables=syllables,
        voice_pitch=persona.voice_pitch,
    )


def lips(syllables: np.ndarray, persona: Persona, frames: int) -> np.ndarray:
    """Action units of talking, (T, 15): parted lips, jaw, closures, rounding."""
    units = np.zeros((frames, len(ACTION_UNITS)))
    size = 0.55 + 0.35 * min(persona.expressivity, 1.2)
    seconds = np.arange(frames) / FRAME_RATE + _LIPS_AHEAD
    for row in syllables:
        length = row[END] - row[ONSET]
        first, last = _frames(
            row[ONSET] - _LIPS_AHEAD - 0.08, row[END] - _LIPS_AHEAD + 0.08, frames
        )
        if first == last:
            continue
        share = (seconds[first:last] - row[ONSET] + 0.08) / (length + 0.16)
        bump = np.sin(np.pi * np.clip(share, 0.0, 1.0)) ** 2
        opening = row[OPENNESS] * (0.5 + 0.5 * row[LOUDNESS]) * size
        part = units[first:last]
        for unit, value in (
            (_AU25, 1.1 * opening),
            (_AU26, 0.75 * opening),
            (_AU23, 0.5 * size * max(0.0, row[ROUNDING] - 0.3)),
            (_AU14, 0.3 * size * max(0.0, -row[ROUNDING] - 0.4)),
            (_AU17, 0.25 * size * max(0.0, row[ROUNDING] - 0.5)),
            (_AU10, 0.2 * size * max(0.0, row[OPENNESS] - 0.7)),
        ):
            part[:, unit] = np.maximum(part[:, unit], value * bump)
        if row[CLOSURE]:
            shut = np.clip(1.0 - np.abs(seconds[first:last] - row[ONSET]) / 0.08, 0.0, 1.0)
            part[:, [_AU25, _AU26]] *= 1.0 - shut[:, None]
            part[:, _AU24] = np.maximum(part[:, _AU24], 0.6 * size * shut)
    return np.clip(units, 0.0, 1.0)


def _voice_at(moments: Sequence[Moment], seconds: float) -> tuple[float, float]:
    """How much louder, and semitones higher, the voice is."""
    for moment in moments:
        if moment.onset - 0.2 <= seconds <= moment.onset + moment.seconds:
            louder, higher = _VOICE_OF[moment.kind]
            return 1.0 + (louder - 1.0) * moment.strength, higher * moment.strength
    return 1.0, 0.0


def _frames(onset: float, end: float, frames: int) -> tuple[int, int]:
    first = min(frames, max(0, round(onset * FRAME_RATE)))
    return first, max(first, min(frames, round(end * FRAME_RATE)))


_AU10, _AU14, _AU17, _AU23, _AU24, _AU25, _AU26 = (
    ACTION_UNITS.index(unit) for unit in ("AU10", "AU14", "AU17", "AU23", "AU24", "AU25", "AU26")
)
