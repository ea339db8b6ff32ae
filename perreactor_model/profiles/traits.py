"""What a listener's face does, in a few numbers that people can read.

They are kept in a profile's provenance in place of the history. Action units are in the contract's
0 to 1; what was unknown has no number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from perreactor_model.contract import (
    ACTION_UNITS,
    ATTRIBUTE_COUNT,
    FRAME_RATE,
    VALENCE,
)

TRAITS = (
    "expressivity",
    "valence",
    "smile_share",
    "brow_activity",
    "mouth_activity",
    "head_speed",
    "nods_per_minute",
)

SMILE = 0.3
"""Intensity of AU12 from which on a face smiles."""

NOD = np.radians(2.0)
"""Depth of a nod: less is posture and noise."""

_BROWS = ("AU1", "AU2", "AU4")
_MOUTH = ("AU25", "AU26")
_SMOOTH = 5
"""Frames (0.2 s) over which movements are smoothed before speed is taken."""

_TREMBLING = 3
"""Frames over which a head is smoothed before its nods are counted."""

_NEXT_NOD = 20
"""Frames (0.8 s): turns that follow each other more quickly are cycles of one nod."""


def measure_traits(rows: np.ndarray, unknown: tuple[str, ...], head_known: bool) -> dict[str, Any]:
    """Traits of filled rows (N, 31): name -> number, and `units`: mean and spread of each unit.

    expressivity: standard deviation of the action units, averaged. valence: mean. smile_share:
    part of the time with AU12 at 0.3 or more. brow_activity, mouth_activity: change of the units of
    brows or mouth, a second. head_speed: degrees a second, root mean square. nods_per_minute: of
    one or several quick downward turns of the head by 2 degrees or more, within 0.8 s each.
    """
    units = {
        name: {
            "mean": round(float(rows[:, index].mean()), 4),
            "spread": round(float(rows[:, index].std()), 4),
        }
        for index, name in enumerate(ACTION_UNITS)
        if name not in unknown
    }
    traits: dict[str, Any] = {"units": units}
    if units:
        traits["expressivity"] = float(np.mean([each["spread"] for each in units.values()]))
    if "valence" not in unknown:
        traits["valence"] = float(rows[:, VALENCE].mean())
    if "AU12" in units:
        traits["smile_share"] = float((rows[:, ACTION_UNITS.index("AU12")] >= SMILE).mean())
    for trait, names in (("brow_activity", _BROWS), ("mouth_activity", _MOUTH)):
        known = [ACTION_UNITS.index(name) for name in names if name in units]
        if known:
            traits[trait] = float(np.abs(_speed(rows[:, known])).sum(axis=1).mean())
    if head_known:
        rotation = rows[:, ATTRIBUTE_COUNT : ATTRIBUTE_COUNT + 3]
        traits["head_speed"] = float(
            np.degrees(np.sqrt((_speed(rotation) ** 2).sum(axis=1).mean()))
        )
        traits["nods_per_minute"] = _nods(rotation[:, 0]) / (len(rows) / FRAME_RATE / 60.0)
    return {name: value if name == "units" else round(value, 4) for name, value in traits.items()}


def mouth_speed(rows: np.ndarray) -> float:
    """`mouth_activity` of rows (N, 31) that may hold NaN; 0 where the mouth is unknown."""
    mouth = rows[:, [ACTION_UNITS.index(name) for name in _MOUTH]]
    if len(mouth) < 2:
        return 0.0
    speeds = np.abs(_speed(mouth)).sum(axis=1)
    known = speeds[np.isfinite(speeds)]
    return float(known.mean()) if len(known) else 0.0


def _speed(values: np.ndarray) -> np.ndarray:
    """Change a second of (N, n), smoothed."""
    return np.asarray(np.diff(_smoothed(values), axis=0) * FRAME_RATE)


def _smoothed(values: np.ndarray, over: int = _SMOOTH) -> np.ndarray:
    """Means of (N, n) over so many frames, an odd number."""
    ends = np.pad(values.astype(np.float64), ((over // 2, over // 2), (0, 0)), "edge")
    return np.mean([ends[k : k + len(values)] for k in range(over)], axis=0)


def _nods(pitch: np.ndarray) -> int:
    """Positive pitch nods down: peaks that stand out from what is around them within half a second,
    which a head that is slowly held otherwise does not; those of one nod counted once.
    """
    from scipy.signal import find_peaks  # half a second to import

    smooth = _smoothed(pitch[:, None], _TREMBLING)[:, 0]
    peaks, _ = find_peaks(smooth, prominence=NOD, wlen=FRAME_RATE)
    return 0 if not len(peaks) else 1 + int((np.diff(peaks) > _NEXT_NOD).sum())
