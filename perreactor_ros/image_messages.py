"""Camera messages to images that the model can decode, without copying a pixel.

`sensor_msgs/Image` and `CompressedImage` become objects that are decoded when a frame needs them,
so that a callback costs microseconds. Encodings that perreactor does not know itself are left to
cv_bridge where that can be imported; its binary does not fit every numpy, so it is never required.
"""

from typing import Any

import numpy as np

from perreactor_model.vision.encodings import (
    RAW_ENCODINGS,
    DecodableImage,
    EncodedImage,
    ImageError,
)


def raw_image(message: Any) -> DecodableImage:
    """A `sensor_msgs/Image`, decoded later. Keeps a reference to the message's data."""
    if message.encoding not in RAW_ENCODINGS:
        return BridgedImage(message)
    return EncodedImage(
        data=message.data,
        encoding=message.encoding,
        height=message.height,
        width=message.width,
        step=message.step,
        is_bigendian=bool(message.is_bigendian),
    )


def compressed_image(message: Any) -> DecodableImage:
    """A `sensor_msgs/CompressedImage`, decoded later. Keeps a reference to the message's data."""
    return EncodedImage(data=message.data, encoding=message.format, compressed=True)


class BridgedImage:
    """An image in an encoding that only cv_bridge may know."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def rgb(self) -> np.ndarray:
        """RGB uint8 (height, width, 3). Raises ImageError, also where cv_bridge is missing."""
        encoding = self._message.encoding
        known = ", ".join(RAW_ENCODINGS)
        try:
            from cv_bridge import CvBridge
        except Exception as error:  # built for another numpy, it fails with more than ImportError
            raise ImageError(
                "unknown encoding",
                f"image encoding '{encoding}' is unknown and cv_bridge cannot be imported "
                f"({error}): send one of {known}",
            ) from None
        try:
            return np.asarray(CvBridge().imgmsg_to_cv2(self._message, "rgb8"))
        except Exception as error:  # CvBridgeError, cv2.error, or what its binary makes of it
            raise ImageError(
                "unknown encoding",
                f"cv_bridge cannot convert image encoding '{encoding}' ({error}): "
                f"send one of {known}",
            ) from None
