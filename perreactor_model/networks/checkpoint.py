"""Checkpoints of our own networks: a dictionary of the configuration and the weights.

Nothing is unpickled that could run code, and a checkpoint fits exactly or is refused by name.
"""

from pathlib import Path
from typing import Any

import torch

from perreactor_model.networks.config import ConfigError, ModelConfig
from perreactor_model.networks.generator import ReactionGenerator

CHECKPOINT_FORMAT = 1


class CheckpointError(ValueError):
    """A file that is no checkpoint of ours, or one whose weights do not fit its configuration."""


def save_checkpoint(generator: ReactionGenerator, path: Path | str) -> None:
    """Write configuration and weights to `path`."""
    content = {
        "perreactor": CHECKPOINT_FORMAT,
        "config": generator.config.to_dict(),
        "state_dict": {name: value.cpu() for name, value in generator.state_dict().items()},
    }
    torch.save(content, path)


def is_checkpoint(content: object) -> bool:
    """Whether loaded content is laid out as `save_checkpoint` does."""
    return isinstance(content, dict) and {"perreactor", "config", "state_dict"} <= set(content)


def load_checkpoint(path: Path | str) -> ReactionGenerator:
    """The generator of a checkpoint, on the CPU and in evaluation mode.

    Raises CheckpointError when the file is none of ours or does not fit.
    """
    content = read_content(path)
    if not is_checkpoint(content):
        raise CheckpointError(f"{path} is no perreactor checkpoint: config and state_dict missing")
    assert isinstance(content, dict)
    return generator_from_content(content, str(path))


def read_content(path: Path | str) -> object:
    """What a torch file of tensors, numbers and containers holds, on the CPU.

    Raises CheckpointError for any other file, and FileNotFoundError.
    """
    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises half a dozen types for a file it cannot read
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    return content


def generator_from_content(content: dict[str, Any], source: str) -> ReactionGenerator:
    """Build the generator of a checkpoint's content; `source` names it in errors."""
    if content["perreactor"] != CHECKPOINT_FORMAT:
        raise CheckpointError(
            f"{source} has checkpoint format {content['perreactor']!r}, "
            f"this version reads {CHECKPOINT_FORMAT}"
        )
    try:
        generator = ReactionGenerator(ModelConfig.from_dict(content["config"]))
    except (ConfigError, TypeError) as error:
        raise CheckpointError(f"{source}: {error}") from error
    _refuse_mismatch(generator.state_dict(), content["state_dict"], source)
    generator.load_state_dict(content["state_dict"])
    return generator.eval()


def _refuse_mismatch(expected: dict[str, Any], found: dict[str, Any], source: str) -> None:
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    misshapen = [
        f"{name} is {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    faults = [f"missing {name}" for name in missing]
    faults += [f"unknown {name}" for name in unknown] + misshapen
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if faults[5:] else "")
        raise CheckpointError(f"{source} does not fit its configuration: {shown}")
