"""Whose face is drawn: colours and proportions, and the picture behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Colour = tuple[int, int, int]
"""Red, green, blue; 0..255."""


def mixed(one: np.ndarray | Colour, other: np.ndarray | Colour, share: float) -> Colour:
    """`share` of the other colour, the rest of the one."""
    mix = np.asarray(one, np.float32) * (1 - share) + np.asarray(other, np.float32) * share
    red, green, blue = np.clip(mix, 0, 255).astype(int).tolist()
    return red, green, blue


@dataclass(frozen=True)
class FaceStyle:
    """Lengths are in units of half a face's height, factors are of the usual size.

    background: what broadcasts to RGB uint8 (size, size, 3). tint: how far the skin goes towards a
    colour of its own at valence +1 or -1; 0 for skins that tell nothing. hair: None for none;
    hairline: its lower end at the forehead, -1 is the top; hair_length: how far it hangs, 1 is the
    chin. centre, scale: where the face is in the picture, and how large.
    """

    background: np.ndarray = field(default_factory=lambda: np.array([232, 236, 240], np.uint8))
    skin: Colour = (250, 214, 176)
    ear: Colour = (150, 160, 176)
    ink: Colour = (58, 46, 52)
    brow: Colour | None = None
    iris: Colour = (72, 112, 140)
    lips: Colour = (206, 96, 92)
    tint: float = 0.6
    hair: Colour | None = None
    hairline: float = -0.75
    hair_length: float = 0.3
    width: float = 1.0
    eye_place: float = 0.36
    eye_size: float = 1.0
    brow_width: float = 0.062
    brow_drop: float = 0.0
    nose_width: float = 1.0
    mouth_width: float = 1.0
    lip_size: float = 1.0
    centre: tuple[float, float] = (0.5, 0.51)
    scale: float = 1.0

    def shade(self, share: float) -> Colour:
        """The skin, darkened towards the ink."""
        return mixed(self.skin, self.ink, share)


ROBOT = FaceStyle()
"""The face of a robot, as the viewer shows it."""
