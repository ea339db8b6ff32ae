"""The face crop as the visual encoder's input.

The authors' loader scales pixels by (x / 255 - 0.5) / 0.5; one fixed scaling for every frame, so a
frame can be encoded without knowing any other.
"""

import cv2
import numpy as np

_SCALE = np.float32(1.0 / 127.5)


def whole_image(rgb: np.ndarray, size: int) -> np.ndarray:
    """An image that is a face crop already, resized to (size, size, 3) uint8 without cutting."""
    height, width = rgb.shape[:2]
    if (height, width) == (size, size):
        return rgb
    # INTER_AREA averages what falls into a pixel; enlarging with it would show blocks.
    shrinks = height >= size and width >= size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(rgb), (size, size), interpolation=interpolation)


def network_input(crop: np.ndarray) -> np.ndarray:
    """RGB uint8 (size, size, 3) to float32 (1, 3, size, size) in [-1, 1]."""
    planes = np.empty((1, 3, *crop.shape[:2]), np.float32)
    np.multiply(crop.transpose(2, 0, 1), _SCALE, out=planes[0])
    planes -= 1.0
    return planes
