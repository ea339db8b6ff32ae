"""A listener profile that was chosen, with all that has to be read from files for it.

Reading happens in `choose`, wherever that is called; a robot that is then set to the choice touches
no file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perreactor_model.profiles import GENERIC, REPLAY_PREFIX, ProfileStore, read_replay
from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE


@dataclass(frozen=True)
class Choice:
    """What a robot is to be.

    `name` is the profile or blend as it was asked for; `weights`, which sum to 1, are those of the
    decoders and of control conditions by name; `pattern` (d,) is the personal decoder's, if it has
    a part; `recording` (frames, 83) is what `replay:<file>` plays.
    """

    name: str
    weights: Mapping[str, float]
    pattern: np.ndarray | None = None
    recording: np.ndarray | None = None


def choose(store: ProfileStore, profile: str) -> Choice:
    """Read a profile, or all those of a blend. Raises ProfileError.

    The people in a blend share PAG's decoder, which gets their patterns combined linearly, each by
    its share of the personal part. `generic` and control conditions stand beside it with their own
    weight, for their faces are mixed.
    """
    if profile.startswith(REPLAY_PREFIX):
        return Choice(profile, {profile: 1.0}, recording=_recording(profile))
    weights: dict[str, float] = {}
    patterns: list[np.ndarray] = []
    for part, weight in store.resolve(profile):
        if isinstance(part, str):
            source = GENERIC_SOURCE if part == GENERIC else part
        else:
            source = PERSONAL_SOURCE
            patterns.append(weight * part.pattern.astype(np.float64))
        weights[source] = weights.get(source, 0.0) + weight
    if not patterns:
        return Choice(profile, weights)
    pattern = np.sum(patterns, axis=0) / weights[PERSONAL_SOURCE]
    return Choice(profile, weights, pattern.astype(np.float32))


def _recording(profile: str) -> np.ndarray:
    """What `replay:<file>` plays; a file that has not changed is not read again."""
    try:
        status = Path(profile.removeprefix(REPLAY_PREFIX)).stat()
    except (OSError, ValueError):
        return read_replay(profile)  # which says what is wrong
    return _read_recording(profile, (status.st_mtime_ns, status.st_size, status.st_ino))


@functools.lru_cache(maxsize=4)
def _read_recording(profile: str, _: tuple[int, int, int]) -> np.ndarray:
    return read_replay(profile)
