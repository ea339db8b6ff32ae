"""`perreactor bringup`: start the processes of launch/reactor.launch.py without `launch`.

Takes the launch file's arguments both ways: `--robots robot_a:warm` and `robots:=robot_a:warm`.
"""

import argparse

from perreactor_ros.bringup.launcher import Launcher
from perreactor_ros.bringup.options import ARGUMENTS, BringupError, BringupOptions
from perreactor_ros.bringup.processes import process_list


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the launch arguments, as options and as NAME:=VALUE."""
    for argument in ARGUMENTS:
        default = f" (default: {argument.default})" if argument.default else ""
        parser.add_argument(
            f"--{argument.name}",
            *([f"--{argument.name.replace('_', '-')}"] if "_" in argument.name else []),
            dest=argument.name,
            default=None,
            help=(argument.description + default).replace("%", "%%"),
        )
    parser.add_argument(
        "assignments",
        nargs="*",
        metavar="NAME:=VALUE",
        help="the same arguments as ros2 launch takes them",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C; returns 0 after a clean end."""
    return Launcher(process_list(read_options(arguments))).run()


def read_options(arguments: argparse.Namespace) -> BringupOptions:
    """Options from both ways of writing them. Raises BringupError where they are unreadable."""
    given = {
        argument.name: value
        for argument in ARGUMENTS
        if (value := getattr(arguments, argument.name)) is not None
    }
    for assignment in arguments.assignments:
        name, sign, value = assignment.partition(":=")
        if not sign:
            raise BringupError(f"{assignment!r} is no argument; write NAME:=VALUE or --NAME VALUE")
        if name in given and given[name] != value:
            raise BringupError(f"{name} is given twice, as {given[name]!r} and as {value!r}")
        given[name] = value
    return BringupOptions.from_text(given)
