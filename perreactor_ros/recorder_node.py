"""A node that finds topics of the running graph and passes their messages on as they are: bytes.

It looks again and again, so topics that appear later are recorded from then on. Its subscriptions
follow the publishers: reliable and latched where all of them are, otherwise as the weakest is.
Messages are stored by the time of the node's clock at which they were received.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.validate_topic_name import validate_topic_name

from perreactor_ros.replay.topics import (
    ACTION_UNITS,
    AUDIO,
    AUDIO_INFO,
    BEHAVIOUR,
    BOOL,
    COMPRESSED_IMAGE,
    IMAGE,
    REACTION,
)

STATE = "perreactor_ros/msg/ReactorState"
DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"

PRIVATE_TYPES = (BEHAVIOUR, REACTION, STATE)
"""What holds neither pictures nor sound of anybody."""

USUAL_TYPES = (
    *(IMAGE, COMPRESSED_IMAGE, *AUDIO, AUDIO_INFO, ACTION_UNITS, DIAGNOSTICS),
    *PRIVATE_TYPES,
)
"""Types that are recorded wherever they appear; and Bool, of topics called robot_speaking."""

_DEPTHS = {IMAGE: 30}
_USUAL_DEPTH = 200
"""Messages that may wait in the middleware while this node is busy."""


class RecordError(ValueError):
    """What was asked cannot be recorded; says what would be right."""


class Sink(Protocol):
    """Where messages go."""

    def refusal(self, type_name: str) -> str | None: ...

    def add_topic(self, topic: str, type_name: str, latched: bool) -> None: ...

    def put(self, topic: str, cdr: bytes, time_ns: int) -> None: ...

    def note_lost(self, topic: str, count: int) -> None: ...


@dataclass(frozen=True)
class Selection:
    """What to record: the topics `named` (absolute names), else usual types below `namespace`.

    `private` keeps nothing but PRIVATE_TYPES, whatever is named.
    """

    named: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    namespace: str = "/"
    private: bool = False

    def wants(self, topic: str, type_name: str) -> bool:
        """Whether this topic is recorded where it has this type."""
        if topic in self.excluded or (self.private and type_name not in PRIVATE_TYPES):
            return False
        if self.named:
            return topic in self.named
        if not topic.startswith(f"{self.namespace.rstrip('/')}/"):
            return False
        robot_speaking = type_name == BOOL and topic.endswith("/robot_speaking")
        return type_name in USUAL_TYPES or robot_speaking

    def describe(self) -> str:
        """What is looked for, in a sentence's end."""
        if self.named:
            return f"topics {', '.join(sorted(self.named))}"
        where = "" if self.namespace == "/" else f" below {self.namespace}"
        kept = (
            ", ".join(PRIVATE_TYPES)
            if self.private
            else "images, sound, speaker/behaviour, reactions, states, facial action units, "
            "robot_speaking, diagnostics"
        )
        return f"topics{where} of {kept}"


class RecorderNode(Node):
    """The node `recorder`. `found` is told topic and type of what is recorded from now on, `tell`
    takes sentences on what is not, and why.

    Names in `topics` and `excluded` may be relative to `namespace`. Raises RecordError for names
    that ROS does not allow.
    """

    def __init__(
        self,
        sink: Sink,
        found: Callable[[str, str], object],
        tell: Callable[[str], object],
        *,
        topics: Collection[str] = (),
        excluded: Collection[str] = (),
        namespace: str = "/",
        private: bool = False,
        use_sim_time: bool = False,
        context: Context | None = None,
    ) -> None:
        try:
            super().__init__(
                "recorder",
                namespace=namespace,
                context=context,
                enable_rosout=False,
                start_parameter_services=False,
                parameter_overrides=[Parameter("use_sim_time", value=use_sim_time)],
            )
        except NameValidationException as error:
            raise RecordError(f"--namespace: {_one_line(error)}") from None
        self.selection = Selection(
            self._resolved(topics), self._resolved(excluded), self.get_namespace(), private
        )
        self._sink = sink
        self._found = found
        self._tell = tell
        self._use_sim_time = use_sim_time
        self._recorded: dict[str, _Recorded] = {}
        self._told: set[tuple[str, str]] = set()

    def _resolved(self, topics: Collection[str]) -> frozenset[str]:
        for topic in topics:
            try:
                validate_topic_name(topic)
            except NameValidationException as error:
                raise RecordError(_one_line(error)) from None
        try:
            return frozenset(map(self.resolve_topic_name, topics))
        except RuntimeError as error:  # what only shows once a name is made absolute
            raise RecordError(f"one of {', '.join(topics)} is no topic: {error}") from None

    @property
    def missing(self) -> list[str]:
        """Topics that were named and have not appeared."""
        known = {*self._recorded, *(topic for topic, _ in self._told), *self.selection.excluded}
        return sorted(self.selection.named - known)

    def look(self) -> None:
        """Subscribe to what has appeared, and follow publishers that have changed."""
        if self._use_sim_time and not self.get_clock().now().nanoseconds:
            self._say_once(
                "/clock", "", "waiting for /clock, which gives the time of the recording"
            )
            return
        for topic, types in self.get_topic_names_and_types():
            for type_name in types:
                self._consider(topic, type_name)

    def _consider(self, topic: str, type_name: str) -> None:
        if not self.selection.wants(topic, type_name):
            self._tell_why_not(topic, type_name)
            return
        publishers = [
            each.qos_profile
            for each in self.get_publishers_info_by_topic(topic)
            if each.topic_type == type_name
        ]
        if not publishers or (topic, type_name) in self._told:
            return
        known = self._recorded.get(topic)
        if known is None:
            self._begin(topic, type_name, _following(publishers, type_name))
        elif known.type_name != type_name:
            self._say_once(
                topic,
                type_name,
                f"{topic} is recorded as {known.type_name} only, not as {type_name}",
            )
        elif _mismatch(known.qos, publishers):
            # What was weak stays so: a stronger subscription would lose what it matched.
            followed = _following([known.qos, *publishers], type_name)
            self._subscribe(topic, known.message_class, type_name, followed)

    def _begin(self, topic: str, type_name: str, qos: QoSProfile) -> None:
        try:
            message_class = _message_class(type_name)
            refusal = self._sink.refusal(type_name)
        except (ImportError, AttributeError, ValueError) as error:
            refusal = f"{type_name} is not installed here ({error})"
        if refusal is not None:
            self._say_once(topic, type_name, f"{topic} is left out: {refusal}")
            return
        self._subscribe(topic, message_class, type_name, qos)
        self._found(topic, type_name)

    def _subscribe(self, topic: str, message_class: type, type_name: str, qos: QoSProfile) -> None:
        old = self._recorded.pop(topic, None)
        if old is not None:
            self.destroy_subscription(old.subscription)
        latched = qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL
        self._sink.add_topic(topic, type_name, latched)

        def receive(cdr: bytes) -> None:
            self._sink.put(topic, cdr, self.get_clock().now().nanoseconds)

        def lose(event: Any) -> None:
            self._sink.note_lost(topic, event.total_count_change)

        subscription = self._create(message_class, topic, receive, qos, lose)
        self._recorded[topic] = _Recorded(type_name, message_class, qos, subscription)

    def _create(
        self,
        message_class: type,
        topic: str,
        receive: Callable[[bytes], None],
        qos: QoSProfile,
        lose: Callable[[Any], None],
    ) -> Subscription:
        try:
            # Not the defaults: they warn of mismatches, which `look` puts right.
            events = SubscriptionEventCallbacks(message_lost=lose, use_default_callbacks=False)
            return self.create_subscription(
                message_class, topic, receive, qos, event_callbacks=events, raw=True
            )
        except UnsupportedEventTypeError:  # a middleware that does not count losses
            return self.create_subscription(message_class, topic, receive, qos, raw=True)

    def _tell_why_not(self, topic: str, type_name: str) -> None:
        if topic in self.selection.named and topic not in self.selection.excluded:
            self._say_once(
                topic,
                type_name,
                f"{topic} ({type_name}) is not recorded: --private keeps only "
                f"{', '.join(PRIVATE_TYPES)}",
            )

    def _say_once(self, topic: str, type_name: str, sentence: str) -> None:
        if (topic, type_name) not in self._told:
            self._told.add((topic, type_name))
            self._tell(sentence)


@dataclass(frozen=True)
class _Recorded:
    type_name: str
    message_class: type
    qos: QoSProfile
    subscription: Subscription


def _following(publishers: Sequence[QoSProfile], type_name: str) -> QoSProfile:
    """The strongest quality of service that all publishers match."""
    reliable = all(map(_reliable, publishers))
    latched = all(map(_latched, publishers))
    return QoSProfile(
        depth=_DEPTHS.get(type_name, _USUAL_DEPTH),
        reliability=(
            QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT
        ),
        durability=(
            QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE
        ),
    )


def _mismatch(subscription: QoSProfile, publishers: Sequence[QoSProfile]) -> bool:
    """Whether a publisher offers less than the subscription asks for."""
    return any(
        (_reliable(subscription) and not _reliable(each))
        or (_latched(subscription) and not _latched(each))
        for each in publishers
    )


def _reliable(qos: QoSProfile) -> bool:
    return qos.reliability == QoSReliabilityPolicy.RELIABLE


def _latched(qos: QoSProfile) -> bool:
    return qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL


def _one_line(error: Exception) -> str:
    """An error without the line that points at a letter."""
    return " ".join(str(error).removesuffix("^").split())


def _message_class(type_name: str) -> type:
    """Raises ImportError, AttributeError or ValueError where there is no such message here."""
    package, _, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)
