"""Plays a rosbag2 recording onto the graph, in the recording's own time, which it gives as /clock.

Messages go out as the bytes that the bag holds, so stamps and pictures are the recorded ones. What
perception and reactors hear of a bag, and under which names, is told by `bag_routes.py`. The node's
own time is the wall's; every other node is to run with `use_sim_time`.

Playing begins when those who are expected to hear it do, and /clock has stood at the beginning for
half a second. A message goes out once /clock has reached the time at which it was recorded. A pause
of more than a minute is cut short: after that minute /clock leaps, as time does offline.

Threads: a decoder runs a bounded number of messages ahead, a playing thread waits and publishes;
the executor thread only serves transitions and parameters.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock as ClockMessage

from perreactor_model.face_analysis.choice import CHOICES
from perreactor_model.media.playback import Prefetched
from perreactor_ros import process
from perreactor_ros.bag_routes import BagRoutes, Route, find_routes
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.lifecycle import ManagedNode, SingleNode
from perreactor_ros.messages import stamp
from perreactor_ros.parameters import Parameter, ParameterError, declare
from perreactor_ros.play_clock import PlayClock
from perreactor_ros.qos import advertise
from perreactor_ros.replay.simulated_time import LONGEST_PAUSE_NS
from perreactor_ros.replay.topics import TopicOptions

CLOCK_OUT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)

_SECOND_NS = 1_000_000_000
_LEAD_SECONDS = 0.5
"""How long /clock stands at the beginning of a round, so that all have heard it."""

_TAIL_SECONDS = 0.06
"""How long /clock goes on after the last message, beside `max_wait`: a frame, and half of one more
for the way of messages. Perception gives up waiting then, and makes hardly an empty frame."""

_LOOK_AGAIN = 0.02
_LAST_WORDS = Duration(seconds=2)

PARAMETERS = (
    process.NAMESPACE,
    Parameter("bag", "Rosbag2 recording, a folder or a file; read when the node is configured."),
    Parameter(
        "bundle", "Model bundle that reacts; it decides what of the bag can be of use.", True
    ),
    Parameter("analyzer", "As perception's: whether pictures are of use.", True, choices=CHOICES),
    Parameter("loop", "Begin anew at the end; read when the node is configured."),
    Parameter(
        "playback_rate",
        "Seconds of the recording played in a second; stamps keep the recording's distances.",
        read_only=True,
        low=0.05,
        high=20.0,
    ),
    Parameter("clock_rate", "Messages on /clock a second.", read_only=True, low=10.0, high=1000.0),
    Parameter("bag_image_topic", "Topic of the pictures in the bag; empty: the only one.", True),
    Parameter("bag_audio_topic", "Topic of the sound in the bag; empty: the only one.", True),
    Parameter(
        "bag_behaviour_topic",
        "Topic of the speaker's behaviour in the bag; empty: the only one.",
        True,
    ),
    Parameter(
        "also_heard",
        "Topics beside those played that somebody must hear before playing begins, "
        "separated by commas.",
        True,
    ),
    Parameter(
        "listeners",
        "Names of the nodes of which one must hear each of these topics, separated by commas; "
        "empty: anybody.",
        True,
    ),
    Parameter(
        "wait_seconds",
        "Time to wait for those who hear what is played, s; then it begins without them.",
        True,
        low=0.0,
        high=3600.0,
    ),
    Parameter(
        "max_wait",
        "Time that perception waits for sound, s; /clock goes on for a little longer at the end.",
        True,
        low=0.0,
        high=5.0,
    ),
    Parameter("exit_at_end", "End the process when a recording that does not loop is over.", True),
    Parameter("autostart", "Configure and activate without being asked.", read_only=True),
)


@dataclass(frozen=True)
class _Outgoing:
    """A message as it is to be sent: when it was recorded, whereto, and its bytes."""

    time_ns: int
    publisher: Publisher
    cdr: bytes


class BagPlayerNode(ManagedNode):
    """The managed node `bag_player`: plays while it is active, from the beginning each time."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("bag_player", namespace=namespace)
        self._values = declare(self, PARAMETERS, {"namespace": namespace})
        self._bag: Path | None = None
        self._loop = False
        self._routes: list[Route] = []
        self._outputs: dict[str, Publisher] = {}
        self._clock_output: Publisher | None = None
        self._decoder: Prefetched[_Outgoing] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._said: set[str] = set()

    def configure(self) -> None:
        bag = self.get_parameter("bag").value
        if not bag:
            raise ParameterError("parameter bag is empty: give the path of a rosbag2 recording")
        self._bag = Path(bag).expanduser()
        self._loop = self.get_parameter("loop").value
        self._said.clear()
        found = self._find_routes(self._bag)
        for trouble in found.troubles:
            self._say_once(trouble)
        self._routes = list(found.routes)
        self._clock_output = advertise(self, ClockMessage, "/clock", CLOCK_OUT, managed=True)
        self._outputs = {route.topic: self._publisher(route) for route in found.routes}

    def activate(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._play, name="bag_player", daemon=True)
        self._thread.start()

    def deactivate(self) -> None:
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10.0)
        self._thread = None

    def cleanup(self) -> None:
        for publisher in self._all_outputs():
            self.destroy_publisher(publisher)
        self._outputs, self._clock_output = {}, None

    def _find_routes(self, bag: Path) -> BagRoutes:
        topics = TopicOptions(
            image=self._values["bag_image_topic"] or None,
            audio=self._values["bag_audio_topic"] or None,
            behaviour=self._values["bag_behaviour_topic"] or None,
        )
        return find_routes(bag, self._values["bundle"], topics, self._values["analyzer"])

    def _publisher(self, route: Route) -> Publisher:
        name = route.name
        if name == "image/compressed":
            # As image_transport does: below the name that `image` may be remapped to.
            name = f"{self.resolve_topic_name('image')}/compressed"
        return advertise(self, route.message_class, name, route.qos, managed=True)

    def _all_outputs(self) -> list[Publisher]:
        clock = [] if self._clock_output is None else [self._clock_output]
        return [*clock, *self._outputs.values()]

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 100:
            self._said.add(text)
            self.get_logger().warning(text)

    # --- In the playing thread -------------------------------------------------------------------

    def _play(self) -> None:
        log = self.get_logger()
        try:
            if not self._wait_for_listeners():
                return
            played = ", ".join(f"{route.topic} as {route.name}" for route in self._routes)
            log.info(f"playing {self._bag}: {played}")
            while self._play_round() and self._loop:
                log.info("the recording begins anew")
        except (ValueError, OSError) as error:
            log.error(f"{self._bag} cannot be played on: {error}")
        except Exception:
            if self._stopping.is_set() or not self.context.ok():
                return  # ROS went away under a publisher: the process is ending
            raise
        if not self._stopping.is_set():
            self._end()

    def _play_round(self) -> bool:
        """Play the bag once; False if that was stopped or there was nothing to play."""
        decoder = self._decoder = Prefetched(self._messages())
        try:
            message = decoder.take()
            if message is None:
                self._say_once(f"{self._bag}: not one message could be played")
                return False
            while message is not None and not self._stopping.is_set():
                message = self._play_stretch(message, decoder)
            return not self._stopping.is_set()
        finally:
            decoder.close()

    def _play_stretch(self, first: _Outgoing, decoder: Prefetched[_Outgoing]) -> _Outgoing | None:
        """Play up to the end or to a long pause; returns the message after that, if any."""
        rate = self._values["playback_rate"]
        ticks = _Ticks(first.time_ns, rate / self._values["clock_rate"])
        if not self._stand_still(ticks):
            return None
        clock = PlayClock(Clock(clock_type=ClockType.STEADY_TIME), rate, self._stopping)
        clock.begin()
        message: _Outgoing | None = first
        end_ns = first.time_ns
        while message is not None and message.time_ns - end_ns <= LONGEST_PAUSE_NS:
            if not self._pass_time(clock, ticks, message.time_ns):
                return None
            message.publisher.publish(message.cdr)
            end_ns = max(end_ns, message.time_ns)
            self._warn_of_slips(clock)
            message = decoder.take()
        tail_ns = round((self._values["max_wait"] + _TAIL_SECONDS) * _SECOND_NS)
        self._pass_time(clock, ticks, end_ns + (tail_ns if message is None else LONGEST_PAUSE_NS))
        if message is not None:
            self.get_logger().info("a long pause of the recording is passed over")
        return message

    def _stand_still(self, ticks: "_Ticks") -> bool:
        """Show everybody where time begins. False when stopped."""
        period = 1.0 / self._values["clock_rate"]
        end = time.monotonic() + _LEAD_SECONDS
        while time.monotonic() < end:
            self._show(ticks.begin_ns)
            if self._stopping.wait(period):
                return False
        return True

    def _pass_time(self, clock: PlayClock, ticks: "_Ticks", until_ns: int) -> bool:
        """Let time pass on /clock up to a moment of the recording. False when stopped."""
        for tick_ns in ticks.up_to(until_ns):
            if not clock.wait_for(tick_ns - ticks.begin_ns):
                return False
            self._show(tick_ns)
        return clock.wait_for(until_ns - ticks.begin_ns)

    def _show(self, time_ns: int) -> None:
        assert self._clock_output is not None
        self._clock_output.publish(ClockMessage(clock=stamp(time_ns)))

    def _warn_of_slips(self, clock: PlayClock) -> None:
        if clock.slips:
            self._say_once(
                "this machine is too slow for the recording: playing pauses now and then"
            )

    def _wait_for_listeners(self) -> bool:
        """Wait for all who are expected to hear, for `wait_seconds`. False when stopped."""
        begin = time.monotonic()
        while missing := self._not_heard():
            if time.monotonic() - begin >= self._values["wait_seconds"]:
                self.get_logger().warning(
                    f"nobody hears {', '.join(missing)}: playing without waiting any longer"
                )
                return True
            if self._stopping.wait(_LOOK_AGAIN):
                return False
        return True

    def _not_heard(self) -> list[str]:
        """Topics that nobody hears yet of those that somebody should."""
        played = [each.topic_name for each in self._all_outputs() if not self._reaches(each)]
        others = _names(self._values["also_heard"])
        return [*played, *(name for name in others if not self._is_heard(name))]

    def _reaches(self, publisher: Publisher) -> bool:
        if publisher is self._clock_output:
            return publisher.get_subscription_count() > 0
        return publisher.get_subscription_count() > 0 and self._is_heard(publisher.topic_name)

    def _is_heard(self, topic: str) -> bool:
        """Whether one of the listeners hears a topic; a recorder of the graph is none."""
        names = {each.node_name for each in self.get_subscriptions_info_by_topic(topic)}
        listeners = _names(self._values["listeners"])
        return bool(names.intersection(listeners) if listeners else names)

    def _end(self) -> None:
        self.get_logger().info("the recording is over")
        if self._values["exit_at_end"]:
            for publisher in self._all_outputs():
                publisher.wait_for_all_acked(_LAST_WORDS)
            self.context.try_shutdown()

    # --- In the decoder's thread -----------------------------------------------------------------

    def _messages(self) -> Iterator[_Outgoing]:
        assert self._bag is not None
        routes = {route.topic: route for route in self._routes}
        with BagReader(self._bag) as bag:  # here, for SQLite insists on one thread
            for message in bag.messages(list(routes)):
                if self._is_sound(message.cdr, routes[message.topic]):
                    publisher = self._outputs[message.topic]
                    yield _Outgoing(message.time_ns, publisher, bytes(message.cdr))
            for trouble in bag.troubles:
                self._say_once(trouble)

    def _is_sound(self, cdr: bytes, route: Route) -> bool:
        """Whether subscribers will be able to read a message; says once where not."""
        try:
            deserialize_message(cdr, route.message_class)
        except Exception:  # whatever the middleware makes of it
            self._say_once(f"{route.topic} holds messages that are no {route.type_name}: left out")
            return False
        return True


def _names(text: str) -> list[str]:
    """What stands between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


class _Ticks:
    """The times on /clock: from `begin_ns` on, `seconds` of the recording apart."""

    def __init__(self, begin_ns: int, seconds: float) -> None:
        self.begin_ns = begin_ns
        self._seconds = seconds
        self._count = 0

    def up_to(self, until_ns: int) -> Iterator[int]:
        """Those not handed out yet, up to and including a time."""
        while (tick := self.begin_ns + round(self._count * self._seconds * _SECOND_NS)) <= until_ns:
            self._count += 1
            yield tick


def main(args: Sequence[str] | None = None) -> None:
    """Play until the recording is over or the process is interrupted."""
    process.run("bag_player", lambda namespace: SingleNode(BagPlayerNode(namespace)), args)


if __name__ == "__main__":
    main()
