"""`perreactor demo`: what it starts, what it tells, and what it refuses."""

import json
import os
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.contract import neutral_attributes
from perreactor_model.media.recording import VideoWriter
from perreactor_model.media.video import probe
from perreactor_ros.demo import Heard, report_motion, report_profiles


@pytest.fixture
def demo(graph):
    """Starts `perreactor demo` with the given arguments."""

    def start(*arguments: object):
        command = [sys.executable, "-m", "perreactor_model.cli.main", "demo"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return graph.run([*command, *map(str, arguments)], PATH=path)

    return start


def _heard(robot: str, profile: str, attributes: np.ndarray) -> Heard:
    heard = Heard(robot)
    heard.reactions.extend((0, index, profile, row) for index, row in enumerate(attributes))
    return heard


def _face(seconds: int, smile: float) -> np.ndarray:
    time = np.arange(25 * seconds) / 25
    face = np.repeat(neutral_attributes()[None], len(time), axis=0)
    face[:, 7] = smile + 0.05 * np.sin(3 * time)
    return face


def test_the_report_tells_movement_and_difference_of_profiles():
    warm, stoic = (
        _heard(f"robot_{profile}", profile, _face(20, smile))
        for profile, smile in (("warm", 0.6), ("stoic", 0.1))
    )
    assert report_motion(warm).passed
    assert report_profiles(warm, stoic).passed
    assert "warm and stoic differ" in str(report_profiles(warm, stoic))


def test_the_report_sees_a_jump():
    face = _face(20, 0.5)
    face[300:, 7] -= 0.4
    finding = report_motion(_heard("robot_a", "warm", face))
    assert finding.passed is False
    assert str(finding).lstrip().startswith("NO")


def test_the_report_says_when_there_was_too_little_to_tell():
    short = _heard("robot_a", "warm", _face(3, 0.5))
    assert report_motion(short).passed is None
    assert "too short" in report_motion(short).detail
    assert report_motion(Heard("robot_b")).passed is None
    assert "never reacted" in report_profiles(Heard("robot_a"), Heard("robot_b")).detail


def test_the_report_does_not_call_rest_a_jump():
    finding = report_motion(_heard("robot_a", "warm", np.repeat(_face(1, 0.0)[:1], 300, axis=0)))
    assert finding.passed is None
    assert "seen or heard" in finding.detail


def test_a_change_of_profile_begins_the_report_anew():
    heard = _heard("robot_a", "warm", _face(20, 0.6))
    heard.reactions.extend((0, 500 + k, "stoic", row) for k, row in enumerate(_face(10, 0.1)))
    frames, attributes = heard.steady()
    assert len(frames) == 200
    assert attributes[:, 7].max() < 0.2


def test_a_video_that_is_not_there_is_told_in_one_line(demo):
    process = demo("--video", "/nowhere.mp4")
    assert process.wait() == 2
    assert process.output == "perreactor: error: --video: there is no file /nowhere.mp4"


def test_a_recording_of_sound_alone_is_refused(demo, tmp_path: Path):
    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    process = demo("--video", path)
    assert process.wait() == 2
    assert "has no pictures" in process.output


def test_a_wrong_robot_or_length_is_refused(demo):
    for arguments, hint in (
        (("--robots", "a b"), "no robot name"),
        (("--seconds", "0"), "some 20"),
    ):
        process = demo(*arguments)
        assert process.wait() == 2
        assert hint in process.output


@pytest.mark.slow
def test_two_robots_react_live_and_the_recording_shows_them(demo, tmp_path: Path):
    process = demo("--seconds", 30, "--out", tmp_path / "out", "--json")
    assert process.wait() == 0, process.output
    assert process.says("robot_a +warm .* Hz")
    assert process.says("robot_b +stoic .* Hz")
    assert not process.says("UNTRAINED")
    assert not process.says("Traceback")
    result = json.loads(process.output.splitlines()[-1])
    assert result["trained"] is True
    findings = {finding["question"]: finding["passed"] for finding in result["liveness"]}
    assert findings == {
        "robot_a moves without jumps": True,
        "robot_b moves without jumps": True,
        "warm and stoic differ": True,
        "robot_a reacts to who speaks": True,
    }
    recording = probe(tmp_path / "out" / "demo.mp4")
    assert recording.width > recording.height
    assert recording.duration > 10


@pytest.mark.slow
def test_untrained_weights_are_told_of_aloud(demo, tmp_path: Path, untrained_bundle):
    given = ("--bundle", untrained_bundle, "--out", tmp_path / "out")
    process = demo("--seconds", 1, "--json", *given)
    assert process.wait() == 0, process.output
    assert process.says("UNTRAINED")
    assert json.loads(process.output.splitlines()[-1])["trained"] is False


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_with_a_report_and_a_readable_recording(
    demo, tmp_path: Path, face_bundle
):
    process = demo("--out", tmp_path / "out", "--bundle", face_bundle, "--robots", "robot_a:warm")
    process.wait_for_line("robot_a +warm .* Hz")
    assert process.stop() == 0, process.output
    assert process.says("robot_a moves without jumps")
    assert process.says("Recording: ")
    assert probe(tmp_path / "out" / "demo.mp4").has_pictures


@pytest.mark.slow
def test_a_video_without_sound_is_seen_and_said(demo, tmp_path: Path, face_bundle):
    path = tmp_path / "silent.mp4"
    with VideoWriter(path, 160, 120) as writer:
        for shade in range(100):
            writer.write(np.full((120, 160, 3), 100 + shade, np.uint8))
    process = demo("--video", path, "--seconds", 1, "--out", tmp_path, "--bundle", face_bundle)
    assert process.wait() == 0, process.output
    assert process.says("has no sound")
    assert process.says("robot_a +warm .* Hz")
