"""Several runs of one method: means and spreads of whatever was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def mean_and_spread(tables: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of equally built tables of numbers and tables: their mean, and standard deviation (n - 1).

    What is undefined in one run is undefined (None); what is no number is left out, and so are
    spreads of a single run.
    """
    means: dict[str, Any] = {}
    spreads: dict[str, Any] = {}
    for name in tables[0]:
        values = [table.get(name) for table in tables]
        if all(isinstance(value, Mapping) for value in values):
            means[name], spread = mean_and_spread([v for v in values if isinstance(v, Mapping)])
            if spread:
                spreads[name] = spread
        elif any(value is None for value in values):
            means[name] = None
        elif all(_is_number(value) for value in values):
            numbers = [float(value) for value in values if value is not None]
            means[name] = float(np.mean(numbers))
            if len(numbers) > 1:
                spreads[name] = float(np.std(numbers, ddof=1))
    return means, spreads


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
