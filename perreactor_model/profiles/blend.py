"""Blends of profiles: `alice:0.5+stoic:0.5` is half alice, half stoic."""

from __future__ import annotations

import math

from perreactor_model.profiles.controls import REPLAY_PREFIX
from perreactor_model.profiles.errors import ProfileError

MOST_PARTS = 16

_LARGEST = 1e6
"""Sums of larger weights could be infinite."""

_EXAMPLE = "as in alice:0.5+stoic:0.5"


def parse_blend(text: str) -> tuple[tuple[str, float], ...]:
    """The names in a blend and their weights, which sum to 1, in the order of their names' coming.

    A name alone (also `replay:<file>`) is a blend of one. A name that comes twice weighs the sum;
    one that weighs 0 is left out. Whether the names are known is the store's to say. Raises
    ProfileError.
    """
    if text.startswith(REPLAY_PREFIX) or not any(sign in text for sign in ":+"):
        return ((text, 1.0),)
    parts = text.split("+")
    if len(parts) > MOST_PARTS:
        raise ProfileError(f"a blend of {len(parts)} profiles: blend at most {MOST_PARTS}")
    weights: dict[str, float] = {}
    for part in parts:
        name, weight = _read_part(part.strip(), text)
        weights[name] = weights.get(name, 0.0) + weight
    total = sum(weights.values())
    if total <= 0.0:
        raise ProfileError(f"blend '{text}' has no weight: give at least one above 0, {_EXAMPLE}")
    if len(parts) == 1 and total != 1.0:
        raise ProfileError(
            f"'{text}' names one profile: leave out the weight, or say what the rest is, as in "
            f"{text}+generic:{max(1.0 - total, 0.5):g}"
        )
    shares = {name: weight / total for name, weight in weights.items()}
    return tuple((name, share) for name, share in shares.items() if share > 0.0)


def _read_part(part: str, blend: str) -> tuple[str, float]:
    """One `name:weight`."""
    if part.startswith(REPLAY_PREFIX):
        raise ProfileError(f"blend '{blend}': a replay cannot be part of a blend, choose it alone")
    name, colon, text = (piece.strip() for piece in part.partition(":"))
    if not name:
        raise ProfileError(f"blend '{blend}' has a part without a name: write it {_EXAMPLE}")
    if not colon or not text:
        raise ProfileError(f"blend '{blend}': say how much of '{name}', {_EXAMPLE}")
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0.0 <= weight <= _LARGEST:
        raise ProfileError(
            f"blend '{blend}': the weight of '{name}' is '{text}': give a number of 0 or more, "
            f"at most 1000000, {_EXAMPLE}"
        )
    return name, weight
