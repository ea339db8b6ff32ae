"""All options of a training run: one frozen class for each component, checked when it is made.

Nothing here needs torch, so the command line can tell all options at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from perreactor_model.networks.config import ModelConfig
from perreactor_model.training.checked import (
    OptionError,
    require_choice,
    require_number,
    require_whole,
)
from perreactor_model.training.discriminator_options import DiscriminatorOptions, NegativesOptions
from perreactor_model.training.face_options import FaceOptions
from perreactor_model.training.loss_options import LossOptions

STAGES = ("gag", "pag", "face")
SCORES = {"gag": "FRCorr", "pag": "FRCorr", "face": "explained"}
"""By which held-out figure the best checkpoint of a stage is known."""

MODALITIES = ("both", "audio", "visual")
LATENTS = ("mixed", "offline", "stream")
HISTORY_VIEWS = ("observed", "true")
PRECISIONS = ("32", "bf16")
DEVICES = ("auto", "cpu", "cuda")
DECAYS = ("none", "cosine")


@dataclass(frozen=True)
class DataOptions:
    """What a clip of training consists of.

    clip_frames: frames of a clip, 25 a second. samples: M, reactions generated to each.
    appropriate, inappropriate: real reactions shown with it, at most. others: fitting reactions of
    other listeners (pag). history_frames: frames of the listener's past (pag; 480 in the paper).
    history_view: the past as the face analyzer `observed` it, or `true` attributes. face_dropout,
    voice_dropout: share of clips that lose a span of the speaker's face, voice. modalities: `both`,
    or `audio` or `visual` alone (Table 3). latents: one latent for the whole clip (`offline`, the
    paper), one a frame as on a robot (`stream`), or `mixed`, half of the clips each. noise_seconds:
    time constant of the stream's noise. Raises OptionError.
    """

    clip_frames: int = 256
    samples: int = 4
    appropriate: int = 4
    inappropriate: int = 4
    others: int = 4
    history_frames: int = 480
    history_view: str = "observed"
    face_dropout: float = 0.1
    voice_dropout: float = 0.1
    modalities: str = "both"
    latents: str = "mixed"
    noise_seconds: float = 8.0

    def __post_init__(self) -> None:
        require_whole("data.clip_frames", self.clip_frames, 2)
        for name in ("samples", "appropriate", "inappropriate", "others"):
            require_whole(f"data.{name}", getattr(self, name), 1)
        require_whole("data.history_frames", self.history_frames, 4)
        require_choice("data.history_view", self.history_view, HISTORY_VIEWS)
        require_number("data.face_dropout", self.face_dropout, 0.0, 1.0)
        require_number("data.voice_dropout", self.voice_dropout, 0.0, 1.0)
        require_choice("data.modalities", self.modalities, MODALITIES)
        require_choice("data.latents", self.latents, LATENTS)
        require_number("data.noise_seconds", self.noise_seconds)


@dataclass(frozen=True)
class OptimiserOptions:
    """AdamW, one for the generator and one for the discriminators.

    lr, discriminator_lr: learning rates. betas, epsilon, weight_decay: of both. clip: largest norm
    of the gradients of either (0 is off). warmup: steps in which the rates rise from 0. decay:
    `cosine` lowers them to a hundredth until the last step, `none` holds them. ema: decay of the
    averaged copy of the generator that is judged and kept (0 is off, 0.999 usual). Raises
    OptionError.
    """

    lr: float = 1e-4
    discriminator_lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    # Gradients that are zero but for rounding (a key's bias) would move at full speed with 1e-8.
    epsilon: float = 1e-6
    weight_decay: float = 5e-4
    clip: float = 5.0
    warmup: int = 100
    decay: str = "none"
    ema: float = 0.0

    def __post_init__(self) -> None:
        for name in ("lr", "discriminator_lr", "weight_decay", "clip"):
            require_number(f"optimiser.{name}", getattr(self, name))
        require_number("optimiser.epsilon", self.epsilon, 1e-12)
        if len(self.betas) != 2:
            raise OptionError(f"optimiser.betas must be two numbers, not {self.betas!r}")
        for beta in self.betas:
            require_number("optimiser.betas", beta, 0.0, 0.99999)
        require_whole("optimiser.warmup", self.warmup, 0)
        require_choice("optimiser.decay", self.decay, DECAYS)
        require_number("optimiser.ema", self.ema, 0.0, 0.99999)


@dataclass(frozen=True)
class LoopOptions:
    """How long, on what, and what is told and kept on the way. 0 switches an interval off.

    steps: steps in all. batch: clips in a step, all processes together, so that the number of
    devices does not change the training. accumulate: parts in which each process does its share of
    a batch, to save memory. seed: of everything that is drawn. device: auto, cpu or cuda. devices:
    processes on each machine. nodes: machines. precision: `32`, or `bf16` for mixed. workers:
    processes that build clips (0: none). log, save, validate, picture: steps between lines of the
    log, checkpoints, scores on held-out clips, and drawn reactions in TensorBoard.
    validate_clips: held-out clips that are scored. Raises OptionError.
    """

    steps: int = 20000
    batch: int = 8
    accumulate: int = 1
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "32"
    workers: int = 2
    log: int = 20
    save: int = 500
    validate: int = 1000
    validate_clips: int = 64
    picture: int = 2000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "devices", "nodes", "log", "save"):
            require_whole(f"loop.{name}", getattr(self, name), 1)
        for name in ("seed", "workers", "validate", "picture"):
            require_whole(f"loop.{name}", getattr(self, name), 0)
        require_whole("loop.validate_clips", self.validate_clips, 2)
        require_choice("loop.device", self.device, DEVICES)
        require_choice("loop.precision", self.precision, PRECISIONS)
        if self.batch % (self.devices * self.nodes * self.accumulate):
            raise OptionError(
                f"loop.batch {self.batch} cannot be shared by {self.devices} x {self.nodes} "
                f"processes in {self.accumulate} parts: give a multiple of "
                f"{self.devices * self.nodes * self.accumulate}"
            )

    @property
    def shares(self) -> int:
        """Clips a process sees at once."""
        return self.batch // (self.devices * self.nodes * self.accumulate)


@dataclass(frozen=True)
class TrainOptions:
    """A whole run. `stage` is `gag` (generic reactions), `pag` (personal ones) or `face`: an
    encoder of pictures for a trained generator.
    """

    stage: str
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataOptions = field(default_factory=DataOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    negatives: NegativesOptions = field(default_factory=NegativesOptions)
    face: FaceOptions = field(default_factory=FaceOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)

    def __post_init__(self) -> None:
        require_choice("the stage", self.stage, STAGES)
        if self.data.history_frames < self.model.segments:
            raise OptionError(
                f"data.history_frames {self.data.history_frames} cannot be split into "
                f"{self.model.segments} segments (model.pattern_exponent)"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as in a config file, with `stage` beside the groups."""
        values = asdict(self)
        values["optimiser"]["betas"] = list(self.optimiser.betas)
        return values

    def differences(self, other: TrainOptions) -> dict[str, tuple[Any, Any]]:
        """Dotted names of options that differ, with both values."""
        mine, theirs = flat(self.to_dict()), flat(other.to_dict())
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}


GROUPS: Mapping[str, type] = {
    "model": ModelConfig,
    "data": DataOptions,
    "loss": LossOptions,
    "discriminator": DiscriminatorOptions,
    "negatives": NegativesOptions,
    "face": FaceOptions,
    "optimiser": OptimiserOptions,
    "loop": LoopOptions,
}
"""The part before the dot of an option's name."""

_CHANGEABLE = {
    "loop": "steps accumulate device devices nodes precision workers log save validate "
    "validate_clips picture",
    "optimiser": "lr discriminator_lr clip",
}
CHANGEABLE = frozenset(
    f"{group}.{name}" for group, names in _CHANGEABLE.items() for name in names.split()
)
"""Options that may be changed when a run is resumed: what is learnt from what stays the same."""


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"loss": {"kl": 0}} -> {"loss.kl": 0}; what is no group stays as it is."""
    result: dict[str, Any] = {}
    for group, inner in values.items():
        if isinstance(inner, Mapping):
            result.update({f"{group}.{name}": value for name, value in inner.items()})
        else:
            result[group] = inner
    return result


def keys() -> tuple[str, ...]:
    """The dotted names of all options, in the order of their groups."""
    return tuple(f"{group}.{part.name}" for group, kind in GROUPS.items() for part in fields(kind))
