"""Every encoding comes out as the RGB picture it was made from; the rest is refused by name."""

import array

import cv2
import numpy as np
import pytest

from perreactor_model.vision.encodings import (
    RAW_ENCODINGS,
    EncodedImage,
    ImageError,
    decode_compressed,
    decode_raw,
)

HEIGHT, WIDTH = 24, 32


def smooth_picture() -> np.ndarray:
    """Colours that change slowly, with red, green and blue clearly told apart."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([40 + 5 * x, 200 - 3 * y, 60 + 2 * y], axis=-1).astype(np.uint8)


def grey_picture() -> np.ndarray:
    return cv2.cvtColor(smooth_picture(), cv2.COLOR_RGB2GRAY)


def as_16_bit(samples: np.ndarray, order: str) -> bytes:
    """The same brightness with 16 bits, lower bits filled with something else."""
    return (samples.astype(np.uint16) * 256 + 77).astype(f"{order}u2").tobytes()


def with_alpha(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 9, np.uint8)])


def mosaic(pattern: str) -> np.ndarray:
    """What a sensor behind a Bayer filter sees; `pattern` names its 2x2 corner row by row."""
    rgb = smooth_picture()
    grey = np.empty(rgb.shape[:2], np.uint8)
    for place, colour in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        grey[rows, columns] = rgb[rows, columns, "rgb".index(colour)]
    return grey


def interleaved_yuv(luma_first: bool) -> np.ndarray:
    """4:2:2 in the video range of BT.601, written down independently of any library."""
    red, green, blue = smooth_picture().astype(float).transpose(2, 0, 1)
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    chroma = u.copy()
    chroma[:, 1::2] = v[:, ::2]
    order = (y, chroma) if luma_first else (chroma, y)
    return np.round(np.stack(order, axis=-1)).astype(np.uint8)


RGB = smooth_picture()
BGR = RGB[..., ::-1]
GREY = grey_picture()
EXACT = {
    "rgb8": RGB,
    "bgr8": BGR,
    "8UC3": BGR,
    "rgba8": with_alpha(RGB),
    "bgra8": with_alpha(BGR),
    "8UC4": with_alpha(BGR),
}


@pytest.mark.parametrize("encoding", EXACT)
def test_a_colour_image_comes_out_as_it_went_in(encoding: str) -> None:
    pixels = EXACT[encoding]
    step = pixels.shape[1] * pixels.shape[2]
    decoded = decode_raw(pixels.tobytes(), encoding, HEIGHT, WIDTH, step)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_a_grey_image_becomes_three_equal_channels(encoding: str) -> None:
    decoded = decode_raw(GREY.tobytes(), encoding, HEIGHT, WIDTH, WIDTH)
    np.testing.assert_array_equal(decoded, np.dstack([GREY] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "bgr16"])
def test_16_bits_keep_their_upper_half_in_either_byte_order(encoding: str, big: bool) -> None:
    samples = {"rgb16": RGB, "bgr16": BGR}.get(encoding, GREY)
    expected = RGB if samples is not GREY else np.dstack([GREY] * 3)
    data = as_16_bit(samples, ">" if big else "<")
    decoded = decode_raw(data, encoding, HEIGHT, WIDTH, len(data) // HEIGHT, is_bigendian=big)
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("encoding", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2"])
def test_a_yuv_image_keeps_its_colours(encoding: str) -> None:
    pixels = interleaved_yuv(luma_first=encoding in ("yuyv", "yuv422_yuy2"))
    decoded = decode_raw(pixels.tobytes(), encoding, HEIGHT, WIDTH, 2 * WIDTH)
    assert np.abs(decoded.astype(int) - RGB).max() <= 8


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_image_keeps_its_colours(pattern: str) -> None:
    decoded = decode_raw(mosaic(pattern).tobytes(), f"bayer_{pattern}8", HEIGHT, WIDTH, WIDTH)
    inside = (slice(2, -2), slice(2, -2))
    assert np.abs(decoded[inside].astype(int) - RGB[inside]).max() <= 4


def test_every_known_encoding_is_tested_here() -> None:
    bayer = {f"bayer_{pattern}8" for pattern in ("rggb", "bggr", "gbrg", "grbg")}
    yuv = {"uyvy", "yuv422", "yuyv", "yuv422_yuy2"}
    deep = {"mono16", "16UC1", "rgb16", "bgr16"}
    assert set(RAW_ENCODINGS) == {*EXACT, "mono8", "8UC1", *deep, *yuv, *bayer}


@pytest.mark.parametrize("last_row_is_padded", [True, False])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_padding_at_the_end_of_rows_is_left_out(encoding: str, last_row_is_padded: bool) -> None:
    padded = np.full((HEIGHT, WIDTH * 3 + 5), 255, np.uint8)
    padded[:, : WIDTH * 3] = EXACT[encoding].reshape(HEIGHT, -1)
    data = padded.tobytes() if last_row_is_padded else padded.tobytes()[:-5]
    decoded = decode_raw(data, encoding, HEIGHT, WIDTH, WIDTH * 3 + 5)
    np.testing.assert_array_equal(decoded, RGB)


def test_a_step_of_zero_means_rows_without_padding() -> None:
    np.testing.assert_array_equal(decode_raw(RGB.tobytes(), "rgb8", HEIGHT, WIDTH, 0), RGB)


def test_an_rgb8_image_is_not_copied() -> None:
    data = array.array("B", RGB.tobytes())
    decoded = decode_raw(data, "rgb8", HEIGHT, WIDTH, 3 * WIDTH)
    assert np.shares_memory(decoded, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("encoding", RAW_ENCODINGS)
def test_truncated_raw_data_is_refused_with_both_sizes(encoding: str) -> None:
    with pytest.raises(ImageError, match=rf"{encoding} .* needs \d+ bytes, but only 100 came"):
        decode_raw(bytes(100), encoding, HEIGHT, WIDTH, 0)


def test_one_missing_byte_is_noticed() -> None:
    with pytest.raises(ImageError) as refusal:
        decode_raw(RGB.tobytes()[:-1], "rgb8", HEIGHT, WIDTH, 3 * WIDTH)
    assert refusal.value.kind == "truncated data"


def test_an_unknown_encoding_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ImageError, match="'32FC1' is unknown.*rgb8.*mono8"):
        decode_raw(RGB.tobytes(), "32FC1", HEIGHT, WIDTH, 0)


@pytest.mark.parametrize(
    ("encoding", "height", "width", "step", "says"),
    [
        ("rgb8", 0, WIDTH, 0, "empty"),
        ("rgb8", HEIGHT, 0, 0, "empty"),
        ("rgb8", HEIGHT, WIDTH, WIDTH, "needs rows of 96 bytes, but its step is 32"),
        ("yuv422", HEIGHT, WIDTH - 1, 0, "must be even"),
        ("rgb8", 2**32 - 1, 2**32 - 1, 2**32 - 1, "needs rows"),
        ("mono8", 2**32 - 1, 2**32 - 1, 2**32 - 1, "bytes, but only"),
    ],
)
def test_impossible_sizes_are_refused(
    encoding: str, height: int, width: int, step: int, says: str
) -> None:
    with pytest.raises(ImageError, match=says):
        decode_raw(RGB.tobytes(), encoding, height, width, step)


def test_data_that_is_no_bytes_is_refused() -> None:
    with pytest.raises(ImageError, match="must be contiguous bytes, not list"):
        decode_raw([1, 2, 3], "rgb8", 1, 1, 3)


def compressed(extension: str, pixels: np.ndarray = BGR) -> bytes:
    return cv2.imencode(extension, np.ascontiguousarray(pixels))[1].tobytes()


@pytest.mark.parametrize(
    ("extension", "format", "tolerance"),
    [
        (".png", "png", 0),
        (".png", "rgb8; png compressed bgr8", 0),
        (".jpg", "jpeg", 12),
        (".jpg", "bgr8; jpeg compressed bgr8", 12),
        (".jpg", "", 12),
        (".bmp", "bmp", 0),
    ],
)
def test_a_compressed_image_keeps_its_colours(extension: str, format: str, tolerance: int) -> None:
    decoded = decode_compressed(array.array("B", compressed(extension)), format)
    assert np.abs(decoded.astype(int) - RGB).max() <= tolerance


def test_data_compressed_with_red_first_is_read_with_red_first() -> None:
    decoded = decode_compressed(compressed(".png", RGB), "rgb8; png compressed rgb8")
    np.testing.assert_array_equal(decoded, RGB)


def test_a_compressed_grey_image_becomes_three_equal_channels() -> None:
    decoded = decode_compressed(compressed(".png", GREY), "mono8; png compressed ")
    np.testing.assert_array_equal(decoded, np.dstack([GREY] * 3))


@pytest.mark.parametrize(("extension", "name"), [(".jpg", "JPEG"), (".png", "PNG")])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_compressed_image_is_refused_by_name(
    extension: str, name: str, kept: float
) -> None:
    whole = compressed(extension, cv2.resize(BGR, (320, 240)))
    with pytest.raises(ImageError, match=f"{name} image .* truncated") as refusal:
        decode_compressed(whole[: int(len(whole) * kept)], "rgb8; compressed")
    assert refusal.value.kind == "truncated data"


def test_zeros_behind_a_jpeg_do_no_harm() -> None:
    padded = compressed(".jpg") + bytes(500)
    np.testing.assert_array_equal(
        decode_compressed(padded, "jpeg"), decode_compressed(compressed(".jpg"), "jpeg")
    )


@pytest.mark.parametrize(
    ("data", "format", "says"),
    [
        (b"", "jpeg", "'jpeg'.* no data"),
        (b"\x00\x00\x00\x01\x67\x42", "h264", "'h264' cannot be decoded: send JPEG or PNG"),
        (compressed(".png"), "16UC1; compressedDepth png", "depth image"),
    ],
)
def test_what_is_no_picture_is_refused_by_format(data: bytes, format: str, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        decode_compressed(data, format)


def test_an_encoded_image_is_decoded_only_when_asked() -> None:
    broken = EncodedImage(b"", "rgb8", height=2, width=2, step=6)
    with pytest.raises(ImageError, match="needs 12 bytes, but only 0 came"):
        broken.rgb()
    whole = EncodedImage(RGB.tobytes(), "rgb8", HEIGHT, WIDTH, 3 * WIDTH)
    np.testing.assert_array_equal(whole.rgb(), RGB)
    packed = EncodedImage(compressed(".png"), "png", compressed=True)
    np.testing.assert_array_equal(packed.rgb(), RGB)
