"""What `perreactor evaluate` is asked, checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perreactor_model.evaluation.predicting import MODES

METRICS = ("FRCorr", "FRDist", "FRDiv", "FRDvs", "FRVar", "FRRea-motion", "FRSyn")
"""The columns of the paper's Table 1; FRRea-motion stands in for FRRea, which needs pictures."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the units of it that are done, and those there are."""


class AskedError(ValueError):
    """A question that makes no sense. The message says what would."""


@dataclass(frozen=True)
class Asked:
    """See `perreactor evaluate --help`. Raises AskedError.

    history_frames: of the listener's past, None for as many as the checkpoint was trained on.
    history_choice: which of the listener's recordings. modes: of the metrics. timing, personality,
    traits, judge: what else is looked at.
    """

    split: str = "test"
    samples: int = 10
    mode: str = "offline"
    seed: int = 0
    history_frames: int | None = None
    history_choice: int = 0
    modes: tuple[str, ...] = ("reference", "corrected")
    anchors: bool = False
    timing: bool = False
    personality: bool = False
    traits: bool = False
    judge: bool = False
    persons: int = 20
    processes: int = 1

    def __post_init__(self) -> None:
        if self.mode not in (*MODES, "both"):
            raise AskedError(f"mode must be one of {', '.join(MODES)}, both, not {self.mode!r}")
        if self.samples < 1:
            raise AskedError(f"{self.samples} samples: give 1 or more")
        if self.history_frames is not None and self.history_frames < 4:
            raise AskedError(f"a history of {self.history_frames} frames: give 4 or more")
        if self.history_choice < 0 or self.seed < 0:
            raise AskedError("the seed and the number of the history must be 0 or more")
        if self.persons < 3:
            raise AskedError(f"{self.persons} personas have no order worth a name: give 3 or more")

    @property
    def streams(self) -> tuple[str, ...]:
        """The modes of reacting."""
        return MODES if self.mode == "both" else (self.mode,)
