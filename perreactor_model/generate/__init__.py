"""Reactions to recorded speakers, from any networks we can load: `generate`.

Flow: `inputs` reads and checks the recording, `open_generator` finds out what a path holds and
loads it (`authors`, `bundles` or `checkpoints`), the generator returns arrays. Importing this
loads neither torch nor onnxruntime.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perreactor_model.generate.inputs import GenerationInput, InputError, read_input
from perreactor_model.generate.options import MODES, GenerationOptions, Generator

__all__ = [
    "MODES",
    "GenerationInput",
    "GenerationOptions",
    "Generator",
    "InputError",
    "generate",
    "open_generator",
    "read_input",
]


def generate(
    checkpoint: Path | str,
    given: GenerationInput,
    options: GenerationOptions | None = None,
    generic_checkpoint: Path | str | None = None,
) -> dict[str, np.ndarray]:
    """React to recorded speakers; returns the arrays described at `Generator`.

    Raises ValueError that says what is wrong with a file, an array or an option; OSError.
    """
    options = options or GenerationOptions()
    return run(open_generator(checkpoint, generic_checkpoint, options), given, options)


def run(
    generator: Generator, given: GenerationInput, options: GenerationOptions
) -> dict[str, np.ndarray]:
    """The mode that the options ask for. Raises ValueError."""
    if options.mode == "stream":
        return generator.stream(given, options)
    return generator.offline(given, options)


def open_generator(
    checkpoint: Path | str, generic_checkpoint: Path | str | None, options: GenerationOptions
) -> Generator:
    """Load networks: a folder or a name is a bundle, a file a checkpoint of ours or the authors'.

    `generic_checkpoint` is the authors' stage-1 file that belongs to a PAG file. Raises ValueError
    that says what the path holds instead; OSError.
    """
    path = Path(checkpoint)
    if not path.is_file():
        if path.suffix in (".pth", ".pt", ".ckpt"):
            raise FileNotFoundError(f"there is no checkpoint {path}")
        from perreactor_model.bundle.manifest import Bundle
        from perreactor_model.generate.bundles import BundleGenerator

        bundle = Bundle.load(checkpoint)
        _refuse_authors_options(generic_checkpoint, options)
        return BundleGenerator(bundle, options)
    _require_torch()
    from perreactor_model.networks.authors.checkpoint import is_authors_checkpoint, read_tensors
    from perreactor_model.networks.checkpoint import is_checkpoint

    contents = read_tensors(path)
    if is_checkpoint(contents) and not is_authors_checkpoint(contents):
        from perreactor_model.generate.checkpoints import CheckpointGenerator

        _refuse_authors_options(generic_checkpoint, options)
        return CheckpointGenerator(path, options)
    from perreactor_model.generate.authors import AuthorsGenerator

    generic = None if generic_checkpoint is None else Path(generic_checkpoint)
    return AuthorsGenerator.load(path, generic, options)


def _refuse_authors_options(
    generic_checkpoint: Path | str | None, options: GenerationOptions
) -> None:
    if generic_checkpoint is not None:
        raise ValueError(
            "a generic checkpoint belongs to an authors' PAG file; our own bundles and checkpoints "
            "hold both decoders"
        )
    if options.integration is not None:
        raise ValueError("integration is an option of the authors' checkpoints only")


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "reading a checkpoint needs torch: pip install -r requirements/training.txt "
            "(a bundle does not need it)"
        ) from error
