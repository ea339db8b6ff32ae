"""A listener profile that was chosen, with all that has to be read from files for it.

Reading happens in `choose`, wherever that is called; a robot that is then set to the choice touches
no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perreactor_model.profiles import (
    GENERIC,
    REPLAY_PREFIX,
    ProfileStore,
    control_names,
    read_replay,
)
from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE


@dataclass(frozen=True)
class Choice:
    """What a robot is to be.

    `name` is the profile as it was asked for; `weights`, which sum to 1, are those of the decoders
    and of control conditions by name; `pattern` (d,) is the personal decoder's, if it has a part;
    `recording` (frames, 83) is what `replay:<file>` plays.
    """

    name: str
    weights: Mapping[str, float]
    pattern: np.ndarray | None = None
    recording: np.ndarray | None = None


def choose(store: ProfileStore, profile: str) -> Choice:
    """Read a profile. Raises ProfileError."""
    if profile.startswith(REPLAY_PREFIX):
        return Choice(profile, {profile: 1.0}, recording=read_replay(profile))
    if profile == GENERIC:
        return Choice(profile, {GENERIC_SOURCE: 1.0})
    if profile in control_names("facial_attributes"):
        store.check(profile)
        return Choice(profile, {profile: 1.0})
    return Choice(profile, {PERSONAL_SOURCE: 1.0}, store.get(profile).pattern)
