"""Which topics of a bag are replayed, and as what: found by type, or named by the user.

Raw sensors come before encoded behaviour. Where several topics of a kind could be meant, the one
with the nodes' own default name is; otherwise the user has to say.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from perreactor_model.face_analysis.choice import LANDMARKS, NONE
from perreactor_ros.audio_types import AUDIO_TYPES, audio_adapter

if TYPE_CHECKING:
    from perreactor_ros.bags.reader import BagReader

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
BEHAVIOUR = "perreactor_ros/msg/SpeakerBehaviour"
REACTION = "perreactor_ros/msg/FacialReaction"
ACTION_UNITS = "hri_msgs/msg/FacialActionUnits"
BOOL = "std_msgs/msg/Bool"
AUDIO = {name.replace("/", "/msg/"): name for name in AUDIO_TYPES}
"""ROS types of sound, and what the parameter `audio_type` calls them."""

_MOST_TRIED = 100
"""Messages of a topic that are looked at until one can be read."""

AUDIO_INFO = "audio_common_msgs/msg/AudioInfo"


class ReplayError(ValueError):
    """A bag, or what was asked of it, that makes no replay; says what is there and what to do."""


@dataclass(frozen=True)
class TopicOptions:
    """Topics that the user named; None (or none) are found by type."""

    image: str | None = None
    audio: str | None = None
    behaviour: str | None = None
    real: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """The topics to replay; None: there is none. `notes` say what is missing or left aside.

    Where `behaviour` is there (encoded already), only reactors run, and camera and microphone are
    merely shown; otherwise some of the sensors are there.
    """

    behaviour: str | None = None
    image: str | None = None
    compressed: bool = False
    attributes: str | None = None
    audio: str | None = None
    audio_type: str | None = None
    audio_info: str | None = None
    robot_speaking: str | None = None
    real: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """Topic -> name of the input of perception, or "behaviour": what the pipeline is fed."""
        if self.behaviour is not None:
            return {self.behaviour: "behaviour"}
        named = {
            "compressed" if self.compressed else "image": self.image,
            "attributes": self.attributes,
            "audio": self.audio,
            "audio_info": self.audio_info,
            "robot_speaking": self.robot_speaking,
        }
        return {topic: kind for kind, topic in named.items() if topic is not None}


@dataclass(frozen=True)
class Used:
    """How perception sees: with an encoder of `pixels`, with an analyzer that `looks`, or neither
    (then it must be told the speaker's attributes).
    """

    pixels: bool
    looks: bool

    @property
    def images(self) -> bool:
        """Whether pictures are of use."""
        return self.pixels or self.looks


def find_sources(
    reader: BagReader,
    visual_input: str,
    model_id: str,
    options: TopicOptions | None = None,
    analyzer: str = NONE,
) -> Sources:
    """The topics of a bag that a bundle with this visual input and id can be fed with.

    With `analyzer` landmarks, facial attributes are measured in the camera's pictures. Raises
    ReplayError where the choice is not clear, or there is nothing to react to.
    """
    used = Used(visual_input == "face_image", analyzer == LANDMARKS)
    return _Search(reader, used, model_id, options or TopicOptions()).sources()


class _Search:
    def __init__(self, reader: BagReader, used: Used, model_id: str, options: TopicOptions) -> None:
        self._reader = reader
        self._used = used
        self._model_id = model_id
        self._options = options
        self._notes: list[str] = []
        self._foreign: dict[str, str] = {}

    def sources(self) -> Sources:
        options = self._options
        encoded, described = self._behaviours()
        if options.behaviour is not None and encoded:
            return self._behaviour_alone(encoded[0])
        audio = self._audio()
        attributes = self._described(described)
        image = self._image() if self._used.images else None
        visual = image if self._used.pixels else image or attributes
        sensors = [each for each in (visual, audio) if each is not None]
        asked = options.image is not None or options.audio is not None
        if encoded and len(sensors) < 2 and not asked:
            topic = self._one(encoded, ("/speaker/behaviour",), "the speaker's behaviour")
            assert topic is not None
            return self._behaviour_alone(topic)
        if not sensors:
            raise ReplayError(self._nothing())
        self._say_what_is_missing(visual, audio)
        return self._with_sensors(image, audio, attributes=attributes)

    def _behaviour_alone(self, topic: str) -> Sources:
        shown: dict[str, str | None] = {}
        for kind, find in (("image", self._image), ("audio", self._audio)):
            try:
                shown[kind] = find()
            except ReplayError:
                shown[kind] = None  # it is not clear which one, and reactions do not need it
        self._notes.clear()  # what the sensors lack does not matter
        return self._with_sensors(shown["image"], shown["audio"], behaviour=topic)

    def _with_sensors(self, image: str | None, audio: str | None, **others: str | None) -> Sources:
        return Sources(
            image=image,
            compressed=image is not None and self._type(image) == COMPRESSED_IMAGE,
            audio=audio,
            audio_type=None if audio is None else AUDIO[self._type(audio)],
            audio_info=None if audio is None else self._audio_info(audio),
            robot_speaking=self._robot_speaking(),
            real=self._real(),
            notes=tuple(self._notes),
            **others,
        )

    # --- Kinds of topics -------------------------------------------------------------------------

    def _behaviours(self) -> tuple[list[str], list[str]]:
        """Topics of encoded behaviour that fits the bundle, and those an analyzer filled."""
        named = self._options.behaviour
        listeners = {f"/{topic.lstrip('/')}" for topic in self._options.real}
        topics = [topic for topic in self._of((BEHAVIOUR,)) if topic not in listeners]
        if named is not None:
            topics = [self._named(named, (BEHAVIOUR,), "--behaviour-topic")]
        encoded, described = [], []
        for topic in topics:
            first = self._first(topic)
            if first is None:
                continue
            if not len(first.token):
                described.append(topic)
            elif first.model_id == self._model_id:
                encoded.append(topic)
            else:
                self._foreign[topic] = first.model_id
        if named is not None and not encoded and not described:
            raise ReplayError(self._nothing())
        return encoded, described

    def _image(self) -> str | None:
        types = (IMAGE, COMPRESSED_IMAGE)
        if self._options.image is not None:
            return self._named(self._options.image, types, "--image-topic")
        topics = [each for each in self._of(types) if not each.endswith("/face_view")]
        # The same camera twice, as image_transport publishes it: the raw one serves.
        topics = [each for each in topics if each.rpartition("/")[0] not in topics]
        return self._one(topics, ("/image", "/image/compressed"), "the camera", "--image-topic")

    def _described(self, topics: list[str]) -> str | None:
        what = "the speaker's attributes"
        return self._one(topics, ("/speaker/attributes",), what, "--behaviour-topic")

    def _audio(self) -> str | None:
        types = tuple(AUDIO)
        if self._options.audio is not None:
            return self._named(self._options.audio, types, "--audio-topic")
        return self._one(self._of(types), ("/audio",), "the microphone", "--audio-topic")

    def _audio_info(self, audio: str) -> str | None:
        if audio_adapter(AUDIO[self._type(audio)]).info_type_name is None:
            return None
        beside = audio.rpartition("/")[0]
        topics = self._of((AUDIO_INFO,))
        near = [each for each in topics if each.rpartition("/")[0] == beside] or topics
        return near[0] if near else None

    def _robot_speaking(self) -> str | None:
        topics = [each for each in self._of((BOOL,)) if each.endswith("/robot_speaking")]
        if len(topics) > 1 and "/robot_speaking" not in topics:
            self._notes.append(
                f"{' and '.join(topics)} say when a robot speaks: none of them is heeded, for "
                "perception hears one"
            )
            return None
        return self._one(topics, ("/robot_speaking",), "when the robot speaks")

    def _real(self) -> tuple[str, ...]:
        if self._options.real:
            # Behaviour is a speaker's unless it is named: perception may look at a listener too.
            types = (ACTION_UNITS, REACTION, BEHAVIOUR)
            return tuple(self._named(each, types, "--real-topic") for each in self._options.real)
        topics = self._of((ACTION_UNITS,))
        for topic in self._of((REACTION,)):
            first = self._first(topic)
            if first is not None and not first.model_id:
                topics.append(topic)
        if len(topics) > 1:
            self._notes.append(
                f"{', '.join(topics)} may each be the listener's real reactions: none is scored "
                "against; name one (or several of one listener) with --real-topic"
            )
            return ()
        return tuple(topics)

    # --- Choosing --------------------------------------------------------------------------------

    def _of(self, types: Collection[str]) -> list[str]:
        found = [each for each in self._reader.topics.values() if each.type in types]
        for each in found:
            if not each.count:
                self._notes.append(f"{each.name} ({each.type}) holds no message")
        return sorted(each.name for each in found if each.count)

    def _named(self, topic: str, types: Collection[str], option: str) -> str:
        """A topic that the user named, with or without its first slash. Raises ReplayError."""
        topics = self._reader.topics
        found = topics.get(topic) or topics.get(f"/{topic}")
        if found is None:
            close = difflib.get_close_matches(topic, topics, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ReplayError(
                f"{option}: there is no topic {topic} in the bag; {hint}{self._list()}"
            )
        if found.type not in types:
            raise ReplayError(
                f"{option}: {found.name} is of type {found.type}; expected {' or '.join(types)}"
            )
        return found.name

    def _one(
        self, topics: Sequence[str], default: Collection[str], what: str, option: str = ""
    ) -> str | None:
        """The only topic, or the one with a default name. Raises ReplayError if it is not clear."""
        if len(topics) <= 1:
            return topics[0] if topics else None
        usual = [each for each in topics if each in default]
        if not usual:
            raise ReplayError(
                f"several topics of the bag may be {what}: {', '.join(topics)}; "
                f"name one with {option or '--behaviour-topic'}"
            )
        return usual[0]

    def _type(self, topic: str) -> str:
        return self._reader.topics[topic].type

    def _first(self, topic: str) -> Any | None:
        """The topic's first message that can be read, or None."""
        refusals = []
        for message in islice(self._reader.messages([topic]), _MOST_TRIED):
            try:
                return message.read()
            except ValueError as error:
                refusals.append(str(error))
        if refusals:
            self._notes.append(f"{topic} is left out: {refusals[0]}")
        return None

    # --- What to say -----------------------------------------------------------------------------

    def _say_what_is_missing(self, visual: str | None, audio: str | None) -> None:
        if visual is None and self._used.images:
            self._notes.append(
                "no camera (no topic of sensor_msgs/msg/Image or CompressedImage): the robots hear "
                "the speaker and see nobody"
            )
        elif visual is None:
            self._notes.append(
                "no attributes of the speaker (SpeakerBehaviour with an empty token), which are "
                "what this bundle sees: the robots hear the speaker and see nobody"
            )
        if audio is None:
            self._notes.append(f"no microphone{self._unread_sound()}: the voice counts as absent")

    def _unread_sound(self) -> str:
        known = {*AUDIO, AUDIO_INFO}
        strange = [
            f"{each.name} is of type {each.type}"
            for each in self._reader.topics.values()
            if "audio" in each.type.lower() and each.type not in known
        ]
        if not strange:
            return ""
        return f" that can be read ({', '.join(strange)}; known: {', '.join(AUDIO)})"

    def _nothing(self) -> str:
        if self._foreign:
            topic, model_id = next(iter(self._foreign.items()))
            return (
                f"{topic} was encoded by bundle '{model_id}', which is of no use to bundle "
                f"'{self._model_id}': give --bundle {model_id.rpartition('-')[0] or model_id}"
            )
        seen = (
            f"images ({IMAGE}, {COMPRESSED_IMAGE}; --image-topic)"
            if self._used.images
            else f"attributes ({BEHAVIOUR} with an empty token; --behaviour-topic)"
        )
        return (
            f"there is no speaker to react to: this bundle takes {seen}, sound "
            f"({', '.join(AUDIO)}; --audio-topic), or encoded behaviour ({BEHAVIOUR}; "
            f"--behaviour-topic); {self._list()}{self._why_unread()}"
        )

    def _why_unread(self) -> str:
        reasons = [*self._notes, *self._reader.troubles]
        return "".join(f"\n  {reason}" for reason in dict.fromkeys(reasons))

    def _list(self) -> str:
        topics = self._reader.topics.values()
        if not topics:
            return "the bag has no topics"
        return "the bag has " + ", ".join(f"{each.name} ({each.type})" for each in topics)
