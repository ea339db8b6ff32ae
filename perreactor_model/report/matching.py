"""Laying one track beside another: which row of it belongs to each moment."""

from __future__ import annotations

import numpy as np

from perreactor_model.contract import FRAME_NS


def rows_at(stamp_ns: np.ndarray, wanted_ns: np.ndarray) -> np.ndarray:
    """For each wanted moment (W,) the row of the nearest stamp, or -1 where none is near.

    Near is a frame of 40 ms, or three fifths of the track's own interval where that is longer: a
    track at 5 Hz still answers every frame between its rows. Stamps (T,) may be in any order.
    """
    wanted = np.asarray(wanted_ns, np.int64)
    if not len(stamp_ns):
        return np.full(len(wanted), -1)
    order = np.argsort(stamp_ns, kind="stable")
    stamps = np.asarray(stamp_ns, np.int64)[order]
    after = np.clip(np.searchsorted(stamps, wanted), 0, len(stamps) - 1)
    before = np.maximum(after - 1, 0)
    earlier = np.abs(stamps[before] - wanted) <= np.abs(stamps[after] - wanted)
    nearest = np.where(earlier, before, after)
    intervals = np.diff(stamps)
    intervals = intervals[intervals > 0]
    reach = FRAME_NS if not len(intervals) else max(FRAME_NS, 0.6 * float(np.median(intervals)))
    near = np.abs(stamps[nearest] - wanted) <= min(reach, 25 * FRAME_NS)
    return np.where(near, order[nearest], -1)


def attributes_at(stamp_ns: np.ndarray, attributes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Attributes (T, 25) of a track at the wanted moments (W,): (W, 25) float32, NaN where none."""
    rows = rows_at(stamp_ns, wanted)
    found = np.full((len(rows), attributes.shape[1]), np.nan, np.float32)
    found[rows >= 0] = attributes[rows[rows >= 0]]
    return found
