"""Checks of what callers hand in, so that a mistake is named where it is made."""

from operator import index

import numpy as np

_LATEST_STAMP = 2**62 - 1


def checked_stamp(stamp_ns: int) -> int:
    """A stamp as a Python integer.

    Raises ValueError unless it is whole nanoseconds, from 0 to what 62 bits hold (the year 2116).
    """
    try:
        stamp = index(stamp_ns)
    except TypeError:
        raise ValueError(f"a stamp must be whole nanoseconds, got {stamp_ns!r}") from None
    if stamp < 0:
        raise ValueError(f"a stamp must be 0 or more nanoseconds, got {stamp}")
    if stamp > _LATEST_STAMP:
        raise ValueError(f"a stamp must be at most {_LATEST_STAMP} nanoseconds, got {stamp}")
    return stamp


def checked_vector(name: str, values: np.ndarray | None, size: int) -> np.ndarray:
    """A float32 copy of shape (size,), all NaN for None. Raises ValueError for other shapes."""
    if values is None:
        return np.full(size, np.nan, np.float32)
    vector = np.array(values, np.float32)
    if vector.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), got {vector.shape}")
    return vector
