"""Checks that the option classes of training share; their errors name the option as it is typed."""

from __future__ import annotations

import math


class OptionError(ValueError):
    """A training option that cannot be followed. The message names it and says what would do."""


def require_number(name: str, value: object, low: float = 0.0, high: float = math.inf) -> None:
    """A finite number from `low` to `high`. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OptionError(f"{name} must be a number, not {value!r}")
    if not low <= value <= high:
        upper = "" if math.isinf(high) else f" and at most {high:g}"
        raise OptionError(f"{name} must be at least {low:g}{upper}, not {value:g}")


def require_whole(name: str, value: object, low: int) -> None:
    """A whole number from `low` on. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise OptionError(f"{name} must be a whole number of {low} or more, not {value!r}")


def require_switch(name: str, value: object) -> None:
    """True or false. Raises OptionError."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be true or false, not {value!r}")


def require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """One of the words. Raises OptionError."""
    if value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
