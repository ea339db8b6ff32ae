"""Enrolling the person in front of the camera: service, progress, profile, refusals; real nodes."""

import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from live_graph import LATCHED, Behaviour
from perreactor_ros.msg import EnrolmentState, FacialReaction, ReactorState
from perreactor_ros.srv import EnrolListener
from std_srvs.srv import Trigger

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.profiles import ListenerHistory, ListenerProfile
from perreactor_ros.making import Making

NODE = "robot_a/reactor"
SECONDS = 10.0


class Person(Behaviour):
    """A perception that looks at a face which moves, its frames `speed` times as fast as real ones.

    `name`, `measured`, `seen` and `moves` may be changed while it runs.
    """

    def __init__(self, graph, bundle, speed=8):
        self.name = "anna"
        self.measured = self.seen = self.moves = True
        self._speed = speed
        super().__init__(graph, bundle, qos=100)

    def publish(self, index, stamp_ns):
        for each in range(self._speed * index, self._speed * (index + 1)):
            super().publish(each, self.start_ns + each * 40_000_000)

    def message(self, index, stamp_ns):
        message = super().message(index, stamp_ns)
        message.speaker_id = self.name if self.seen else ""
        message.face_present = self.seen
        if self.seen and self.measured:
            phase = index / 10.0 if self.moves else 1.0
            attributes = 0.4 + 0.3 * np.sin(phase + np.arange(25))
            attributes[17:] /= attributes[17:].sum()
            message.attributes = attributes.astype(np.float32)
            message.face_3dmm[52:] = array_of(0.05 * np.sin(phase + np.arange(6)))
            message.attributes_known = True
        return message


def array_of(values):
    return values.astype(np.float32)


@pytest.fixture
def user(graph, tmp_path):
    graph.environment["PERREACTOR_PROFILES"] = str(tmp_path / "user")
    return tmp_path / "user"


@pytest.fixture
def reactor(graph, bundle, user):
    process = graph.start("reactor", {"bundle": str(bundle), "robots": "robot_a:warm,robot_b"})
    for robot in ("robot_a", "robot_b"):
        graph.wait_for_state(f"{robot}/reactor", "active")
    return process


@pytest.fixture
def told(graph):
    return graph.collect(EnrolmentState, "speaker/enrolment", LATCHED)


@pytest.fixture
def person(graph, bundle, reactor):
    """In front of the camera, and known to be by the reactor."""
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    somebody = Person(graph, bundle)
    graph.wait_until(lambda: reactions, "reactions")
    return somebody


def enrol(graph, name="alice", seconds=SECONDS, **options):
    request = EnrolListener.Request(name=name, seconds=seconds, **options)
    return graph.call(EnrolListener, "speaker/enrol", request)


def begin(graph, told, **options):
    answer = enrol(graph, **options)
    assert answer.accepted, answer.message

    def recording():
        return told[-1].state == EnrolmentState.RECORDING and told[-1].seconds_recorded > 0

    graph.wait_until(lambda: told and recording(), "somebody to be recorded")


def wait_for_end(graph, told, state):
    ends = (EnrolmentState.DONE, EnrolmentState.REFUSED, EnrolmentState.CANCELLED)
    end = graph.wait_until(lambda: told and told[-1].state in ends and told[-1], "the end")
    assert end.state == state, end.message
    return end


def test_the_person_in_view_becomes_a_profile_that_robots_take_on(
    graph, reactor, person, told, bundle, user
):
    states = [
        graph.collect(ReactorState, f"{robot}/reactor/state", LATCHED)
        for robot in ("robot_a", "robot_b")
    ]
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    begin(graph, told)
    end = wait_for_end(graph, told, EnrolmentState.DONE)
    running = [each.state for each in told if each.state != EnrolmentState.IDLE]
    assert running == sorted(running), "recording, making, done"
    assert set(running) == {1, 2, 3}
    recorded = [each.seconds_recorded for each in told if each.state == EnrolmentState.RECORDING]
    assert len(recorded) >= 3
    assert recorded == sorted(recorded)
    assert (end.name, end.speaker_id) == ("alice", "anna")
    assert (end.seconds_wanted, end.seconds_recorded) == (SECONDS, SECONDS)
    assert 0.8 < end.face_visible <= 1.0
    folder = user / Bundle.load(bundle).model_id
    assert [path.name for path in folder.iterdir()] == ["alice.json"], "no history is kept"
    profile = ListenerProfile.load(folder / "alice.json")
    assert profile.provenance["source"] == {"kind": "enrolment"}
    for state in states:
        graph.wait_until(lambda state=state: "alice" in state[-1].known_profiles, "alice")
    assert graph.set_parameter(NODE, "listener_profile", "alice:0.5+stoic:0.5").successful
    assert graph.set_parameter(NODE, "listener_profile", "alice").successful
    graph.wait_for(reactions, lambda each: each.listener_profile == "alice", "alice's reactions")
    reactor.wait_for_line("enrolment of 'alice' done")
    assert reactor.says("enrol.* 'alice'") == 2, "begin and end are said once"
    assert "Traceback" not in reactor.output


@pytest.mark.slow
def test_reactions_do_not_wait_for_an_enrolment(graph, reactor, told, bundle):
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    Person(graph, bundle, speed=1)
    graph.wait_until(lambda: len(reactions) > 10, "reactions")
    begun = len(reactions)
    begin(graph, told, keep_history=True)
    wait_for_end(graph, told, EnrolmentState.DONE)
    graph.wait_for_more(reactions, 10, "reactions")
    frames = [each.frame for each in reactions[begun:]]
    assert frames == list(range(frames[0], frames[0] + len(frames))), "no frame is left out"
    assert 15 <= sum(each.state == EnrolmentState.RECORDING for each in told) <= 30, "2 Hz"


def test_what_cannot_succeed_is_refused_at_once_with_the_reason(graph, reactor, bundle, user):
    assert "nobody publishes /speaker/behaviour" in enrol(graph).message
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    Person(graph, bundle)
    graph.wait_until(lambda: reactions, "reactions")
    for options, reason in [
        ({"name": "../alice"}, "cannot name a profile"),
        ({"name": ""}, "cannot name a profile"),
        ({"name": "neutral"}, "cannot name a profile"),
        ({"name": "warm"}, "came with bundle"),
        ({"name": "warm", "replace": True}, "came with bundle"),
        ({"seconds": 5.0}, "10 to 600"),
        ({"seconds": float("nan")}, "10 to 600"),
    ]:
        answer = enrol(graph, **options)
        assert not answer.accepted
        assert reason in answer.message
    assert not user.exists(), "nothing was written for those who were refused"
    user.write_text("not a folder")
    answer = enrol(graph)
    assert not answer.accepted
    assert f"{user} is not a folder" in answer.message
    assert "Traceback" not in reactor.output


def test_one_enrolment_at_a_time_and_cancelling_keeps_nothing(graph, reactor, person, told, user):
    begin(graph, told, seconds=600.0)
    second = enrol(graph, name="bob")
    assert not second.accepted
    assert "'alice' is being enrolled (recording" in second.message
    assert "/speaker/cancel_enrolment" in second.message
    assert graph.call(Trigger, "speaker/cancel_enrolment", Trigger.Request()).success
    end = wait_for_end(graph, told, EnrolmentState.CANCELLED)
    assert "nothing is kept" in end.message
    assert not list(user.rglob("*.json"))
    again = graph.call(Trigger, "speaker/cancel_enrolment", Trigger.Request())
    assert not again.success
    assert again.message == "nobody is being enrolled"
    begin(graph, told, name="bob")
    wait_for_end(graph, told, EnrolmentState.DONE)
    begin(graph, told, name="carla")
    assert graph.call(Trigger, "speaker/cancel_enrolment", Trigger.Request()).success
    wait_for_end(graph, told, EnrolmentState.CANCELLED)
    assert [path.stem for path in user.rglob("*.json")] == ["bob"]


def test_a_face_without_attributes_is_refused_and_the_remedy_named(graph, person, told):
    person.measured = False
    assert enrol(graph).accepted
    assert "analyzer:=landmarks" in wait_for_end(graph, told, EnrolmentState.REFUSED).message


def test_another_person_ends_it_and_both_are_named(graph, reactor, person, told, user):
    begin(graph, told)
    person.name = "ben"
    message = wait_for_end(graph, told, EnrolmentState.REFUSED).message
    assert "changed from 'anna' to 'ben'" in message
    assert not list(user.rglob("*.json"))
    reactor.wait_for_line("WARN.*enrolment of 'alice' refused")


def test_a_refusal_is_logged_after_a_success_too(graph, reactor, person, told, user):
    begin(graph, told)
    wait_for_end(graph, told, EnrolmentState.DONE)
    begin(graph, told, name="bob")
    person.name = "ben"
    wait_for_end(graph, told, EnrolmentState.REFUSED)
    reactor.wait_for_line("WARN.*enrolment of 'bob' refused")
    assert "Traceback" not in reactor.output


def test_a_face_that_goes_away_ends_it(graph, person, told):
    begin(graph, told)
    person.seen = False
    assert "no face was in view" in wait_for_end(graph, told, EnrolmentState.REFUSED).message


def test_a_face_that_never_moves_is_refused_by_the_judge(graph, person, told, user):
    person.moves = False
    graph.spin_once()
    begin(graph, told)
    assert "never moves" in wait_for_end(graph, told, EnrolmentState.REFUSED).message
    assert not list(user.rglob("*.json"))


@pytest.mark.slow
def test_a_perception_that_says_nothing_is_waited_for_only_so_long(graph, person, told):
    person.speaking = False
    assert enrol(graph).accepted
    graph.wait_until(lambda: told[-1].message == "waiting for speaker/behaviour", "the remark")
    end = wait_for_end(graph, told, EnrolmentState.REFUSED)
    assert "see that perception is active" in end.message


def test_no_robot_need_be_active_but_a_bundle_must_be_loaded(graph, bundle, user, told):
    process = graph.start("reactor", {"bundle": str(bundle), "autostart": False})
    graph.wait_for_state(NODE, "unconfigured")
    Person(graph, bundle)
    answer = enrol(graph)
    assert not answer.accepted
    assert "configure a robot" in answer.message
    assert graph.change_state(NODE, "configure")
    begin(graph, told)
    wait_for_end(graph, told, EnrolmentState.DONE)
    assert graph.set_parameter(NODE, "listener_profile", "alice").successful
    begin(graph, told, name="bob", seconds=600.0)
    assert graph.change_state(NODE, "cleanup")
    end = wait_for_end(graph, told, EnrolmentState.CANCELLED)
    assert "the bundle was freed" in end.message
    assert "Traceback" not in process.output


def test_a_profile_is_replaced_on_request_and_its_history_kept_on_request(
    graph, bundle, told, tmp_path
):
    folder = tmp_path / "ours"
    graph.start("reactor", {"bundle": str(bundle), "profiles": str(folder)})
    graph.wait_for_state(NODE, "active")
    states = graph.collect(ReactorState, "robot_a/reactor/state", LATCHED)
    Person(graph, bundle)
    begin(graph, told)
    wait_for_end(graph, told, EnrolmentState.DONE)
    first = ListenerProfile.load(folder / "alice.json")
    assert "'alice' already" in enrol(graph).message
    assert graph.set_parameter(NODE, "listener_profile", "alice:0.5+generic:0.5").successful
    graph.wait_until(lambda: "alice" in states[-1].listener_profile, "the blend to be taken on")
    graph.spin_once()
    announced = len(states)
    begin(graph, told, replace=True, keep_history=True)
    wait_for_end(graph, told, EnrolmentState.DONE)
    graph.wait_until(lambda: len(states) > announced, "the robot to take the new one on")
    second = ListenerProfile.load(folder / "alice.json")
    assert not np.array_equal(first.pattern, second.pattern)
    assert (folder / second.provenance["history"]).is_file()


def test_diagnostics_and_late_comers_see_an_enrolment(graph, person, told):
    graph.wait_until(lambda: told, "the latched state")
    assert told[0].state == EnrolmentState.IDLE
    arrays = graph.collect(DiagnosticArray, "/diagnostics")
    begin(graph, told, seconds=600.0)

    def shown():
        entries = [each for array in arrays for each in array.status]
        return [each for each in entries if "enrolment" in each.name and "alice" in each.message]

    entry = graph.wait_until(shown, "diagnostics of it")[0]
    assert entry.name == "reactor_process: enrolment"
    assert "of 600 s" in entry.message
    late = graph.collect(EnrolmentState, "speaker/enrolment", LATCHED)
    assert graph.wait_until(lambda: late, "the latched state")[0].name == "alice"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_a_recording_ends_the_process_cleanly(graph, reactor, person, told, number):
    begin(graph, told, seconds=600.0)
    assert reactor.stop(number) == 0
    assert "Traceback" not in reactor.output


def test_what_is_cancelled_while_it_is_made_is_not_written(bundle, tmp_path):
    rows = np.full((250, 31), 0.5, np.float32) + np.linspace(-0.2, 0.2, 250)[:, None]
    history = ListenerHistory(rows.astype(np.float32), {"kind": "test"})
    making = Making("alice", history, Bundle.load(bundle), tmp_path)
    cancelled = making.cancel()
    making.join()
    assert making.result().made is not cancelled
    assert list(tmp_path.iterdir()) == ([] if cancelled else [tmp_path / "alice.json"])
    made = Making("bob", history, Bundle.load(bundle), tmp_path, keep_history=True)
    made.join()
    assert made.result().made
    assert made.result() is None, "it is told once"
    assert not made.cancel()
    assert {"bob.json", "bob.history.npz"} <= {path.name for path in tmp_path.iterdir()}


def test_a_folder_that_fails_meanwhile_is_named_with_what_to_do(bundle, tmp_path):
    rows = np.full((250, 31), 0.5, np.float32) + np.linspace(-0.2, 0.2, 250)[:, None]
    history = ListenerHistory(rows.astype(np.float32), {"kind": "test"})
    folder = tmp_path / "profiles"
    folder.write_text("in the way")
    making = Making("alice", history, Bundle.load(bundle), folder)
    making.join()
    result = making.result()
    assert not result.made
    assert f"'alice' could not be written to {folder}" in result.message
    assert "parameter profiles" in result.message
