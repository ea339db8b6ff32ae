"""Perception with an analyzer of faces: each picture looked at once, and nobody mixed up."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS, ROTATION_SLICE
from perreactor_model.face_analysis.observation import FaceObservation, Knowledge
from perreactor_model.streaming.perceiver import Perceiver
from perreactor_model.vision.detector import FaceBox

BUNDLES = Path(__file__).resolve().parents[2] / "resource" / "bundles"
START = 10**9
SILENCE = np.zeros(640, np.float32)


class BrightnessAnalyzer:
    """Measures AU12 as the picture's brightness; a black picture shows nobody."""

    def __init__(self) -> None:
        self.looked_at: list[int] = []
        self.closed = 0
        self._people = 0
        self._previous = False

    @property
    def counters(self) -> Mapping[str, int]:
        return {"pictures": len(self.looked_at)}

    def analyze(self, rgb: np.ndarray, stamp_ns: int) -> FaceObservation:
        self.looked_at.append(stamp_ns)
        level = float(rgb.mean()) / 255.0
        there = level > 0.0
        self._people += there and not self._previous
        self._previous = there
        if not there:
            return FaceObservation(stamp_ns)
        attributes = np.full(25, np.nan, np.float32)
        attributes[7] = level
        knowledge = np.zeros(25, np.uint8)
        knowledge[7] = Knowledge.MEASURED
        box = FaceBox(10.0, 10.0, 5.0)
        turned = np.array([0.1, 0.2, 0.3], np.float32)
        return FaceObservation(stamp_ns, box, self._people, attributes, knowledge, turned)

    def reset(self) -> None:
        self._people, self._previous = 0, False

    def close(self) -> None:
        self.closed += 1


def picture(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    return {
        "face_image": Bundle.load(BUNDLES / "demo_face_image"),
        "facial_attributes": Bundle.load(BUNDLES / "demo_attributes"),
    }


@pytest.fixture
def analyzer() -> BrightnessAnalyzer:
    return BrightnessAnalyzer()


def frames_of(perceiver: Perceiver, levels, first: int = 0, every: int = 1):
    """Push a picture and sound for each frame and take the encoded frames."""
    for number, level in enumerate(levels, first):
        stamp = START + number * FRAME_NS
        if level is not None and number % every == 0:
            perceiver.push_image(picture(level), stamp)
        perceiver.push_audio(SILENCE, stamp, 16000)
    perceiver.finish()
    return perceiver.take()


def test_attributes_and_head_pose_of_the_picture_reach_the_frame(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    frames = frames_of(perceiver, [51, 102, 153])
    assert [frame.attributes[7] for frame in frames] == pytest.approx([0.2, 0.4, 0.6])
    assert all(frame.face_present and frame.speaker_id == "face_1" for frame in frames)
    assert frames[0].coefficients[ROTATION_SLICE] == pytest.approx([0.1, 0.2, 0.3])
    assert np.isnan(frames[0].coefficients[:52]).all()
    assert np.isnan(frames[0].attributes[:7]).all(), "what is unknown stays so"


def test_the_token_shows_what_the_analyzer_saw(bundles):
    tokens = [
        frames_of(Perceiver(bundles["facial_attributes"], analyzer=BrightnessAnalyzer()), [level])[
            0
        ].token
        for level in (51, 204, 51)
    ]
    assert np.array_equal(tokens[0], tokens[2])
    assert not np.allclose(tokens[0], tokens[1], atol=1e-4)


def test_a_picture_that_serves_several_frames_is_looked_at_once(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    frames = frames_of(perceiver, [100] * 9, every=3)
    assert len(frames) == 9
    assert all(frame.face_present for frame in frames)
    assert len(analyzer.looked_at) == len(set(analyzer.looked_at)) == 3


def test_a_frame_without_a_picture_shows_nobody(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    frames = frames_of(perceiver, [100, *[None] * 12])
    last = frames[-1]
    assert not last.face_present
    assert last.speaker_id == ""
    assert np.isnan(last.attributes).all()


def test_attributes_that_are_pushed_come_before_the_analyzers(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    told = np.full(25, 0.75, np.float32)
    perceiver.push_attributes(told, None, START)
    frames = frames_of(perceiver, [51])
    assert (frames[0].attributes == told).all()


def test_a_bundle_that_sees_pictures_carries_the_attributes_beside_them(bundles, analyzer):
    with_analyzer = Perceiver(bundles["face_image"], crop=False, analyzer=analyzer)
    seen = frames_of(with_analyzer, [51, 102])
    alone = frames_of(Perceiver(bundles["face_image"], crop=False), [51, 102])
    for frame, plain in zip(seen, alone, strict=True):
        assert np.array_equal(frame.token, plain.token), "the token is that of the pixels"
    assert [frame.attributes[7] for frame in seen] == pytest.approx([0.2, 0.4])
    assert np.isnan(alone[0].attributes).all()


def test_after_a_reset_a_face_is_nobody_that_was_seen_before(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    before = frames_of(perceiver, [51, 0, 51])
    assert [frame.speaker_id for frame in before] == ["face_1", "", "face_2"]
    perceiver.reset()
    after = frames_of(perceiver, [51], first=100)
    assert after[0].speaker_id == "face_3"


def test_a_configured_speaker_keeps_the_name_whoever_is_seen(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer, speaker_id="anna")
    assert {frame.speaker_id for frame in frames_of(perceiver, [51, 0, 51])} == {"anna"}


def test_the_analyzer_is_counted_and_closed(bundles, analyzer):
    perceiver = Perceiver(bundles["facial_attributes"], analyzer=analyzer)
    assert perceiver.observation is None
    assert np.isnan(perceiver.analysis_seconds)
    frames_of(perceiver, [51, 102])
    assert perceiver.counters["analyzer_pictures"] == 2
    assert perceiver.observation is not None
    assert perceiver.analysis_seconds > 0.0
    perceiver.close()
    assert analyzer.closed == 1
