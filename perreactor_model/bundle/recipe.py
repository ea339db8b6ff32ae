"""From nothing to a trained bundle: `make weights`.

`python -m perreactor_model.bundle.recipe [--quick] [--work DIR] [--out BUNDLE]` runs the commands
that anybody would type, one after the other, with the words in config/weights/*.yaml: synthesize,
prepare, train gag, train pag, export. Stopped at any moment, it goes on where it was when it is
started again: what is done is skipped, and training resumes from its last checkpoint. On a GPU if
there is one.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from perreactor_model.installed import config_file
from perreactor_model.whole_files import replacing

FULL, QUICK = "weights/demo_attributes.yaml", "weights/quick.yaml"
STAGES = ("synthesize", "prepare", "train_gag", "train_pag", "export")
BUNDLE = Path("resource", "bundles", "demo_attributes")


class RecipeError(ValueError):
    """A recipe or a work folder that cannot be followed; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """A command: its name in the recipe, and the words after `perreactor`."""

    name: str
    words: tuple[str, ...]


def step_of(name: str, recipe: Mapping[str, Sequence[Any]], work: Path, out: Path) -> Step:
    """The command of a stage. Those before it must be done: their folders are looked into."""
    corpus, gag, pag = (work / folder for folder in ("corpus", "gag", "pag"))
    prepared = _prepared_in(work / "prepared")
    begin: dict[str, list[str | Path]] = {
        "synthesize": ["synthesize", "--out", corpus],
        "prepare": ["prepare", corpus, "--out", work / "prepared"],
        "train_gag": ["train", "gag", "--data", prepared, "--out", gag, "--resume"],
        "train_pag": ["train", "pag", "--data", prepared, "--out", pag, "--resume", "--gag"],
        "export": ["export", pag / "best.ckpt", "--out", out],
    }
    begin["train_pag"].append(gag / "best.ckpt")
    return Step(name, tuple(str(word) for word in [*begin[name], *recipe[name]]))


def follow(
    recipe: Mapping[str, Sequence[Any]],
    work: Path,
    out: Path,
    run: Callable[[Step], None],
    tell: Callable[[str], None],
) -> None:
    """Run the stages that are not done yet, and remember in `work` that they are.

    Raises RecipeError for a recipe that misses or adds a stage, or where one was done with other
    words; and whatever `run` raises.
    """
    if set(recipe) != set(STAGES):
        raise RecipeError(f"a recipe has the entries {', '.join(STAGES)}, not {', '.join(recipe)}")
    work.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(STAGES, 1):
        step = step_of(name, recipe, work, out)
        place = f"{number} of {len(STAGES)}, {name.replace('_', ' ')}"
        done = work / f"{name}.done"
        if done.is_file():
            _refuse_other_words(step, done)
            tell(f"{place}: done already")
            continue
        tell(f"{place}: perreactor {shlex.join(step.words)}")
        began = time.monotonic()
        run(step)
        with replacing(done) as path:
            path.write_text(json.dumps(step.words), encoding="utf-8")
        tell(f"{place}: took {(time.monotonic() - began) / 60:.1f} minutes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow the recipe; the exit status is that of the command that failed, or 0."""
    parser = argparse.ArgumentParser(prog="make weights", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="toy sizes: does it run at all?")
    parser.add_argument("--work", type=Path, default=Path("build", "weights"))
    parser.add_argument("--out", type=Path, help=f"default: {BUNDLE}; with --quick in --work")
    asked = parser.parse_args(arguments)
    out = asked.out or (asked.work / "bundle" if asked.quick else BUNDLE)
    try:
        recipe = yaml.safe_load(config_file(QUICK if asked.quick else FULL).read_text("utf-8"))
        follow(recipe, asked.work, out, _run, _say)
    except (RecipeError, OSError) as error:
        _say(f"error: {error}")
        return 2
    except subprocess.CalledProcessError as error:
        # The command has said what was wrong, or was told to stop.
        return error.returncode if error.returncode > 0 else 128 - error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def _run(step: Step) -> None:
    subprocess.run([sys.executable, "-m", "perreactor_model", *step.words], check=True)


def _say(text: str) -> None:
    print(f"weights: {text}", file=sys.stderr, flush=True)


def _prepared_in(cache: Path) -> Path:
    """The newest prepared corpus in a cache, whose folders are named after what they hold."""
    found = sorted(cache.glob("*/prepared.json"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else cache


def _refuse_other_words(step: Step, done: Path) -> None:
    words = json.loads(done.read_text(encoding="utf-8"))
    if list(step.words) != words:
        raise RecipeError(
            f"{done.parent} holds a {step.name} made by `perreactor {shlex.join(words)}`, the "
            f"recipe now says `perreactor {shlex.join(step.words)}`: remove that folder, or give "
            "another --work"
        )


if __name__ == "__main__":
    raise SystemExit(main())
