"""The authors' whole network: stage 1 (GAG) and, with a pattern encoder, stage 2 (PAG)."""

from torch import Tensor, nn

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT
from perreactor_model.networks.authors.decoder import ReactionDecoder
from perreactor_model.networks.authors.distribution import ClipDistribution
from perreactor_model.networks.authors.encoder import SpeakerEncoder
from perreactor_model.networks.authors.pattern import PatternEncoder
from perreactor_model.networks.authors.sizes import AuthorsSizes


class AuthorsNetwork(nn.Module):
    """Encoder, distribution, decoder; `pattern` is None in a stage-1 network."""

    def __init__(self, sizes: AuthorsSizes) -> None:
        super().__init__()
        size = sizes.feature_size
        self.sizes = sizes
        self.encoder = SpeakerEncoder(size)
        self.distribution = ClipDistribution(size)
        self.decoder = ReactionDecoder(sizes)
        self.idle_fusion = nn.Linear(size + COEFFICIENT_COUNT + ATTRIBUTE_COUNT, size)
        """In every file, used by nothing; kept so that files load strictly."""
        self.pattern = PatternEncoder(sizes) if sizes.pattern_exponent is not None else None

    def react(
        self, latent: Tensor, frames: int, pattern: Tensor | None = None, beta: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Decode latents (B, size), with patterns (B, size) if given, over `frames` frames.

        Returns coefficients (B, frames, 58) and attributes (B, frames, 25).
        """
        if pattern is not None:
            latent = self.decoder.personalise(latent, pattern, beta)
        return self.decoder(latent, frames, pattern)
