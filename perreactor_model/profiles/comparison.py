"""How listeners differ: their patterns, and the traits that were measured with them.

Patterns are compared by their angle (a pattern's length is the same for all): cosine 1 is the same
direction, 0 nothing in common, -1 the opposite. What an angle means on a face is the decoder's
affair; the traits are what people can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perreactor_model.contract import ACTION_UNITS
from perreactor_model.profiles.profile import ListenerProfile
from perreactor_model.profiles.traits import TRAITS

_LARGEST = 1e9
"""What is larger is no trait. Python's whole numbers may even be too large for a float."""


@dataclass(frozen=True)
class Similarity:
    """Of two patterns: `cosine`, -1 to 1, and `distance`, the root mean square of the difference
    (0 is the same; 1.41 has nothing in common)."""

    cosine: float
    distance: float


def similarity(first: ListenerProfile, second: ListenerProfile) -> Similarity:
    """Compare two patterns of one bundle. Raises ValueError where the bundles differ."""
    if first.bundle != second.bundle:
        raise ValueError(
            f"'{first.name}' is of bundle {first.bundle}, '{second.name}' of {second.bundle}: "
            "patterns of different bundles cannot be compared"
        )
    a, b = first.pattern.astype(np.float64), second.pattern.astype(np.float64)
    sizes = float(np.linalg.norm(a) * np.linalg.norm(b))
    cosine = float(np.clip(a @ b / sizes, -1.0, 1.0)) if sizes > 0.0 else 0.0
    return Similarity(cosine, float(np.sqrt(np.mean((a - b) ** 2))))


@dataclass(frozen=True)
class Average:
    """Mean traits of some listeners: `traits` by name, `units` the mean of each action unit."""

    names: tuple[str, ...]
    traits: dict[str, float]
    units: dict[str, float]
    synthetic: bool
    """None of them is a person."""

    @property
    def whom(self) -> str:
        """What to call it in a sentence."""
        return "the made-up average" if self.synthetic else "the average listener"

    @property
    def title(self) -> str:
        """Whose average it is, for people."""
        made_up = "made-up listeners" if self.synthetic else "listeners"
        count = len(self.names)
        names = ", ".join(self.names) if count <= 8 else f"{', '.join(self.names[:7])}, ..."
        return f"{count} {made_up} ({names})"


def traits_of(profile: ListenerProfile) -> dict[str, float]:
    """The traits that were measured when the profile was made; none if it was made otherwise."""
    kept = profile.provenance.get("traits")
    return _numbers(kept, TRAITS) if isinstance(kept, dict) else {}


def units_of(profile: ListenerProfile) -> dict[str, float]:
    """The mean of each action unit that was known when the profile was made."""
    kept = profile.provenance.get("traits")
    units = kept.get("units") if isinstance(kept, dict) else None
    if not isinstance(units, dict):
        return {}
    means = {name: each.get("mean") for name, each in units.items() if isinstance(each, dict)}
    return _numbers(means, ACTION_UNITS)


def _numbers(values: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Profiles are files that anybody may have edited: what is no number is left out."""
    found = {name: values.get(name) for name in names}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, (int, float)) and -_LARGEST < value < _LARGEST
    }


def average_of(profiles: Sequence[ListenerProfile]) -> Average | None:
    """The average of those that have traits, None if fewer than two do."""
    measured = [each for each in profiles if traits_of(each)]
    if len(measured) < 2:
        return None
    return Average(
        names=tuple(each.name for each in measured),
        traits=_means([traits_of(each) for each in measured]),
        units=_means([units_of(each) for each in measured]),
        synthetic=all(each.provenance.get("kind") == "synthetic history" for each in measured),
    )


def _means(records: Sequence[dict[str, float]]) -> dict[str, float]:
    names = {name for record in records for name in record}
    return {
        name: float(np.mean([record[name] for record in records if name in record]))
        for name in sorted(names)
    }


def nearest(
    profile: ListenerProfile, others: Sequence[ListenerProfile]
) -> list[tuple[str, Similarity]]:
    """The other profiles of the same bundle, most alike first."""
    found = [(each.name, similarity(profile, each)) for each in others if each.name != profile.name]
    return sorted(found, key=lambda each: -each[1].cosine)
