"""The arguments of a bringup: one table for the launch file, `perreactor bringup` and the docs.

An empty argument means "as in the parameter files", so a default lives in config/reactor.yaml only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perreactor_model.bundle.manifest import BundleError, find_bundle
from perreactor_model.face_analysis.choice import CHOICES

LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"  # a name of the ROS graph without slashes
_NAMESPACE = re.compile(rf"/?{_TOKEN}(/{_TOKEN})*")
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


class BringupError(ValueError):
    """A wrong argument of a bringup; the message names it and what would be right."""


@dataclass(frozen=True)
class Argument:
    """One launch argument: its name, its default as text and one sentence on what it does."""

    name: str
    default: str
    description: str


ARGUMENTS = (
    Argument(
        "robots",
        "",
        "Robots and their listener profiles, as robot_a:warm,robot_b:stoic; "
        "empty: as in the parameter file (robot_a with profile generic).",
    ),
    Argument(
        "bundle",
        "",
        "Model bundle, a folder or the name of an installed one; empty: as in the parameter file.",
    ),
    Argument("image_topic", "image", "Camera topic that perception listens to."),
    Argument("audio_topic", "audio", "Microphone topic that perception listens to."),
    Argument(
        "video",
        "",
        "Video file with sound to play, looping, as camera and microphone; empty: no player.",
    ),
    Argument(
        "bag",
        "",
        "Rosbag2 recording to play once, in its own time, as camera and microphone; "
        "empty: no player.",
    ),
    Argument(
        "params_file",
        "",
        "YAML parameter file on top of the package's config/reactor.yaml; empty: none.",
    ),
    Argument("namespace", "", "ROS namespace of all nodes and relative topics; empty: the root."),
    Argument(
        "use_sim_time", "false", "Take the time from /clock instead of the system: true, false."
    ),
    Argument(
        "autostart",
        "",
        "Whether the managed nodes activate themselves: true, false; empty: as in the "
        "parameter file (true).",
    ),
    Argument("log_level", "info", f"Log level of all nodes: {', '.join(LOG_LEVELS)}."),
    Argument(
        "device",
        "",
        "Where the networks run: auto, cpu or cuda; empty: as in the parameter file (auto).",
    ),
    Argument(
        "analyzer",
        "",
        f"Who measures the speaker's facial attributes: {', '.join(CHOICES)}; "
        "empty: as in the parameter file (auto).",
    ),
)
"""The launch arguments, in the order in which they are shown."""


@dataclass(frozen=True)
class Robot:
    """A robot that reacts, and the listener profile that it starts with.

    Without a `profile`, its parameter `listener_profile` decides (generic by default).
    """

    name: str
    profile: str | None = None

    def __str__(self) -> str:
        return self.name if self.profile is None else f"{self.name}:{self.profile}"


def parse_robots(text: str) -> tuple[Robot, ...]:
    """Read `robot_a:warm,robot_b`, where robot_b has no profile. Empty text: no robots.

    Only the first colon separates, so `robot_a:replay:/some/file.csv` is a profile like any other.
    Raises BringupError on a name that ROS would refuse, an empty profile or a robot named twice.
    """
    robots: list[Robot] = []
    for entry in (part.strip() for part in text.split(",")) if text.strip() else ():
        name, colon, profile = entry.partition(":")
        if not re.fullmatch(_TOKEN, name):
            raise BringupError(
                f"robots: {name!r} is no robot name; use letters, digits and underscores, starting "
                "with a letter, as in robot_a:warm,robot_b:stoic"
            )
        if colon and not profile:
            raise BringupError(f"robots: {name!r} has an empty profile; write {name}:generic")
        if name in {robot.name for robot in robots}:
            raise BringupError(f"robots: {name!r} is given twice; each robot needs its own name")
        robots.append(Robot(name, profile or None))
    return tuple(robots)


@dataclass(frozen=True)
class BringupOptions:
    """The arguments of a bringup, read and checked. None means "as in the parameter files"."""

    robots: tuple[Robot, ...] = ()
    bundle: str | None = None
    image_topic: str = "image"
    audio_topic: str = "audio"
    video: Path | None = None
    bag: Path | None = None
    params_file: Path | None = None
    namespace: str = ""
    use_sim_time: bool = False
    autostart: bool | None = None
    log_level: str = "info"
    device: str | None = None
    analyzer: str | None = None

    def __post_init__(self) -> None:
        if self.video is not None and self.bag is not None:
            raise BringupError(
                f"video and bag are given, {self.video} and {self.bag}: one of them is camera and "
                "microphone, so give one"
            )

    @classmethod
    def from_text(cls, arguments: Mapping[str, str]) -> "BringupOptions":
        """Options from texts by argument name; missing ones take their default.

        Raises BringupError on an unknown argument, an unreadable value or a missing file.
        """
        known = {argument.name: argument.default for argument in ARGUMENTS}
        for name in arguments:
            if name not in known:
                raise BringupError(f"unknown argument {name!r}; known are: {', '.join(known)}")
        text = {**known, **arguments}
        return cls(
            robots=parse_robots(text["robots"]),
            bundle=_known_bundle(text["bundle"]),
            image_topic=_topic("image_topic", text["image_topic"]),
            audio_topic=_topic("audio_topic", text["audio_topic"]),
            video=_existing_file("video", text["video"]),
            bag=_existing_bag(text["bag"]),
            params_file=_existing_file("params_file", text["params_file"]),
            namespace=_namespace(text["namespace"]),
            use_sim_time=bool(_flag("use_sim_time", text["use_sim_time"])),
            autostart=_flag("autostart", text["autostart"]),
            log_level=_log_level(text["log_level"]),
            device=text["device"] or None,
            analyzer=_analyzer(text["analyzer"]),
        )


def join_namespaces(outer: str, inner: str) -> str:
    """The namespace `inner` inside `outer`, slashes only between; an absolute one stands alone."""
    if inner.startswith("/"):
        return inner.strip("/")
    return "/".join(part for part in (outer.strip("/"), inner.strip("/")) if part)


def _flag(name: str, text: str) -> bool | None:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    if not lowered:
        return None
    raise BringupError(f"{name}: {text!r} is neither true nor false")


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise BringupError(f"log_level: {text!r} is not one of {', '.join(LOG_LEVELS)}")
    return text.lower()


def _analyzer(text: str) -> str | None:
    if text and text not in CHOICES:
        raise BringupError(f"analyzer: {text!r} is not one of {', '.join(CHOICES)}")
    return text or None


def _namespace(text: str) -> str:
    if text.strip("/") and not _NAMESPACE.fullmatch(text.rstrip("/")):
        raise BringupError(
            f"namespace: {text!r} is no ROS namespace; use names of letters, digits and "
            "underscores joined by slashes, as in lab/left"
        )
    return text.strip("/")


def _topic(name: str, text: str) -> str:
    relative = text.removeprefix("~/")
    if not _NAMESPACE.fullmatch(relative):
        raise BringupError(
            f"{name}: {text!r} is no topic name; write it as in /camera/image_raw or image"
        )
    return text


def _known_bundle(text: str) -> str | None:
    """The name or path as it was given, once it is sure that there is such a bundle."""
    if not text:
        return None
    try:
        find_bundle(text)
    except BundleError as error:
        raise BringupError(f"bundle: {error}") from None
    return text


def _existing_file(name: str, text: str) -> Path | None:
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise BringupError(f"{name}: there is no file {text}")
    return path.absolute()


def _existing_bag(text: str) -> Path | None:
    """A recording is a folder with metadata.yaml, or a single file."""
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.exists():
        raise BringupError(f"bag: there is no rosbag2 recording {text}")
    return path.absolute()
