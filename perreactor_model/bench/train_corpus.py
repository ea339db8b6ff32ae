"""What `bench train` trains on: simulated people, and a video of a face for what reads videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perreactor_model.bundle.synthetic import drawn_faces, voice_features
from perreactor_model.contract import COEFFICIENT_COUNT, FRAME_RATE
from perreactor_model.media.recording import VideoWriter
from perreactor_model.preparation import PreparedCorpus
from perreactor_model.preparation.storing import (
    About,
    PreparedRecording,
    write_about,
    write_split,
)
from perreactor_model.synthesis.dyad import Behaviour, simulate
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import draw_persona
from perreactor_model.synthesis.scripts import draw_script
from perreactor_model.synthesis.seeds import stream

LISTENERS, SCRIPTS = 4, 4
VIDEO_SIZE = 256
"""Pixels a side of REACT's face videos."""

AUDIO_RATE = 44100
"""Of REACT's sound files."""

_PICTURES = 25


def write_corpus(folder: Path, frames: int, feature_size: int) -> PreparedCorpus:
    """A prepared corpus of one split, `train`: each listener meets each script once.

    Features of faces (a frozen encoder's, here noise) are there, of `feature_size`.
    """
    seconds = frames / FRAME_RATE
    random = np.random.default_rng(0)
    recordings: list[PreparedRecording] = []
    pairs, told = [], []
    for number in range(SCRIPTS):
        script = draw_script(stream((0, number)), seconds)
        speaker = draw_persona(stream((1, number)), f"speaker_{number}")
        for who in range(LISTENERS):
            listener = draw_persona(stream((2, who)), f"listener_{who}")
            dyad = simulate(script, speaker, listener, (3, number, who))
            pairs.append((len(recordings), len(recordings) + 1))
            told.append(number)
            for persona, behaviour in ((speaker, dyad.speaker), (listener, dyad.listener)):
                key = f"{persona.name}_{number}_{who}"
                recordings.append(_recording(key, persona.name, behaviour, random, feature_size))
    fits = np.array(told)[:, None] == np.array(told)
    splits = {"train": write_split(folder, "train", recordings, np.array(pairs), fits)}
    mean_face = np.zeros(COEFFICIENT_COUNT, np.float32)
    return write_about(folder, splits, About("bench", {}, mean_face, True, "intensity"))


def write_video(path: Path, frames: int) -> None:
    """A drawn face that moves, 256 x 256 pixels; one second of it again and again."""
    drawn = drawn_faces(np.random.default_rng(1), _PICTURES, VIDEO_SIZE).image
    pictures = ((drawn.transpose(0, 2, 3, 1) + 1.0) * 127.5).astype(np.uint8)
    with VideoWriter(path, VIDEO_SIZE, VIDEO_SIZE, FRAME_RATE) as writer:
        for frame in range(frames):
            writer.write(pictures[frame % _PICTURES])


def _recording(
    key: str, who: str, behaviour: Behaviour, random: np.random.Generator, feature_size: int
) -> PreparedRecording:
    frames = len(behaviour.attributes)
    return PreparedRecording(
        key=key,
        identity=who,
        session=key,
        attributes=behaviour.attributes,
        coefficients=behaviour.coefficients,
        observed=observe(behaviour, (4, *key.encode())),
        audio=voice_features(random, frames),
        face_tokens=random.standard_normal((frames, feature_size)).astype(np.float32),
    )
