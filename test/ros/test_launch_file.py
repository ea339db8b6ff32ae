"""launch/reactor.launch.py by the real `launch` package, wherever that is importable.

What it starts is tested everywhere by test_process_list.py.
"""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

launch = pytest.importorskip("launch", reason="ROS's launch package is not installed")
pytest.importorskip("launch_ros", reason="ROS's launch_ros package is not installed")

from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_ros.actions import Node, PushROSNamespace  # noqa: E402
from short_bags import beeps, write_bag  # noqa: E402

from perreactor_ros.bringup.options import ARGUMENTS, BringupOptions  # noqa: E402
from perreactor_ros.bringup.processes import process_list  # noqa: E402


@pytest.fixture
def launch_file(workspace: Path) -> Path:
    return workspace / "share" / "perreactor_ros" / "launch" / "reactor.launch.py"


@pytest.fixture
def command_lines(launch_file: Path) -> Callable:
    """The command lines that the launch file would run, without running them."""

    def resolve(outer_namespace: str = "", **arguments: str) -> list[list[str]]:
        context = launch.LaunchContext()
        include = IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(launch_file)), launch_arguments=arguments.items()
        )
        push = [PushROSNamespace(outer_namespace)] if outer_namespace else []
        return list(_commands(GroupAction([*push, include]), context))

    return resolve


def _commands(entity, context):
    if isinstance(entity, Node):
        entity._perform_substitutions(context)
        parts = [launch.utilities.perform_substitutions(context, part) for part in entity.cmd]
        # launch_ros adds a second, empty --ros-args, which changes nothing.
        yield [part for part in parts if part][: -1 if parts.count("--ros-args") > 1 else None]
        return
    for child in entity.visit(context) or ():
        yield from _commands(child, context)


def test_it_declares_exactly_the_documented_arguments_with_a_description(launch_file: Path):
    specification = importlib.util.spec_from_file_location("launch_file", launch_file)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    declared = [
        entity
        for entity in module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    ]
    assert [action.name for action in declared] == [argument.name for argument in ARGUMENTS]
    assert all(action.description for action in declared)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"robots": "robot_a:warm,robot_b:stoic", "namespace": "lab", "device": "cpu"},
        {"image_topic": "/camera/image_raw", "log_level": "debug", "use_sim_time": "true"},
    ],
)
def test_it_runs_the_command_lines_of_the_launcher(command_lines, arguments):
    specs = process_list(BringupOptions.from_text(arguments), {})
    assert command_lines(**arguments) == [spec.command() for spec in specs]


def test_it_plays_a_bag_as_the_launcher_does(command_lines, tmp_path: Path):
    bag = write_bag(tmp_path / "bag", beeps(2))
    specs = process_list(BringupOptions.from_text({"bag": str(bag)}), {})
    assert command_lines(bag=str(bag)) == [spec.command() for spec in specs]
    assert len(specs) == 3


def test_pushed_into_a_namespace_every_robot_keeps_its_own(command_lines):
    lines = command_lines(outer_namespace="building", namespace="lab")
    assert len(lines) == 2
    for line in lines:
        assert 'namespace:="building/lab"' in line
        assert not any("__ns" in part for part in line)


def _ros2_launch(graph, launch_file: Path, *arguments: str):
    code = f"import sys; sys.argv[0] = 'ros2 launch'; {_LAUNCH}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return graph.run([sys.executable, "-c", code, str(launch_file), *arguments], PATH=path)


_LAUNCH = """
from launch import LaunchService, LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [word.split(':=', 1) for word in sys.argv[2:]]
service = LaunchService(argv=sys.argv[2:])
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""


@pytest.mark.slow
def test_without_arguments_robot_a_becomes_active_with_the_generic_profile(graph, launch_file):
    launched = _ros2_launch(graph, launch_file)
    graph.wait_for_state("robot_a/reactor", "active")
    graph.wait_for_state("perception", "active")
    assert graph.get_parameter("robot_a/reactor", "listener_profile") == "generic"
    assert launched.stop() == 0


@pytest.mark.slow
def test_two_robots_in_a_namespace_react_and_a_killed_reactor_comes_back(
    graph, speaker, bundle, launch_file
):
    from perreactor_ros.msg import FacialReaction

    arguments = ("namespace:=lab", "robots:=robot_a:warm,robot_b:stoic", f"bundle:={bundle}")
    launched = _ros2_launch(graph, launch_file, *arguments)
    reactions = {
        name: graph.collect(FacialReaction, f"lab/{name}/reaction")
        for name in ("robot_a", "robot_b")
    }
    speaker(namespace="lab")
    for messages in reactions.values():
        graph.wait_for_more(messages, 10, "reactions")
    launched.wait_for_line(r"reactor-2\]: process started with pid")
    os.kill(_pid_from(launched.output, "reactor"), signal.SIGKILL)
    launched.wait_for_line(r"reactor-2\]: process has died")
    for messages in reactions.values():
        graph.wait_for_more(messages, 10, "reactions after the restart")
    assert launched.stop() == 0


def _pid_from(output: str, name: str) -> int:
    line = next(line for line in output.splitlines() if f"[{name}-" in line and "pid [" in line)
    return int(line.split("pid [")[1].split("]")[0])


@pytest.mark.slow
def test_a_wrong_argument_is_told_and_nothing_is_started(graph, launch_file):
    launched = _ros2_launch(graph, launch_file, "robots:=robot a")
    assert launched.wait() == 1
    assert launched.says("robots: 'robot a' is no robot name")
    assert not launched.says("process started")
