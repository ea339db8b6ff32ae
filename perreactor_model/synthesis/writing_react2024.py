"""The layout of REACT 2023 and 2024: conversations in which each is the other's listener.

<split>/{Video_files,Audio_files,Emotion,3D_FV_files}/SYNTHETIC/<chat>/{P1,P2}/<clip>.
{mp4,wav,csv,npy}, an index <split>.csv of pairs, and neighbour_emotion_<split>.npy, which says what
is appropriate, for the pairs and then for the same pairs with roles changed. Added to it:
`Emotion_observed`, what a face analyzer would see; an empty cell is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from perreactor_model.contract import ATTRIBUTES, FRAME_RATE, OBSERVED
from perreactor_model.synthesis.corpus import SPLITS, Performance, SyntheticCorpus
from perreactor_model.synthesis.storing import Content

SITE = "SYNTHETIC"
PERSONS = ("P1", "P2")
REACT_PICTURE = 256
"""Pixels of each side."""


def react2024_files(corpus: SyntheticCorpus, performance: Performance) -> Mapping[str, Content]:
    """Path below the root -> content, of one clip."""
    files: dict[str, Content] = {}
    for role, recorded in enumerate(corpus.record(performance)):
        person = PERSONS[role]
        place = _place(performance, person)
        split = performance.split
        files[f"{split}/Emotion/{place}.csv"] = _table(ATTRIBUTES, recorded.attributes)
        files[f"{split}/Emotion_observed/{place}.csv"] = _table(OBSERVED, recorded.observed)
        files[f"{split}/3D_FV_files/{place}.npy"] = recorded.coefficients
        if corpus.plan.video:
            film = corpus.film(performance, role, recorded.movement, REACT_PICTURE, FRAME_RATE)
            files[f"{split}/Video_files/{place}.mp4"] = film.write
        sound = np.round(32767.0 * recorded.sound).astype(np.int16)
        files[f"{split}/Audio_files/{place}.wav"] = sound
    return files


def last_react2024_file(performance: Performance) -> str:
    """The last of `react2024_files`."""
    return f"{performance.split}/Audio_files/{_place(performance, PERSONS[-1])}.wav"


def react2024_index(corpus: SyntheticCorpus) -> Mapping[str, Content]:
    """The pairs of each split, and which reactions are appropriate."""
    files: dict[str, Content] = {}
    for split in SPLITS:
        lines = [",speaker_path,listener_path"]
        lines += [
            f"{each.index},{_place(each, PERSONS[0])},{_place(each, PERSONS[1])}"
            for each in corpus.performances(split)
        ]
        files[f"{split}.csv"] = ("\n".join(lines) + "\n").encode()
        files[f"neighbour_emotion_{split}.npy"] = corpus.appropriate(split).astype(np.float64)
    return files


def _place(performance: Performance, person: str) -> str:
    # The split is part of the chat: a chat is who somebody is, and splits share nobody.
    chat = f"{performance.split}-{performance.dyad + 1:03d}"
    return f"{SITE}/{chat}/{person}/{performance.session + 1}"


def _table(names: Sequence[str], rows: np.ndarray) -> bytes:
    """A header and a line for each frame; unknown values are empty."""
    lines = [",".join(names)]
    lines += [
        ",".join("" if np.isnan(value) else f"{value:.5g}" for value in row)
        for row in rows.tolist()
    ]
    return ("\n".join(lines) + "\n").encode()
