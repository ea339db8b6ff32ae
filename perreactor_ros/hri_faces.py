"""One person's face as a ROS4HRI analyzer describes it (REP-155, package hri_msgs).

`HriFaces` follows the list of tracked faces and hears one of them; `HriReading` turns its messages
into facial attributes. hri_msgs need not be installed until a node asks for it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.validate_topic_name import validate_topic_name

from perreactor_model.contract import ACTION_UNIT_SLICE, AFFECT_SLICE, ATTRIBUTE_COUNT, ATTRIBUTES
from perreactor_model.face_analysis.affect import derive
from perreactor_ros import qos
from perreactor_ros.hri_messages import action_unit_attributes, expression_attributes
from perreactor_ros.messages import nanoseconds

FACES = "/humans/faces"
"""Where ROS4HRI publishes faces."""

_FRESH_NS = 1_000_000_000
"""An expression older than this no longer belongs to the action units at hand, and the reverse."""


_FACE_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
"""An id is one token of a topic's name; nothing can be heard of a face with another."""


class HriError(ValueError):
    """ROS4HRI was asked for and cannot be heard; says what to install or choose."""


class HriReading:
    """Turns the messages of one face into attributes, float32 (25,), NaN where unknown.

    Action units are taken as they are; valence, arousal and expressions as the face's `expression`
    tells them, and where nobody tells them, derived from the action units as the analyzer
    `landmarks` does.
    """

    def __init__(self) -> None:
        self._expression: np.ndarray | None = None
        self._expression_ns = 0
        self._units_ns: int | None = None
        self.newest_ns: int | None = None
        """The latest stamp of the face's messages; None before the first."""

    def units(self, message: Any, stamp_ns: int) -> np.ndarray:
        """A message of type FacialActionUnits, with what is known of the expression.

        Raises HriError for intensities of another scale.
        """
        self._units_ns = stamp_ns
        self._note(stamp_ns)
        attributes = action_unit_attributes(message)
        worst = int(np.nanargmax(np.append(attributes[ACTION_UNIT_SLICE], 0.0)))
        if attributes[worst] > 1.0:
            raise HriError(
                f"{ATTRIBUTES[worst]} has an intensity of {attributes[worst]:g}: it must be from 0 "
                "to 1 (divide intensities of 0 to 5 by 5)"
            )
        told = self._expression
        if told is None or abs(stamp_ns - self._expression_ns) > _FRESH_NS:
            told = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
        affect = derive(attributes[ACTION_UNIT_SLICE]).values
        rest = slice(AFFECT_SLICE.start, ATTRIBUTE_COUNT)
        attributes[rest] = np.where(np.isnan(told[rest]), affect, told[rest])
        return attributes

    def expression(self, message: Any, stamp_ns: int) -> np.ndarray | None:
        """A message of type Expression; None where action units come too, and take it along."""
        self._note(stamp_ns)
        self._expression = expression_attributes(message)
        self._expression_ns = stamp_ns
        units = self._units_ns
        if units is not None and abs(stamp_ns - units) <= _FRESH_NS:
            return None
        return self._expression

    def _note(self, stamp_ns: int) -> None:
        self.newest_ns = stamp_ns if self.newest_ns is None else max(stamp_ns, self.newest_ns)


class HriFaces:
    """Hears one tracked face: the one called `wanted`, or the first of the list ("").

    `put(kind, message)` gets "hri_face" with the face's name, "" when it is gone, and its messages
    as "facs" and "expression". Lives in the executor's thread.
    """

    def __init__(
        self, node: Node, wanted: str, faces: str, put: Callable[[str, Any], None]
    ) -> None:
        """Begin to listen. Raises HriError where hri_msgs is not installed."""
        self._node = node
        self._wanted = wanted
        self._faces = faces.rstrip("/")
        self._put = put
        self._face = ""
        self._said: set[str] = set()
        self._heard: list[Subscription] = []
        self._classes = {name: _message_class(name) for name in ("FacialActionUnits", "Expression")}
        topic = f"{self._faces}/tracked"
        self._list = qos.subscribe(node, _message_class("IdsList"), topic, self._follow, qos.EVENT)

    @property
    def topics(self) -> list[str]:
        """What is listened to at the moment."""
        return [self._list.topic_name, *(each.topic_name for each in self._heard)]

    def tell(self) -> None:
        """Say once more whom is listened to: what was said before was thrown away."""
        self._put("hri_face", self._face)

    def close(self) -> None:
        """Listen no more."""
        self._hear("")
        self._node.destroy_subscription(self._list)

    def _follow(self, message: Any) -> None:
        """The face stays the same while it is tracked, whoever joins."""
        if self._face and self._face in message.ids:
            return
        tracked = [face for face in message.ids if self._is_usable(face)]
        if self._wanted:
            self._hear(self._wanted if self._wanted in tracked else "")
        else:
            self._hear(tracked[0] if tracked else "")

    def _is_usable(self, face: str) -> bool:
        if _FACE_ID.fullmatch(face):
            return True
        if face not in self._said and len(self._said) < 10:
            self._said.add(face)
            self._node.get_logger().warning(f"ROS4HRI: {_what_is_wrong(face)}; it is passed over")
        return False

    def _hear(self, face: str) -> None:
        if face == self._face:
            return
        for subscription in self._heard:
            self._node.destroy_subscription(subscription)
        self._heard.clear()
        self._face = face
        self._put("hri_face", face)
        if not face:
            self._node.get_logger().info("ROS4HRI: no face")
            return
        self._node.get_logger().info(f"ROS4HRI: listening to face {face}")
        for name, kind, class_ in (
            ("facs", "facs", self._classes["FacialActionUnits"]),
            ("expression", "expression", self._classes["Expression"]),
        ):
            topic = f"{self._faces}/{face}/{name}"
            self._heard.append(
                qos.subscribe(self._node, class_, topic, self._passing_on(kind, face), qos.IMAGE_IN)
            )

    def _passing_on(self, kind: str, face: str) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            if face == self._face:
                self._put(kind, message)

        return receive


def require_hri(wanted: str, faces: str) -> None:
    """Raise HriError where hri_msgs is not installed, or a face or topic cannot be called so."""
    _message_class("IdsList")
    if wanted and not _FACE_ID.fullmatch(wanted):
        raise HriError(f"parameter hri_face: {_what_is_wrong(wanted)}")
    try:
        validate_topic_name(f"{faces.rstrip('/')}/tracked")
    except InvalidTopicNameException as error:
        raise HriError(f"parameter hri_faces: {error}; REP-155 has {FACES}") from None


def _what_is_wrong(face: str) -> str:
    return (
        f"a face cannot be called {face[:120]!r}: an id has letters, digits and underscores, at "
        "most 100 of them, and does not begin with a digit, for topics are named after it"
    )


def stamp_of(message: Any, received_ns: int) -> int:
    """When a message says its face was seen; when it came, where it does not say."""
    return nanoseconds(message.header.stamp) or received_ns


def _message_class(name: str) -> type:
    try:
        return getattr(importlib.import_module("hri_msgs.msg"), name)
    except (ImportError, AttributeError) as error:
        raise HriError(
            f"the analyzer `hri` needs the messages of ROS4HRI ({error}): install hri_msgs "
            "(ros-$ROS_DISTRO-hri-msgs), or set the parameter analyzer to landmarks"
        ) from None
