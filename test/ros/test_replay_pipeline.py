"""The nodes' pipeline on a bag's time: what it answers, when, and that nothing is left out."""

import math
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from live_graph import set_stamp, stamp_of
from perreactor_ros.msg import AudioChunk, FacialReaction, SpeakerBehaviour
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Bool

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ProfileError
from perreactor_ros.replay.pipeline import Pipeline, RobotSpec, Said
from perreactor_ros.replay.serialised import reaction_bytes
from perreactor_ros.replay.settings import node_settings
from perreactor_ros.replay.side_thread import SideThread
from perreactor_ros.replay.simulated_time import LONGEST_PAUSE_NS
from perreactor_ros.replay.topics import Sources

FRAME_NS = 40_000_000
SECOND_NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND_NS
BEHAVIOUR = Sources(behaviour="/speaker/behaviour")
SENSORS = Sources(
    attributes="/speaker/attributes", audio="/audio", audio_type="perreactor_ros/AudioChunk"
)
ONE = (RobotSpec("robot_a", "warm"),)


class Sentences:
    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        """Of no interest here."""

    def warning(self, message: str) -> None:
        self.said.append(message)

    error = warning


class Offline:
    """A pipeline, what it heard and said, and the messages of a speaker to feed it with."""

    def __init__(
        self, bundle: Bundle, sources: Sources, robots, samples: int, say=None, **given
    ) -> None:
        self.heard: list = []
        self._said: list[Said] = []
        self.log = Sentences()
        self._bundle = bundle
        self.pipeline = Pipeline(
            bundle,
            robots,
            samples,
            sources,
            node_settings(given),
            (self.log, self.log),
            self.heard.append,
            say or self._said.append,
        )

    def behaviour(self, index: int, *, epoch: int = 0, offset_ns: int = 0) -> None:
        stamp_ns = BEGIN_NS + index * FRAME_NS
        size = self._bundle.config.feature_size
        message = SpeakerBehaviour(model_id=self._bundle.model_id, frame=index, epoch=epoch)
        set_stamp(message, stamp_ns)
        message.face_present = message.voice_present = True
        message.token = np.sin(0.1 * index + np.arange(size)).tolist()
        self.pipeline.deliver("behaviour", message, stamp_ns + 100_000_000 + offset_ns)

    def sensors(self, first: int, last: int, *, voice: bool = True, late_ns: int = 0) -> None:
        """Attributes and sound for frames [first, last), each recorded when it was complete."""
        for index in range(first, last):
            stamp_ns = BEGIN_NS + index * FRAME_NS
            face = SpeakerBehaviour(attributes_known=True)
            set_stamp(face, stamp_ns)
            face.attributes = np.full(25, 0.5 + 0.4 * math.sin(0.2 * index), np.float32)
            face.face_3dmm = np.full(58, np.nan, np.float32)
            self.pipeline.deliver("attributes", face, stamp_ns + late_ns)
            if voice:
                times = (np.arange(640) + index * 640) / 16000
                chunk = AudioChunk(sample_rate=16000, channels=1, encoding=AudioChunk.INT16)
                set_stamp(chunk, stamp_ns)
                chunk.data = (8000 * np.sin(1400 * times)).astype("<i2").tobytes()
                self.pipeline.deliver("audio", chunk, stamp_ns + FRAME_NS + late_ns)

    @property
    def said(self) -> list[Said]:
        """All reactions; nothing can be delivered any more."""
        self.pipeline.close()
        return self._said

    def numbers(self, robot: str = "robot_a", sample: int = 0) -> list[int]:
        return [
            each.message.frame
            for each in self.said
            if (each.robot.name, each.sample) == (robot, sample)
        ]

    def bytes(self) -> list[tuple[str, int, bytes]]:
        return [(each.topic, each.time_ns, reaction_bytes(each.message)) for each in self.said]


@pytest.fixture(scope="module")
def loaded(bundle: Path) -> Bundle:
    return Bundle.load(bundle)


@pytest.fixture
def offline(loaded: Bundle) -> Callable[..., Offline]:
    def make(sources: Sources = BEHAVIOUR, robots=ONE, samples: int = 1, **given) -> Offline:
        return Offline(loaded, sources, robots, samples, **given)

    return make


def test_each_frame_of_behaviour_is_answered_by_every_robot_and_sample(offline):
    robots = (RobotSpec("robot_a", "warm"), RobotSpec("robot_b", "stoic"))
    run = offline(robots=robots, samples=2)
    for index in range(20):
        run.behaviour(index)
    for robot in ("robot_a", "robot_b"):
        for sample in range(2):
            assert run.numbers(robot, sample) == list(range(20))
    topics = {each.topic for each in run.said}
    assert topics == {
        "/robot_a/reaction",
        "/robot_a/sample_1/reaction",
        "/robot_b/reaction",
        "/robot_b/sample_1/reaction",
    }
    shown, other = (
        np.array([each.message.face_3dmm for each in run.said if each.topic == topic])
        for topic in ("/robot_a/reaction", "/robot_a/sample_1/reaction")
    )
    assert np.abs(shown - other).max() > 1e-3, "samples must differ"


def test_a_reaction_bears_the_speakers_stamp_and_no_latency(offline):
    run = offline()
    run.behaviour(0)
    (said,) = run.said
    assert stamp_of(said.message) == said.time_ns == BEGIN_NS
    assert math.isnan(said.message.latency)


def test_reactions_to_stamps_of_another_clock_lie_beside_the_recording(offline):
    run = offline()
    run.behaviour(0, offset_ns=3600 * SECOND_NS)
    (said,) = run.said
    assert stamp_of(said.message) == BEGIN_NS
    assert said.time_ns == BEGIN_NS + 100_000_000 + 3600 * SECOND_NS


def test_sensors_become_frames_and_each_frame_a_reaction(offline):
    run = offline(SENSORS)
    run.sensors(0, 50)
    run.pipeline.finish()
    assert [each.frame for each in run.heard] == list(range(50)) == run.numbers()
    assert all(each.face_present and each.voice_present for each in run.heard)


def test_the_same_recording_gives_the_same_bytes_and_another_seed_others(offline):
    def react(seed: int) -> list:
        run = offline(SENSORS, samples=2, seed=seed)
        run.sensors(0, 30)
        run.pipeline.finish()
        return run.bytes()

    first = react(0)
    assert len(first) == 60
    assert react(0) == first
    assert react(1) != first


@pytest.mark.parametrize("length", range(9))
def test_a_reaction_becomes_the_same_bytes_however_its_names_are_aligned(offline, length):
    run = offline()
    run.behaviour(0)
    (said,) = run.said
    said.message.robot = "r" * length
    said.message.speaker_id = "s" * (length // 2)
    made = {reaction_bytes(said.message) for _ in range(50)}
    assert len(made) == 1
    plain = deserialize_message(serialize_message(said.message), FacialReaction)
    assert str(deserialize_message(made.pop(), FacialReaction)) == str(plain)


def test_a_microphone_that_is_missing_only_costs_the_wait_for_it(offline):
    run = offline(SENSORS)
    run.sensors(0, 50, voice=False)
    run.pipeline.finish()
    assert [each.frame for each in run.heard] == list(range(50))
    assert not any(each.voice_present for each in run.heard)


def test_nothing_is_skipped_when_many_frames_become_complete_at_once(offline):
    run = offline(SENSORS)
    chunk = AudioChunk(sample_rate=16000, channels=1, encoding=AudioChunk.INT16)
    set_stamp(chunk, BEGIN_NS)
    chunk.data = np.zeros(16000 * 2, "<i2").tobytes()
    late_ns = 2 * SECOND_NS
    run.sensors(0, 1, voice=False, late_ns=late_ns)
    run.pipeline.deliver("audio", chunk, BEGIN_NS + late_ns)
    for index in range(1, 50):  # a network that delivers two seconds at the same moment
        run.sensors(index, index + 1, voice=False, late_ns=late_ns - index * FRAME_NS)
    run.pipeline.finish()
    assert [each.frame for each in run.heard] == list(range(50)) == run.numbers()


def test_frames_go_on_through_a_pause_as_they_do_live(offline):
    run = offline(SENSORS)
    run.sensors(0, 25)
    run.sensors(125, 150)
    run.pipeline.finish()
    assert {each.epoch for each in run.heard} >= {0}
    absent = [each for each in run.heard if not each.face_present]
    assert 90 <= len(absent) <= 105
    confidences = [each.message.confidence for each in run.said]
    assert min(confidences) == 0.0, "faces come to rest when nobody is there"


def test_faces_go_to_rest_when_behaviour_ceases(offline):
    run = offline()
    for index in range(50):
        run.behaviour(index)
    run.behaviour(200)
    idle = [each for each in run.said if 50 <= each.message.frame < 200]
    assert 140 <= len(idle) <= 150
    assert idle[-1].message.confidence == 0.0


def test_a_pause_of_years_begins_anew_and_costs_a_minute_of_frames(offline):
    years_ns = 3 * 365 * 24 * 3600 * SECOND_NS
    run = offline()
    for index in range(10):
        run.behaviour(index)
    run.behaviour(10, offset_ns=years_ns)
    frames = LONGEST_PAUSE_NS // FRAME_NS
    assert frames <= len(run.said) <= frames + 20
    assert run.pipeline.counters["leaps_of_the_clock"] == 1
    assert run.said[-1].message.epoch == run.said[0].message.epoch + 1


def test_after_an_hour_without_camera_and_microphone_both_nodes_begin_anew(offline):
    run = offline(SENSORS)
    run.sensors(0, 25)
    run.sensors(90_000, 90_050)
    run.pipeline.finish()
    first = [each for each in run.heard if each.epoch == 0]
    again = [each for each in run.heard if each.epoch == 1]
    assert 1500 <= len(first) <= 1550
    assert [each.frame for each in again] == list(range(50))
    assert run.pipeline.counters["leaps_of_the_clock"] == 1
    assert run.pipeline.counters["restarts"] == 1
    assert [each.message.frame for each in run.said[-50:]] == list(range(50))


def test_time_that_goes_back_begins_anew(offline):
    run = offline()
    for index in range(10):
        run.behaviour(index)
    run.behaviour(10, offset_ns=-SECOND_NS)
    run.behaviour(11, offset_ns=-SECOND_NS)
    assert [each.message.epoch for each in run.said] == [0] * 10 + [1] * 2


def test_the_robots_own_voice_is_not_the_speakers(offline):
    run = offline(SENSORS)
    run.sensors(0, 10)
    run.pipeline.deliver("robot_speaking", Bool(data=True), BEGIN_NS + 10 * FRAME_NS)
    run.sensors(10, 40)
    run.pipeline.deliver("robot_speaking", Bool(data=False), BEGIN_NS + 40 * FRAME_NS)
    run.sensors(40, 50)
    run.pipeline.finish()
    voiced = [each.frame for each in run.heard if each.voice_present]
    assert voiced == [*range(10), *range(40, 50)]


def test_frames_that_wait_for_a_full_step_are_answered_at_the_end(offline, tmp_path):
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("/**:\n  ros__parameters:\n    step: 7\n")
    settings = node_settings({}, parameters)
    assert settings.engine.step == 7
    stopped, finished = offline(step=7), offline(step=7)
    for index in range(10):
        stopped.behaviour(index)
        finished.behaviour(index)
    finished.pipeline.finish()
    assert stopped.numbers() == list(range(7))
    assert finished.numbers() == list(range(10))


def test_behaviour_of_another_bundle_is_refused_and_named(offline):
    run = offline()
    message = SpeakerBehaviour(model_id="somebody-else", token=[0.0] * 128)
    run.pipeline.deliver("behaviour", message, BEGIN_NS)
    assert not run.said
    assert run.pipeline.counters["behaviour_refused"] == 1
    assert "somebody-else" in run.log.said[0]


def test_what_fails_in_the_side_thread_is_raised_and_ends_it():
    thread = SideThread("test")
    made: list[int] = []
    thread.put(lambda: made.append(1))
    thread.put(lambda: made.append(1 // 0))
    with pytest.raises(ZeroDivisionError):
        for _ in range(1000):
            thread.put(lambda: made.append(2))
        thread.finish()
    with pytest.raises(ZeroDivisionError):
        thread.finish()
    assert made == [1]


def test_what_is_said_is_told_in_the_callers_thread_and_in_order(loaded):
    threads: set[int] = set()
    stamps: list[int] = []

    def say(said: Said) -> None:
        threads.add(threading.get_ident())
        stamps.append(said.time_ns)

    run = Offline(loaded, SENSORS, ONE, 1, say)
    run.sensors(0, 50)
    run.pipeline.finish()
    assert threads == {threading.get_ident()}
    assert stamps == [BEGIN_NS + index * FRAME_NS for index in range(50)]


def test_a_message_that_breaks_the_inference_is_reported_and_the_next_ones_are_used(offline):
    run = offline(SENSORS)
    run.sensors(0, 10)
    run.pipeline.deliver("audio", object(), BEGIN_NS + 10 * FRAME_NS)
    run.sensors(10, 30)
    run.pipeline.finish()
    assert [each.frame for each in run.heard] == list(range(30))
    assert "inference failed" in run.log.said[0]


def test_an_inference_that_always_fails_ends_the_replay(offline):
    run = offline(SENSORS)
    with pytest.raises(AttributeError):
        for index in range(30):
            run.pipeline.deliver("audio", object(), BEGIN_NS + index)


def test_an_unknown_profile_is_refused_with_the_known_ones(offline):
    with pytest.raises(ProfileError, match="warm"):
        offline(robots=(RobotSpec("robot_a", "nobody"),))


def test_parameters_are_those_of_the_nodes(tmp_path):
    assert node_settings({}).perceiver["max_wait"] == 0.06
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(
        "/**:\n  ros__parameters:\n    seed: 3\n    max_wait: 1.0\n"
        "/**/perception:\n  ros__parameters:\n    max_wait: 2.0\n"
        "/**/player:\n  ros__parameters:\n    loop: true\n"
    )
    settings = node_settings({}, parameters)
    assert settings.engine.seed == 3
    assert settings.perceiver["max_wait"] == 2.0
    assert node_settings({"seed": 5}, parameters).engine.seed == 5


@pytest.mark.parametrize("text", ["[1, 2]", "a: 3", "{", "/**:\n  ros__parameters:\n    seed: x"])
def test_a_parameter_file_that_makes_no_sense_is_refused(tmp_path, text):
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(text)
    with pytest.raises(ValueError, match="parameter"):
        node_settings({}, parameters)
