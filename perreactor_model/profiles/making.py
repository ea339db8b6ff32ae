"""From a listener's history to the profile (paper, "Learning Personalised Behaviour Pattern")."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model import __version__
from perreactor_model.contract import FRAME_RATE
from perreactor_model.profiles.errors import ProfileError
from perreactor_model.profiles.filling import filled_rows
from perreactor_model.profiles.history import ListenerHistory
from perreactor_model.profiles.profile import ListenerProfile, check_name
from perreactor_model.profiles.quality import REFUSED, HistoryQuality, judge, main_person
from perreactor_model.profiles.traits import measure_traits
from perreactor_model.streaming.runtime import load_graph

if TYPE_CHECKING:
    from perreactor_model.bundle.manifest import Bundle

WINDOW = 480
"""Frames (19.2 s) of the histories in the paper; a shorter one is one window."""

HOP = 240


class HistoryRefused(ProfileError):
    """A history of which no profile can be made; `quality` says all about it."""

    def __init__(self, name: str, quality: HistoryQuality) -> None:
        super().__init__(f"no profile '{name}' from this history: {'; '.join(quality.reasons)}")
        self.quality = quality


def make_profile(
    name: str, history: ListenerHistory, bundle: Bundle, keep_history: bool = False
) -> ListenerProfile:
    """Encode a history with the bundle's pattern encoder.

    Gaps are filled as `filling` says; windows of 480 frames, each 240 after the one before and the
    last at the end, are encoded one by one, and their mean has its root mean square made 1 again.
    The same history gives the same pattern to the bit. The profile holds the pattern and where it
    comes from; with `keep_history` also the name of the history's file beside it (`shelf.keep`).
    Raises HistoryRefused, ProfileError for a bad name, BundleError.
    """
    check_name(name)
    quality = judge(history)
    if quality.verdict == REFUSED:
        raise HistoryRefused(name, quality)
    rows = filled_rows(main_person(history))
    windows = _windows(len(rows))
    pattern = _pattern(rows, windows, bundle)
    provenance: dict[str, Any] = {
        "kind": "history of a person",
        "source": {key: told for key, told in history.source.items() if key != "people"},
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "made_with": f"perreactor {__version__}",
        "seconds": round(len(rows) / FRAME_RATE, 2),
        "frames": len(rows),
        "windows": len(windows),
        "quality": quality.to_dict(),
        "traits": traits_of_history(history),
    }
    if keep_history:
        provenance["history"] = f"{name}.history.npz"
    return ListenerProfile(name, bundle.model_id, pattern, provenance)


def traits_of_history(history: ListenerHistory) -> dict[str, Any]:
    """What `measure_traits` says of a history: numbers to keep in place of it."""
    quality = judge(history)
    return measure_traits(filled_rows(main_person(history)), quality.unknown, quality.head_known)


def _windows(frames: int) -> list[slice]:
    if frames <= WINDOW:
        return [slice(0, frames)]
    starts = [*range(0, frames - WINDOW, HOP), frames - WINDOW]
    return [slice(start, start + WINDOW) for start in starts]


def _pattern(rows: np.ndarray, windows: list[slice], bundle: Bundle) -> np.ndarray:
    """float32 (feature_size,)."""
    session = load_graph(bundle, "pattern_encoder", "cpu")
    columns = np.ascontiguousarray(rows[:, : bundle.config.pattern_channels])
    patterns = [session.run(["pattern"], {"history": columns[each]})[0] for each in windows]
    if len(patterns) == 1:
        return np.asarray(patterns[0], np.float32)
    mean = np.mean(np.asarray(patterns, np.float64), axis=0)
    size = float(np.sqrt(np.mean(mean**2)))
    if size < 1e-6:
        raise ProfileError("the windows of this history have nothing in common: record another one")
    return (mean / size).astype(np.float32)
