"""Camera messages become the picture they were made from, late and without a copy."""

import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from perreactor_model.vision.encodings import ImageError
from perreactor_ros.image_messages import compressed_image, raw_image

RGB = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


def image(encoding: str = "rgb8", pixels: np.ndarray = RGB) -> Image:
    message = Image(height=6, width=8, encoding=encoding, step=pixels[0].nbytes)
    message.data = pixels.tobytes()
    return message


def test_a_raw_image_is_not_copied() -> None:
    message = image()
    decoded = raw_image(message).rgb()
    np.testing.assert_array_equal(decoded, RGB)
    assert np.shares_memory(decoded, np.frombuffer(message.data, np.uint8))


def test_a_raw_image_keeps_its_byte_order() -> None:
    message = image("mono16", (np.full((6, 8), 200 * 256 + 3)).astype(">u2"))
    message.is_bigendian = 1
    assert (raw_image(message).rgb() == 200).all()


def test_a_compressed_image_is_decoded() -> None:
    message = CompressedImage(format="rgb8; png compressed bgr8")
    message.data = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(compressed_image(message).rgb(), RGB)


def test_an_empty_message_is_refused_only_when_it_is_used() -> None:
    raw, compressed = raw_image(Image()), compressed_image(CompressedImage())
    for broken in (raw, compressed):
        with pytest.raises(ImageError):
            broken.rgb()


def test_an_unknown_encoding_without_cv_bridge_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    unknown = raw_image(image("nv21"))
    with pytest.raises(ImageError, match="'nv21' is unknown and cv_bridge cannot be imported"):
        unknown.rgb()


def test_an_unknown_encoding_is_left_to_cv_bridge_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class CvBridge:
        def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
            if message.encoding != "nv21":
                raise RuntimeError("no conversion")
            assert encoding == "rgb8"
            return RGB

    package = ModuleType("cv_bridge")
    package.CvBridge = CvBridge  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cv_bridge", package)
    np.testing.assert_array_equal(raw_image(image("nv21")).rgb(), RGB)
    with pytest.raises(ImageError, match="cannot convert image encoding '64FC7'"):
        raw_image(image("64FC7")).rgb()
