"""`perreactor attributes`: from a video of a person to a file, with one clear line on a mistake."""

import importlib.util
import json
import os
import signal
import threading
import wave

import numpy as np
import pytest

from perreactor_model.cli import attributes
from perreactor_model.cli.main import main
from perreactor_model.contract import ACTION_UNITS, FRAME_RATE
from perreactor_model.face_analysis.attribute_files import read_attributes
from perreactor_model.media.attribute_overlay import OVERLAY_SIZE
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import probe, read_pictures

FRAMES = 120
RATE = 16_000


def command(*words) -> int:
    return main(["attributes", *map(str, words)])


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Calm for 3.6 s, then a smile of 1.2 s, with sound."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed")
    pytest.importorskip("skimage")
    from skimage.data import astronaut

    from perreactor_model.media.face_animation import FaceAnimator, FaceControls

    path = tmp_path_factory.mktemp("people") / "alice.mp4"
    animator = FaceAnimator(astronaut(), (320, 240))
    calm, smile = animator.draw(FaceControls()), animator.draw(FaceControls(smile=1.0))
    with VideoWriter(path, 320, 240, audio_rate=RATE) as writer:
        for index in range(FRAMES):
            writer.write(smile if index >= 90 else calm)
            writer.write_sound(np.zeros(RATE // FRAME_RATE, np.float32))
    return path


@pytest.fixture
def empty_room(tmp_path):
    path = tmp_path / "room.mp4"
    with VideoWriter(path, 320, 240) as writer:
        for _ in range(5):
            writer.write(np.full((240, 320, 3), 120, np.uint8))
    return path


def test_a_video_becomes_a_file_and_an_overlay(video, tmp_path, capsys):
    out, overlay = tmp_path / "alice.npz", tmp_path / "look.mp4"
    assert command(video, "--out", out, "--overlay", overlay, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    track = read_attributes(out)
    assert (told["frames"], told["seconds"]) == (len(track), track.seconds) == (FRAMES, 4.8)
    assert (told["face_visible"], told["people"]) == (1.0, {"1": 4.8})
    assert (told["output"], told["overlay"]) == (str(out), str(overlay))
    assert told["strongest"]["AU12"] > 0.5
    assert track.attributes[95:, ACTION_UNITS.index("AU12")].min() > 0.5
    assert track.source == "alice.mp4"
    info = probe(overlay)
    assert (info.width, info.height, info.has_sound) == (*OVERLAY_SIZE, True)
    assert len(list(read_pictures(overlay))) == FRAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice.npz", "look.mp4"]


def test_a_table_says_the_same_and_the_screen_tells_what_is_in_it(video, tmp_path, capsys):
    out = tmp_path / "alice.csv"
    out.write_text("older")
    assert command(video, "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{out}: 4.8 s, {FRAMES} frames"
    assert "face visible   100 %" in lines[1]
    assert "AU12" in "".join(lines)
    assert "ms a frame" in lines[-1]
    assert len(read_attributes(out)) == FRAMES


def test_causal_does_not_know_the_first_seconds(video, tmp_path, capsys):
    out = tmp_path / "alice.npz"
    assert command(video, "--out", out, "--causal", "--json") == 0
    assert json.loads(capsys.readouterr().out)["causal"] is True
    track = read_attributes(out)
    assert np.isnan(track.attributes[:90]).all()
    assert np.isfinite(track.rotation).all()


def test_a_video_without_a_face_leaves_no_file_and_spares_the_old_one(empty_room, tmp_path, capsys):
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed")
    out, overlay = tmp_path / "kept.csv", tmp_path / "look.mp4"
    out.write_text("older")
    assert command(empty_room, "--out", out, "--overlay", overlay) == 2
    assert "room.mp4 shows no face in 0.2 s: expected a face" in capsys.readouterr().err
    assert out.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.csv", "room.mp4"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["room.mp4", "--out", "a.txt"], "written as .npz or .csv, not as '.txt'"),
        (["room.mp4", "--out", "attributes"], "written as .npz or .csv, not as 'attributes'"),
        (["room.mp4", "--out", "nowhere/a.csv"], "there is no folder"),
        (["absent.mp4", "--out", "a.csv"], "there is no video file at"),
        (["absent.mp4", "--out", "a.csv", "--overlay", "o.mp4"], "there is no video file at"),
        (["notes.txt", "--out", "a.csv"], "cannot be read as video"),
        (["sound.wav", "--out", "a.csv"], "holds sound but no pictures"),
        (["sound.wav", "--out", "a.csv", "--overlay", "o.mp4"], "holds sound but no pictures"),
        (["room.mp4", "--out", "a.csv", "--overlay", "o.avi"], "an overlay is written as .mp4"),
        (["room.mp4", "--out", "a.csv", "--overlay", "room.mp4"], "is the video itself"),
        (["room.mp4", "--out", "a.csv", "--overlay", "x/o.mp4"], "for the overlay"),
    ],
)
def test_a_mistake_is_told_in_one_line(empty_room, tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing to see")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(bytes(RATE))
    before = sorted(tmp_path.iterdir())
    assert command(*words) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert error.count("\n") == 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_library_is_named_with_the_way_to_install_it(empty_room, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mediapipe" else find(name)
    )
    out = empty_room.with_suffix(".npz")
    assert command(empty_room, "--out", out) == 2
    error = capsys.readouterr().err
    assert "mediapipe" in error
    assert "install" in error
    assert not out.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_half_an_overlay_vanishes_when_the_process_is_told_to_end(
    empty_room, tmp_path, monkeypatch, number
):
    kept = tmp_path / "kept"
    kept.mkdir()
    found = []

    def ended(*_):
        found.extend(kept.iterdir())
        os.kill(os.getpid(), number)
        raise AssertionError("it went on")

    monkeypatch.setattr(attributes, "_analyzed", ended)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as left:
            command(empty_room, "--out", kept / "a.npz", "--overlay", kept / "a.mp4")
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert left.value.code == 128 + number
    assert len(found) == 1
    assert list(kept.iterdir()) == []


def test_the_command_works_in_a_thread_which_is_told_of_no_signals(empty_room, tmp_path, capsys):
    status = []
    words = (empty_room, "--out", tmp_path / "a.npz")
    thread = threading.Thread(target=lambda: status.append(command(*words)))
    thread.start()
    thread.join()
    assert status == [2]
    assert "shows no face" in capsys.readouterr().err
