"""From a config file and words like `loss.diversity=5` to checked options.

Later wins: defaults, config file, words. An unknown name is an error that suggests the right one.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from perreactor_model.networks.config import ConfigError
from perreactor_model.training.options import GROUPS, OptionError, TrainOptions, flat, keys


def read_config(path: Path) -> dict[str, Any]:
    """The options of a YAML file by dotted name.

    Raises OptionError for a file that is no mapping of groups, and for names nobody knows.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise OptionError(f"{path} is no YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise OptionError(f"{path} must hold groups of options ({', '.join(GROUPS)})")
    values: dict[str, Any] = {}
    for group, inner in content.items():
        if group in GROUPS and inner is None:
            continue
        if isinstance(inner, Mapping) or "." in str(group):
            values.update(flat({str(group): inner}))
        else:
            raise OptionError(f"{path}: {unknown(str(group))}")
    return {key: _typed(key, value, str(path)) for key, value in values.items()}


def read_words(words: Iterable[str]) -> dict[str, Any]:
    """The options of words `group.name=value`, by dotted name. Raises OptionError."""
    values: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise OptionError(f"'{word}' is no option: write it as group.name=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise OptionError(f"the value of '{word}' cannot be read: {error}") from error
        values[key.strip()] = _typed(key.strip(), value, "the command line")
    return values


def build(stage: str, *layers: Mapping[str, Any]) -> TrainOptions:
    """Options of a stage from layers by dotted name, later ones winning. Raises OptionError."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    parts: dict[str, Any] = {}
    for group, kind in GROUPS.items():
        inside = {
            key.partition(".")[2]: value
            for key, value in merged.items()
            if key.partition(".")[0] == group
        }
        try:
            parts[group] = kind(**inside)
        except ConfigError as error:
            raise OptionError(f"model: {error}") from error
    return TrainOptions(stage=stage, **parts)


def from_dict(values: Mapping[str, Any]) -> TrainOptions:
    """The inverse of `TrainOptions.to_dict`, for what a checkpoint holds. Raises OptionError."""
    options = {
        key: _typed(key, value, "the checkpoint")
        for key, value in flat({k: v for k, v in values.items() if k != "stage"}).items()
    }
    return build(str(values.get("stage")), options)


def unknown(key: str) -> str:
    """What is wrong with a name nobody knows, and what may have been meant."""
    known = keys()
    last = key.rpartition(".")[2]
    near = [name for name in known if name.partition(".")[2] == last]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    if not near and (close := difflib.get_close_matches(last, _names(), n=1, cutoff=0.7)):
        near = [name for name in known if name.partition(".")[2] == close[0]]
    if near:
        return f"unknown option {key!r}: did you mean {' or '.join(map(repr, near))}?"
    group = key.partition(".")[0]
    if group in GROUPS:
        names = ", ".join(name for name in known if name.startswith(f"{group}."))
        return f"unknown option {key!r}: there are {names}"
    return f"unknown option {key!r}: the groups are {', '.join(GROUPS)}"


def _names() -> list[str]:
    return [name.partition(".")[2] for name in keys()]


def _typed(key: str, value: Any, source: str) -> Any:
    """`value` as the type its option has; classes check the rest. Raises OptionError."""
    group, _, name = key.partition(".")
    if group not in GROUPS or name not in {part.name for part in fields(GROUPS[group])}:
        raise OptionError(f"{source}: {unknown(key)}")
    kind = get_type_hints(GROUPS[group])[name]
    try:
        return _converted(kind, value)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{source}: {key} must be {_called(kind)}, not {value!r}") from error


def _converted(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kinds = get_args(kind)
        if value is None and type(None) in kinds:
            return None
        return _converted(next(each for each in kinds if each is not type(None)), value)
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return tuple(
            _converted(each, part) for each, part in zip(get_args(kind), value, strict=True)
        )
    if kind is str and isinstance(value, bool):
        return str(value).lower()  # YAML has read the word
    if isinstance(value, (bool, list, dict)) or value is None:
        if kind is bool and isinstance(value, bool):
            return value
        raise TypeError
    if kind is bool:
        raise TypeError
    if kind is int and (isinstance(value, str) or float(value) != int(value)):
        raise TypeError
    # YAML 1.1 takes 1e-4 for a word.
    return kind(value)


def _called(kind: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    if get_origin(kind) is tuple:
        return f"a list of {len(get_args(kind))} values like [0.9, 0.999]"
    return names.get(kind, str(kind))
