"""How a corpus is prepared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perreactor_model.preparation.prepared import SPEAKER_VIEWS, PreparedError

MATRICES = ("auto", "file", "sessions", "similarity")
SPLITS = ("keep", "by-identity")
FACES = ("none", "crops", "tokens")
PICTURES = ("crops", "scenes")


@dataclass(frozen=True)
class PreparationSettings:
    """Raises PreparedError.

    layout: `auto`, `react2024` or `mars`. speaker_view: `observed` shows the generator what a face
    analyzer sees, `true` the labels. audio_rate: Hz at which features are computed, the rate of the
    bundle that will be made.

    matrix: what is appropriate, from the corpus's `file`, equal `sessions`, or the `similarity` of
    speakers: no farther than `threshold`, or the `per_row` most similar ones. `auto`: the file
    where there is one, else sessions. splits: `keep` the corpus's own, or divide its people anew.

    faces: keep face pictures of `image_size` pixels of whoever is a speaker (`crops`), what the
    face encoder of the checkpoint `encoder` makes of them (`tokens`), or `none`. pictures: what the
    videos show, `crops` of faces, or `scenes` in which the face is looked for.
    """

    layout: str = "auto"
    speaker_view: str = "observed"
    matrix: str = "auto"
    threshold: float | None = None
    per_row: int | None = None
    splits: str = "keep"
    audio_rate: int = 16000
    faces: str = "none"
    pictures: str = "crops"
    image_size: int = 224
    encoder: str | None = None

    def __post_init__(self) -> None:
        from perreactor_model.networks.config import AUDIO_RATES, SMALLEST_IMAGE

        _require_one("speaker_view", self.speaker_view, SPEAKER_VIEWS)
        _require_one("matrix", self.matrix, MATRICES)
        _require_one("splits", self.splits, SPLITS)
        _require_one("faces", self.faces, FACES)
        _require_one("pictures", self.pictures, PICTURES)
        if self.audio_rate not in AUDIO_RATES:
            raise PreparedError(f"audio_rate must be one of {AUDIO_RATES}, not {self.audio_rate}")
        if self.image_size < SMALLEST_IMAGE:
            raise PreparedError(
                f"image_size is {self.image_size}: give {SMALLEST_IMAGE} pixels or more"
            )
        self._check_similarity()
        if (self.faces == "tokens") != (self.encoder is not None):
            raise PreparedError(
                "faces=tokens and encoder (a checkpoint that sees faces) go together: give both or "
                "none"
            )
        if self.encoder is not None and not Path(self.encoder).is_file():
            raise PreparedError(f"encoder: there is no checkpoint {self.encoder}")

    def _check_similarity(self) -> None:
        given = [value for value in (self.threshold, self.per_row) if value is not None]
        if len(given) != (1 if self.matrix == "similarity" else 0):
            raise PreparedError(
                "matrix=similarity needs a threshold or per_row, one of them; nothing else takes "
                "them. The threshold of the published matrices is not known"
            )
        if given and not given[0] > 0:
            raise PreparedError(f"threshold or per_row is {given[0]}: give more than 0")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def _require_one(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise PreparedError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
