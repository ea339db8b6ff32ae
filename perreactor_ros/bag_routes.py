"""From the topics of a bag to those of the graph: what a player publishes, as what, and how.

Which topics are played is decided as for offline replay (`replay/topics.py`); they go out under the
names that perception and reactors listen to.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from perreactor_model.bundle.manifest import find_bundle, read_manifest
from perreactor_model.face_analysis.choice import AUTO, chosen_analyzer
from perreactor_ros import qos
from perreactor_ros.audio_types import audio_adapter
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.replay.topics import ReplayError, Sources, TopicOptions, find_sources

_IMAGE_OUT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
_AUDIO_OUT = QoSProfile(depth=50, reliability=QoSReliabilityPolicy.RELIABLE)

_NAMES = {
    "image": ("image", _IMAGE_OUT),
    "compressed": ("image/compressed", _IMAGE_OUT),
    "attributes": ("speaker/attributes", qos.BEHAVIOUR),
    "audio": ("audio", _AUDIO_OUT),
    "audio_info": ("audio_info", qos.STATE),
    "robot_speaking": ("robot_speaking", qos.EVENT),
    "behaviour": ("speaker/behaviour", qos.BEHAVIOUR),
}
"""Kind of a source -> name on the graph, relative, and quality of service that fits all."""


@dataclass(frozen=True)
class Route:
    """One topic of a bag, its type `package/msg/Name`, and what it is published as."""

    topic: str
    type_name: str
    message_class: type
    name: str
    qos: QoSProfile


@dataclass(frozen=True)
class BagRoutes:
    """What of a bag is played; `troubles` say in sentences what is not, and why.

    Those of them that only live nodes have, whose message types must be installed, are `left_out`.
    """

    routes: tuple[Route, ...]
    troubles: tuple[str, ...]
    sources: Sources
    left_out: tuple[str, ...] = ()

    @property
    def needs_perception(self) -> bool:
        """Whether the bag holds sensors; encoded behaviour goes to the reactors directly."""
        return self.sources.behaviour is None

    @property
    def perception_parameters(self) -> Mapping[str, str]:
        """What perception must know to hear the bag's pictures and sound."""
        parameters = {"image_transport": "compressed" if self.sources.compressed else "raw"}
        # A type that is not installed would keep perception from seeing, too.
        played = {route.topic for route in self.routes}
        if self.sources.audio_type is not None and self.sources.audio in played:
            parameters["audio_type"] = self.sources.audio_type
        return parameters


def find_routes(
    bag: Path, bundle: str, topics: TopicOptions | None = None, analyzer: str = AUTO
) -> BagRoutes:
    """What of a bag robots with this bundle (a name or folder) can react to.

    `analyzer` is perception's parameter of that name: `landmarks` makes use of pictures.

    Raises BagError for a bag that cannot be read, BundleError, and ReplayError where the choice of
    topics is not clear or nothing can be played.
    """
    manifest = read_manifest(find_bundle(bundle) / "bundle.json")
    with BagReader(bag) as reader:
        visual_input = manifest.model.visual_input
        chosen = chosen_analyzer(analyzer, visual_input)
        sources = find_sources(reader, visual_input, manifest.model_id, topics, chosen)
        troubles = [*reader.troubles, *sources.notes]
        routes: list[Route] = []
        left_out: list[str] = []
        for topic, kind in sources.kinds.items():
            if kind == "audio_info" and not _asks_for_info(sources.audio_type):
                continue
            type_name = reader.topics[topic].type
            try:
                message_class = _message_class(type_name)
            except (ImportError, AttributeError) as error:
                left_out.append(f"{topic} is left out: {type_name} is not installed here ({error})")
                continue
            name, profile = _NAMES[kind]
            routes.append(Route(topic, type_name, message_class, name, profile))
    troubles += left_out
    if not routes:
        raise ReplayError(f"nothing of {bag} can be played: {'; '.join(troubles)}")
    return BagRoutes(tuple(routes), tuple(troubles), sources, tuple(left_out))


def _asks_for_info(audio_type: str | None) -> bool:
    return audio_type is not None and audio_adapter(audio_type).info_type_name is not None


def _message_class(type_name: str) -> type:
    """Raises ImportError or AttributeError where the type is not installed."""
    package, _, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)
