"""A listener profile of the person who is in front of the camera now: service and latched progress.

- `speaker/enrol` (EnrolListener) begins a recording, or says why not;
- `speaker/enrolment` (EnrolmentState) tells how far it is, to whoever comes whenever;
- `speaker/cancel_enrolment` (Trigger) ends it, and nothing is kept.

It hears `speaker/behaviour` by itself, so no robot need react meanwhile. All of it runs in the
executor thread but the making of the pattern, which has a short-lived thread of its own
(`making.py`): neither reactions nor callbacks wait for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_srvs.srv import Trigger

from perreactor_model.profiles import ProfileError
from perreactor_model.profiles.profile import check_name
from perreactor_model.profiles.shelf import check_free
from perreactor_ros import qos
from perreactor_ros.diagnostics import OK, Status
from perreactor_ros.enrolling import Enrolling, EnrolmentRefused, wanted_seconds
from perreactor_ros.making import Making
from perreactor_ros.messages import speaker_frame
from perreactor_ros.msg import EnrolmentState, SpeakerBehaviour
from perreactor_ros.reacting import Loaded
from perreactor_ros.srv import EnrolListener

_TOPIC = "speaker/behaviour"

_LOOK_SECONDS = 0.1
"""How often is looked whether a recording is complete, or a profile made."""

_TELL_SECONDS = 0.5
"""How often progress is published."""

_NEVER_HEARD_SECONDS = 10.0
"""Time on the wall without any behaviour after which it is given up."""

_SILENT_SECONDS = 60.0
"""The same once some was heard: a paused simulation or recording may go on."""

_RUNNING = (EnrolmentState.RECORDING, EnrolmentState.MAKING)

_WORDS = {
    EnrolmentState.IDLE: "idle",
    EnrolmentState.RECORDING: "recording",
    EnrolmentState.MAKING: "making",
    EnrolmentState.DONE: "done",
    EnrolmentState.REFUSED: "refused",
    EnrolmentState.CANCELLED: "cancelled",
}


class Enrolment:
    """One enrolment at a time, in the name of a reactor process's node.

    `loaded` is what the process has loaded, if anything; `folders` are further folders of profiles,
    of which the last gets the new ones (without any, the user's folder does). `made` is called with
    the name of a profile that was written, before that is told.
    """

    def __init__(
        self,
        node: Node,
        loaded: Callable[[], Loaded | None],
        folders: Sequence[Path],
        made: Callable[[str], None],
    ) -> None:
        self._node = node
        self._loaded = loaded
        self._folder = folders[-1] if folders else None
        self._made = made
        self._enrolling: Enrolling | None = None
        self._making: Making | None = None
        self._begin_making: Callable[[Enrolling], Making] | None = None
        self._hearing: Subscription | None = None
        self._refusal = ""
        self._heard = False
        self._heard_at = self._told_at = 0.0
        self._told = EnrolmentState(message="nobody has asked for a profile yet")
        self._topic = qos.advertise(node, EnrolmentState, "speaker/enrolment", qos.STATE)
        node.create_service(EnrolListener, "speaker/enrol", self._enrol)
        node.create_service(Trigger, "speaker/cancel_enrolment", self._cancel)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_LOOK_SECONDS, self._look, clock=steady)
        self._timer.cancel()
        self._tell(EnrolmentState.IDLE, self._told.message)

    def close(self) -> None:
        """End it; nothing is made any more. ROS may be shut down already."""
        self._enrolling = None
        if self._making is not None:
            self._making.cancel()
            self._making.join()

    def status(self) -> Status:
        """Its entry in /diagnostics."""
        told = self._told
        summary = _WORDS[told.state] + (f" '{told.name}'" if told.name else "")
        if told.state == EnrolmentState.RECORDING:
            summary += f", {told.seconds_recorded:.0f} of {told.seconds_wanted:g} s"
        return Status("enrolment", OK, summary, {"message": told.message})

    # --- Services --------------------------------------------------------------------------------

    def _enrol(
        self, request: EnrolListener.Request, response: EnrolListener.Response
    ) -> EnrolListener.Response:
        try:
            self._begin(request)
        except (ProfileError, EnrolmentRefused) as error:
            response.message = str(error)
            return response
        response.accepted = True
        response.message = (
            f"recording {self._told.seconds_wanted:g} s with the face in view; "
            f"{self._topic.topic_name} tells how far it is"
        )
        return response

    def _cancel(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        name, state = self._told.name, self._told.state
        if state not in _RUNNING:
            response.message = "nobody is being enrolled"
        elif state == EnrolmentState.MAKING and not self._stop_making():
            response.message = f"too late: profile '{name}' is there; delete it if it is unwanted"
        else:
            response.success = True
            response.message = f"'{name}' is not enrolled: nothing is kept"
            self._end(EnrolmentState.CANCELLED, response.message)
        return response

    def _begin(self, request: EnrolListener.Request) -> None:
        """Raises ProfileError or EnrolmentRefused where there is no use in recording."""
        name, keep_history = request.name, request.keep_history
        if self._told.state in _RUNNING:
            raise EnrolmentRefused(
                f"'{self._told.name}' is being enrolled ({_WORDS[self._told.state]}, "
                f"{self._told.seconds_recorded:.0f} of {self._told.seconds_wanted:g} s): wait, or "
                f"cancel it with {self._node.resolve_service_name('speaker/cancel_enrolment')}"
            )
        loaded = self._loaded()
        if loaded is None:
            raise EnrolmentRefused("no bundle is loaded: configure a robot of this process first")
        check_name(name)
        seconds = wanted_seconds(request.seconds)
        bundle = loaded.bundle
        folder = check_free(name, bundle, self._folder, replace=True)
        if not request.replace and loaded.profiles.find(name) is not None:
            raise EnrolmentRefused(
                f"there is a profile '{name}' already: take another name, or set replace"
            )
        _check_writable(folder)
        topic = self._node.resolve_topic_name(_TOPIC)
        if not self._node.count_publishers(topic):
            raise EnrolmentRefused(f"nobody publishes {topic}: start perception")
        self._enrolling = Enrolling(seconds)
        self._begin_making = lambda enrolling: Making(
            name, enrolling.history(), bundle, folder, keep_history
        )
        self._refusal, self._heard, self._heard_at = "", False, time.monotonic()
        self._hearing = qos.subscribe(
            self._node, SpeakerBehaviour, _TOPIC, self._hear, qos.BEHAVIOUR
        )
        self._timer.reset()
        self._told = EnrolmentState(name=name)
        self._node.get_logger().info(f"enrolling '{name}': {seconds:g} s with the face in view")
        self._tell(EnrolmentState.RECORDING, self._enrolling.remark)

    # --- Recording and making --------------------------------------------------------------------

    def _hear(self, message: SpeakerBehaviour) -> None:
        self._heard, self._heard_at = True, time.monotonic()
        if self._enrolling is None or self._refusal:
            return
        try:
            self._enrolling.add(speaker_frame(message))
        except EnrolmentRefused as error:
            self._refusal = str(error)

    def _look(self) -> None:
        """How is it going?"""
        if self._told.state == EnrolmentState.MAKING:
            self._look_at_making()
        elif self._refusal:
            self._end(EnrolmentState.REFUSED, self._refusal)
        elif self._loaded() is None:
            self._end(
                EnrolmentState.CANCELLED,
                "the bundle was freed with the last robot: nothing is kept",
            )
        elif self._enrolling is not None and self._enrolling.complete:
            self._make(self._enrolling)
        else:
            self._look_at_silence()

    def _look_at_silence(self) -> None:
        assert self._enrolling is not None, "the timer runs only while somebody is enrolled"
        silent = time.monotonic() - self._heard_at
        if silent > (_SILENT_SECONDS if self._heard else _NEVER_HEARD_SECONDS):
            self._end(
                EnrolmentState.REFUSED,
                f"no {_TOPIC} came for {silent:.0f} s: see that perception is active and has a "
                "camera, and enrol again",
            )
        elif time.monotonic() >= self._told_at + _TELL_SECONDS - _LOOK_SECONDS / 2:
            waiting = f"waiting for {_TOPIC}"
            self._tell(
                EnrolmentState.RECORDING, waiting if silent > 1.0 else self._enrolling.remark
            )

    def _make(self, enrolling: Enrolling) -> None:
        assert self._begin_making is not None
        self._tell(EnrolmentState.MAKING, "enough was seen: the pattern is made")
        self._hear_no_more()
        self._making = self._begin_making(enrolling)
        self._enrolling = None

    def _stop_making(self) -> bool:
        assert self._making is not None
        return self._making.cancel()

    def _look_at_making(self) -> None:
        assert self._making is not None
        result = self._making.result()
        if result is None:
            return
        if result.trace:
            self._node.get_logger().error(f"making a profile broke:\n{result.trace}")
        if result.made:
            self._made(self._told.name)
        self._end(EnrolmentState.DONE if result.made else EnrolmentState.REFUSED, result.message)

    def _end(self, state: int, message: str) -> None:
        self._timer.cancel()
        self._hear_no_more()
        self._tell(state, message)
        self._enrolling = self._begin_making = None
        line = f"enrolment of '{self._told.name}' {_WORDS[state]}: {message}"
        if state == EnrolmentState.REFUSED:  # rclpy takes one severity from each line of code
            self._node.get_logger().warning(line)
        else:
            self._node.get_logger().info(line)

    def _hear_no_more(self) -> None:
        if self._hearing is not None:
            self._node.destroy_subscription(self._hearing)
            self._hearing = None

    def _tell(self, state: int, message: str) -> None:
        """Publish how far it is; figures stay what they were once nothing is recorded any more."""
        told, enrolling = self._told, self._enrolling
        told.header.stamp = self._node.get_clock().now().to_msg()
        told.state, told.message = state, message
        if enrolling is not None:
            told.speaker_id = enrolling.speaker_id
            told.seconds_wanted = enrolling.seconds_wanted
            told.seconds_recorded = enrolling.seconds_recorded
            told.face_visible = enrolling.face_visible
        self._told_at = time.monotonic()
        if self._node.context.ok():
            self._topic.publish(told)


def _check_writable(folder: Path) -> None:
    """Raises EnrolmentRefused before somebody has sat still for nothing. Makes no folder."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise EnrolmentRefused(
            f"profiles cannot be written to {folder}: {existing} is not a folder that may be "
            "written to; give another one by the parameter profiles or $PERREACTOR_PROFILES"
        )
