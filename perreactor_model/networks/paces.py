"""How a face moves, in a few numbers for each value: where it rests, and how much it moves at each
pace. Trembling, nods, smiles and moods differ in little else than in how quickly they come and go.

Movement is told three times: as root mean square, as mean size, and as the share of the time in
which it is seen. Few large nods and many small ones have the same of the first and not of the
others, and how often somebody nods, however deep, is in the last.
"""

import torch
from torch import Tensor, nn

PACES = (3, 9, 27)
"""Frames, 25 a second, over which is averaged: what the first loses is trembling, what the second
loses are nods, what the third loses is most of a smile; the rest is slower."""

PER_VALUE = 1 + 3 * (1 + len(PACES))
"""Numbers that tell of each value: its level, and three of each pace."""

VISIBLE = 0.1
"""In spreads: a movement of this size counts half as seen, one of twice this size four fifths."""


def paced(values: Tensor) -> Tensor:
    """Of each channel of (..., T, C), in spreads: level, then root mean square, mean size and share
    of the time of what moves at each pace, the quickest first: (..., PER_VALUE * C).

    Not in the paper. Any length will do, from one frame on.
    """
    level = values.mean(dim=-2)
    told = [level]
    for frames in PACES:
        slower = _averaged(values, frames)
        told += _sizes(values - slower)
        values = slower
    told += _sizes(values - level.unsqueeze(-2))
    return torch.cat(told, dim=-1)


def _averaged(values: Tensor, frames: int) -> Tensor:
    """Means over `frames`, an odd number, around each frame; both ends are held."""
    *lead, length, channels = values.shape
    rows = values.reshape(-1, length, channels).transpose(1, 2)
    rows = nn.functional.pad(rows, (frames // 2, frames // 2), mode="replicate")
    rows = nn.functional.avg_pool1d(rows, frames, stride=1)
    return rows.transpose(1, 2).reshape(*lead, length, channels)


def _sizes(moves: Tensor) -> list[Tensor]:
    # The root of 0 has no slope; a thousandth is no movement.
    square = moves.square() + 1e-6
    seen = square / (square + VISIBLE**2)
    return [square.mean(dim=-2).sqrt(), square.sqrt().mean(dim=-2), seen.mean(dim=-2)]
