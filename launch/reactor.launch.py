"""Perception and one reactor process for any number of robots; with a recording also its player.

    ros2 launch perreactor_ros reactor.launch.py robots:=robot_a:warm,robot_b:stoic

Which processes run, and with what, is told by `perreactor_ros.bringup`; this file only hands that
over to `launch`.
"""

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    OpaqueFunction,
    UnsetLaunchConfiguration,
)
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from perreactor_ros.bringup.options import ARGUMENTS, BringupOptions, join_namespaces
from perreactor_ros.bringup.processes import PACKAGE, ProcessSpec, process_list


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and, once they are known, start the processes."""
    declared = [
        DeclareLaunchArgument(
            argument.name, default_value=argument.default, description=argument.description
        )
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[GroupAction]:
    given = context.launch_configurations
    text = {argument.name: given[argument.name] for argument in ARGUMENTS}
    # Inside a PushROSNamespace, launch would remap `__ns` of the whole process, and so move all its
    # robots into one namespace. The namespace travels as a parameter instead.
    text["namespace"] = join_namespaces(given.get("ros_namespace", ""), text["namespace"])
    processes = process_list(BringupOptions.from_text(text), context.environment)
    nodes = [_node(process) for process in processes]
    return [GroupAction([UnsetLaunchConfiguration("ros_namespace"), *nodes])]


def _node(process: ProcessSpec) -> Node:
    return Node(
        package=PACKAGE,
        executable=process.executable,
        ros_arguments=process.ros_arguments(),
        additional_env=dict(process.environment),
        respawn=process.respawn,
        respawn_delay=process.respawn_delay,
        output="screen",
        emulate_tty=True,
    )
