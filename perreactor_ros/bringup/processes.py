"""The one description of which processes a bringup runs: launch file and launcher both use it.

A process is an executable of this package with its ROS arguments and environment. Both ways of
starting it pass the very same arguments, so they cannot drift apart.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from perreactor_ros.bringup.options import BringupError, BringupOptions

if TYPE_CHECKING:
    from perreactor_ros.replay.topics import TopicOptions

PACKAGE = "perreactor_ros"

RESPAWN_DELAY = 1.0
"""Seconds from a crash to the first attempt to start again."""

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Either of them set means that the user has chosen the transports; Humble knows the first only."""

Parameter = str | bool | int | float


@dataclass(frozen=True)
class ProcessSpec:
    """One process: what to run, with which ROS arguments, and whether it comes back by itself.

    `executable` is one of this package, or the absolute path of any other program.
    `parameters` overrule `parameter_files`, a later file an earlier one. `environment` is added to
    the one of whoever starts it.
    """

    name: str
    executable: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    parameter_files: tuple[Path, ...] = ()
    remappings: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "info"
    environment: Mapping[str, str] = field(default_factory=dict)
    respawn: bool = True
    respawn_delay: float = RESPAWN_DELAY

    def ros_arguments(self) -> list[str]:
        """What follows `--ros-args` on the command line."""
        arguments: list[str] = []
        for path in self.parameter_files:
            arguments += ["--params-file", str(path)]
        for name, value in self.parameters.items():
            # JSON is YAML in which a text that looks like a number stays a text.
            arguments += ["-p", f"{name}:={json.dumps(value)}"]
        for name, target in self.remappings.items():
            arguments += ["-r", f"{name}:={target}"]
        return [*arguments, "--log-level", self.log_level]

    def command(self) -> list[str]:
        """The whole command line. Raises BringupError where the package is not built."""
        return [str(executable_path(self.executable)), "--ros-args", *self.ros_arguments()]


def process_list(
    options: BringupOptions, environment: Mapping[str, str] = os.environ
) -> list[ProcessSpec]:
    """The processes of a bringup: perception, the reactor and, with a recording, its player.

    `environment` is that of whoever starts them. Raises BringupError where the package is not
    built, or a bag is of no use.
    """
    if options.bag is not None:
        return bag_process_list(options, environment)
    inputs = _remappings(image=options.image_topic, audio=options.audio_topic)
    processes = [
        _process("perception", options, environment, _perception_parameters(options), inputs),
        _process("reactor", options, environment, _reactor_parameters(options)),
    ]
    if options.video is not None:
        processes.append(player_process(options, environment, loop=True))
    return processes


def player_process(
    options: BringupOptions, environment: Mapping[str, str] = os.environ, *, loop: bool
) -> ProcessSpec:
    """A player of `options.video` in place of the camera and the microphone."""
    if options.video is None:
        raise BringupError("video: a player needs a video file to play")
    return _process(
        "player",
        options,
        environment,
        {"video": str(options.video), "loop": loop},
        _remappings(image=options.image_topic, audio=options.audio_topic),
        respawn=False,  # the end of a recording is no crash
    )


def face_view_process(
    options: BringupOptions, environment: Mapping[str, str] = os.environ, *, record: Path
) -> ProcessSpec:
    """The picture of speaker and robots side by side, recorded into the mp4 file `record`."""
    return _process(
        "face_view",
        options,
        environment,
        {
            "record": str(record.absolute()),
            **_given(robots=_robots(options), bundle=options.bundle),
        },
        _remappings(image=options.image_topic, audio=options.audio_topic),
        respawn=False,  # a second recording would hide that the first one broke off
    )


def bag_process_list(
    options: BringupOptions,
    environment: Mapping[str, str] = os.environ,
    topics: "TopicOptions | None" = None,
) -> list[ProcessSpec]:
    """The processes that react to `options.bag`, on its time, the player last.

    `topics` names topics of the bag, those of `options` if it is None. Raises BringupError as
    `process_list` does, also where the bag cannot be read or holds nothing to react to.
    """
    from perreactor_ros.bag_routes import find_routes  # what reads bags takes long to import
    from perreactor_ros.replay.topics import TopicOptions

    if options.bag is None:
        raise BringupError("bag: a player needs a rosbag2 recording to play")
    if topics is None:
        topics = TopicOptions(
            image=None if options.image_topic == "image" else options.image_topic,
            audio=None if options.audio_topic == "audio" else options.audio_topic,
        )
    try:
        bundle = options.bundle or _set_in_files(options, "bundle")
        analyzer = options.analyzer or _set_in_files(options, "analyzer")
        routes = find_routes(options.bag, bundle, topics, analyzer)
    except ValueError as error:
        raise BringupError(f"bag: {error}") from None
    # A compressed image is played below the name of the raw one.
    image = options.image_topic.removesuffix("/compressed")
    inputs = _remappings(image=image, audio=options.audio_topic)
    timed = replace(options, use_sim_time=True)
    processes = [_process("reactor", timed, environment, _reactor_parameters(options))]
    if routes.needs_perception:
        parameters = {**_perception_parameters(options), **routes.perception_parameters}
        processes.insert(0, _process("perception", timed, environment, parameters, inputs))
    player = _bag_player_parameters(options, topics)
    # The end of a recording is no crash: no respawn.
    return [
        *processes,
        _process("bag_player", options, environment, player, inputs, respawn=False),
    ]


def _bag_player_parameters(options: BringupOptions, topics: "TopicOptions") -> dict[str, Parameter]:
    return {
        "bag": str(options.bag),
        "use_sim_time": False,  # it makes the time
        # Playing begins when the whole chain from the camera to the faces is there.
        "also_heard": "speaker/behaviour",
        "listeners": "perception,reactor_process",
        **_given(
            bundle=options.bundle,
            analyzer=options.analyzer,
            bag_image_topic=topics.image,
            bag_audio_topic=topics.audio,
            bag_behaviour_topic=topics.behaviour,
        ),
    }


def _set_in_files(options: BringupOptions, parameter: str) -> str:
    """What the parameter files say of a parameter that no argument gives."""
    from perreactor_ros.parameters import default_of  # imports rclpy

    given: Any = None
    if options.params_file is not None:
        try:
            given = yaml.safe_load(options.params_file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise BringupError(f"params_file: {options.params_file}: {error}") from None
    for key in ("/**", "ros__parameters", parameter):
        given = given.get(key) if isinstance(given, dict) else None
    return str(given or default_of(parameter))


def executable_path(name: str) -> Path:
    """Where the build installed the executable `name` of this package; a path is left as it is."""
    if os.path.isabs(name):
        return Path(name)
    path = _prefix() / "lib" / PACKAGE / name
    if not path.is_file():
        raise BringupError(f"{PACKAGE} is built without its executable {name!r}; build it again")
    return path


def share_folder() -> Path:
    """Where the build installed this package's configuration, bundles and speakers."""
    return _prefix() / "share" / PACKAGE


def _process(
    name: str,
    options: BringupOptions,
    environment: Mapping[str, str],
    parameters: Mapping[str, Parameter],
    remappings: Mapping[str, str] | None = None,
    *,
    respawn: bool = True,
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        executable=name,
        # Not a `__ns` remapping: that would give all robots of the reactor process one namespace.
        parameters={
            "namespace": options.namespace,
            "use_sim_time": options.use_sim_time,
            **parameters,
        },
        parameter_files=() if options.params_file is None else (options.params_file,),
        remappings=remappings or {},
        log_level=options.log_level,
        environment=_transport_environment(environment),
        respawn=respawn,
    )


def _perception_parameters(options: BringupOptions) -> dict[str, Parameter]:
    return {**_shared_parameters(options), **_given(analyzer=options.analyzer)}


def _reactor_parameters(options: BringupOptions) -> dict[str, Parameter]:
    return {**_given(robots=_robots(options)), **_shared_parameters(options)}


def _shared_parameters(options: BringupOptions) -> dict[str, Parameter]:
    return _given(bundle=options.bundle, device=options.device, autostart=options.autostart)


def _robots(options: BringupOptions) -> str | None:
    return ",".join(map(str, options.robots)) or None


def _given(**parameters: Parameter | None) -> dict[str, Parameter]:
    """Only what the user chose; the rest keeps the default of the parameter files."""
    return {name: value for name, value in parameters.items() if value is not None}


def _remappings(**topics: str) -> dict[str, str]:
    return {name: topic for name, topic in topics.items() if topic != name}


def _transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Shared memory large enough for camera images, unless the user has chosen transports."""
    if any(environment.get(variable) for variable in PROFILE_VARIABLES):
        return {}
    return {PROFILE_VARIABLES[0]: str(share_folder() / "fastdds.xml")}


def _prefix() -> Path:
    try:
        return Path(get_package_prefix(PACKAGE))
    except PackageNotFoundError as error:
        raise BringupError(
            f"the package {PACKAGE} is not found: build it with colcon, then source "
            "install/setup.bash (docs/install.md)"
        ) from error
