"""Sizes and kinds of a model, readable without torch.

One `ModelConfig` describes a checkpoint, a bundle and the caches of the streaming engine. It is
validated once, when it is made, and is immutable afterwards.
"""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from perreactor_model.contract import ATTRIBUTE_COUNT, VISUAL_INPUTS

DECODERS = ("aligned", "paper")
PATTERN_INPUTS = {"attributes": ATTRIBUTE_COUNT, "attributes+head": ATTRIBUTE_COUNT + 6}
AUDIO_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
SMALLEST_IMAGE = 32

_LATER = ("pattern_statistics", "latent_skip", "pattern_gain")
"""Fields that format 1 of bundles began without; their default is False."""

EMPTY_FRAME = -(2**40)
"""Frame number of a cache slot that holds nothing; older than every band."""


class ConfigError(ValueError):
    """A model configuration that names no model. The message says which field and what would do."""


@dataclass(frozen=True)
class ModelConfig:
    """What has to be known to build the networks and to size the caches of the stream.

    `feature_size` is the width of tokens, latents and patterns; `heads` of each attention;
    `feed_forward` the width between two layers; `window` the number of speaker frames a streamed
    reaction may depend on; `decoder_layers` layers in each `decoder`, which is `aligned` or
    `paper`; `beta` the weight of the personal pattern (Eq. 7); `visual_input` what is seen of the
    speaker, `face_image` (then `visual_channels` wide, of `image_size` pixels) or
    `facial_attributes`; `audio_rate` in Hz; `pattern_exponent` is K, so a history is split into
    2**K segments; `pattern_input` what a row of a history holds; `pattern_statistics` whether the
    pattern also reads level and paces of the whole history, `latent_skip` whether the latent also
    goes straight to what the decoder's layers hand to its heads, `pattern_gain` whether in PAG's
    decoder it says how large that becomes (none of these is in the paper).
    """

    feature_size: int = 128
    heads: int = 4
    feed_forward: int = 256
    decoder_layers: int = 2
    window: int = 256
    decoder: str = "aligned"
    beta: float = 0.1
    visual_input: str = "face_image"
    visual_channels: int = 128
    image_size: int = 224
    audio_rate: int = 16000
    pattern_exponent: int = 2
    pattern_input: str = "attributes+head"
    pattern_statistics: bool = False
    latent_skip: bool = False
    pattern_gain: bool = False

    def __post_init__(self) -> None:
        for name in (
            "feature_size",
            "heads",
            "feed_forward",
            "decoder_layers",
            "window",
            "visual_channels",
        ):
            _require_integer(name, getattr(self, name), 1)
        _require_integer("image_size", self.image_size, SMALLEST_IMAGE)
        _require_integer("pattern_exponent", self.pattern_exponent, 2)
        if self.feature_size % self.heads:
            raise ConfigError(
                f"feature_size {self.feature_size} is not a multiple of heads {self.heads}"
            )
        if self.feature_size % 2:
            raise ConfigError(f"feature_size must be even, not {self.feature_size}")
        _require_choice("decoder", self.decoder, DECODERS)
        _require_choice("visual_input", self.visual_input, VISUAL_INPUTS)
        _require_choice("pattern_input", self.pattern_input, tuple(PATTERN_INPUTS))
        for name in _LATER:
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, not {getattr(self, name)!r}")
        _require_integer("audio_rate", self.audio_rate, 1)
        if self.audio_rate not in AUDIO_RATES:
            raise ConfigError(f"audio_rate must be one of {AUDIO_RATES}, not {self.audio_rate}")
        if isinstance(self.beta, bool) or not isinstance(self.beta, (int, float)):
            raise ConfigError(f"beta must be a number, not {self.beta!r}")
        if not 0 <= self.beta < float("inf"):
            raise ConfigError(f"beta must be 0 or more and finite, not {self.beta}")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.feature_size // self.heads

    @property
    def pattern_channels(self) -> int:
        """Number of values in one row of a history: 25, or 31 with the head pose."""
        return PATTERN_INPUTS[self.pattern_input]

    @property
    def segments(self) -> int:
        """Segments a history is split into, 2**K; also the shortest history in frames."""
        return 2**self.pattern_exponent

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values.

        What came later stands there only where it is used: the ids of older bundles stay theirs.
        """
        return {name: value for name, value in asdict(self).items() if value or name not in _LATER}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Build a configuration from a mapping; missing fields take their defaults.

        Raises ConfigError for an unknown field (with the nearest known one) or a bad value.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise ConfigError(f"unknown model field {name!r}: {hint}")
        return cls(**values)


def _require_integer(name: str, value: object, lowest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise ConfigError(f"{name} must be a whole number of {lowest} or more, not {value!r}")


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
