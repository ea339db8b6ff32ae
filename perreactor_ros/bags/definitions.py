"""What the messages in a bag look like: from the bag itself, else from what is known here.

Our own messages come from this package's .msg files. For bags without definitions (recorded before
ROS 2 Iron) the layouts of a few foreign messages that perception or scoring can use are known too.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ament_index_python.packages import get_package_share_directory
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from perreactor_ros.bags.errors import BagError

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

PACKAGE = "perreactor_ros"
OWN_MESSAGES = (
    "AudioChunk",
    "EnrolmentState",
    "FacialReaction",
    "ReactorState",
    "SpeakerBehaviour",
)

_SEPARATOR = "=" * 80

_HEADER = "std_msgs/Header header"
_FOREIGN = {
    "hri_msgs/msg/FacialActionUnits": (_HEADER, "float32[] intensity", "float32[] confidence"),
    # ros-drivers' audio_common
    "audio_common_msgs/msg/AudioData": ("uint8[] data",),
    "audio_common_msgs/msg/AudioDataStamped": (_HEADER, "audio_common_msgs/AudioData audio"),
    "audio_common_msgs/msg/AudioInfo": (
        "uint8 channels", "uint32 sample_rate", "string sample_format", "uint32 bitrate",
        "string coding_format",
    ),
    # mgonzs13's audio_common: another package of the same name, whose inner messages are called
    # like those above and get another package name here
    "audio_common_msgs/msg/AudioStamped": (_HEADER, "typed_audio_msgs/Audio audio"),
    "typed_audio_msgs/msg/Audio": (
        "typed_audio_msgs/AudioData audio_data", "typed_audio_msgs/AudioInfo info",
    ),
    "typed_audio_msgs/msg/AudioData": (
        "float32[] float32_data", "int32[] int32_data", "int16[] int16_data", "int8[] int8_data",
        "uint8[] uint8_data",
    ),
    "typed_audio_msgs/msg/AudioInfo": (
        "int32 format", "int32 channels", "int32 rate", "int32 chunk",
    ),
}  # fmt: skip


class Definitions:
    """Types by name, for one bag. `embedded` are texts from the bag: type -> (text, is IDL)."""

    def __init__(self, embedded: dict[str, tuple[str, bool]]) -> None:
        self.troubles: list[str] = []
        self._types = dict(_known())
        self._unreadable: dict[str, str] = {}
        self._stores: dict[str, Typestore] = {}
        for name, (text, is_idl) in embedded.items():
            self._take(name, text, is_idl)

    def refusal(self, name: str) -> str | None:
        """Why messages of this type are not read, in a sentence's end; None if they are."""
        if name in self._unreadable:
            return self._unreadable[name]
        if name not in self._types:
            return (
                "its definition is neither in the bag nor known here; record it again with ROS 2 "
                "Iron or later, which stores definitions"
            )
        return None

    def read(self, cdr: bytes, name: str) -> Any:
        """The message as an object with its fields, arrays as numpy arrays. Raises BagError."""
        refusal = self.refusal(name)
        if refusal is not None:
            raise BagError(f"{name} cannot be read: {refusal}")
        try:
            return self._store(name).deserialize_cdr(cdr, name)
        except Exception as error:  # rosbags lets through whatever broken bytes lead to
            raise BagError(f"the bytes are no {name} ({error or type(error).__name__})") from None

    def _take(self, name: str, text: str, is_idl: bool) -> None:
        try:
            types = _parsed(name, text, is_idl)
            if name not in types:
                raise BagError("it defines another type")
            # Each type is read with its own text, since another one may bring another version.
            store = _store_of({**self._types, **types}, name)
        except Exception as error:  # parsers raise of all kinds
            reason = " ".join(str(error).split())[:200]
            known = ": it is read as the one known here" if name in self._types else ""
            self.troubles.append(f"the bag's definition of {name} cannot be read ({reason}){known}")
            return
        if name in own_types():
            difference = _difference(name, _known(), types)
            if difference:
                self._unreadable[name] = (
                    f"the bag's {difference}; it was recorded with another version of {PACKAGE}: "
                    "record it again, or replay it with that version"
                )
        self._stores[name] = store
        self._types[name] = types[name]

    def _store(self, name: str) -> Typestore:
        if name not in self._stores:
            self._stores[name] = _store_of(self._types, name)
        return self._stores[name]


@cache
def own_types() -> dict[str, Any]:
    """This package's messages: type -> rosbags' description of its fields."""
    types: dict[str, Any] = {}
    for message in OWN_MESSAGES:
        text = (message_folder() / f"{message}.msg").read_text(encoding="utf-8")
        types.update(get_types_from_msg(text, f"{PACKAGE}/msg/{message}"))
    return types


def message_folder() -> Path:
    """Where this package's .msg files are: installed, or in the source tree."""
    source = Path(__file__).resolve().parents[2]
    if (source / "package.xml").is_file():
        return source / "msg"
    return Path(get_package_share_directory(PACKAGE)) / "msg"


def writing_store() -> Typestore:
    """Standard messages of Jazzy and our own, to write with."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(own_types())
    return store


def installed_types(name: str, known: Container[str]) -> dict[str, Any]:
    """A type of a package that is installed here, with those it contains and that are not known.

    Raises BagError where a .msg file is missing.
    """
    types: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in types or each in known:
            continue
        package, _, message = each.partition("/msg/")
        try:
            text = Path(get_package_share_directory(package), "msg", f"{message}.msg").read_text()
        except (LookupError, OSError, ValueError) as error:
            raise BagError(f"the definition of {each} is not installed here ({error})") from None
        types.update(get_types_from_msg(text, each))
        waiting += _contained(types[each])
    return types


@cache
def _known() -> dict[str, Any]:
    """Standard, our own and known foreign types."""
    types = dict(get_typestore(Stores.ROS2_JAZZY).fielddefs)
    types.update(own_types())
    types.update(_of_layouts(_FOREIGN))
    return types


def _of_layouts(layouts: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    types: dict[str, Any] = {}
    for name, lines in layouts.items():
        types.update(get_types_from_msg("\n".join(lines), name))
    return types


def _parsed(name: str, text: str, is_idl: bool) -> dict[str, Any]:
    if not is_idl:
        return get_types_from_msg(text, name)
    types: dict[str, Any] = {}
    parts = text.split(f"{_SEPARATOR}\n") if text.startswith(f"{_SEPARATOR}\nIDL: ") else [text]
    for part in filter(None, parts):
        types.update(get_types_from_idl(part.partition("\n")[2] if "IDL: " in part else part))
    return types


def _store_of(types: dict[str, Any], name: str) -> Typestore:
    """A store with this type and those that it contains. Raises BagError where one is unknown."""
    wanted: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in types:
            raise BagError(f"{each} is defined nowhere")
        if each not in wanted:
            wanted[each] = types[each]
            waiting += _contained(types[each])
    store = get_typestore(Stores.EMPTY)
    store.register(wanted)
    return store


def _contained(definition: Any) -> list[str]:
    """Names of the types that a definition's fields have."""
    names: list[str] = []
    for _, (kind, inner) in definition[1]:
        if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
            kind, inner = inner[0]
        if kind is Nodetype.NAME:
            names.append(inner)
    return names


def _difference(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """The first place where bytes of their type would be misread as ours; empty if there is none.

    Fields behind all of ours do no harm.
    """
    other = theirs[name][1]
    for place, (field, description) in enumerate(ours[name][1]):
        if place >= len(other):
            return f"{name} ends before the field {field} ({_written(description)})"
        if other[place] != (field, description):
            their_field, their_description = other[place]
            return (
                f"{name} has '{_written(their_description)} {their_field}' where "
                f"'{_written(description)} {field}' is expected"
            )
    for inner in _contained(ours[name]):
        if inner in theirs and (difference := _same(inner, ours, theirs)):
            return difference
    return ""


def _same(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """As `_difference`, for a type inside another one, where further fields do harm."""
    if len(theirs[name][1]) > len(ours[name][1]):
        return f"{name} has the further field {theirs[name][1][len(ours[name][1])][0]}"
    return _difference(name, ours, theirs)


def _written(description: Any) -> str:
    """A field's type as a .msg file has it."""
    kind, inner = description
    if kind == Nodetype.ARRAY:
        return f"{_written(inner[0])}[{inner[1]}]"
    if kind == Nodetype.SEQUENCE:
        return f"{_written(inner[0])}[{f'<={inner[1]}' if inner[1] else ''}]"
    if kind == Nodetype.NAME:
        return str(inner).replace("/msg/", "/")
    return str(inner[0])
