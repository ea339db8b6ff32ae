"""A ROS graph for one test: real node processes on a domain of their own, and means to watch them.

Everything waits for a condition with a generous deadline and spins meanwhile; nothing sleeps.

    graph.start("reactor", parameters={"bundle": str(bundle)})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    graph.wait_until(lambda: len(reactions) > 5, "reactions of robot_a")
    graph.set_parameter("robot_a/reactor", "listener_profile", "warm")
"""

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import yaml
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from perreactor_ros.msg import AudioChunk, SpeakerBehaviour
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image

from perreactor_model.bundle.manifest import read_manifest

MODULES = {
    "perception": "perreactor_ros.perception_node",
    "reactor": "perreactor_ros.reactor_process",
    "player": "perreactor_ros.player_node",
    "bag_player": "perreactor_ros.bag_player_node",
    "face_view": "perreactor_ros.face_view_node",
}
FRAME_NS = 40_000_000
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
STATES = {
    State.PRIMARY_STATE_UNCONFIGURED: "unconfigured",
    State.PRIMARY_STATE_INACTIVE: "inactive",
    State.PRIMARY_STATE_ACTIVE: "active",
    State.PRIMARY_STATE_FINALIZED: "finalized",
}
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}
GOALS = {
    "configure": "inactive",
    "activate": "active",
    "deactivate": "inactive",
    "cleanup": "unconfigured",
}
DEADLINE = 60.0
"""Seconds until a wait gives up: far more than it should take on a busy machine."""

LOST_RESPONSE = 10.0
"""Seconds after which the response of a service counts as lost."""


class NodeProcess:
    """A process that a test started; its output is kept and can be waited for."""

    def __init__(self, graph: "LiveGraph", command: Sequence[str], environment: dict) -> None:
        self._graph = graph
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=graph.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything that the process has printed so far."""
        return "\n".join(self._lines)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def says(self, pattern: str) -> int:
        """How many lines match a regular expression."""
        return sum(bool(re.search(pattern, line)) for line in list(self._lines))

    def wait_for_line(self, pattern: str) -> None:
        """Wait until a line matches a regular expression."""
        self._graph.wait_until(lambda: self.says(pattern), f"a line like '{pattern}'")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal (Ctrl-C) and return the exit code; all output has been read then."""
        if self.running:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        code = self._process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def clear_away(self) -> None:
        """End it at once; what looks after other processes may end those first."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        if self.running and any(child.read_text() for child in children):
            self._process.terminate()
            try:
                self._process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                pass  # killed below; the test has failed already
        if self.running:
            self.kill()

    def kill(self) -> None:
        """End it without giving it a chance."""
        self._process.kill()
        self.wait()


class LiveGraph:
    """A domain of its own with one node of the test in it (`node`), in the namespace `/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock, self.domain = _claim_domain()
        self.environment = os.environ | {
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(folder / "log"),
            "RCUTILS_COLORIZED_OUTPUT": "0",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
        # The environment of this process is what the middleware of the test's own node reads.
        for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOG_DIR"):
            os.environ[name] = self.environment[name]
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=self.domain)
        self.node = rclpy.create_node("test", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self.processes: list[NodeProcess] = []

    def __enter__(self) -> "LiveGraph":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.clear_away()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
        self._lock.close()

    # --- Processes -----------------------------------------------------------------------------

    def start(
        self,
        executable: str,
        parameters: dict[str, Any] | None = None,
        arguments: Sequence[str] = (),
    ) -> NodeProcess:
        """Start one of our executables with parameters and further ROS arguments (`-r a:=b`)."""
        command = [sys.executable, "-m", MODULES[executable], "--ros-args"]
        if parameters:
            file = self.folder / f"parameters_{len(self.processes)}.yaml"
            file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
            command += ["--params-file", str(file)]
        return self.run([*command, *arguments])

    def run(self, command: Sequence[str], **variables: str) -> NodeProcess:
        """Start any command in this domain, with environment variables beside the usual ones."""
        process = NodeProcess(self, command, self.environment | variables)
        self.processes.append(process)
        return process

    # --- Waiting -------------------------------------------------------------------------------

    def spin_once(self, seconds: float = 0.1) -> None:
        """Let callbacks and timers of the test's node run."""
        self._executor.spin_once(timeout_sec=seconds)

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
        """Spin until the condition holds and return its value; fail with `what` at the deadline."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                outputs = "\n".join(process.output[-3000:] for process in self.processes)
                raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{outputs}")
            self.spin_once(0.02)
        return value

    # --- Topics --------------------------------------------------------------------------------

    def collect(self, type_: type, topic: str, qos: QoSProfile | int = 100) -> list:
        """A list that grows with every message of a topic (while the test waits)."""
        messages: list = []
        self.node.create_subscription(type_, topic, messages.append, qos)
        return messages

    def wait_for(self, messages: list, condition: Callable[[Any], bool], what: str) -> Any:
        """Wait for a message yet to come that fulfils the condition, and return it."""
        begin = len(messages)
        return self.wait_until(lambda: next(filter(condition, messages[begin:]), None), what)

    def wait_for_more(self, messages: list, count: int, what: str) -> list:
        """Wait for that many messages yet to come and return them."""
        begin = len(messages)
        self.wait_until(lambda: len(messages) >= begin + count, f"{count} more {what}")
        return messages[begin : begin + count]

    # --- Services, parameters, lifecycle -------------------------------------------------------

    def call(self, type_: type, name: str, request: Any) -> Any:
        """Call a service and return its response. The request may be made twice.

        A server that has not discovered the client yet drops its first response.
        """
        while True:
            response = self._try_call(type_, name, request)
            if response is not None:
                return response

    def _try_call(self, type_: type, name: str, request: Any) -> Any | None:
        if name not in self._clients:
            self._clients[name] = self.node.create_client(type_, name)
        client = self._clients[name]
        self.wait_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        give_up = time.monotonic() + LOST_RESPONSE
        self.wait_until(lambda: future.done() or time.monotonic() > give_up, f"an answer of {name}")
        return future.result()

    def set_parameter(self, node: str, name: str, value: Any) -> Any:
        """Set a parameter; the result has `successful` and `reason`."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.call(SetParameters, f"{node}/set_parameters", request).results[0]

    def get_parameter(self, node: str, name: str) -> Any:
        """The value of a parameter."""
        request = GetParameters.Request(names=[name])
        response = self.call(GetParameters, f"{node}/get_parameters", request)
        return parameter_value_to_python(response.values[0])

    def describe_parameter(self, node: str, name: str) -> Any:
        """The descriptor of a parameter."""
        request = DescribeParameters.Request(names=[name])
        return self.call(DescribeParameters, f"{node}/describe_parameters", request).descriptors[0]

    def change_state(self, node: str, transition: str) -> bool:
        """Request "configure", "activate", "deactivate" or "cleanup"; False if it failed."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        response = self._try_call(ChangeState, f"{node}/change_state", request)
        if response is None:  # lost: what has become of it shows in the state
            return self.state_of(node) == GOALS[transition]
        return response.success

    def state_of(self, node: str) -> str:
        """ "unconfigured", "inactive", "active" or "finalized"."""
        response = self.call(GetState, f"{node}/get_state", GetState.Request())
        return STATES[response.current_state.id]

    def wait_for_state(self, node: str, state: str) -> None:
        """Wait until a managed node is in this state."""
        self.wait_until(lambda: self.state_of(node) == state, f"{node} to be {state}")


class _Ticking(ABC):
    """Publishes what is due on a 40 ms grid whenever the test spins, stamped by the node clock."""

    def __init__(self, graph: LiveGraph) -> None:
        self.graph = graph
        self.start_ns = graph.node.get_clock().now().nanoseconds
        self.count = 0
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = graph.node.create_timer(0.01, self._tick, clock=steady)

    def _tick(self) -> None:
        now = self.graph.node.get_clock().now().nanoseconds
        while self.start_ns + self.count * FRAME_NS <= now:
            self.publish(self.count, self.start_ns + self.count * FRAME_NS)
            self.count += 1

    @abstractmethod
    def publish(self, index: int, stamp_ns: int) -> None:
        """Publish frame `index`."""

    def stop(self) -> None:
        """Publish nothing any more."""
        self.graph.node.destroy_timer(self._timer)


class Speaker(_Ticking):
    """Camera and microphone: a grey picture that changes, and a tone.

    `camera` and `microphone` switch them on and off while it runs. Every piece of sound is stamped
    with its first sample and published when its last one would have been heard.
    """

    def __init__(
        self,
        graph: LiveGraph,
        namespace: str = "",
        size: int = 64,
        rate: int = 16000,
        qos: QoSProfile | int = 10,
    ) -> None:
        self.camera = True
        self.microphone = True
        self._size, self._rate = size, rate
        self._image = graph.node.create_publisher(Image, f"{namespace}/image".lstrip("/"), qos)
        self._audio = graph.node.create_publisher(AudioChunk, f"{namespace}/audio".lstrip("/"), qos)
        super().__init__(graph)

    def publish(self, index: int, stamp_ns: int) -> None:
        if self.camera:
            self._image.publish(self.image(index, stamp_ns))
        if self.microphone:
            self._audio.publish(self.chunk(index, stamp_ns - FRAME_NS))

    def image(self, index: int, stamp_ns: int) -> Image:
        size = self._size
        message = Image(height=size, width=size, encoding="rgb8", step=3 * size)
        set_stamp(message, stamp_ns)
        message.header.frame_id = "camera"
        message.data = np.full((size, size, 3), 64 + index % 128, np.uint8).tobytes()
        return message

    def chunk(self, index: int, stamp_ns: int) -> AudioChunk:
        count = self._rate // 25
        times = (np.arange(count) + index * count) / self._rate
        samples = (8000 * np.sin(2 * np.pi * 220 * times)).astype("<i2")
        message = AudioChunk(sample_rate=self._rate, channels=1, encoding=AudioChunk.INT16)
        set_stamp(message, stamp_ns)
        message.data = samples.tobytes()
        return message


class Behaviour(_Ticking):
    """Perception: random tokens for a bundle, smooth in time, face and voice present."""

    def __init__(
        self, graph: LiveGraph, bundle: Path, namespace: str = "", qos: QoSProfile | int = 10
    ) -> None:
        manifest = read_manifest(bundle / "bundle.json")
        self.speaking = True
        self.epoch = 0
        self.last_index = -1
        self._model_id = manifest.model_id
        self._size = manifest.model.feature_size
        topic = f"{namespace}/speaker/behaviour".lstrip("/")
        self._publisher = graph.node.create_publisher(SpeakerBehaviour, topic, qos)
        super().__init__(graph)

    def publish(self, index: int, stamp_ns: int) -> None:
        if self.speaking:
            self.last_index = index
            self._publisher.publish(self.message(index, stamp_ns))

    def message(self, index: int, stamp_ns: int) -> SpeakerBehaviour:
        phase = 0.1 * index + np.arange(self._size)
        message = SpeakerBehaviour(
            speaker_id="speaker", model_id=self._model_id, frame=index, epoch=self.epoch
        )
        set_stamp(message, stamp_ns)
        message.header.frame_id = "camera"
        message.face_present = message.voice_present = True
        message.token = np.sin(phase).tolist()
        message.attributes = np.full(25, np.nan, np.float32)
        message.face_3dmm = np.full(58, np.nan, np.float32)
        return message


def set_stamp(message: Any, stamp_ns: int) -> None:
    """Stamp the header of a message."""
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)


def stamp_of(message: Any) -> int:
    """The header's stamp in nanoseconds."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def _claim_domain() -> tuple[Any, int]:
    """A domain id that no other test on this machine uses, with the open file that keeps it so.

    Above 101 a domain's ports fall into the range that the system gives away to others.
    """
    first = os.getpid() % 100
    for offset in range(100):
        domain = 1 + (first + offset) % 100
        path = Path(tempfile.gettempdir()) / f"perreactor-domain-{domain}.lock"
        file = open(path, "a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file, domain
        except BlockingIOError:
            file.close()
    raise RuntimeError("all ROS domains are taken by other tests")
