"""Who somebody is: the few numbers in which simulated people differ.

That people differ lastingly in how much their face shows: J. J. Gross, O. P. John: "Revealing
feelings: facets of emotional expressivity", JPSP 72(2), 1997. In whom they mimic and how much:
U. Hess, A. Fischer: "Emotional mimicry as social regulation", Personality and Social Psychology
Review 17(2), 2013. Ranges are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import yaml

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.installed import config_file

SHIPPED_PERSONAS = ("warm", "lively", "reserved", "stoic")
"""Those in config/personas."""


class PersonaError(ValueError):
    """A persona that nobody can be. The message says what was wrong and what would be right."""


_RANGES: Mapping[str, tuple[float, float]] = {
    "expressivity": (0.05, 1.5),
    "mimicry_gain": (0.0, 1.0),
    "mimicry_lag": (0.2, 1.5),
    "backchannel_rate": (0.0, 30.0),
    "baseline_valence": (-0.8, 0.8),
    "head_motion": (0.0, 2.0),
    "blink_rate": (2.0, 45.0),
    "gaze_aversion": (0.0, 0.6),
    "tempo": (0.5, 2.0),
    "talk_rate": (3.0, 7.0),
    "voice_pitch": (70.0, 300.0),
}


@dataclass(frozen=True)
class Persona:
    """A simulated person. Raises PersonaError.

    expressivity: size of all movements of the face, 1 is usual. mimicry_gain: share of the other's
    expression that is shown in return; mimicry_lag: after how many seconds, and so are reactions.
    backchannel_rate: nods a minute while somebody talks. baseline_valence: the mood that is
    returned to, -0.8..0.8. head_motion: size of nods and sway, 1 is usual. blink_rate: a minute.
    gaze_aversion: share of the time of listening in which they look away. tempo: speed of
    movements. favourite_units: action unit -> how much of it (0..1) joins their reactions.
    talk_rate: syllables a second. voice_pitch: Hz.
    """

    name: str
    expressivity: float
    mimicry_gain: float
    mimicry_lag: float
    backchannel_rate: float
    baseline_valence: float
    head_motion: float
    blink_rate: float
    gaze_aversion: float
    favourite_units: Mapping[str, float] = field(default_factory=dict)
    tempo: float = 1.0
    talk_rate: float = 4.5
    voice_pitch: float = 150.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PersonaError(f"persona '{self.name}': {name} must be a number, not {value!r}")
            if not low <= value <= high:
                raise PersonaError(
                    f"persona '{self.name}': {name} is {value:g}; it must be {low:g} to {high:g}"
                )
            object.__setattr__(self, name, float(value))
        units = self.favourite_units
        if not isinstance(units, Mapping):
            raise PersonaError(
                f"persona '{self.name}': favourite_units must be a table of action units and "
                f"weights, such as {{AU14: 0.3}}, not {units!r}"
            )
        for unit, weight in units.items():
            if unit not in ACTION_UNITS:
                raise PersonaError(
                    f"persona '{self.name}': there is no action unit '{unit}'; "
                    f"known: {', '.join(ACTION_UNITS)}"
                )
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                raise PersonaError(
                    f"persona '{self.name}': the weight of {unit} must be a number, not {weight!r}"
                )
            if not 0.0 <= weight <= 1.0:
                raise PersonaError(
                    f"persona '{self.name}': the weight of {unit} is {weight:g}; it must be 0 to 1"
                )
        ordered = {unit: float(units[unit]) for unit in ACTION_UNITS if unit in units}
        object.__setattr__(self, "favourite_units", MappingProxyType(ordered))

    def __reduce__(self) -> Any:
        return Persona.from_dict, (self.to_dict(),)  # a mapping proxy cannot be pickled

    @property
    def favourites(self) -> np.ndarray:
        """(15,): weight of each action unit in `favourite_units`."""
        return np.array([self.favourite_units.get(unit, 0.0) for unit in ACTION_UNITS])

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes, for JSON and YAML."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return values | {"favourite_units": dict(self.favourite_units)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Persona:
        """Raises PersonaError where a trait is missing or unknown."""
        if not isinstance(values, Mapping):
            raise PersonaError(f"a persona is a table of traits, not {type(values).__name__}")
        fields = dataclasses.fields(cls)
        known = {each.name for each in fields}
        needed = [
            each.name
            for each in fields
            if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        ]
        name = values.get("name", "?")
        unknown = sorted(set(map(str, values)) - known)
        if unknown:
            raise PersonaError(
                f"persona '{name}': unknown trait '{unknown[0]}'; known: {', '.join(sorted(known))}"
            )
        missing = [each for each in needed if each not in values]
        if missing:
            raise PersonaError(f"persona '{name}': {', '.join(missing)} must be given")
        return cls(**dict(values))


def load_persona(path: Path | str) -> Persona:
    """A persona from a YAML file. Its name is the file's, unless it gives one.

    Raises PersonaError, and OSError for a file that cannot be read.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PersonaError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise PersonaError(f"{path} must be a table of traits, such as 'expressivity: 1.0'")
    try:
        return Persona.from_dict({"name": path.stem, **values})
    except PersonaError as error:
        raise PersonaError(f"{path}: {error}") from error


def shipped_persona(name: str) -> Persona:
    """One of SHIPPED_PERSONAS. Raises PersonaError for another name."""
    if name not in SHIPPED_PERSONAS:
        raise PersonaError(
            f"there is no shipped persona '{name}'; there are {', '.join(SHIPPED_PERSONAS)}"
        )
    return load_persona(config_file(f"personas/{name}.yaml"))


_FAVOURITES = ("AU1", "AU2", "AU4", "AU7", "AU9", "AU10", "AU14", "AU15", "AU17", "AU23", "AU24")
"""Units that can be a habit; smiles and open mouths are in everybody's repertoire."""


def draw_persona(generator: np.random.Generator, name: str) -> Persona:
    """Somebody from the population: traits independent of each other, favourites two or three."""
    draw = generator.uniform
    count = int(generator.integers(2, 4))
    chosen = generator.choice(len(_FAVOURITES), count, replace=False)
    weights = generator.uniform(0.2, 0.55, count)
    deep = generator.random() < 0.5
    return Persona(
        name=name,
        expressivity=round(float(draw(0.4, 1.4)), 3),
        mimicry_gain=round(float(draw(0.1, 0.8)), 3),
        mimicry_lag=round(float(draw(0.4, 1.2)), 3),
        backchannel_rate=round(float(draw(2.0, 18.0)), 2),
        baseline_valence=round(float(draw(-0.6, 0.7)), 3),
        head_motion=round(float(draw(0.4, 1.6)), 3),
        blink_rate=round(float(draw(8.0, 28.0)), 2),
        gaze_aversion=round(float(draw(0.05, 0.4)), 3),
        tempo=round(float(draw(0.75, 1.35)), 3),
        talk_rate=round(float(draw(4.0, 5.5)), 3),
        voice_pitch=round(float(draw(90.0, 140.0) if deep else draw(165.0, 240.0)), 1),
        favourite_units={
            _FAVOURITES[unit]: round(float(weight), 3)
            for unit, weight in zip(chosen, weights, strict=True)
        },
    )
