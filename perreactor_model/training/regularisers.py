"""What keeps generated reactions smooth and different from each other, and the authors' extras.

Reactions are (B, M, T, 83): 25 attributes and 58 coefficients; `scale` (83,) is the spread of each.
Each function gives a number: the mean over clips.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    ATTRIBUTE_COUNT,
    EXPRESSION_SLICE,
    FACE_EXPRESSION_SLICE,
    ROTATION_SLICE,
    SPEAKER_VECTOR_COUNT,
    TRANSLATION_SLICE,
)
from perreactor_model.networks.paces import PER_VALUE, paced
from perreactor_model.training.adversarial import clip_mean

SPEED_FRAMES = 5.0
"""Speed is the change within 0.2 s, to weigh about as much as the spread."""

LEAST_SPREAD = 0.02
"""In spreads: half a hundredth of an action unit."""

_PARTS = (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    EXPRESSION_SLICE,
    *(
        slice(ATTRIBUTE_COUNT + part.start, ATTRIBUTE_COUNT + part.stop)
        for part in (FACE_EXPRESSION_SLICE, ROTATION_SLICE, TRANSLATION_SLICE)
    ),
)
"""What a face consists of, as places in its 83 values."""

PIECES = (8, 32, 128)
"""Frames that are compared together: a nod, a smile, a mood."""


def smoothness(reaction: Tensor, scale: Tensor) -> Tensor:
    """L_mot: mean squared change from frame to frame, in spreads."""
    change = torch.diff(reaction / scale, dim=-2)
    return clip_mean(change**2)


def diversity(reaction: Tensor, scale: Tensor, width: float) -> Tensor:
    """L_div: how much alike two reactions to the same speaker are, over all pairs: 0 to 1.

    exp(-d / width) with d the root mean squared distance of a value, in spreads: it depends neither
    on length nor on the number of channels, has a slope where reactions really are (real ones are
    some 0.5 apart), and, unlike a Gaussian, also where all are the same.
    """
    count = reaction.shape[1]
    if count < 2:
        return reaction.new_zeros(())
    flat = (reaction / scale).flatten(2)
    first, second = torch.triu_indices(count, count, 1, device=flat.device)
    apart = ((flat[:, first] - flat[:, second]) ** 2).mean(dim=-1)
    # The root of 0 has no slope; a thousandth of a spread is no difference.
    return clip_mean(torch.exp(-(apart + 1e-6).sqrt() / width))


def divergence(mean: Tensor, deviation: Tensor) -> Tensor:
    """KL of N(mean, deviation) from N(0, 1), averaged over values; both (B, ..., d)."""
    variance = deviation**2
    return clip_mean(0.5 * (mean**2 + variance - 1.0 - variance.log()))


def nearest(reaction: Tensor, real: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Mean squared distance, in spreads, of each reaction to the nearest real one.

    `real` (B, A, T, 83), `weight` (B, A) with 0 for padding.
    """
    apart = _squares(reaction, real, scale)
    apart = apart.masked_fill(weight.unsqueeze(1) == 0, torch.inf)
    return clip_mean(apart.min(dim=2).values)


def coverage(reaction: Tensor, real: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Mean squared distance, in spreads, of each real reaction to the nearest generated one.

    The other half of `nearest`: each way to react that there is must be near to one of the M.
    """
    return clip_mean(_squares(reaction, real, scale).min(dim=1).values, weight)


def _squares(reaction: Tensor, real: Tensor, scale: Tensor) -> Tensor:
    """(B, M, T, C) and (B, A, T, C) to mean squared distances (B, M, A), in spreads."""
    return (((reaction.unsqueeze(2) - real.unsqueeze(1)) / scale) ** 2).mean(dim=(-2, -1))


def energy(reaction: Tensor, real: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """Energy score of M reactions: their mean distance to the real ones, less half of that between
    themselves (T. Gneiting, A. E. Raftery: "Strictly proper scoring rules, prediction, and
    estimation", JASA 102(477), 2007, Eq. 22). Nothing but drawing as people do makes it smallest:
    a mean of all reactions does not, nor does variety for its own sake.

    Distances are root mean squares, in spreads, over pieces of `PIECES` frames, of each value by
    itself and of the whole face.
    """
    made, met = reaction / scale, real / scale
    count = made.shape[1]
    first, second = torch.triu_indices(count, count, 1, device=made.device)
    score = clip_mean(_apart(made.unsqueeze(2), met.unsqueeze(1)).mean(dim=1), weight)
    if count > 1:
        score = score - 0.5 * clip_mean(_apart(made[:, first], made[:, second]))
    return score


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Distance of faces (..., T, C): (...)."""
    square = (one - other) ** 2
    total = square.new_zeros(())
    for length in PIECES:
        frames = min(length, square.shape[-2])
        whole = square[..., : square.shape[-2] // frames * frames, :]
        pieces = whole.unflatten(-2, (-1, frames)).mean(dim=-2) + 1e-6
        total = total + pieces.sqrt().mean(dim=(-2, -1)) + pieces.mean(dim=-1).sqrt().mean(dim=-1)
    return total / (2 * len(PIECES))


def manner(reaction: Tensor, real: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """How far each reaction's way of moving is from the nearest of the real ones: mean squared
    difference of level, spread and speed of all values, in spreads (speed: per 0.2 s).

    The frames' distance alone is smallest for a face that hardly moves: what cannot be foretold is
    best left out. People are told apart by just that.
    """
    one = torch.ones((), device=reaction.device)
    return nearest(_described(reaction / scale), _described(real / scale), weight, one)


class Manners(NamedTuple):
    """What is known of how people move, all (PER_VALUE 83,), in the order of `paced`.

    spread: standard deviation over people and days, at least `LEAST_SPREAD`: nobody sees finer
    differences. weight: how much each number counts, 1 on average.
    """

    spread: Tensor
    weight: Tensor


def manner_of_past(reaction: Tensor, past: Tensor, scale: Tensor, known: Manners) -> Tensor:
    """As `manner`, but of the listener's `past` (B, H, 83), from which the pattern is: how all M
    reactions together differ from the mean over its pieces of a reaction's length, measured by how
    people differ (`known`, see `meet_manners`): 1 for somebody else's manner.

    What the pattern tells is in it and nothing else, so there is nothing to guess.
    """
    told = _of_past(past / scale, reaction.shape[-2])
    made = paced(reaction / scale).mean(dim=1)
    return clip_mean(((made - told) / known.spread) ** 2 * known.weight)


def meet_manners(pasts: Tensor, people: Tensor, frames: int, scale: Tensor) -> Manners:
    """Measure how people move, from pasts (n, H, 83) of the listeners `people` (n,).

    A number counts by the share of it that is the person's and not the day's (the intraclass
    correlation of one past: P. E. Shrout, J. L. Fleiss: "Intraclass correlations", Psychological
    Bulletin 86(2), 1979, form 1,1): where somebody's head happened to be turned to tells nothing of
    them. Action units, affect, expressions, and the shape, turn and place of the head count alike,
    however many values each has: three angles hold all nods.
    """
    told = torch.cat([_of_past(part / scale, frames) for part in pasts.split(64)])
    share = torch.empty(SPEAKER_VECTOR_COUNT)
    for part in _PARTS:
        share[part] = 1.0 / (part.stop - part.start)
    weight = share.repeat(PER_VALUE) * _intraclass(told, people)
    if not weight.any():  # one past of each: nobody can tell
        weight = share.repeat(PER_VALUE)
    return Manners(told.std(dim=0).clamp(min=LEAST_SPREAD), weight / weight.mean())


def _intraclass(told: Tensor, people: Tensor) -> Tensor:
    """Share of the variance of each column of (n, D) that is between `people` (n,): 0 to 1, (D,).

    0 where nobody has two rows, or nothing varies.
    """
    names, who, count = people.unique(return_inverse=True, return_counts=True)
    groups, rows = len(names), len(told)
    if groups < 2 or rows == groups:
        return told.new_zeros(told.shape[1])
    values = told.double()
    means = torch.zeros(groups, values.shape[1], dtype=values.dtype).index_add_(0, who, values)
    means = means / count[:, None]
    between = (count[:, None] * (means - values.mean(dim=0)) ** 2).sum(dim=0) / (groups - 1)
    within = ((values - means[who]) ** 2).sum(dim=0) / (rows - groups)
    usual = (rows - float((count**2).sum()) / rows) / (groups - 1)
    spread = between + (usual - 1) * within
    shared = torch.where(spread > 1e-12, (between - within) / spread.clamp(min=1e-12), 0.0)
    return shared.clamp(0.0, 1.0).to(told.dtype)


def _of_past(past: Tensor, frames: int) -> Tensor:
    """Mean over pieces of `frames`, or the whole where it is shorter: (B, PER_VALUE C)."""
    length = min(frames, past.shape[-2])
    pieces = past[:, past.shape[-2] % length :].unflatten(1, (-1, length))
    return paced(pieces).mean(dim=1)


def _described(faces: Tensor) -> Tensor:
    """Level, spread and speed over time of (..., T, C): (..., 1, 3C)."""
    level = faces.mean(dim=-2, keepdim=True)
    spread = ((faces - level) ** 2).mean(dim=-2, keepdim=True).add(1e-6).sqrt()
    speed = SPEED_FRAMES * torch.diff(faces, dim=-2).abs().mean(dim=-2, keepdim=True)
    return torch.cat([level, spread, speed], dim=-1)


def affect(reaction: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error of valence and arousal to the real reaction nearest in these two."""
    one = torch.ones(2, device=reaction.device)
    return nearest(reaction[..., AFFECT_SLICE], real[..., AFFECT_SLICE], weight, one)
