"""A recording plays once or again and again, decoded a little ahead."""

import itertools
import threading

import numpy as np
import pytest

from perreactor_model.media.playback import PlaybackSettings, Prefetched, play
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import PictureFrame, SoundBlock, VideoError

FRAME_NS = 40_000_000
RATE = 8000


@pytest.fixture
def clip(tmp_path):
    """Ten pictures of rising brightness with as much sound."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 64, 48, 25, audio_rate=RATE) as writer:
        for index in range(10):
            writer.write(np.full((48, 64, 3), 20 * index + 20, np.uint8))
            writer.write_sound(np.zeros(RATE // 25, np.float32))
    return path


def test_a_recording_played_once_ends(clip):
    items = list(play(PlaybackSettings(clip)))
    assert sum(isinstance(item, PictureFrame) for item in items) == 10


def test_stamps_go_on_evenly_from_round_to_round(clip):
    endless = play(PlaybackSettings(clip, loop=True))
    pictures = (item for item in endless if isinstance(item, PictureFrame))
    shown = list(itertools.islice(pictures, 25))
    assert [picture.stamp_ns for picture in shown] == [k * FRAME_NS for k in range(25)]
    levels = [picture.image.mean() for picture in shown]
    assert levels[10] == pytest.approx(levels[0], abs=3)


def test_sound_never_runs_backwards_over_the_seam(clip):
    endless = play(PlaybackSettings(clip, loop=True))
    blocks = list(itertools.islice((i for i in endless if isinstance(i, SoundBlock)), 60))
    for before, after in itertools.pairwise(blocks):
        assert after.stamp_ns >= before.complete_ns - 1000


def test_a_missing_recording_is_refused_at_once(tmp_path):
    with pytest.raises(VideoError, match="no video file"):
        PlaybackSettings(tmp_path / "nowhere.mp4")


def test_decoding_stays_a_bounded_number_of_items_ahead():
    made = []
    waiting = threading.Event()

    def numbers():
        for number in itertools.count():
            made.append(number)
            if number == 5:
                waiting.set()
            yield number

    ahead = Prefetched(numbers(), ahead=5)
    assert waiting.wait(10)
    assert len(made) <= 6
    assert [ahead.take() for _ in range(8)] == list(range(8))
    assert len(made) <= 8 + 6
    ahead.close()
    assert ahead.take() is None


def test_an_error_while_decoding_reaches_the_one_who_takes():
    def broken():
        yield 1
        raise VideoError("the file ends here")

    ahead = Prefetched(broken())
    assert ahead.take() == 1
    with pytest.raises(VideoError, match="ends here"):
        ahead.take()
