"""The public object sees camera frames also with bundles that see facial attributes."""

import logging
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from perreactor_model import Reactor
from perreactor_model.contract import FRAME_NS
from perreactor_model.face_analysis import choice

BUNDLES = Path(__file__).resolve().parents[2] / "resource" / "bundles"
ATTRIBUTES = BUNDLES / "demo_attributes"
SILENCE = np.zeros(640, np.float32)


def reactions(reactor: Reactor, frames: int = 4):
    made = []
    for index in range(frames):
        stamp = 10**9 + index * FRAME_NS
        picture = np.ascontiguousarray(data.astronaut())
        made += reactor.push(image=picture, stamp_ns=stamp, audio=SILENCE, sample_rate=16000)
    return made + reactor.finish()


@pytest.mark.skipif(not choice.landmarks_installed(), reason="the analyzer needs mediapipe")
def test_camera_frames_are_measured_without_being_asked_for():
    reactor = Reactor.load(ATTRIBUTES)
    assert len(reactions(reactor)) == 4
    assert reactor.perceiver.observation is not None
    assert reactor.perceiver.observation.face_present
    assert reactor.counters["analyzer_pictures"] == 4


def test_where_nobody_measures_it_is_said_once_and_the_voice_is_reacted_to(monkeypatch, caplog):
    monkeypatch.setattr(choice, "landmarks_installed", lambda: False)
    with caplog.at_level(logging.WARNING):
        reactor = Reactor.load(ATTRIBUTES)
    assert "install mediapipe" in caplog.text
    assert len(reactions(reactor)) == 4
    assert reactor.perceiver.observation is None


@pytest.mark.parametrize(
    ("name", "told"), [("hri", "only nodes hear"), ("eyes", "give one of auto, landmarks")]
)
def test_an_analyzer_that_cannot_be_had_here_is_refused(name, told):
    with pytest.raises(ValueError, match=told):
        Reactor.load(ATTRIBUTES, analyzer=name)
