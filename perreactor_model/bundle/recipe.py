"""From nothing to the trained bundles: `make weights`.

`python -m perreactor_model.bundle.recipe [--quick] [--work DIR] [--out DIR] [--only BUNDLE]` runs
the commands that anybody would type, one after the other, with the words in config/weights/*.yaml:
synthesize, prepare, train gag, train pag, export for the bundle that sees attributes; synthesize,
prepare, train face, export for the one that sees pixels, whose teacher is the first. Stopped at any
moment, it goes on where it was when it is started again: what is done is skipped, and training
resumes from its last checkpoint. On a GPU if there is one.
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

FULL, FACE, QUICK = (
    f"weights/{name}.yaml" for name in ("demo_attributes", "demo_face_image", "quick")
)
STAGES = ("synthesize", "prepare", "train_gag", "train_pag", "export")
FACE_STAGES = ("synthesize_faces", "prepare_faces", "train_face", "export_faces")
ROADS = {"demo_attributes": (FULL, STAGES), "demo_face_image": (FACE, FACE_STAGES)}
"""Bundle -> its recipe, and the stages of it; in the order in which they need each other."""

BUNDLES = Path("resource", "bundles")


class RecipeError(ValueError):
    """A recipe or a work folder that cannot be followed; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """A command: its name in the recipe, and the words after `perreactor`."""

    name: str
    words: tuple[str, ...]


def step_of(name: str, recipe: Mapping[str, Sequence[Any]], work: Path, out: Path) -> Step:
    """The command of a stage. Those before it must be done: their folders are looked into."""
    corpus, gag, pag, face = (work / folder for folder in ("corpus", "gag", "pag", "face"))
    faces = work / "corpus_faces"
    prepared, pictures = (_prepared_in(work / folder) for folder in ("prepared", "prepared_faces"))
    begin: dict[str, list[str | Path]] = {
        "synthesize": ["synthesize", "--out", corpus],
        "prepare": ["prepare", corpus, "--out", work / "prepared"],
        "train_gag": ["train", "gag", "--data", prepared, "--out", gag, "--resume"],
        "train_pag": ["train", "pag", "--data", prepared, "--out", pag, "--resume", "--gag"],
        "export": ["export", pag / "best.ckpt", "--out", out],
        "synthesize_faces": ["synthesize", "--video", "--out", faces],
        "prepare_faces": ["prepare", faces, "--out", work / "prepared_faces", "--faces", "crops"],
        "train_face": ["train", "face", "--data", pictures, "--out", face, "--resume", "--teacher"],
        "export_faces": ["export", face / "best.ckpt", "--out", out],
    }
    begin["train_pag"].append(gag / "best.ckpt")
    begin["train_face"].append(pag / "best.ckpt")
    return Step(name, tuple(str(word) for word in [*begin[name], *recipe[name]]))


def follow(
    recipe: Mapping[str, Sequence[Any]],
    work: Path,
    out: Path,
    run: Callable[[Step], None],
    tell: Callable[[str], None],
    stages: Sequence[str] = STAGES,
) -> None:
    """Run the `stages` that are not done yet, and remember in `work` that they are.

    Raises RecipeError for a recipe that misses or adds a stage, or where one was done with other
    words; and whatever `run` raises.
    """
    if set(recipe) != set(stages):
        raise RecipeError(f"a recipe has the entries {', '.join(stages)}, not {', '.join(recipe)}")
    work.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(stages, 1):
        step = step_of(name, recipe, work, out)
        place = f"{out.name}, {number} of {len(stages)}, {name.replace('_', ' ')}"
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
    parser.add_argument(
        "--out", type=Path, help=f"where bundles come to lie: {BUNDLES}; with --quick in --work"
    )
    parser.add_argument("--only", choices=tuple(ROADS), help="one bundle and what it needs")
    asked = parser.parse_args(arguments)
    out = asked.out or (asked.work / "bundles" if asked.quick else BUNDLES)
    try:
        for name, (recipe, stages) in ROADS.items():
            words = _words(QUICK if asked.quick else recipe, stages)
            follow(words, asked.work, out / name, _run, _say, stages)
            if name == asked.only:
                break
    except (RecipeError, OSError) as error:
        _say(f"error: {error}")
        return 2
    except subprocess.CalledProcessError as error:
        # The command has said what was wrong, or was told to stop.
        return error.returncode if error.returncode > 0 else 128 - error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def _words(recipe: str, stages: Sequence[str]) -> dict[str, Any]:
    """What a recipe says of some stages; the quick one says something of all."""
    words = yaml.safe_load(config_file(recipe).read_text("utf-8"))
    return words if recipe != QUICK else {name: words[name] for name in stages}


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
