"""What the loop needs to know of a stage: its networks, made from options and a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from perreactor_model.networks.checkpoint import CheckpointError, load_checkpoint
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.batch import Batch
from perreactor_model.training.beginning import begin
from perreactor_model.training.checkpoints import personal_start
from perreactor_model.training.generic_stage import GenericStage, Reactions
from perreactor_model.training.items import Listeners
from perreactor_model.training.judging import Judges, Losses
from perreactor_model.training.options import TrainOptions
from perreactor_model.training.personal_stage import PersonalStage


class Stage(Protocol):
    """GAG's or PAG's half of a step; `GenericStage` and `PersonalStage` are the two."""

    generator: ReactionGenerator
    judges: Judges

    def react(self, batch: Batch) -> Reactions:
        """Reactions to a batch."""

    def discriminator_losses(
        self, batch: Batch, made: Reactions, step: int
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Losses of the judges, and shares of what they got right."""

    def generator_losses(self, batch: Batch, made: Reactions, step: int) -> Losses:
        """Losses of the generator."""


def build_stage(
    options: TrainOptions,
    gag: Path | None,
    face_encoder: Path | None = None,
    listeners: Listeners | None = None,
) -> GenericStage | PersonalStage:
    """New networks on the CPU; those of stage 2 begin where the GAG ended (`gag`).

    None for `gag` in stage 2: a checkpoint of the run itself will be loaded into them. `listeners`
    of the corpus: the pattern encoder begins by telling them apart.

    `face_encoder` is the checkpoint whose face encoder the corpus was prepared with, where it holds
    features of faces: it becomes the generator's, and learns nothing. The same options give the
    same weights. Raises CheckpointError for a GAG or an encoder that does not fit.
    """
    torch.manual_seed(options.loop.seed)
    if options.stage == "gag":
        generator = ReactionGenerator(options.model)
        begin(generator)
        if face_encoder is not None:
            take_face_encoder(generator, face_encoder)
        generic = GenericStage(generator, options.loss, options.discriminator)
        generator.frame_encoder.face.requires_grad_(face_encoder is None)
        return generic
    if gag is None:
        generator = ReactionGenerator(options.model)
        return PersonalStage(generator, options.loss, options.discriminator, options.negatives)
    generator, realism = personal_start(gag, options)
    stage = PersonalStage(generator, options.loss, options.discriminator, options.negatives)
    if listeners is not None:
        generator.pattern_encoder.tell_apart(listeners.histories, listeners.people)
        stage.judges.meet(listeners.pasts, listeners.people, options.data.clip_frames)
    known = stage.judges.realism
    # The paper takes D_R over from stage 1; one of another size begins anew.
    if known is not None and _fits(known.state_dict(), realism):
        known.load_state_dict(realism)
    return stage


def take_face_encoder(generator: ReactionGenerator, checkpoint: Path) -> None:
    """Give the generator the face encoder of a checkpoint. Raises CheckpointError."""
    given = load_checkpoint(checkpoint).frame_encoder.face.state_dict()
    face = generator.frame_encoder.face
    if not _fits(face.state_dict(), given):
        raise CheckpointError(
            f"the corpus was prepared with the face encoder of {checkpoint}, which is of another "
            "kind or size than the model's: give the same model.visual_input, model.feature_size "
            "and model.visual_channels"
        )
    face.load_state_dict(given)


def _fits(expected: dict[str, Tensor], found: dict[str, Tensor]) -> bool:
    return expected.keys() == found.keys() and all(
        expected[name].shape == found[name].shape for name in expected
    )
