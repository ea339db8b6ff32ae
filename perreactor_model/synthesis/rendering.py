"""Pictures of simulated people: drawn faces, everybody and every camera different.

What tells people and cameras apart tells nothing of what faces do: drawn at random, so that a
network that is to read the face cannot read anything else (J. Tobin et al.: "Domain randomization
for transferring deep neural networks from simulation to the real world", IROS 2017). Only muscles,
lids, gaze and head are drawn; mood alone is not to be seen. They are drawings all the same: nothing
learnt from them reads a real camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ACTION_UNITS,
    ATTRIBUTE_COUNT,
    COEFFICIENT_COUNT,
)
from perreactor_model.media.face_drawing import DrawingOptions, draw_face
from perreactor_model.media.face_style import Colour, FaceStyle, mixed
from perreactor_model.media.recording import VideoWriter
from perreactor_model.synthesis.seeds import Seed, stream

MOVEMENT_COLUMNS = len(ACTION_UNITS) + COEFFICIENT_COUNT + 3
"""What a camera sees of a person: action units, coefficients, lids, gaze (yaw, pitch)."""

_GAIN = 1.5
_SKINS = ((255, 224, 196), (241, 194, 152), (224, 172, 120), (190, 130, 85), (141, 85, 54))
_DARK_SKIN = (88, 54, 38)
_HAIRS = ((30, 24, 22), (70, 46, 30), (120, 78, 42), (196, 160, 96), (150, 146, 142), (140, 60, 30))
_IRISES = ((72, 112, 140), (84, 56, 36), (96, 118, 70), (60, 44, 36), (110, 120, 130))
_NOISE_TILES = 6
_PLACE, _NOISE = range(2)


@dataclass(frozen=True)
class Camera:
    """Where and how somebody is filmed.

    light: factors (y, x) of brightness at the picture's lower and right edge against the middle.
    cast: factors of red, green, blue. blur and noise: standard deviations, pixels of 256 and grey
    levels.
    """

    light: tuple[float, float]
    cast: tuple[float, float, float]
    blur: float
    noise: float
    centre: tuple[float, float]
    scale: float


def draw_appearance(generator: np.random.Generator) -> FaceStyle:
    """A face of its own, before a plain wall."""
    first = int(generator.integers(len(_SKINS)))
    darker = (*_SKINS, _DARK_SKIN)[first + 1]
    skin = mixed(_SKINS[first], darker, float(generator.random()))
    hair = _jittered(_HAIRS[int(generator.integers(len(_HAIRS)))], generator)
    bald = generator.random() < 0.1
    return FaceStyle(
        background=_wall(generator),
        skin=skin,
        ear=mixed(skin, (0, 0, 0), 0.15),
        ink=mixed(skin, (20, 12, 12), 0.82),
        brow=mixed(hair, (30, 24, 22), 0.4),
        iris=_jittered(_IRISES[int(generator.integers(len(_IRISES)))], generator),
        lips=mixed(skin, (190, 60, 70), float(generator.uniform(0.3, 0.65))),
        tint=0.0,
        hair=None if bald else hair,
        hairline=float(generator.uniform(-0.85, -0.66)),
        hair_length=float(generator.choice([0.1, 0.35, 1.25]) + generator.uniform(0.0, 0.15)),
        width=float(generator.uniform(0.88, 1.08)),
        eye_place=float(generator.uniform(0.33, 0.39)),
        eye_size=float(generator.uniform(0.85, 1.12)),
        brow_width=float(generator.uniform(0.04, 0.085)),
        brow_drop=float(generator.uniform(-0.03, 0.04)),
        nose_width=float(generator.uniform(0.8, 1.4)),
        mouth_width=float(generator.uniform(0.85, 1.15)),
        lip_size=float(generator.uniform(0.7, 1.4)),
    )


def draw_camera(generator: np.random.Generator) -> Camera:
    """A place before the face, a light and a sensor."""
    return Camera(
        light=(float(generator.uniform(-0.3, 0.3)), float(generator.uniform(-0.4, 0.4))),
        cast=tuple((generator.uniform(0.75, 1.15) * generator.uniform(0.92, 1.08, 3)).tolist()),
        blur=float(generator.uniform(0.0, 0.9)),
        noise=float(generator.uniform(1.0, 6.0)),
        centre=(float(generator.uniform(0.45, 0.55)), float(generator.uniform(0.48, 0.56))),
        scale=float(generator.uniform(0.8, 1.05)),
    )


@dataclass(frozen=True)
class Footage:
    """A film of one person; pictures are drawn when asked for.

    movement: (T, MOVEMENT_COLUMNS), `rate` frames a second; size: pixels of each side.
    """

    movement: np.ndarray
    appearance: FaceStyle
    camera: Camera
    size: int
    rate: int
    seed: Seed

    def __post_init__(self) -> None:
        assert self.movement.ndim == 2 and self.movement.shape[1] == MOVEMENT_COLUMNS

    def pictures(self) -> Iterator[np.ndarray]:
        """RGB uint8 (size, size, 3), one for each row of `movement`."""
        size, camera = self.size, self.camera
        wall = cv2.resize(self.appearance.background, (size, size), interpolation=cv2.INTER_CUBIC)
        style = replace(self.appearance, background=wall, centre=camera.centre, scale=camera.scale)
        light = _light(camera, size)
        noise = _noise_tiles(camera, size, stream(self.seed, _NOISE))
        turn = stream(self.seed, _PLACE).integers(_NOISE_TILES, size=len(self.movement))
        options = DrawingOptions(gain=_GAIN)
        attributes = np.zeros(ATTRIBUTE_COUNT, np.float32)
        units = len(ACTION_UNITS)
        for row, tile in zip(self.movement, turn.tolist(), strict=True):
            attributes[ACTION_UNIT_SLICE] = row[:units]
            lids, yaw, pitch = row[units + COEFFICIENT_COUNT :].tolist()
            image = draw_face(
                attributes,
                row[units : units + COEFFICIENT_COUNT],
                size,
                blink=lids,
                gaze=(yaw, pitch),
                options=options,
                style=style,
            )
            if camera.blur > 0.2:
                image = cv2.GaussianBlur(image, (0, 0), camera.blur * size / 256.0)
            image = cv2.multiply(image, light, scale=1.0 / 128.0)
            yield cv2.addWeighted(image, 1.0, noise[tile], 1.0, -128.0)

    def write(self, path: Path) -> None:
        """As an mp4 without sound."""
        with VideoWriter(
            path, self.size, self.size, self.rate, quality=25, fragmented=False
        ) as video:
            for picture in self.pictures():
                video.write(picture)


def _wall(generator: np.random.Generator) -> np.ndarray:
    """(6, 6, 3), to be made larger: soft stains around one colour."""
    colour = generator.uniform(40.0, 225.0, 3)
    stains = generator.normal(0.0, float(generator.uniform(2.0, 28.0)), (6, 6, 3))
    return np.clip(colour + stains, 0, 255).astype(np.uint8)


def _light(camera: Camera, size: int) -> np.ndarray:
    """uint8 (size, size, 3); 128 leaves a pixel as it is."""
    along = np.linspace(-1.0, 1.0, size)
    slope = 1.0 + camera.light[0] * along[:, None] + camera.light[1] * along[None, :]
    factors = slope[..., None] * np.asarray(camera.cast)
    return np.clip(128.0 * factors, 0, 255).astype(np.uint8)


def _noise_tiles(camera: Camera, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """uint8 pictures of noise around 128, used over and over."""
    shape = (_NOISE_TILES, size, size, 3)
    noise = 128.0 + camera.noise * generator.standard_normal(shape, np.float32)
    return list(np.clip(noise, 0, 255).astype(np.uint8))


def _jittered(colour: Colour, generator: np.random.Generator) -> Colour:
    red, green, blue = np.clip(colour + generator.normal(0.0, 8.0, 3), 0, 255).astype(int).tolist()
    return red, green, blue
