"""Where `train face` begins: a trained generator, whose face encoder becomes the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from perreactor_model.bundle.manifest import file_sha256
from perreactor_model.networks.checkpoint import (
    CheckpointError,
    generator_from_content,
    is_checkpoint,
    read_content,
)
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.checkpoints import (
    changed_model,
    model_of,
    stage_of_reactions,
)
from perreactor_model.training.face_stage import FaceStage, teacher_of
from perreactor_model.training.options import TrainOptions

FACE_FIELDS = frozenset({"visual_channels", "image_size"})
"""Of a model, what stage `face` may choose."""


def options_after(teacher: Path, asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Groups `model` and `data` of a run of stage `face`: those of its teacher, but it sees pixels.

    `asked` holds options by dotted name. Raises CheckpointError where they are not the teacher's.
    """
    content = _teacher_content(teacher)
    asked = {key: value for key, value in asked.items() if key != "model.visual_input"}
    model = changed_model(model_of(content), asked, FACE_FIELDS, teacher, "train a teacher with it")
    groups = {"model": {**model, "visual_input": "face_image"}}
    # How long a history is, by which reactions are judged, is the teacher's too.
    groups["data"] = content.get("training", {}).get("options", {}).get("data", {})
    return groups


def face_stage(teacher: Path, options: TrainOptions) -> tuple[FaceStage, dict[str, Any]]:
    """A new encoder of pictures among the teacher's networks, and what is recorded of the teacher.

    The same options give the same weights. Raises CheckpointError for no fitting teacher.
    """
    content = _teacher_content(teacher)
    trained = generator_from_content(content, str(teacher))
    stage = resumed_face_stage(options)
    for name, network in trained.named_children():
        if name != "frame_encoder":
            getattr(stage.generator, name).load_state_dict(network.state_dict())
    weights = trained.frame_encoder.state_dict()
    others = {name: value for name, value in weights.items() if not name.startswith("face.")}
    stage.generator.frame_encoder.load_state_dict(others, strict=False)
    stage.judges.load_state_dict(teacher_of(trained.frame_encoder).state_dict())
    return stage, _record(teacher, content)


def resumed_face_stage(options: TrainOptions) -> FaceStage:
    """The networks of a run, for what its checkpoint holds: its teacher is needed no more."""
    torch.manual_seed(options.loop.seed)
    generator = ReactionGenerator(options.model)
    seeing = ReactionGenerator(replace(options.model, visual_input="facial_attributes"))
    return FaceStage(generator, teacher_of(seeing.frame_encoder))


def _record(teacher: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    training = content.get("training", {})
    return {
        "sha256": file_sha256(teacher),
        "stage": stage_of_reactions(training) or "pag",
        "step": training.get("step", 0),
        "score": training.get("score"),
        "data": training.get("data"),
        "corpus": training.get("corpus"),
        "options": training.get("options", {}),
    }


def _teacher_content(teacher: Path) -> dict[str, Any]:
    content = read_content(teacher)
    if not isinstance(content, dict) or not is_checkpoint(content):
        raise CheckpointError(
            f"{teacher} is no checkpoint: give best.ckpt of `perreactor train pag`, or of `gag`"
        )
    seen = model_of(content)["visual_input"]
    if seen != "facial_attributes":
        raise CheckpointError(
            f"{teacher} sees {seen}: a teacher is a checkpoint with visual_input facial_attributes"
        )
    return content
