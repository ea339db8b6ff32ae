"""One picture of a face as another camera might have taken it: part of domain randomisation.

Only what tells nothing of what a face does is changed (Tobin et al. 2017, as in
`synthesis.rendering`).
"""

from __future__ import annotations

import cv2
import numpy as np

from perreactor_model.training.face_options import FaceOptions

_LEAST_BLUR = 0.3
"""Pixels; less than that changes nothing."""


def varied(picture: np.ndarray, generator: np.random.Generator, options: FaceOptions) -> np.ndarray:
    """RGB uint8 (S, S, 3) in another place, light and colour, less sharp and noisier.

    Everything is drawn from `generator`, always as many numbers.
    """
    changes = generator.uniform(-1.0, 1.0, 9)
    blur, noise = generator.uniform(0.0, 1.0, 2) * (options.blur, options.noise)
    picture = _moved(picture, changes[:4], options)
    if blur > _LEAST_BLUR:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    factor = (1.0 + options.light * changes[4]) * (1.0 + options.colour * changes[5:8])
    steep = 1.0 + options.contrast * changes[8]
    # Contrast turns around the middle grey.
    values = (picture.astype(np.float32) * factor.astype(np.float32) - 128.0) * np.float32(steep)
    values += 128.0
    values += np.float32(noise) * generator.standard_normal(values.shape, np.float32)
    return np.clip(values, 0.0, 255.0).astype(np.uint8)


def _moved(picture: np.ndarray, changes: np.ndarray, options: FaceOptions) -> np.ndarray:
    """Shifted, and scaled around the middle; what comes in from outside repeats the edge."""
    size = picture.shape[0]
    # Width and height apart: how long a face is, or how wide, is nothing that it does.
    factor = 1.0 + options.scale * changes[2:]
    middle = (size - 1) / 2.0
    shift = options.shift * size * changes[:2] + middle * (1.0 - factor)
    matrix = np.array([[factor[0], 0.0, shift[0]], [0.0, factor[1], shift[1]]])
    return cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
