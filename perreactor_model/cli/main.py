"""`perreactor COMMAND ...`: finds the command's module, imports it and runs it.

A command is a module with `configure(parser)`, which adds its arguments, and `run(arguments)`,
which returns the exit status. Nothing else is imported before the command is known, so `--help`
is quick and a command pays only for what it uses.

Exit status: what the command returns; 2 for a user's mistake (an unknown word, or a ValueError or
OSError from the command, told in one line); 130 after Ctrl-C.
"""

import argparse
import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from perreactor_model import __version__


@dataclass(frozen=True)
class Command:
    """Where a subcommand lives, and its line in `perreactor --help`."""

    module: str
    summary: str

    @property
    def needs_ros(self) -> bool:
        """It is part of the ROS package, which exists only where colcon built it."""
        return self.module.startswith("perreactor_ros.")


COMMANDS = {
    "demo": Command("perreactor_ros.commands.demo", "two robots react live to a person in a video"),
    "bringup": Command("perreactor_ros.commands.bringup", "start the nodes, without ros2 launch"),
    "replay": Command("perreactor_ros.commands.replay", "react to a recorded bag, and judge it"),
    "record": Command("perreactor_ros.commands.record", "record a running graph into a bag"),
    "attributes": Command(
        "perreactor_model.cli.attributes", "measure the facial attributes of a person in a video"
    ),
    "profile": Command(
        "perreactor_model.cli.profile", "make listener profiles from people, and look at them"
    ),
    "train": Command("perreactor_model.cli.train", "train GAG, then PAG, on a prepared corpus"),
    "metrics": Command("perreactor_model.cli.metrics", "score predictions, exactly and fast"),
    "generate": Command("perreactor_model.cli.generate", "generate reactions to a recording"),
    "export": Command("perreactor_model.cli.export", "make a bundle from a trained checkpoint"),
    "synthesize": Command(
        "perreactor_model.cli.synthesize", "make a corpus of simulated conversations"
    ),
    "validate": Command("perreactor_model.cli.validate", "tell all that is wrong with a corpus"),
    "prepare": Command(
        "perreactor_model.cli.prepare", "compute what training reads of a corpus, once"
    ),
    "evaluate": Command(
        "perreactor_model.cli.evaluate", "score a trained model as the paper's tables do"
    ),
    "bundle": Command(
        "perreactor_model.cli.bundle", "make untrained bundles, to test and bench with"
    ),
    "bench": Command("perreactor_model.cli.bench", "measure speed, latency and memory"),
    "doctor": Command("perreactor_model.cli.doctor", "check the installation, say what is wrong"),
}

NO_ROS_BUILD = """\
'{name}' is part of the ROS 2 package, which is not built for this Python ({reason}).
  Without ROS 2 on this machine, in a checkout of perreactor:  make setup
  and then:  bootstrap/run perreactor {name}
  With ROS 2, in a workspace that has the checkout in src/:  colcon build --symlink-install
  and then:  . install/setup.bash && perreactor {name}
  docs/install.md has both ways step by step."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; `arguments` are sys.argv[1:] by default. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _top_parser()
    if not words:
        parser.print_help()
        return 2
    if words[0].startswith("-"):
        parser.parse_args(words)  # --help and --version leave here
    name = words[0]
    if name not in COMMANDS:
        return _fail(_unknown(name))
    command = COMMANDS[name]
    if command.needs_ros and (reason := _ros_build_missing()):
        return _fail(NO_ROS_BUILD.format(name=name, reason=reason))
    module = importlib.import_module(command.module)
    subparser = argparse.ArgumentParser(prog=f"perreactor {name}", description=command.summary)
    module.configure(subparser)
    try:
        status = module.run(subparser.parse_args(words[1:]))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader (head, less) is gone: nobody is left to tell. Exit quietly, also at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [
        f"  {name:<{width}}  {command.summary}{' [ROS build]' if command.needs_ros else ''}"
        for name, command in COMMANDS.items()
    ]
    parser = argparse.ArgumentParser(
        prog="perreactor",
        usage="perreactor [--help] [--version] COMMAND ...",
        description="Robots that listen with their face: personalised facial reactions, live.",
        epilog="\n".join(
            ["commands:", *lines, "", "`perreactor COMMAND --help` tells a command's arguments."]
            + ["Commands marked [ROS build] need the ROS 2 package, built with colcon."]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"perreactor {__version__}")
    return parser


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"the commands are {', '.join(COMMANDS)}"
    return f"there is no command '{name}': {hint}"


def _ros_build_missing() -> str | None:
    """What is missing of ROS, found without importing any of it; None where all is there."""
    for name in ("perreactor_ros", "perreactor_ros.msg", "rclpy"):
        if importlib.util.find_spec(name) is None:
            return f"no {name}"
    return None


def _fail(message: str) -> int:
    print(f"perreactor: error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
