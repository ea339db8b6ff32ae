"""The settings of an offline run: those that the nodes would have, from the very same files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from perreactor_model.streaming.engine import EngineSettings
from perreactor_ros.audio_types import PcmFormat
from perreactor_ros.parameters import ParameterError, defaults
from perreactor_ros.perceiving import PERCEIVER_OPTIONS
from perreactor_ros.reactor_parameters import beta_of, profile_folders

_NODES = ("perception", "reactor_process")


@dataclass(frozen=True)
class NodeSettings:
    """What perception and the reactor process run with.

    `perceiver` are the options of `Perceiving.load`; `profile_folders` those in which profiles are
    looked for before all others; `assumed_sound` is the format of sound that does not tell it.
    """

    perceiver: Mapping[str, Any]
    engine: EngineSettings
    profile_folders: tuple[Path, ...]
    frame_id: str
    assumed_sound: PcmFormat | None


def node_settings(given: Mapping[str, Any], params_file: Path | None = None) -> NodeSettings:
    """The settings of config/reactor.yaml, then a parameter file's, then those `given`.

    Raises ParameterError for a file or a value that the nodes would not take, and ValueError.
    """
    values = dict(defaults())
    sections = {} if params_file is None else _read_sections(params_file)
    perception = _merged(values, sections, "perception") | dict(given)
    reactor = _merged(values, sections, "reactor_process") | dict(given)
    names = {field.name for field in dataclasses.fields(EngineSettings)} & values.keys()
    rate = perception["audio_rate"]
    sound = PcmFormat(rate, perception["audio_channels"], perception["audio_format"])
    return NodeSettings(
        perceiver={name: perception[name] for name in PERCEIVER_OPTIONS},
        engine=EngineSettings(
            **{name: reactor[name] for name in names - {"beta"}}, beta=beta_of(reactor["beta"])
        ),
        profile_folders=profile_folders(reactor["profiles"]),
        frame_id=perception["frame_id"],
        assumed_sound=sound if rate else None,
    )


def _read_sections(path: Path) -> dict[str, dict[str, Any]]:
    """Node name ("**" for all) -> parameters, of those nodes that an offline run has."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        sections = {
            name.rpartition("/")[2]: dict(section["ros__parameters"])
            for name, section in document.items()
        }
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ParameterError(f"{path} is no parameter file: {error!r}") from error
    return {name: section for name, section in sections.items() if name in ("**", *_NODES)}


def _merged(
    values: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]], node: str
) -> dict[str, Any]:
    merged = dict(values)
    for name in ("**", node):
        for parameter, value in sections.get(name, {}).items():
            if parameter not in values:
                continue  # as the nodes do: a parameter that nobody declares is not looked at
            expected = type(values[parameter])
            if type(value) is not expected:
                raise ParameterError(
                    f"parameter {parameter} is {value!r}: give {expected.__name__}, "
                    f"as in {values[parameter]!r}"
                )
            merged[parameter] = value
    return merged
