"""Which analyzer perception uses: the names a user may choose from, and what `auto` means."""

from __future__ import annotations

import importlib.util

AUTO, LANDMARKS, HRI, NONE = "auto", "landmarks", "hri", "none"

CHOICES = (AUTO, LANDMARKS, HRI, NONE)
"""`landmarks` measures pictures here; `hri` takes what a ROS4HRI face analyzer says of a face."""


def landmarks_installed() -> bool:
    """Whether the library of `landmarks` is there, found without importing it."""
    return importlib.util.find_spec("mediapipe") is not None


def chosen_analyzer(name: str, visual_input: str) -> str:
    """`auto` is `landmarks` for bundles that see facial attributes, where it is installed.

    Other names stand for themselves. Raises ValueError for an unknown one.
    """
    if name not in CHOICES:
        raise ValueError(f"analyzer is {name!r}: give one of {', '.join(CHOICES)}")
    if name != AUTO:
        return name
    wanted = visual_input == "facial_attributes"
    return LANDMARKS if wanted and landmarks_installed() else NONE
