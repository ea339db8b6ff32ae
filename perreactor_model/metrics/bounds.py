"""Lower bounds of a warping distance: what a pair costs at least, found without warping it.

`warp` (warping.py) is exact and dear; most neighbours are not the nearest, and a bound that says so
spares it. Each bound here comes as what the frames *from a given one on* cost at least, so that the
same numbers also tell a warping under way what still lies before it.
"""

import numpy as np

from perreactor_model.metrics.compiling import compiled


@compiled(error_model="numpy", nogil=True)
def _outside(
    frames: np.ndarray,
    first: int,
    count: int,
    low: np.ndarray,
    high: np.ndarray,
    first_channel: int,
    channels: int,
    work: np.ndarray,
) -> None:
    """work[i] = squared distance to the box of frame first + i; frames (C, >= first + count)."""
    for index in range(count):
        work[index] = 0.0
    for channel in range(channels):
        lowest, highest = low[first_channel + channel], high[first_channel + channel]
        values = frames[first_channel + channel, first : first + count]
        for index in range(count):
            value = values[index]
            under, over = lowest - value, value - highest
            outside = under if under > over else over
            outside = outside if outside > 0 else np.float32(0)
            work[index] += outside * outside


@compiled(error_model="numpy", nogil=True)
def rows_outside(
    rows: np.ndarray,
    count: int,
    low: np.ndarray,
    high: np.ndarray,
    first_channel: int,
    channels: int,
    work: np.ndarray,
    left: np.ndarray,
) -> None:
    """left[i] = squared distances of rows i.. to the box of all columns, summed; left[count] = 0.

    *Why it is a bound.* A warping path visits each row at least once, in a cell whose cost is the
    squared distance to some column. All columns lie in the box low..high (per channel), so no
    column is nearer than the box's nearest point. Rows i.. are visited in cells of their own.

    rows: forward layout (C, >= count); low, high (C,) float32; work float32 (>= count);
    left float64 (count + 1). O(count * channels).
    """
    _outside(rows, 0, count, low, high, first_channel, channels, work)
    total = 0.0
    left[count] = total
    for index in range(count - 1, -1, -1):
        total += work[index]
        left[index] = total


@compiled(error_model="numpy", nogil=True)
def columns_outside(
    columns: np.ndarray,
    pad: int,
    count: int,
    low: np.ndarray,
    high: np.ndarray,
    first_channel: int,
    channels: int,
    work: np.ndarray,
    left: np.ndarray,
) -> None:
    """The same with the parts exchanged: columns (backward layout) against the box of all rows.

    `pad` is warping.PAD, where the columns begin.
    """
    _outside(columns, pad, count, low, high, first_channel, channels, work)
    total = 0.0
    left[count] = total
    for index in range(count):  # backward layout: the last column stands first
        total += work[index]
        left[count - 1 - index] = total
