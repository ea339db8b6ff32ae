"""Raw and compressed camera images to RGB: uint8 arrays of shape (height, width, 3).

Encoding names are those of `sensor_msgs/image_encodings`. Whatever cannot be decoded is refused
with an ImageError that says what came and what would be right; nothing else is ever raised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

Pixels = np.ndarray
"""RGB uint8 (height, width, 3), or on the way there one row of samples per image row."""


class ImageError(ValueError):
    """An image that cannot be decoded. `kind` names the sort of trouble, for counting by sort."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class DecodableImage(Protocol):
    """Anything that becomes RGB uint8 (height, width, 3) when asked, or raises ImageError."""

    def rgb(self) -> Pixels:
        """Decode now."""
        ...


@dataclass(frozen=True)
class EncodedImage:
    """An image as it came, decoded only if it is used.

    `data` is anything with the buffer protocol and is not copied. For a raw image `encoding`,
    `height`, `width`, `step` and `is_bigendian` are those of `sensor_msgs/Image`; for a compressed
    one `encoding` is the `format` of `sensor_msgs/CompressedImage` and the rest is ignored.
    """

    data: Any
    encoding: str
    height: int = 0
    width: int = 0
    step: int = 0
    is_bigendian: bool = False
    compressed: bool = False

    def rgb(self) -> Pixels:
        """RGB uint8 (height, width, 3); may be a read-only view of `data`. Raises ImageError."""
        if self.compressed:
            return decode_compressed(self.data, self.encoding)
        return decode_raw(
            self.data, self.encoding, self.height, self.width, self.step, self.is_bigendian
        )


# --- Raw images ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _RawEncoding:
    """How one raw encoding is laid out: `samples` of `sample_bytes` a pixel, and the way to RGB."""

    samples: int
    to_rgb: Callable[[Pixels], Pixels]
    sample_bytes: int = 1
    even_width: bool = False


def _as_is(pixels: Pixels) -> Pixels:
    return pixels


def _converted(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: cv2.cvtColor(np.ascontiguousarray(pixels), code)


_RAW = {
    "rgb8": _RawEncoding(3, _as_is),
    "bgr8": _RawEncoding(3, _converted(cv2.COLOR_BGR2RGB)),
    "rgba8": _RawEncoding(4, _converted(cv2.COLOR_RGBA2RGB)),
    "bgra8": _RawEncoding(4, _converted(cv2.COLOR_BGRA2RGB)),
    "mono8": _RawEncoding(1, _converted(cv2.COLOR_GRAY2RGB)),
    "rgb16": _RawEncoding(3, np.ascontiguousarray, sample_bytes=2),
    "bgr16": _RawEncoding(3, _converted(cv2.COLOR_BGR2RGB), sample_bytes=2),
    "mono16": _RawEncoding(1, _converted(cv2.COLOR_GRAY2RGB), sample_bytes=2),
    "uyvy": _RawEncoding(2, _converted(cv2.COLOR_YUV2RGB_UYVY), even_width=True),
    "yuyv": _RawEncoding(2, _converted(cv2.COLOR_YUV2RGB_YUY2), even_width=True),
    # OpenCV names a Bayer pattern after its second row and column, ROS after its first.
    "bayer_rggb8": _RawEncoding(1, _converted(cv2.COLOR_BayerBG2RGB)),
    "bayer_bggr8": _RawEncoding(1, _converted(cv2.COLOR_BayerRG2RGB)),
    "bayer_gbrg8": _RawEncoding(1, _converted(cv2.COLOR_BayerGR2RGB)),
    "bayer_grbg8": _RawEncoding(1, _converted(cv2.COLOR_BayerGB2RGB)),
}

_SAME_AS = {
    "yuv422": "uyvy",
    "yuv422_yuy2": "yuyv",
    # OpenCV's own names say nothing about the order of channels: its convention is blue first.
    "8UC1": "mono8",
    "8UC3": "bgr8",
    "8UC4": "bgra8",
    "16UC1": "mono16",
}

RAW_ENCODINGS = (*_RAW, *_SAME_AS)
"""Raw encodings that `decode_raw` understands."""


def decode_raw(
    data: Any, encoding: str, height: int, width: int, step: int, is_bigendian: bool = False
) -> Pixels:
    """Decode the fields of a `sensor_msgs/Image`.

    `data` is bytes-like, `step` the length of a row in bytes (0: rows follow without padding).
    Returns RGB uint8 (height, width, 3); for rgb8 a view of `data`. 16-bit samples keep their upper
    8 bits. Raises ImageError for an unknown encoding, impossible sizes, and truncated data.
    """
    layout = _RAW.get(_SAME_AS.get(encoding, encoding))
    if layout is None:
        raise ImageError(
            "unknown encoding",
            f"image encoding '{encoding}' is unknown: send one of {', '.join(RAW_ENCODINGS)}",
        )
    rows = _rows(data, encoding, layout, height, width, step)
    samples = rows.reshape(height, width, layout.samples, layout.sample_bytes)
    # The most significant byte of a 16-bit sample is the first one only where it is big-endian.
    pixels = samples[..., 0 if is_bigendian else layout.sample_bytes - 1]
    return _in_opencv(layout.to_rgb, pixels, encoding)


def _rows(
    data: Any, encoding: str, layout: _RawEncoding, height: int, width: int, step: int
) -> Pixels:
    """The bytes that hold pixels, (height, bytes in a row), without the rows' padding."""
    if height < 1 or width < 1:
        raise ImageError("impossible size", f"{encoding} image of {width}x{height} pixels is empty")
    if layout.even_width and width % 2:
        raise ImageError(
            "impossible size", f"{encoding} image is {width} pixels wide: it must be even"
        )
    row = width * layout.samples * layout.sample_bytes
    step = step or row
    if step < row:
        raise ImageError(
            "impossible size",
            f"{encoding} image of width {width} needs rows of {row} bytes, but its step is {step}",
        )
    flat = _bytes_of(data)
    needed = step * (height - 1) + row
    if flat.size < needed:
        raise ImageError(
            "truncated data",
            f"{encoding} image of {width}x{height} pixels needs {needed} bytes, "
            f"but only {flat.size} came",
        )
    # The last row may come without its padding, so this cannot be a plain reshape.
    return np.lib.stride_tricks.as_strided(flat, (height, row), (step, 1), writeable=False)


def _bytes_of(data: Any) -> Pixels:
    """A flat view of any contiguous buffer, uint8 (n,)."""
    try:
        view = memoryview(data)
        return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
    except (TypeError, ValueError, BufferError):
        raise ImageError(
            "not bytes", f"image data must be contiguous bytes, not {type(data).__name__}"
        ) from None


def _in_opencv(convert: Callable[[Pixels], Pixels], pixels: Pixels, encoding: str) -> Pixels:
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    try:
        return convert(pixels)
    except cv2.error as error:
        raise ImageError(
            "impossible size",
            f"{encoding} image of {pixels.shape[1]}x{pixels.shape[0]} pixels cannot be converted: "
            f"{error.err}",
        ) from None


# --- Compressed images ---------------------------------------------------------------------------

_JPEG_START = b"\xff\xd8\xff"
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND"
_PNG_TAIL = 64
"""Where the last chunk of a PNG is looked for: it is 12 bytes long, and some writers pad."""


def decode_compressed(data: Any, format: str = "") -> Pixels:
    """Decode the fields of a `sensor_msgs/CompressedImage`: JPEG, PNG or what else OpenCV reads.

    What the data is shows in its first bytes; `format` only tells the order of channels (image
    transport may say "compressed rgb8") and names the data in errors. Returns RGB uint8
    (height, width, 3). Raises ImageError for depth and video streams, unknown and truncated data.
    """
    flat = _bytes_of(data)
    if flat.size == 0:
        raise ImageError("truncated data", f"compressed image ('{format}') holds no data")
    if "compressedDepth" in format:
        raise ImageError("unknown encoding", f"'{format}' is a depth image: send a colour image")
    _refuse_truncated(flat.tobytes(), format)
    try:
        pixels = cv2.imdecode(flat, cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(
            "unknown encoding",
            f"compressed image with format '{format}' cannot be decoded: send JPEG or PNG "
            "(image_transport's 'compressed'), no depth and no video stream",
        )
    if "compressed rgb" in format:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _refuse_truncated(data: bytes, format: str) -> None:
    """Decoders fill what is missing with grey and go on, so the end mark is looked for first."""
    if data.startswith(_JPEG_START):
        # Neither mark can occur inside the coded pixels, so the end comes after the last scan.
        complete = data.rfind(_JPEG_END) > data.rfind(_JPEG_SCAN) >= 0
        name = "JPEG"
    elif data.startswith(_PNG_START):
        complete = _PNG_END in data[-_PNG_TAIL:]
        name = "PNG"
    else:
        return
    if not complete:
        raise ImageError(
            "truncated data",
            f"{name} image ('{format}') is truncated: {len(data)} bytes came, without its end mark",
        )
