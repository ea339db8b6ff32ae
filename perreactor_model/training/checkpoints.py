"""Checkpoints of a run: all it needs to go on, and the generator for everybody else.

`config` and `state_dict` are as `networks.checkpoint` writes them (the averaged weights, where
there are any), so `perreactor generate` and the like take the file as it is. `training` holds the
rest. Written whole or not at all; nothing is unpickled that could run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from perreactor_model.networks.checkpoint import (
    CHECKPOINT_FORMAT,
    CheckpointError,
    generator_from_content,
    is_checkpoint,
    read_content,
)
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.options import CHANGEABLE, TrainOptions
from perreactor_model.training.overrides import from_dict
from perreactor_model.whole_files import replacing

LAST, BEST = "last.ckpt", "best.ckpt"
TRAINING_FORMAT = 3

PERSONAL_FIELDS = frozenset(
    {"beta", "pattern_exponent", "pattern_input", "pattern_statistics", "pattern_gain"}
)
"""Of a model, what is learnt or used in stage 2 only and may differ from the GAG's."""


def write_checkpoint(
    path: Path, generator: ReactionGenerator, weights: Mapping[str, Tensor], training: Any
) -> None:
    """Write `weights` of `generator`, and what a run needs to go on. Raises OSError."""
    content = {
        "perreactor": CHECKPOINT_FORMAT,
        "config": generator.config.to_dict(),
        "state_dict": dict(weights),
        "training": {"format": TRAINING_FORMAT, **training},
    }
    with replacing(path) as unfinished:
        torch.save(content, unfinished)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint of a run, on the CPU.

    Raises CheckpointError for another file and FileNotFoundError for none.
    """
    content = read_content(path)
    if not isinstance(content, dict) or not is_checkpoint(content) or "training" not in content:
        raise CheckpointError(f"{path} is no checkpoint of a training run")
    if content["training"]["format"] != TRAINING_FORMAT:
        raise CheckpointError(
            f"{path} was written by another version of perreactor (training format "
            f"{content['training']['format']}, this version reads {TRAINING_FORMAT})"
        )
    return content


def options_of(content: Mapping[str, Any]) -> TrainOptions:
    """The options that the run of a checkpoint had."""
    return from_dict(content["training"]["options"])


def sweep(folder: Path) -> None:
    """Remove what a run that was killed while it wrote a checkpoint has left behind."""
    for unfinished in folder.glob(".*.ckpt.part"):
        unfinished.unlink(missing_ok=True)


def refuse_other_options(now: TrainOptions, then: TrainOptions, source: str) -> None:
    """A run goes on as it began. Raises CheckpointError, naming each option that would not."""
    fixed = {
        name: values
        for name, values in now.differences(then).items()
        if name not in CHANGEABLE or (name == "loop.steps" and then.optimiser.decay != "none")
    }
    if fixed:
        told = "; ".join(
            f"{name} is {asked} now and was {had}" for name, (asked, had) in sorted(fixed.items())
        )
        raise CheckpointError(
            f"{source} cannot be resumed with other options: {told}. Leave them out, or start anew "
            "in another folder"
        )


def refuse_other_data(now: str, then: str, source: str) -> None:
    """Raises CheckpointError where the prepared corpus is not the one the run began with."""
    if now != then:
        raise CheckpointError(
            f"{source} was trained on another prepared corpus (key {then}, this one is {now}): "
            "give the same --data, or start anew in another folder"
        )


def model_after(gag: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The model of stage 2: that of the checkpoint `gag`, with what may be `asked` for.

    `asked` holds options by dotted name. Raises CheckpointError for networks that differ.
    """
    model = model_of(_gag_content(gag))
    return changed_model(model, asked, PERSONAL_FIELDS, gag, "train a GAG with it first")


def model_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a checkpoint's model. An older one lacks newer fields: they have defaults."""
    return asdict(ModelConfig.from_dict(content["config"]))


def changed_model(
    model: Mapping[str, Any],
    asked: Mapping[str, Any],
    free: frozenset[str],
    source: Path,
    advice: str,
) -> dict[str, Any]:
    """`model`, of the checkpoint `source`, with the fields of `asked` that are `free` to differ.

    `asked` holds options by dotted name. Raises CheckpointError with `advice` for another field.
    """
    changed = dict(model)
    for key, value in asked.items():
        group, _, name = key.partition(".")
        if group != "model" or changed[name] == value:
            continue
        if name not in free:
            raise CheckpointError(
                f"{key} is {value!r}, but {source} was trained with {changed[name]!r}: leave it "
                f"out, or {advice}"
            )
        changed[name] = value
    return changed


def stage_of_reactions(training: Mapping[str, Any]) -> str | None:
    """`gag` or `pag`: how far the reactions of a checkpoint with this record have been trained.

    Those of a checkpoint of stage `face` are its teacher's. None where nothing is recorded.
    """
    stage = training.get("options", {}).get("stage")
    if stage == "face":
        stage = training["teacher"]["stage"]
    return None if stage is None else str(stage)


def personal_start(gag: Path, options: TrainOptions) -> tuple[ReactionGenerator, dict[str, Tensor]]:
    """Where stage 2 begins: the GAG's networks, a new pattern encoder, and the GAG's D_R.

    The decoder of PAG begins as a copy of GAG's. D_R is empty where the GAG had none.
    """
    content = _gag_content(gag)
    trained = generator_from_content(content, str(gag))
    generator = ReactionGenerator(options.model)
    for name in ("frame_encoder", "distribution", "decoder_generic"):
        getattr(generator, name).load_state_dict(getattr(trained, name).state_dict())
    generator.personal_from_generic()
    judges = content.get("training", {}).get("judges", {})
    prefix = "realism."
    return generator, {
        name[len(prefix) :]: value for name, value in judges.items() if name.startswith(prefix)
    }


def _gag_content(gag: Path) -> dict[str, Any]:
    """Any checkpoint of a generator serves; one of a run of stage 2 is surely a mistake."""
    content = read_content(gag)
    if not isinstance(content, dict) or not is_checkpoint(content):
        raise CheckpointError(f"{gag} is no checkpoint: give best.ckpt of `perreactor train gag`")
    if stage_of_reactions(content.get("training", {})) == "pag":
        raise CheckpointError(
            f"{gag} comes from `perreactor train pag`: give the checkpoint of its GAG"
        )
    return content
