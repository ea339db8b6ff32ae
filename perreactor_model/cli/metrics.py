"""`perreactor metrics`: the figures of anybody's predictions, as published and put right."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.contract import ATTRIBUTE_COUNT, ATTRIBUTES, FRAME_RATE, attribute_ranges
from perreactor_model.shown_progress import shown_progress
from perreactor_model.whole_files import tidy_when_ended

if TYPE_CHECKING:
    from perreactor_model.metrics.evaluation import Pictures
    from perreactor_model.metrics.predictions import Predictions

_MODES = ("reference", "corrected", "both")
_MOST_PROCESSES = 8
_WORTH_PROCESSES = 2e8
"""Values compared, above which starting processes (a second or two) pays."""

_SCALE_TOLERANCE = 0.25
"""Beyond its range, an attribute is on another scale rather than a little off."""
_CLIPS_LOOKED_AT = 50

_ARRAYS = """\
arrays read, N clips, M reactions to each, T frames at 25 a second:
  prediction       (N, M, T, 25)  generated reactions
  listener         (N, T, 25)     what listener k really did
  speaker          (N, T, 25)     to whom; without it FRSyn and what builds on it are left out
  appropriate      (N, N) bool    [k, j]: listener j's reaction fits speaker k; includes [k, k]
  identity         (N,)           optional: who listener k is; gives PMAFRG and personalisation
  frames           (N,) int       optional: frames that count, where shorter clips are padded
  prediction_3dmm  (N, M, T, 58)  optional, with listener_3dmm (N, T, 58): for FRRea-motion
  channels         (25,) bool     optional: which attributes are known; the others are not judged
Write the file with numpy.savez: it is then read where it lies, however large.

modes:
  reference  the field's published code, its quirks included: to compare with papers
  corrected  what the metrics mean: means over samples, constant channels left out, signed lags
docs/metrics.md defines every figure.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _ARRAYS
    parser.add_argument("predictions", type=Path, help="the .npz to score")
    parser.add_argument("--mode", choices=_MODES, help="default: both, where all 25 are known")
    parser.add_argument("--json", action="store_true", help="print one object on stdout")
    parser.add_argument(
        "--anchors", action="store_true", help="score ground truth, noise and other trivial answers"
    )
    parser.add_argument("--metrics", help="only these, separated by commas: FRCorr,FRSyn")
    parser.add_argument(
        "--processes", type=int, help="default: one for each core, where the work is worth it"
    )
    parser.add_argument("--seam-step", type=int, help="frames a step of the stream: adds seams")
    parser.add_argument("--seed", type=int, default=0, help="of the random anchor")
    parser.add_argument(
        "--progress", action="store_true", help="show it even where stderr is no terminal"
    )
    pictures = parser.add_argument_group("FRRea (needs torch)")
    pictures.add_argument("--rendered", type=Path, help="folder of pictures of the predictions")
    pictures.add_argument("--real", type=Path, help="folder of real pictures")
    pictures.add_argument("--inception", type=Path, help="weights of FID's Inception network")
    pictures.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(arguments: argparse.Namespace) -> int:
    """Read, score, print. Raises ValueError and OSError for what the user can put right."""
    if importlib.util.find_spec("numba") is None:
        raise ValueError(
            "metrics needs numba, which is not installed: `pip install 'perreactor[evaluation]'`, "
            "or `make setup` in a checkout"
        )
    from perreactor_model.metrics.evaluation import evaluate
    from perreactor_model.metrics.predictions import Predictions

    pictures = _pictures(arguments)
    predictions = Predictions.from_file(arguments.predictions)
    _warn_of_lengths(predictions)
    _warn_of_scale(predictions)
    processes = arguments.processes
    if processes is None:
        processes = _processes(predictions)
    with tidy_when_ended(), shown_progress(always=arguments.progress) as progress:
        result = evaluate(
            predictions,
            _modes(arguments.mode, predictions),
            _names(arguments.metrics),
            arguments.anchors,
            processes,
            progress,
            seam_step=arguments.seam_step,
            pictures=pictures,
            seed=arguments.seed,
        )
    if arguments.json:
        print(json.dumps(result, indent=2, allow_nan=False))
    else:
        from perreactor_model.metrics.text import metrics_text

        print(metrics_text(result, predictions, str(arguments.predictions)))
    return 0


def _modes(asked: str | None, predictions: Predictions) -> tuple[str, ...]:
    if asked is None:
        return ("reference", "corrected") if predictions.channels.all() else ("corrected",)
    return ("reference", "corrected") if asked == "both" else (asked,)


def _warn_of_lengths(predictions: Predictions) -> None:
    """Unequal lengths are judged, and are often another frame rate or axes in another order."""
    pairs = zip(predictions.prediction, predictions.listener, strict=True)
    unequal = [
        (clip, made.shape[-2], real.shape[-2])
        for clip, (made, real) in enumerate(pairs)
        if made.shape[-2] != real.shape[-2]
    ]
    if unequal:
        clip, made_frames, real_frames = unequal[0]
        print(
            f"perreactor: note: clip {clip} has {made_frames} frames in prediction and "
            f"{real_frames} in listener ({len(unequal)} clips differ): both must come at "
            f"{FRAME_RATE} frames a second, with axes (N, M, T, {ATTRIBUTE_COUNT})",
            file=sys.stderr,
        )


def _warn_of_scale(predictions: Predictions) -> None:
    """Action units from 0 to 5, or affect from 1 to 9, are judged as they are, and mean little."""
    low, high = attribute_ranges()
    for name in ("listener", "speaker"):
        clips = getattr(predictions, name) or ()
        for clip in range(min(len(clips), _CLIPS_LOOKED_AT)):
            frames = clips[clip]
            beyond = np.maximum(frames - high, low - frames).max(axis=0)
            beyond[~predictions.channels] = 0.0
            worst = int(np.argmax(beyond))
            if beyond[worst] > _SCALE_TOLERANCE:
                values = frames[:, worst]
                print(
                    f"perreactor: note: {name} holds {ATTRIBUTES[worst]} from {values.min():g} to "
                    f"{values.max():g} (clip {clip}), outside {low[worst]:g} to {high[worst]:g}: "
                    "the metrics expect the contract's ranges, so distances are not comparable",
                    file=sys.stderr,
                )
                break


def _names(listed: str | None) -> list[str] | None:
    return None if listed is None else [name.strip() for name in listed.split(",")]


def _pictures(arguments: argparse.Namespace) -> Pictures | None:
    given = (arguments.rendered, arguments.real, arguments.inception)
    if not any(given):
        return None
    if not all(given):
        raise ValueError("FRRea needs all three of --rendered, --real and --inception")
    from perreactor_model.metrics.evaluation import Pictures

    return Pictures(*given, arguments.device)


def _processes(predictions: Predictions) -> int:
    """One for each core this process may use, if there is enough to do."""
    values = sum(
        predictions.prediction[clip].size * int(predictions.appropriate[clip].sum())
        for clip in range(predictions.clips)
    )
    if values < _WORTH_PROCESSES:
        return 1
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
