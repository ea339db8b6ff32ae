"""The one way parameters are declared, and the one place their default values come from.

A `Parameter` is a name, a sentence, and a range or choices; its default value and with it its type
stand in `config/reactor.yaml`. Load-time parameters are read-only.
"""

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy.parameter
import yaml
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node

_CONFIG = Path("config", "reactor.yaml")


class ParameterError(ValueError):
    """A parameter that is wrong or cannot be read; the message names it and what would be right."""


@dataclass(frozen=True)
class Parameter:
    """What a parameter is: `description` in one sentence, and what values it takes.

    `low` and `high` bound a number, both ends included; `choices` are the only texts accepted.
    Load-time parameters (`read_only`) keep the value that the process was started with.
    """

    name: str
    description: str
    read_only: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def descriptor(self, default: Any) -> ParameterDescriptor:
        """The descriptor that ROS shows for it."""
        descriptor = ParameterDescriptor(
            name=self.name, description=self.description, read_only=self.read_only
        )
        if self.choices:
            descriptor.additional_constraints = f"one of: {', '.join(self.choices)}"
        if self.low is not None and self.high is not None:
            if isinstance(default, int):
                bounds = IntegerRange(from_value=int(self.low), to_value=int(self.high))
                descriptor.integer_range = [bounds]
            else:
                limits = FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                descriptor.floating_point_range = [limits]
        return descriptor


def declare(
    node: Node, parameters: Iterable[Parameter], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Declare parameters and return their values by name.

    `given` values count more than what the process was started with. Raises ParameterError for a
    value of the wrong type, out of range, or not among the choices.
    """
    parameters = list(parameters)
    choices = {parameter.name: parameter.choices for parameter in parameters if parameter.choices}
    if choices:
        node.add_on_set_parameters_callback(lambda changes: _among_choices(changes, choices))
    values = {}
    for parameter in parameters:
        default = default_of(parameter.name)
        forced = parameter.name in (given or {})
        value = given[parameter.name] if given and forced else default
        try:
            declared = node.declare_parameter(
                parameter.name, value, parameter.descriptor(default), ignore_override=forced
            )
        except Exception as error:
            raise ParameterError(f"parameter {parameter.name}: {error}") from error
        values[parameter.name] = declared.value
    return values


def default_of(name: str) -> Any:
    """The default value of a parameter. Raises ParameterError if config/reactor.yaml has none."""
    try:
        return defaults()[name]
    except KeyError:
        raise ParameterError(f"{config_path()} has no default for parameter '{name}'") from None


@functools.cache
def defaults() -> Mapping[str, Any]:
    """Every default value by name, from config/reactor.yaml. Raises ParameterError."""
    path = config_path()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ParameterError(f"{path} is no parameter file: {error!r}") from error
    return values


def config_path() -> Path:
    """Where config/reactor.yaml is: in the source tree, or where the package is installed."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    places = [Path(__file__).resolve().parents[1] / _CONFIG]
    places += [Path(prefix, "share", "perreactor_ros") / _CONFIG for prefix in prefixes if prefix]
    for place in places:
        if place.is_file():
            return place
    raise ParameterError(f"{_CONFIG} is not installed; looked at {', '.join(map(str, places))}")


def _among_choices(
    changes: Iterable[rclpy.parameter.Parameter], choices: Mapping[str, tuple[str, ...]]
) -> SetParametersResult:
    for change in changes:
        known = choices.get(change.name)
        if known and change.value not in known:
            reason = f"{change.name} is '{change.value}': choose one of {', '.join(known)}"
            return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)
