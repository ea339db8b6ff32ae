"""A profile that is made anew under the same name while a robot reacts with it."""

import array
import logging

import numpy as np
import pytest
from perreactor_ros.msg import SpeakerBehaviour

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.streaming.choice import Choice
from perreactor_model.streaming.engine import EngineSettings
from perreactor_model.streaming.fade import PERSONAL_SOURCE
from perreactor_ros.messages import stamp
from perreactor_ros.reacting import Reacting


class Robot:
    """Reacts as alice, whose pattern is the same number throughout."""

    def __init__(self, size):
        self._size = size
        self.faces = []
        self.applied = 0
        self.choose(1.0)

    def choose(self, value):
        pattern = np.full(self._size, value, np.float32)
        self._choice = Choice("alice", {PERSONAL_SOURCE: 1.0}, pattern)

    def wanted_profile(self):
        return "alice"

    def chosen(self, profile):
        return self._choice

    def wanted_beta(self):
        return None

    def profile_applied(self, profile):
        self.applied += 1

    def publish(self, message):
        self.faces.append([*message.action_units, *message.face_3dmm])


def behaviour(model_id, size, frame):
    message = SpeakerBehaviour(model_id=model_id, frame=frame, face_present=True)
    message.header.stamp = stamp(10**18 + frame * 40_000_000)
    message.token = array.array("f", np.sin(0.1 * frame + np.arange(size)).astype("f4").tobytes())
    return message


@pytest.fixture
def faces(bundle):
    """What a robot shows in 60 frames, and how often a profile was applied."""
    loaded = Bundle.load(bundle)
    size = loaded.config.feature_size

    def react(values):
        now = [10**18]
        reacting = Reacting(lambda: now[0], lambda: False, logging.getLogger())
        reacting.load(str(bundle), EngineSettings())
        robot = Robot(size)
        reacting.add_robot("robot_a", robot, True)
        for frame in range(60):
            if frame in values:
                robot.choose(values[frame])
            now[0] += 40_000_000
            reacting.work([behaviour(loaded.model_id, size, frame)])
        return np.array(robot.faces), robot.applied

    return react


def test_the_new_pattern_fades_in_and_nothing_else_changes(faces):
    before, _ = faces({})
    after, applied = faces({20: -1.0})
    assert applied == 1, "once, and not with every frame"
    assert np.array_equal(before[:20], after[:20])
    apart = np.abs(before - after).max(axis=1)
    assert apart[50:].mean() > 0.02
    assert np.abs(np.diff(after, axis=0)).max() < 2 * np.abs(np.diff(before, axis=0)).max()
