"""How a corpus is prepared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from perreactor_model.preparation.prepared import SPEAKER_VIEWS, PreparedError

MATRICES = ("auto", "file", "sessions")


@dataclass(frozen=True)
class PreparationSettings:
    """Raises PreparedError.

    layout: `auto`, `react2024` or `mars`. speaker_view: `observed` shows the generator what a face
    analyzer sees, `true` the labels. matrix: what is appropriate, from the corpus's `file` or equal
    `sessions`; `auto`: the file where there is one. audio_rate: Hz at which features are computed,
    the rate of the bundle that will be made.
    """

    layout: str = "auto"
    speaker_view: str = "observed"
    matrix: str = "auto"
    audio_rate: int = 16000

    def __post_init__(self) -> None:
        from perreactor_model.networks.config import AUDIO_RATES

        if self.speaker_view not in SPEAKER_VIEWS:
            raise PreparedError(
                f"speaker_view must be one of {', '.join(SPEAKER_VIEWS)}, not {self.speaker_view!r}"
            )
        if self.matrix not in MATRICES:
            raise PreparedError(f"matrix must be one of {', '.join(MATRICES)}, not {self.matrix!r}")
        if self.audio_rate not in AUDIO_RATES:
            raise PreparedError(f"audio_rate must be one of {AUDIO_RATES}, not {self.audio_rate}")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
