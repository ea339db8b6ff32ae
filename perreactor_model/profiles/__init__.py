"""Listener profiles: personal behaviour patterns, how they are made, kept, found and blended.

A profile belongs to the bundle whose pattern encoder made it and is refused by any other. Besides
the profiles of people there are control conditions for researchers, chosen by name in the same way
(`streaming/controls.py`).
"""

from perreactor_model.profiles.blend import parse_blend
from perreactor_model.profiles.controls import (
    GENERIC,
    REPLAY_PREFIX,
    control_names,
    read_replay,
)
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.folders import profile_folder
from perreactor_model.profiles.history import ListenerHistory
from perreactor_model.profiles.making import HistoryRefused, make_profile
from perreactor_model.profiles.profile import PROFILE_FORMAT, ListenerProfile
from perreactor_model.profiles.quality import HistoryQuality, judge
from perreactor_model.profiles.store import ProfileStore

__all__ = [
    "GENERIC",
    "PROFILE_FORMAT",
    "REPLAY_PREFIX",
    "HistoryQuality",
    "HistoryRefused",
    "ListenerHistory",
    "ListenerProfile",
    "ProfileError",
    "ProfileStore",
    "control_names",
    "judge",
    "make_profile",
    "parse_blend",
    "profile_folder",
    "read_replay",
]
