"""Every usual microphone message becomes the samples it was made from; the rest is refused by name.

The messages of both packages called `audio_common_msgs` are stood in for by objects with the same
fields, since at most one of the packages can be installed.
"""

import array
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time

from perreactor_ros.audio_types import (
    AUDIO_DATA,
    AUDIO_DATA_STAMPED,
    AUDIO_STAMPED,
    AUDIO_TYPES,
    PERREACTOR_CHUNK,
    PcmFormat,
    ReceiveStamps,
    Sound,
    audio_adapter,
    message_class,
)
from perreactor_ros.sample_formats import SAMPLE_FORMATS, AudioError, coding_of, parse_pcm

STEREO = np.linspace(-0.9, 0.9, 64).reshape(32, 2)
STAMP = Time(sec=12, nanosec=345)
STAMP_NS = 12_000_000_345


def as_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32768).astype("<i2")


def header(stamp: Time = STAMP) -> SimpleNamespace:
    return SimpleNamespace(stamp=stamp, frame_id="microphone")


def chunk(data: bytes, encoding: int, channels: int = 2, rate: int = 16000) -> object:
    message = message_class(PERREACTOR_CHUNK)()
    message.header.stamp = STAMP
    message.sample_rate, message.channels, message.encoding = rate, channels, encoding
    message.data = data
    return message


# --- Our own messages --------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [1, 2])
def test_an_audio_chunk_becomes_its_samples(encoding: int) -> None:
    coded = as_int16(STEREO) if encoding == 1 else STEREO.astype("<f4")
    sound = audio_adapter(PERREACTOR_CHUNK).read(chunk(coded.tobytes(), encoding))
    assert sound.samples.dtype == np.float32
    assert (sound.rate, sound.stamp_ns) == (16000, STAMP_NS)
    np.testing.assert_allclose(sound.samples, STEREO, atol=1.0 / 32768)


def test_the_constants_of_the_message_are_the_ones_that_are_read() -> None:
    kind = message_class(PERREACTOR_CHUNK)
    assert (kind.INT16, kind.FLOAT32) == (1, 2)


def test_an_empty_audio_chunk_is_no_sound() -> None:
    sound = audio_adapter(PERREACTOR_CHUNK).read(chunk(b"", 1))
    assert sound.samples.shape == (0, 2)
    assert sound.duration_ns == 0


def test_nan_passes_for_the_timeline_to_count() -> None:
    coded = np.array([0.0, np.nan], "<f4").tobytes()
    sound = audio_adapter(PERREACTOR_CHUNK).read(chunk(coded, 2, channels=1))
    assert np.isnan(sound.samples).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("data", "encoding", "channels", "rate", "says"),
    [
        (bytes(3), 1, 1, 16000, "S16LE sound of 3 bytes ends within a sample"),
        (bytes(6), 1, 2, 16000, "does not divide into 2 channels"),
        (bytes(6), 1, 0, 16000, "0 channels: send 1 or more"),
        (bytes(4), 7, 1, 16000, "encoding 7: send 1 .INT16. or 2 .FLOAT32."),
        (bytes(4), 1, 1, 0, "sampling rate 0 Hz: send 8000 to 48000"),
        (bytes(4), 1, 1, 96000, "sampling rate 96000 Hz"),
    ],
)
def test_an_impossible_audio_chunk_is_refused(
    data: bytes, encoding: int, channels: int, rate: int, says: str
) -> None:
    with pytest.raises(AudioError, match=says):
        audio_adapter(PERREACTOR_CHUNK).read(chunk(data, encoding, channels, rate))


# --- ros-drivers' audio_common_msgs --------------------------------------------------------------


def data_message(data: bytes, stamped: bool = False) -> SimpleNamespace:
    inner = SimpleNamespace(data=array.array("B", data))
    return SimpleNamespace(header=header(), audio=inner) if stamped else inner


def info(
    sample_format: str = "S16LE", coding: str = "wave", rate: int = 44100, channels: int = 2
) -> SimpleNamespace:
    return SimpleNamespace(
        channels=channels,
        sample_rate=rate,
        sample_format=sample_format,
        bitrate=0,
        coding_format=coding,
    )


@pytest.mark.parametrize("type_name", [AUDIO_DATA, AUDIO_DATA_STAMPED])
def test_ros_drivers_audio_is_read_as_its_info_says(type_name: str) -> None:
    adapter = audio_adapter(type_name)
    assert adapter.info_type_name == "audio_common_msgs/AudioInfo"
    adapter.read_info(info())
    stamped = type_name == AUDIO_DATA_STAMPED
    sound = adapter.read(data_message(as_int16(STEREO).tobytes(), stamped))
    assert (sound.rate, sound.stamp_ns) == (44100, STAMP_NS if stamped else None)
    np.testing.assert_allclose(sound.samples, STEREO, atol=1.0 / 32768)


def test_without_info_the_assumed_format_is_taken_and_info_overrides_it() -> None:
    adapter = audio_adapter(AUDIO_DATA, PcmFormat(rate=16000))
    message = data_message(as_int16(STEREO).tobytes())
    assert adapter.read(message).samples.shape == (64, 1)
    adapter.read_info(info())
    assert adapter.read(message).samples.shape == (32, 2)


def test_without_info_and_assumption_audio_is_refused() -> None:
    with pytest.raises(AudioError, match="no AudioInfo has come: publish one, or set"):
        audio_adapter(AUDIO_DATA).read(data_message(bytes(4)))


def test_mp3_is_refused_by_name_and_stays_refused() -> None:
    adapter = audio_adapter(AUDIO_DATA, PcmFormat(rate=16000))
    with pytest.raises(AudioError, match="coded as 'mp3'.*'wave'"):
        adapter.read_info(info(coding="mp3"))
    with pytest.raises(AudioError, match="mp3"):
        adapter.read(data_message(bytes(4)))
    adapter.read_info(info())
    assert adapter.read(data_message(bytes(4))).samples.shape == (1, 2)


def test_unknown_sample_formats_in_the_info_are_refused_with_the_known_ones() -> None:
    with pytest.raises(AudioError, match="'S20LE' is unknown: send one of S8.*S16LE"):
        audio_adapter(AUDIO_DATA).read_info(info(sample_format="S20LE"))


def test_the_other_package_of_the_same_name_is_noticed_in_a_message() -> None:
    theirs = SimpleNamespace(int16_data=array.array("h"), float32_data=array.array("f"))
    with pytest.raises(AudioError, match=f"no field 'data'.*choose {AUDIO_STAMPED}"):
        audio_adapter(AUDIO_DATA, PcmFormat(16000)).read(theirs)


# --- mgonzs13's audio_common_msgs ----------------------------------------------------------------

TYPED = {
    1: ("float32_data", "f", STEREO, 1e-6),
    2: ("int32_data", "i", STEREO * 2.0**31, 1e-6),
    4: ("int24_data", "i", STEREO * 2.0**23, 1e-6),
    8: ("int16_data", "h", STEREO * 2.0**15, 1e-4),
    16: ("int8_data", "b", STEREO * 2.0**7, 1e-2),
    32: ("uint8_data", "B", STEREO * 2.0**7 + 128, 1e-2),
}


def audio_stamped(code: int, channels: int = 2) -> SimpleNamespace:
    arrays = {entry[0]: array.array(entry[1]) for entry in TYPED.values()}
    if code in TYPED:
        field, kind, values, _ = TYPED[code]
        plain = values if kind == "f" else np.round(values).astype(int)
        arrays[field] = array.array(kind, plain.ravel().tolist())
    told = SimpleNamespace(format=code, channels=channels, rate=48000, chunk=32)
    audio = SimpleNamespace(audio_data=SimpleNamespace(**arrays), info=told)
    return SimpleNamespace(header=header(), audio=audio)


@pytest.mark.parametrize("code", TYPED)
def test_audio_stamped_of_every_sample_type_becomes_its_samples(code: int) -> None:
    sound = audio_adapter(AUDIO_STAMPED).read(audio_stamped(code))
    assert (sound.rate, sound.stamp_ns) == (48000, STAMP_NS)
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, STEREO, atol=TYPED[code][3])


def test_audio_stamped_of_an_unknown_sample_type_is_refused() -> None:
    with pytest.raises(AudioError, match=r"format 64 is unknown: send .*8 \(int16_data\)"):
        audio_adapter(AUDIO_STAMPED).read(audio_stamped(64))


def test_audio_stamped_that_does_not_divide_into_channels_is_refused() -> None:
    with pytest.raises(AudioError, match="does not divide into 3 channels"):
        audio_adapter(AUDIO_STAMPED).read(audio_stamped(8, channels=3))


def test_audio_stamped_of_another_layout_is_refused() -> None:
    with pytest.raises(AudioError, match=f"another layout.*choose {AUDIO_DATA_STAMPED}"):
        audio_adapter(AUDIO_STAMPED).read(data_message(bytes(4), stamped=True))


# --- Choosing the type ---------------------------------------------------------------------------


def test_every_type_has_an_adapter_that_names_it() -> None:
    assert [audio_adapter(name).type_name for name in AUDIO_TYPES] == list(AUDIO_TYPES)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AudioError, match=f"'std_msgs/String': choose one of {PERREACTOR_CHUNK}"):
        audio_adapter("std_msgs/String")


def test_a_message_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "audio_common_msgs.msg", None)
    with pytest.raises(AudioError, match="not installed.*install audio_common_msgs"):
        message_class(AUDIO_DATA)


def test_a_package_without_the_message_is_told_with_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package, messages = ModuleType("audio_common_msgs"), ModuleType("audio_common_msgs.msg")
    messages.AudioStamped = messages.AudioInfo = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "audio_common_msgs", package)
    monkeypatch.setitem(sys.modules, "audio_common_msgs.msg", messages)
    assert message_class(AUDIO_STAMPED) is object
    with pytest.raises(AudioError, match="no message AudioDataStamped, only AudioInfo, AudioSt"):
        message_class(AUDIO_DATA_STAMPED)


# --- Bytes ---------------------------------------------------------------------------------------

NUMPY_TYPES = {
    "S8": "i1", "U8": "u1", "S16LE": "<i2", "S16BE": ">i2", "S32LE": "<i4", "S32BE": ">i4",
    "F32LE": "<f4", "F32BE": ">f4", "F64LE": "<f8", "F64BE": ">f8",
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE_FORMATS)
def test_every_sample_format_is_read(name: str) -> None:
    kind = np.dtype(NUMPY_TYPES[name])
    scale = 1.0 if kind.kind == "f" else 2.0 ** (8 * kind.itemsize - 1)
    values = STEREO * scale + (128 if name == "U8" else 0)
    coded = values.astype(kind) if kind.kind == "f" else np.round(values).astype(kind)
    tolerance = 1e-6 if kind.kind == "f" else 1.0 / scale + 1e-6
    np.testing.assert_allclose(parse_pcm(coded.tobytes(), name, 2), STEREO, atol=tolerance)


def mp3_frames(count: int) -> bytes:
    """MPEG 1 layer III at 128 kbit/s and 44.1 kHz: frames of 417 bytes, contents silent."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * count


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        (mp3_frames(1), "MP3"),
        (mp3_frames(3)[:1000], "MP3"),
        (b"ID3\x04" + bytes(100), "MP3"),
        (b"OggS" + bytes(100), "Ogg"),
        (b"fLaC" + bytes(100), "FLAC"),
        (b"RIFF" + bytes(100), "WAV file"),
        (b"", None),
        (b"\xff", None),
        (b"\xff\xfb\x90\x00" + bytes(1000), None),
        (as_int16(STEREO).tobytes(), None),
    ],
)
def test_coded_sound_shows_in_its_first_bytes(data: bytes, coding: str | None) -> None:
    assert coding_of(data) == coding


def test_coded_sound_is_never_taken_for_samples() -> None:
    with pytest.raises(AudioError, match="coded as 'MP3'"):
        audio_adapter(AUDIO_DATA, PcmFormat(16000)).read(data_message(mp3_frames(2)))


# --- Sound without stamps ------------------------------------------------------------------------

CHUNK_NS = 40_000_000


def silence(stamp_ns: int | None = None) -> Sound:
    return Sound(np.zeros((640, 1), np.float32), 16000, stamp_ns)


def test_unstamped_sound_began_its_length_before_it_came() -> None:
    assert ReceiveStamps().stamp(silence(), 10**9) == 10**9 - CHUNK_NS


def test_a_stamp_in_the_message_is_kept() -> None:
    assert ReceiveStamps().stamp(silence(123), 10**9) == 123


def test_an_empty_stamp_counts_as_none() -> None:
    message = data_message(bytes(4), stamped=True)
    message.header.stamp = Time()
    adapter = audio_adapter(AUDIO_DATA_STAMPED, PcmFormat(16000))
    assert adapter.read(message).stamp_ns is None


def test_jitter_of_arrival_hardly_shows_in_the_stamps() -> None:
    jitter = np.random.default_rng(0).integers(0, 30_000_000, 200)
    stamps = ReceiveStamps()
    given = [
        stamps.stamp(silence(), 10**9 + k * CHUNK_NS + int(late)) for k, late in enumerate(jitter)
    ]
    assert np.abs(np.diff(given) - CHUNK_NS).max() < 1_000_000


def test_stamps_follow_a_microphone_whose_clock_drifts() -> None:
    stamps, slow = ReceiveStamps(), CHUNK_NS + 40_000  # 0.1 % slow
    given = [stamps.stamp(silence(), 10**9 + k * slow) for k in range(2000)]
    assert abs(given[-1] - (10**9 + 1999 * slow - CHUNK_NS)) < 5_000_000


def test_after_a_pause_the_count_begins_anew() -> None:
    stamps = ReceiveStamps()
    stamps.stamp(silence(), 10**9)
    assert stamps.stamp(silence(), 3 * 10**9) == 3 * 10**9 - CHUNK_NS
    stamps.reset()
    assert stamps.stamp(silence(), 3 * 10**9 + 1) == 3 * 10**9 + 1 - CHUNK_NS
