"""Weights that a generator begins to learn from: a resting face, and a speaker who is heard.

With the usual random weights a face is nowhere near a face, and what the speaker does makes up less
than a thousandth of what the decoder sees. The quickest way down is then to make every face alike,
and a generator that has unlearnt to listen takes thousands of steps to learn it again. Begun here,
it follows the speaker after some hundred.
"""

from __future__ import annotations

import torch

from perreactor_model.contract import ACTION_UNIT_SLICE, EXPRESSION_SLICE
from perreactor_model.networks.attention import SpeakerAttention, spread_time_constants
from perreactor_model.networks.decoders import AlignedLayer, ReactionHeads
from perreactor_model.networks.generator import ReactionGenerator

UNIT_AT_REST = -2.0
"""Logit of an action unit: 0.12."""

EXPRESSION_AT_REST = (2.0, -1.0)
"""Logits of neutral, which is the first, and of each other expression: 0.74 and 0.04."""

ATTRIBUTE_GAIN, COEFFICIENT_GAIN = 0.1, 0.03
"""Of the heads: faces begin a tenth of their usual spread apart."""

TOKEN_GAIN, SPEAKER_GAIN = 4.0, 2.0
"""Of the fusion of face and voice, and of each layer that carries it on: to about 1 everywhere."""

SHORTEST, LONGEST = 2.0, 50.0
"""Time constants in frames of the heads that attend to the speaker."""


@torch.no_grad()
def begin(generator: ReactionGenerator) -> None:
    """Change the random weights of a new generator, in place; PAG's decoder follows GAG's."""
    generator.frame_encoder.fuse.weight.mul_(TOKEN_GAIN)
    for module in generator.decoder_generic.modules():
        if isinstance(module, ReactionHeads):
            _rest(module)
        elif isinstance(module, AlignedLayer):
            constants = spread_time_constants(module.speaker.heads, SHORTEST, LONGEST)
            ages = torch.arange(module.speaker_age.table.shape[1])
            module.speaker_age.table.copy_(-ages / constants[:, None])
        elif isinstance(module, SpeakerAttention):
            size = module.out.weight.shape[0]
            module.memory.weight[size:].mul_(SPEAKER_GAIN)
            module.out.weight.mul_(SPEAKER_GAIN)
    generator.personal_from_generic()


def _rest(heads: ReactionHeads) -> None:
    heads.coefficients.weight.mul_(COEFFICIENT_GAIN)
    heads.coefficients.bias.zero_()
    heads.attributes.weight.mul_(ATTRIBUTE_GAIN)
    bias = heads.attributes.bias.zero_()
    bias[ACTION_UNIT_SLICE] = UNIT_AT_REST
    bias[EXPRESSION_SLICE] = EXPRESSION_AT_REST[1]
    bias[EXPRESSION_SLICE.start] = EXPRESSION_AT_REST[0]
