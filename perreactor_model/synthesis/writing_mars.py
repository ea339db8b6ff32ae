"""The layout of MARS, the corpus of REACT 2025 and 2026: roles, sessions, 30 frames a second.

<split>/{facial-attributes,coefficients,video-face-crop,audio}/{speaker,listener}/session<k>/<stem>.
{npy,mp4,wav}; both persons of a dyad have the same stem. Added to it: `facial-attributes-observed`,
what a face analyzer would see, and `identities.csv`, for nothing in MARS says who somebody is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perreactor_model.contract import ACTION_UNIT_SLICE, FRAME_RATE
from perreactor_model.synthesis.corpus import SPLITS, Performance, SyntheticCorpus
from perreactor_model.synthesis.storing import Content

MARS_RATE = 30
MARS_PICTURE = 384
"""Pixels of each side."""

ROLES = ("speaker", "listener")


def mars_files(corpus: SyntheticCorpus, performance: Performance) -> Mapping[str, Content]:
    """Path below the root -> content, of one session."""
    files: dict[str, Content] = {}
    place = _place(performance)
    occurrence = corpus.plan.units == "occurrence"
    for number, person in enumerate(corpus.record(performance)):
        role = ROLES[number]
        attributes = at_mars_rate(person.attributes)
        if occurrence:
            attributes[:, ACTION_UNIT_SLICE] = nearest_at_mars_rate(
                person.attributes[:, ACTION_UNIT_SLICE]
            )
        contents = {
            "facial-attributes": attributes,
            "coefficients": at_mars_rate(person.coefficients),
            # Between a known value and an unknown one there is nothing to interpolate.
            "facial-attributes-observed": nearest_at_mars_rate(person.observed),
        }
        for kind, rows in contents.items():
            files[f"{performance.split}/{kind}/{role}/{place}.npy"] = rows
        if corpus.plan.video:
            movement = at_mars_rate(person.movement)
            film = corpus.film(performance, number, movement, MARS_PICTURE, MARS_RATE)
            files[f"{performance.split}/video-face-crop/{role}/{place}.mp4"] = film.write
        sound = np.round(32767.0 * person.sound).astype(np.int16)
        files[f"{performance.split}/audio/{role}/{place}.wav"] = sound
    return files


def last_mars_file(performance: Performance) -> str:
    """The last of `mars_files`."""
    return f"{performance.split}/audio/{ROLES[-1]}/{_place(performance)}.wav"


def mars_index(corpus: SyntheticCorpus) -> Mapping[str, bytes]:
    """`identities.csv`: who is to be seen in which file."""
    lines = ["split,role,session,stem,identity"]
    for split in SPLITS:
        for performance in corpus.performances(split):
            for role, persona in zip(ROLES, corpus.people(performance), strict=True):
                lines.append(
                    f"{split},{role},session{performance.script},{_stem(performance)},{persona.name}"
                )
    return {"identities.csv": ("\n".join(lines) + "\n").encode()}


def at_mars_rate(rows: np.ndarray) -> np.ndarray:
    """(T, C) at 25 frames a second to 30, by straight lines: float32."""
    places = _places(len(rows))
    before = np.minimum(places.astype(int), len(rows) - 1)
    after = np.minimum(before + 1, len(rows) - 1)
    share = (places - before)[:, None].astype(np.float32)
    return np.asarray((1 - share) * rows[before] + share * rows[after], np.float32)


def nearest_at_mars_rate(rows: np.ndarray) -> np.ndarray:
    """(T, C) at 25 frames a second to 30: the nearest frame of each."""
    places = np.minimum(np.round(_places(len(rows))).astype(int), len(rows) - 1)
    return np.asarray(rows[places], np.float32)


def _places(frames: int) -> np.ndarray:
    return np.arange(frames * MARS_RATE // FRAME_RATE) * (FRAME_RATE / MARS_RATE)


def _place(performance: Performance) -> str:
    return f"session{performance.script}/{_stem(performance)}"


def _stem(performance: Performance) -> str:
    return f"Camera-{performance.split}-{performance.dyad:04d}"
