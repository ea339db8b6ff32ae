"""What a checkpoint of the authors' networks says about their sizes."""

from dataclasses import dataclass

HEADS = 4
"""Attention heads of every transformer layer; fixed in their code, not visible in the weights."""

HISTORY_FRAMES = 480
"""Frames of listener history that the pattern encoder reads (19.2 s), whatever K."""

INTEGRATIONS = ("summation", "summation_beta", "concat", "self-attn", "residual")
"""How the pattern meets the reaction; the names of the authors' `--integration` option."""

DEFAULT_BETA = 0.1
"""Weight of the pattern in `summation`; an option of their training, not stored in the file."""


@dataclass(frozen=True)
class AuthorsSizes:
    """Sizes of one network: `pattern_exponent` is the paper's K, None in stage 1 (GAG)."""

    feature_size: int
    pattern_exponent: int | None = None
    integration: str = "summation"

    @property
    def segment_frames(self) -> int:
        """Frames in each of the 2^K segments of the history."""
        assert self.pattern_exponent is not None, "a stage-1 network has no pattern encoder"
        return HISTORY_FRAMES >> self.pattern_exponent
