"""How a process of ours runs: namespace, one executor thread, signals, exit code.

The namespace is a parameter: a global `__ns:=` remap renames every node of a process alike, also
those of robots that live deeper. Where such a remap is given, as `launch` does for a node's
`namespace=`, it is taken as the parameter.
"""

import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.validate_namespace import validate_namespace

from perreactor_ros.parameters import Parameter, ParameterError, declare

NAMESPACE = Parameter(
    "namespace", "Namespace of the nodes of this process and their topics.", read_only=True
)

_EXCEPTIONS_IN_A_ROW = 100

_LOOK_AGAIN = 0.5
"""Seconds after which an idle executor looks whether ROS was shut down: on a busy machine a signal
can end ROS between rclpy's own look and its wait, which then nothing would wake."""


class Application(Protocol):
    """What a process runs."""

    @property
    def nodes(self) -> Sequence[Node]:
        """Its nodes, the main one first."""

    def begin(self) -> None:
        """Called once, when all nodes are about to be spun."""

    def close(self) -> None:
        """Free everything; ROS may be shut down already."""


def run(name: str, build: Callable[[str], Application], args: Sequence[str] | None = None) -> None:
    """Run the application that `build(namespace)` makes until SIGINT or SIGTERM.

    `name` is the name of the process's main node. A wrong parameter ends the process with one line
    on stderr and exit code 2.
    """
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # rclpy chains its own handler before this one; without it Python would raise somewhere.
        signal.signal(number, lambda number, _: stopped.append(number))
    arguments, namespace = take_namespace(list(sys.argv if args is None else args))
    rclpy.init(args=arguments)
    try:
        application = build(_namespace(name, namespace))
    except Exception as error:
        if stopped:  # a signal came while the nodes were made; ROS was shut down under them
            return
        rclpy.try_shutdown()
        if not isinstance(error, ValueError):
            raise
        print(f"perreactor: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    logging.getLogger("perreactor_model").addHandler(_RosLog(application.nodes[0]))
    try:
        if not stopped:
            _spin(application)
    finally:
        application.close()
        for node in application.nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def take_namespace(arguments: list[str]) -> tuple[list[str], str | None]:
    """Arguments without a global `__ns:=` remap, and the namespace that it gave, or None."""
    namespace = None
    kept: list[str] = []
    for argument in arguments:
        if argument.startswith("__ns:=") and kept and kept[-1] in ("-r", "--remap"):
            namespace = argument.removeprefix("__ns:=")
            kept.pop()
        else:
            kept.append(argument)
    return kept, namespace


def _namespace(name: str, remapped: str | None) -> str:
    """The process's namespace with a leading slash, read by a short-lived node."""
    probe = rclpy.create_node(name, enable_rosout=False, start_parameter_services=False)
    try:
        given = None if remapped is None else {NAMESPACE.name: remapped}
        text = declare(probe, [NAMESPACE], given)[NAMESPACE.name]
    finally:
        probe.destroy_node()
    namespace = "/" + text.strip("/")
    try:
        validate_namespace(namespace)
    except InvalidNamespaceException as error:
        raise ParameterError(f"parameter namespace: {error}") from None
    return namespace


def _spin(application: Application) -> None:
    executor = SingleThreadedExecutor()
    for node in application.nodes:
        executor.add_node(node)
    log = application.nodes[0].get_logger()
    failures = 0
    try:
        _begin(application)
        while rclpy.ok():
            try:
                executor.spin_once(timeout_sec=_LOOK_AGAIN)
                failures = 0
            except ExternalShutdownException:
                break
            except Exception:
                if not rclpy.ok():
                    break
                # One bad message or request must not take all robots down.
                failures += 1
                log.error(f"a callback failed:\n{traceback.format_exc()}")
                if failures >= _EXCEPTIONS_IN_A_ROW:
                    raise
    finally:
        executor.shutdown(timeout_sec=0)


def _begin(application: Application) -> None:
    try:
        application.begin()
    except Exception:
        if rclpy.ok():  # else a signal shut ROS down in the middle of it
            raise


class _RosLog(logging.Handler):
    """Passes on what the model side logs."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._log = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._log.error(text)
        elif record.levelno >= logging.WARNING:
            self._log.warning(text)
        else:
            self._log.info(text)
