"""A video file becomes pictures and sound with stamps that fit each other."""

import struct
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import (
    PictureFrame,
    SoundBlock,
    VideoError,
    probe,
    read_media,
    read_pictures,
    read_sound,
)

RATE = 16000


def grey(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def write_clip(path: Path, frames: int = 50, *, sound: bool = True, indices=None) -> Path:
    """Grey level rises with time; the sound has one loud click exactly at 1 s."""
    with VideoWriter(path, 64, 48, 25, audio_rate=RATE if sound else 0) as writer:
        for index in indices or range(frames):
            writer.write(grey(2 * index + 40), index)
        if sound:
            samples = np.zeros(frames * RATE // 25, np.float32)
            samples[RATE : RATE + 80] = 0.9
            for block in np.array_split(samples, 7):
                writer.write_sound(block)
    return path


def test_a_file_tells_its_size_rates_and_length(tmp_path):
    info = probe(write_clip(tmp_path / "clip.mp4"))
    assert (info.width, info.height, info.audio_rate) == (64, 48, RATE)
    assert info.frame_rate == pytest.approx(25, abs=0.1)
    assert info.duration == pytest.approx(2.0, abs=0.1)


def test_pictures_come_back_with_their_times(tmp_path):
    frames = list(read_pictures(write_clip(tmp_path / "clip.mp4")))
    assert [frame.stamp_ns for frame in frames] == [k * 40_000_000 for k in range(50)]
    levels = [frame.image.mean() for frame in frames]
    assert np.allclose(levels, [2 * k + 40 for k in range(50)], atol=4)


def test_sound_and_pictures_share_one_zero(tmp_path):
    blocks = list(read_sound(write_clip(tmp_path / "clip.mp4")))
    samples = np.concatenate([block.samples for block in blocks])
    click = int(np.argmax(np.abs(samples) > 0.3))
    assert click == pytest.approx(RATE, abs=48)
    assert blocks[0].stamp_ns == 0


def test_sound_blocks_follow_each_other_without_gap_or_overlap(tmp_path):
    blocks = list(read_sound(write_clip(tmp_path / "clip.mp4"), rate=44100, block_ms=10))
    position = 0
    for block in blocks:
        assert block.rate == 44100
        assert block.stamp_ns == pytest.approx(position * 1e9 / 44100, abs=1e3)
        position += len(block.samples)
    assert {len(block.samples) for block in blocks[:-1]} == {441}
    assert position / 44100 == pytest.approx(2.0, abs=0.08)


def test_pictures_and_sound_are_interleaved_by_time(tmp_path):
    items = list(read_media(write_clip(tmp_path / "clip.mp4")))
    times = [item.complete_ns for item in items]
    assert times == sorted(times)
    assert sum(isinstance(item, PictureFrame) for item in items) == 50
    assert sum(isinstance(item, SoundBlock) for item in items) >= 99


def test_a_file_without_sound_gives_pictures_only(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", sound=False)
    assert not probe(path).has_sound
    assert all(isinstance(item, PictureFrame) for item in read_media(path))


@pytest.mark.parametrize("rate", [10, 15, 30, 60])
def test_another_frame_rate_shows_what_was_on_screen_then(tmp_path, rate):
    path = write_clip(tmp_path / "clip.mp4")
    frames = list(read_pictures(path, frame_rate=rate))
    for k, frame in enumerate(frames):
        assert frame.stamp_ns == pytest.approx(k * 1e9 / rate, abs=1)
        shown = int(frame.stamp_ns // 40_000_000)
        assert frame.image.mean() == pytest.approx(2 * shown + 40, abs=4)
    assert len(frames) / rate == pytest.approx(2.0, abs=0.1)


def test_a_variable_frame_rate_keeps_its_own_times(tmp_path):
    indices = [0, 1, 2, 10, 11, 30, 49]
    frames = list(read_pictures(write_clip(tmp_path / "clip.mp4", sound=False, indices=indices)))
    assert [frame.stamp_ns // 40_000_000 for frame in frames] == indices


def test_pictures_are_scaled_when_asked(tmp_path):
    frame = next(read_pictures(write_clip(tmp_path / "clip.mp4"), size=(32, 16)))
    assert frame.image.shape == (16, 32, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"no video file at .*nowhere\.mp4"):
        probe(tmp_path / "nowhere.mp4")


def test_a_text_file_is_refused_by_name(tmp_path):
    path = tmp_path / "letter.mp4"
    path.write_text("dear robot " * 100)
    with pytest.raises(VideoError, match=r"letter\.mp4 cannot be read as video"):
        list(read_media(path))


def test_a_truncated_recording_still_plays(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 64, 48, 25, audio_rate=RATE) as writer:
        for index in range(100):
            writer.write(grey(index), index)
            writer.write_sound(np.zeros(RATE // 25, np.float32))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    frames = list(read_pictures(path))
    assert 25 <= len(frames) < 100


def test_an_odd_size_cannot_be_written(tmp_path):
    with pytest.raises(VideoError, match="even width and height, not 65x48"):
        VideoWriter(tmp_path / "clip.mp4", 65, 48)


def test_late_sound_is_padded_with_silence_and_repeated_sound_dropped(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 64, 48, 25, audio_rate=RATE) as writer:
        for index in range(50):
            writer.write(grey(100), index)
        writer.write_sound(np.zeros(RATE // 2, np.float32), 0)
        writer.write_sound(np.full(RATE // 2, 0.5, np.float32), RATE)
        writer.write_sound(np.full(RATE // 2, -0.5, np.float32), RATE)
    samples = np.concatenate([block.samples for block in read_sound(path)])
    assert int(np.argmax(np.abs(samples) > 0.25)) == pytest.approx(RATE, abs=100)
    assert samples.min() > -0.3


def test_a_picture_filmed_on_its_side_comes_out_upright(tmp_path):
    path = tmp_path / "clip.mp4"
    image = grey(20)
    image[:, :32] = 220  # bright on the left
    with VideoWriter(path, 64, 48, 25) as writer:
        writer.write(image)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # a phone says "turn me by 90 degrees clockwise" here
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = struct.pack(">9i", *quarter)
    path.write_bytes(bytes(data))
    turned = next(read_pictures(path)).image
    assert turned.shape == (64, 48, 3)
    assert (probe(path).width, probe(path).height) == (48, 64)
    assert turned[:28].mean() > 180 and turned[36:].mean() < 60  # bright on top
