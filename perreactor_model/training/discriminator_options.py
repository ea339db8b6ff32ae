"""What the discriminators are, and what they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from perreactor_model.training.checked import (
    require_choice,
    require_number,
    require_switch,
    require_whole,
)

SPEAKERS = ("attributes", "tokens")


@dataclass(frozen=True)
class DiscriminatorOptions:
    """Sizes and views of D_R, D_A^G and D_A^P. Raises OptionError.

    size: width of their hidden layers. speaker: what D_A sees of the speaker: `tokens` of the
    generator, detached (paper: B^s), or true `attributes` and coefficients (authors' code). pool:
    frames averaged to one before D_A looks. instance_noise: standard deviation, in spreads, of the
    noise on every frame of a reaction that is judged, real or not; it falls to `noise_floor` over
    `noise_steps` steps. Without it labels of 0 and 1 give real frames away, and judges know what
    is generated long before they know what is appropriate. label_smoothing: real counts as 1 minus
    this for D_R.
    """

    size: int = 128
    speaker: str = "attributes"
    pool: int = 1
    instance_noise: float = 0.5
    noise_floor: float = 0.1
    noise_steps: int = 20000
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        require_whole("discriminator.size", self.size, 4)
        require_whole("discriminator.pool", self.pool, 1)
        require_whole("discriminator.noise_steps", self.noise_steps, 0)
        require_choice("discriminator.speaker", self.speaker, SPEAKERS)
        require_number("discriminator.instance_noise", self.instance_noise)
        require_number("discriminator.noise_floor", self.noise_floor)
        require_number("discriminator.label_smoothing", self.label_smoothing, 0.0, 0.45)

    def noise_at(self, step: int) -> float:
        """Standard deviation of the instance noise in a step: falls linearly."""
        if step >= self.noise_steps:
            return min(self.instance_noise, self.noise_floor)
        left = 1 - step / self.noise_steps
        floor = min(self.instance_noise, self.noise_floor)
        return floor + (self.instance_noise - floor) * left


@dataclass(frozen=True)
class NegativesOptions:
    """What counts as wrong for D_A^P beside the listener's own reactions that do not fit (pag).

    other_listeners: fitting reactions of other listeners, too. Without them, Eq. 12 to the letter,
    all that D_A^P sees is the listener's own, and the pattern tells it nothing. Raises OptionError.
    """

    other_listeners: bool = True

    def __post_init__(self) -> None:
        require_switch("negatives.other_listeners", self.other_listeners)
