"""`perreactor train`: GAG, then PAG, on a prepared corpus; then eyes for either."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perreactor_model.installed import config_file
from perreactor_model.training.options import (
    GROUPS,
    SCORES,
    STAGES,
    OptionError,
    TrainOptions,
    flat,
)
from perreactor_model.training.overrides import build, read_config, read_words

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedCorpus

_NEEDED = {
    "torch": "training",
    "lightning_fabric": "training",
    "tensorboard": "training",
    "numba": "evaluation",
}


_STAGE_HELP = "gag: generic reactions; pag: personal ones; face: either learns to see pixels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _options_text()
    parser.add_argument("stage", choices=STAGES, help=_STAGE_HELP)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder made by `perreactor prepare`"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--gag", type=Path, help="checkpoint of stage 1 that pag begins from")
    parser.add_argument(
        "--teacher",
        type=Path,
        help="trained checkpoint that sees facial attributes, which face begins from",
    )
    parser.add_argument("--config", type=Path, help="default: the shipped train/STAGE.yaml")
    parser.add_argument(
        "--resume", action="store_true", help="go on from last.ckpt in --out, if it is there"
    )
    parser.add_argument(
        "options", nargs="*", metavar="key=value", help="any option below, as loss.diversity=5"
    )
    # Otherwise words after the first --flag would not be taken.
    parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]


def run(arguments: argparse.Namespace) -> int:
    """Train. Raises ValueError and OSError for what the user can put right."""
    options = options_of_run(arguments)
    _require_installed()
    from perreactor_model.preparation.prepared import open_prepared
    from perreactor_model.training.launching import as_launched, launched

    options = replace(options, loop=as_launched(options.loop))
    corpus = open_prepared(arguments.data)
    fabric = launched(options.loop)
    training = _run_of(options.stage)(
        fabric, options, corpus, arguments.out, arguments.gag or arguments.teacher
    )
    if fabric.is_global_zero:
        print(_beginning(training.step, options, corpus, arguments.out), file=sys.stderr)
    outcome = training.go()
    if not fabric.is_global_zero:
        return 0
    if outcome.stopped_by is not None:
        print(f"stopped after step {outcome.step}; --resume goes on from there", file=sys.stderr)
        return 128 + outcome.stopped_by
    print(_end(options.stage, outcome.best, arguments.out), file=sys.stderr)
    return 0


def options_of_run(arguments: argparse.Namespace) -> TrainOptions:
    """Defaults, config file and words; for a run that goes on, what it had before them.

    Raises OptionError, CheckpointError and OSError.
    """
    words = read_words(arguments.options)
    last = arguments.out / "last.ckpt"
    resumed = last.is_file()
    if resumed and not arguments.resume:
        raise OptionError(
            f"{arguments.out} holds a run already: go on with it with --resume, or choose another "
            "--out"
        )
    if resumed:
        _require_installed()
        from perreactor_model.training.checkpoints import options_of, read_checkpoint

        before = options_of(read_checkpoint(last))
        if before.stage != arguments.stage:
            raise OptionError(f"{last} is of `perreactor train {before.stage}`")
        config = read_config(arguments.config) if arguments.config else {}
        return build(arguments.stage, _layer(before.to_dict()), config, words)
    config = read_config(arguments.config or config_file(f"train/{arguments.stage}.yaml"))
    _require_beginning(arguments)
    return build(arguments.stage, config, words, _taken_over(arguments, {**config, **words}))


def _require_beginning(arguments: argparse.Namespace) -> None:
    """Each stage begins from what it needs, and from nothing else. Raises OptionError."""
    stage = arguments.stage
    for option, of in (("gag", "pag"), ("teacher", "face")):
        if getattr(arguments, option) is not None and stage != of:
            raise OptionError(f"--{option} is for `perreactor train {of}`")
    if stage == "pag" and arguments.gag is None:
        raise OptionError("pag begins from a trained GAG: give its best.ckpt as --gag")
    if stage == "face" and arguments.teacher is None:
        raise OptionError(
            "face begins from a trained generator that sees facial attributes: give best.ckpt of "
            "`perreactor train pag` as --teacher"
        )


def _taken_over(arguments: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    """Options that are those of the checkpoint a stage begins from. Raises CheckpointError."""
    if arguments.stage == "gag":
        return {}
    _require_installed()
    if arguments.stage == "pag":
        from perreactor_model.training.checkpoints import model_after

        return _layer({"model": model_after(arguments.gag, asked)})
    from perreactor_model.training.face_start import options_after

    return _layer(options_after(arguments.teacher, asked))


def _run_of(stage: str) -> Any:
    if stage == "face":
        from perreactor_model.training.face_run import FaceRun

        return FaceRun
    from perreactor_model.training.loop import Run

    return Run


def _layer(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flat(values).items() if "." in key}


def _require_installed() -> None:
    for name, extra in _NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"training needs {name}, which is not installed: "
                f"`pip install 'perreactor[{extra}]'`"
            )


def _beginning(step: int, options: TrainOptions, corpus: PreparedCorpus, out: Path) -> str:
    pairs = len(corpus.splits["train"].pairs)
    begun = f"goes on after step {step}" if step else "begins"
    loop = options.loop
    batch = "pictures" if options.stage == "face" else "clips"
    return (
        f"train {options.stage} {begun}: {loop.steps} steps of {loop.batch} {batch}, {pairs} pairs "
        f"to learn from, everything goes to {out} (curves: tensorboard --logdir {out})"
    )


def _end(stage: str, best: float | None, out: Path) -> str:
    if best is None:
        return f"done: {out / 'last.ckpt'} (nothing was scored: loop.validate is 0)"
    score = "share of the features explained" if stage == "face" else SCORES[stage]
    return f"done: {out / 'best.ckpt'} has the best held-out {score}, {best:.4f}"


def _options_text() -> str:
    """All groups with what their options mean and are by default, as `--help` shows them."""
    parts = ["options, key=value:"]
    for group, kind in GROUPS.items():
        parts.append("")
        document = " ".join((kind.__doc__ or "").split()).replace("`", "")
        parts += textwrap.wrap(f"{group}: {_without_errors(document)}", 96, subsequent_indent="  ")
        defaults = ", ".join(
            f"{group}.{name}={_shown(value)}" for name, value in _layer_of(kind).items()
        )
        parts += textwrap.wrap(
            defaults, 96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
    return "\n".join(parts)


def _layer_of(kind: type) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(kind())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value)


def _without_errors(document: str) -> str:
    """A docstring tells programmers what is raised; here nobody needs it."""
    return document.replace(" Raises OptionError.", "")
