"""Valence, arousal and expression probabilities, derived from action units by published tables.

Which units make an expression:
  S. Du, Y. Tao, A. M. Martinez: "Compound facial expressions of emotion", PNAS 111(15), 2014,
  Table 1: units seen in more than 70 % of 230 people (weight 1 here), and in some (weight: their
  share). Happiness without parted lips, disgust by either the nose or the upper lip, and contempt,
  which that table has not, follow W. V. Friesen, P. Ekman: "EMFACS-7: Emotional Facial Action
  Coding System", University of California, 1983.
Where an expression lies in pleasure and arousal:
  J. A. Russell, A. Mehrabian: "Evidence for a three-factor theory of emotions", Journal of Research
  in Personality 11, 1977 (happy, sad, surprised, fearful, disgusted, angry; contempt takes the
  place of their "displeased").

These tables say which faces people make on request and how words are rated. They do not say what a
person feels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perreactor_model.contract import ACTION_UNITS, EXPRESSIONS
from perreactor_model.face_analysis.observation import Knowledge

SHARPNESS = 5.0
"""How strongly the best explanation wins. Evidence of 0.5 for one expression is even odds."""


@dataclass(frozen=True)
class _Prototype:
    """`core`: without these it is another expression (each entry the strongest of alternatives).
    `units`: all that belong to it, with their weights. `valence`, `arousal` in [-1, 1]. `against`:
    a unit that makes it another expression.
    """

    name: str
    core: tuple[tuple[str, ...], ...]
    units: Mapping[str, float]
    valence: float
    arousal: float
    against: str | None = None


_PROTOTYPES = (
    _Prototype("happy", (("AU12",),), {"AU12": 1, "AU25": 1, "AU6": 0.51}, 0.81, 0.51),
    _Prototype(
        "sad",
        (("AU15",),),
        {"AU4": 1, "AU15": 1, "AU1": 0.6, "AU6": 0.5, "AU17": 0.67},
        -0.63,
        -0.27,
    ),
    _Prototype(
        "surprise", (("AU1",), ("AU2",)), {"AU1": 1, "AU2": 1, "AU25": 1, "AU26": 1}, 0.40, 0.67
    ),
    _Prototype(
        "fear",
        (("AU1",), ("AU4",)),
        {"AU1": 1, "AU4": 1, "AU25": 1, "AU2": 0.57, "AU26": 0.33},
        -0.64,
        0.60,
    ),
    _Prototype(
        "disgust",
        (("AU9", "AU10"),),
        {"AU9": 1, "AU10": 1, "AU17": 1, "AU4": 0.31, "AU24": 0.26},
        -0.60,
        0.35,
    ),
    _Prototype(
        "anger",
        (("AU4",),),
        {"AU4": 1, "AU7": 1, "AU24": 1, "AU17": 0.52, "AU23": 0.29, "AU10": 0.26},
        -0.51,
        0.59,
    ),
    _Prototype("contempt", (("AU14",),), {"AU14": 1, "AU12": 0.3}, -0.55, 0.16, "AU12"),
)
assert ("neutral", *(prototype.name for prototype in _PROTOTYPES)) == EXPRESSIONS


@dataclass(frozen=True)
class Affect:
    """`values` float32 (10,): valence, arousal, 8 probabilities that sum to 1; NaN where unknown.
    `knowledge` uint8 (10,).
    """

    values: np.ndarray
    knowledge: np.ndarray


def derive(intensities: np.ndarray) -> Affect:
    """Affect from action-unit intensities (15,), NaN where unknown.

    A unit that only supports an expression may be unknown; the others are weighed without it. When
    a core unit of any expression is unknown (the mouth is covered), all ten values are: a smile may
    be there or not, and probabilities that ignore it would be invented.
    """
    values = derive_many(np.asarray(intensities, np.float64)[None])[0]
    known = Knowledge.DERIVED if np.isfinite(values).all() else Knowledge.UNKNOWN
    return Affect(values, np.full(10, known, np.uint8))


def derive_many(intensities: np.ndarray) -> np.ndarray:
    """The values of `derive` for each row of (T, 15): float32 (T, 10), NaN where unknown."""
    by_name = dict(zip(ACTION_UNITS, np.asarray(intensities, np.float64).T, strict=True))
    evidence = np.stack([_evidence(prototype, by_name) for prototype in _PROTOTYPES], axis=1)
    # expm1: no evidence is no probability, so a face at rest is neutral for certain.
    neutral = 1.0 - evidence.max(axis=1, keepdims=True)
    odds = np.expm1(SHARPNESS * np.concatenate([neutral, evidence], axis=1))
    shares = odds / odds.sum(axis=1, keepdims=True)
    # NaN of any evidence is in the sum and so in all ten.
    return np.concatenate([shares[:, 1:] @ _PLACES, shares], axis=1).astype(np.float32)


def _evidence(prototype: _Prototype, units: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T,): geometric mean of the core's strength and the share of its units that are there."""
    groups = [np.max([units[name] for name in group], axis=0) for group in prototype.core]
    core = np.prod(groups, axis=0) ** (1 / len(groups))
    complete, weights = np.zeros_like(core), np.zeros_like(core)
    there = np.maximum(core, 1e-12)  # a unit that is hardly there would overflow below
    for name, weight in prototype.units.items():
        known = np.isfinite(units[name])
        complete += np.where(known, weight * np.minimum(1.0, units[name] / there), 0.0)
        weights += np.where(known, weight, 0.0)
    share = complete / np.where(weights > 0, weights, 1.0)
    evidence = np.where(core > 0, np.sqrt(core * share), core)
    return evidence * (1.0 - units[prototype.against]) if prototype.against else evidence


_PLACES = np.array([(prototype.valence, prototype.arousal) for prototype in _PROTOTYPES])
