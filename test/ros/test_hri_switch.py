"""From one ROS4HRI face to the next: nobody's face is taken for another's."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from perreactor_model.contract import ATTRIBUTES
from perreactor_ros.audio_types import AUDIO_TYPES, audio_adapter
from perreactor_ros.messages import stamp
from perreactor_ros.perceiving import Perceiving, Received

FRAME_NS = 40_000_000
BEGIN_NS = 1_700_000_000_000_000_000
SMILE = ATTRIBUTES.index("AU12")


class Listener:
    """Perception that hears ROS4HRI, on a clock that the test moves."""

    def __init__(self, bundle) -> None:
        self.now_ns = BEGIN_NS
        self.published: list = []
        adapter = audio_adapter(AUDIO_TYPES[0], None)
        self._perceiving = Perceiving(
            lambda: self.now_ns,
            lambda: False,
            self.published.append,
            logging.getLogger(__name__),
            adapter,
            "",
            backlog=None,
        )
        self._perceiving.load(str(bundle), {"analyzer": "hri", "device": "cpu"})

    def hear(self, kind: str, message) -> None:
        self._perceiving.work([Received(kind, message, self.now_ns)])

    def smile(self, level: float, frames: int) -> None:
        """A face smiles, while time passes."""
        for _ in range(frames):
            units = np.zeros(99, np.float32)
            units[12] = level
            header = SimpleNamespace(stamp=stamp(self.now_ns), frame_id="camera")
            message = SimpleNamespace(header=header, intensity=units, confidence=np.ones(99))
            self.hear("facs", message)
            self.wait(1)

    def wait(self, frames: int) -> None:
        """Nothing is heard, while time passes."""
        for _ in range(frames):
            self.now_ns += FRAME_NS
            self._perceiving.work([])

    def seen(self) -> list[float]:
        """How each frame so far smiled, NaN without a face."""
        return [each.attributes[SMILE] for each in self.published]


@pytest.fixture
def listener(bundle) -> Listener:
    return Listener(bundle)


def test_a_face_that_is_gone_is_gone_at_once(listener):
    listener.hear("hri_face", "anna")
    listener.smile(0.25, frames=5)
    listener.hear("hri_face", "")
    listener.wait(10)
    assert listener.seen()[:5] == [0.25] * 5
    assert np.isnan(listener.seen()[5:]).all()
    assert listener.published[-1].speaker_id == ""


def test_the_next_face_begins_with_what_it_does_itself(listener):
    listener.hear("hri_face", "anna")
    listener.smile(0.25, frames=5)
    listener.hear("hri_face", "ben")
    listener.wait(3)
    listener.smile(0.75, frames=5)
    listener.wait(3)
    assert np.isnan(listener.seen()[5:8]).all()
    assert listener.seen()[8:13] == [0.75] * 5
    assert {each.speaker_id for each in listener.published[8:]} == {"ben"}


def test_frames_of_the_face_before_keep_its_name_though_they_come_out_late(listener):
    listener.hear("hri_face", "anna")
    listener.smile(0.25, frames=5)
    listener.hear("hri_face", "ben")
    listener.smile(0.75, frames=5)
    listener.wait(3)
    told = [(each.speaker_id, each.attributes[SMILE]) for each in listener.published[:10]]
    assert told == [("anna", 0.25)] * 5 + [("ben", 0.75)] * 5


def test_one_stamp_of_another_clock_does_not_keep_the_next_face_from_its_name(listener):
    listener.hear("hri_face", "anna")
    listener.smile(0.25, frames=5)
    listener.now_ns += 3600 * 10**9
    listener.smile(0.25, frames=1)
    listener.now_ns -= 3600 * 10**9
    listener.hear("hri_face", "ben")
    listener.smile(0.75, frames=40)
    listener.wait(3)
    assert listener.published[-5].speaker_id == "ben"


def test_without_a_new_face_the_last_one_is_held_for_a_moment(listener):
    listener.hear("hri_face", "anna")
    listener.smile(0.25, frames=5)
    listener.wait(3)
    assert listener.seen()[:6] == [0.25] * 6
