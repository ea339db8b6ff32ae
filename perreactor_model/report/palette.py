"""The report's colours, light and dark; told apart by people who see colours differently.

A figure is drawn in the light colours, which no two names share; in the page each is replaced by
the style sheet's variable of that name and so follows the reader's choice.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#fbfbfd",
    "card": "#ffffff",
    "ink": "#1b2130",
    "muted": "#596274",
    "line": "#e1e5ec",
    "accent": "#0b67a8",
    "tint": "#edf4fa",
    "warn": "#8a4b00",
    "warn-tint": "#fff4e2",
    "robot-0": "#0072b2",
    "robot-1": "#d55e00",
    "robot-2": "#1a5431",
    "robot-3": "#c75d90",
    "robot-4": "#5f4a03",
    "robot-5": "#9a6ff7",
    "real": "#2a2f3a",
}

DARK = {
    "paper": "#12151c",
    "card": "#191d26",
    "ink": "#e9ecf2",
    "muted": "#a0a9ba",
    "line": "#2c3340",
    "accent": "#6cb8ee",
    "tint": "#1c2a38",
    "warn": "#ffc46b",
    "warn-tint": "#33280f",
    "robot-0": "#56b4e9",
    "robot-1": "#ff8f4f",
    "robot-2": "#6cf9a0",
    "robot-3": "#e824a8",
    "robot-4": "#f5d428",
    "robot-5": "#734dfa",
    "real": "#f4f5f8",
}

ROBOT_COLOURS = 6
"""So many robots are drawn; tables hold them all."""


def variables(colours: dict[str, str]) -> str:
    """The colours as declarations of a style sheet."""
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def robot_colour(index: int) -> str:
    """The light colour of the robot with that number."""
    return LIGHT[f"robot-{index % ROBOT_COLOURS}"]


assert len(set(LIGHT.values())) == len(LIGHT), "figures tell names by their light colour"
