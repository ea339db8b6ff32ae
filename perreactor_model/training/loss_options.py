"""Which losses train the generator, and how much each counts (paper, Eq. 9-13)."""

from __future__ import annotations

from dataclasses import dataclass

from perreactor_model.training.checked import require_choice, require_number

ADVERSARIAL = ("non_saturating", "minimax", "least_squares")
OBJECTIVES = ("adversarial", "reconstruction")


@dataclass(frozen=True)
class LossOptions:
    """Weights of Eq. 11 and 13, and of what the paper does not have (0 is off).

    objective: `adversarial`, or `reconstruction` for the same generator without discriminators
    (Trans-VAE; the rows without D_A of Table 2). adversarial: form of all adversarial losses;
    `minimax` is Eq. 9-12 to the letter. realism, appropriateness: weights of the discriminators,
    1 in Eq. 11. smoothness, diversity: lambda_m and lambda_d; diversity_scale: distance, in
    spreads, at which two reactions count as different. kl, affect: regularisers of the authors'
    code (field: 2e-4 and 1). reconstruction: to the nearest fitting reaction; coverage: of each
    fitting reaction to the nearest of the M; energy: score of the M as a distribution; manner: to
    level, spread and speed of the nearest, in stage 2 to level and paces of the history, which
    reconstruction alone flattens. pattern: the pattern encoder is also led to what lets D_A^P know
    a listener's real reactions. Raises OptionError.
    """

    objective: str = "adversarial"
    adversarial: str = "non_saturating"
    realism: float = 1.0
    appropriateness: float = 1.0
    smoothness: float = 0.01
    diversity: float = 10.0
    diversity_scale: float = 0.5
    kl: float = 0.0
    affect: float = 0.0
    reconstruction: float = 0.0
    coverage: float = 0.0
    energy: float = 0.0
    manner: float = 0.0
    pattern: float = 0.0

    def __post_init__(self) -> None:
        require_choice("loss.objective", self.objective, OBJECTIVES)
        require_choice("loss.adversarial", self.adversarial, ADVERSARIAL)
        for name in _WEIGHTS:
            require_number(f"loss.{name}", getattr(self, name))
        require_number("loss.diversity_scale", self.diversity_scale, 1e-3)

    @property
    def judged_for_realism(self) -> bool:
        """Whether D_R takes part."""
        return self.objective == "adversarial" and self.realism > 0

    @property
    def judged_for_appropriateness(self) -> bool:
        """Whether D_A takes part."""
        return self.objective == "adversarial" and self.appropriateness > 0

    @property
    def reconstruction_weight(self) -> float:
        """The objective `reconstruction` is nothing without it: 1 unless another is given."""
        if self.objective == "reconstruction":
            return self.reconstruction or 1.0
        return self.reconstruction


_WEIGHTS = (
    "realism",
    "appropriateness",
    "smoothness",
    "diversity",
    "kl",
    "affect",
    "reconstruction",
    "coverage",
    "energy",
    "manner",
    "pattern",
)
