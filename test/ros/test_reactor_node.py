"""The reactor process with one robot: its topics, parameters, services and diagnostics."""

import math
import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from live_graph import LATCHED, stamp_of
from perreactor_ros.msg import FacialReaction, ReactorState, SpeakerBehaviour
from std_srvs.srv import SetBool, Trigger


@pytest.fixture
def reactor(graph, bundle):
    process = graph.start("reactor", {"bundle": str(bundle)})
    graph.wait_for_state("robot_a/reactor", "active")
    return process


def test_each_frame_of_behaviour_is_answered_with_its_own_stamp(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    heard = behaviour()
    first, *_, last = graph.wait_for_more(reactions, 30, "reactions")
    assert last.frame - first.frame == 29, "one reaction a frame"
    for reaction in reactions:
        assert stamp_of(reaction) == heard.start_ns + reaction.frame * 40_000_000
        assert reaction.robot == "robot_a"
        assert reaction.listener_profile == "generic"
        assert reaction.speaker_id == "speaker"
        assert reaction.header.frame_id == "camera"
        assert reaction.model_id
        assert reaction.latency > 0
        assert np.isfinite(reaction.face_3dmm).all()
        assert math.isclose(sum(reaction.expressions), 1.0, abs_tol=1e-4)


def test_the_face_wakes_from_neutral_and_then_moves(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    graph.wait_until(lambda: len(reactions) >= 40, "reactions")
    assert np.abs(reactions[0].action_units).max() < 0.1
    assert np.std([each.action_units for each in reactions], axis=0).max() > 0.01


def test_the_state_is_there_for_whoever_comes_later(graph, reactor, bundle):
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    state = graph.wait_until(lambda: states and states[-1], "the latched state")
    assert state.lifecycle == ReactorState.ACTIVE
    assert state.robot == "robot_a"
    assert {"generic", "neutral", "warm", "stoic"} <= set(state.known_profiles)
    assert state.model_id.startswith("demo_attributes-")
    assert state.provider == "CPUExecutionProvider"
    assert (state.window, state.step) == (128, 1)


def test_parameters_of_the_process_are_shown_read_only(graph, reactor, bundle):
    assert graph.get_parameter("robot_a/reactor", "bundle") == str(bundle)
    for name in ("bundle", "device", "threads", "step", "window", "seed", "noise_seconds"):
        descriptor = graph.describe_parameter("robot_a/reactor", name)
        assert descriptor.read_only
        assert descriptor.description.endswith(".")
    assert not graph.set_parameter("robot_a/reactor", "step", 2).successful
    assert not graph.describe_parameter("robot_a/reactor", "listener_profile").read_only
    assert "cuda" in graph.describe_parameter("reactor_process", "device").additional_constraints


def test_a_disabled_robot_goes_to_rest_and_falls_silent(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    heard = behaviour()
    graph.wait_until(lambda: len(reactions) >= 20, "reactions")
    assert graph.call(SetBool, "robot_a/reactor/enable", SetBool.Request(data=False)).success

    # It has fallen silent once a second of behaviour, well heard, brings no reaction any more.
    def silent():
        return heard.count * 40_000_000 + heard.start_ns > stamp_of(reactions[-1]) + 1_000_000_000

    graph.wait_until(silent, "the robot to fall silent")
    rest = reactions[-1]
    assert np.abs(rest.action_units).max() < 0.02
    assert rest.expressions[FacialReaction.NEUTRAL] > 0.98
    assert graph.call(SetBool, "robot_a/reactor/enable", SetBool.Request(data=True)).success
    graph.wait_for(reactions, lambda each: max(each.action_units) > 0.02, "the face to wake")


def test_reset_begins_a_new_epoch_without_a_jump(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    graph.wait_until(lambda: len(reactions) >= 30, "reactions")
    epoch = reactions[-1].epoch
    assert graph.call(Trigger, "robot_a/reactor/reset", Trigger.Request()).success
    graph.wait_for(reactions, lambda each: each.epoch > epoch, "the new epoch")
    graph.wait_for_more(reactions, 10, "reactions")
    faces = np.array([each.action_units for each in reactions])
    steps = np.abs(np.diff(faces, axis=0)).max(1)
    border = next(index for index, each in enumerate(reactions) if each.epoch > epoch)
    assert steps[border - 1] <= 1.5 * np.delete(steps, border - 1).max()


def test_diagnostics_tell_rates_times_and_states(graph, reactor, behaviour):
    arrays = graph.collect(DiagnosticArray, "/diagnostics")
    behaviour()

    def told():
        for array in reversed(arrays):
            by_name = {status.name: status for status in array.status}
            values = {each.key: each.value for each in by_name["reactor_process: engine"].values}
            if float(values["behaviour (Hz)"]) > 20 and values["step p50 (ms)"] != "nan":
                return by_name, values
        return None

    by_name, values = graph.wait_until(told, "diagnostics with rates")
    assert float(values["latency p95 (ms)"]) > 0
    assert values["provider"] == "CPUExecutionProvider"
    assert values["frames dropped"] == "0"
    robot = by_name["reactor_process: robot_a"]
    assert robot.message == "active"
    assert {"listener profile", "lifecycle"} <= {each.key for each in robot.values}


def test_behaviour_of_another_bundle_is_refused_and_said_once(graph, reactor, behaviour):
    heard = behaviour()
    heard._model_id = "another-000000000000"
    reactor.wait_for_line("start perception with the same bundle")
    sent = heard.count
    graph.wait_until(lambda: heard.count > sent + 10, "more behaviour")
    assert reactor.says("start perception with the same bundle") == 1


def test_behaviour_that_no_perception_sends_is_refused_and_does_no_harm(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    heard = behaviour()
    graph.wait_until(lambda: len(reactions) >= 5, "reactions")
    topic = graph.node.create_publisher(SpeakerBehaviour, "speaker/behaviour", 100)
    graph.wait_until(lambda: topic.get_subscription_count() >= 1, "the reactor to listen")
    for field, value in [("token", []), ("token", [0.0] * 3), ("frame", 2**64 - 1)] * 15:
        message = heard.message(heard.count, stamp_of(reactions[-1]))
        setattr(message, field, value)
        topic.publish(message)
    reactor.wait_for_line("token values")
    graph.wait_for_more(reactions, 40, "reactions")
    assert graph.state_of("robot_a/reactor") == "active"
    assert "Traceback" not in reactor.output


def test_two_perceptions_on_one_topic_are_told_once(graph, reactor, behaviour):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    behaviour().epoch = 7
    reactor.wait_for_line("several perceptions")
    graph.wait_for_more(reactions, 40, "reactions")
    assert reactor.says("several perceptions") == 1


def test_a_profile_that_could_not_be_played_is_refused_when_it_is_set(graph, reactor, tmp_path):
    path = tmp_path / "reaction.csv"
    path.write_text("a,b\n1,2\n")
    for name in (f"replay:{path}", "replay:" + "x" * 5000):
        result = graph.set_parameter("robot_a/reactor", "listener_profile", name)
        assert not result.successful
        assert result.reason
    assert graph.get_parameter("robot_a/reactor", "listener_profile") == "generic"
    assert "Traceback" not in reactor.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly(graph, reactor, behaviour, number):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    behaviour()
    graph.wait_until(lambda: len(reactions) >= 5, "reactions")
    assert reactor.stop(number) == 0
    assert "Traceback" not in reactor.output


def test_a_wrong_parameter_ends_the_process_with_one_line(graph):
    process = graph.start("reactor", {"device": "toaster"})
    assert process.wait() == 2
    assert "choose one of auto, cpu, cuda" in process.output
    assert "Traceback" not in process.output


def test_a_robot_name_that_ros_would_refuse_is_refused_by_name(graph):
    process = graph.start("reactor", {"robots": "robot a:warm"})
    assert process.wait() == 2
    assert "'robot a' is no robot name" in process.output
