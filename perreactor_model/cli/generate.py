"""`perreactor generate`: reactions to recorded speakers, from an .npz to an .npz."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from perreactor_model.generate import MODES, GenerationOptions, open_generator, read_input
from perreactor_model.generate import run as react
from perreactor_model.generate.inputs import DEFAULT_SAMPLES
from perreactor_model.whole_files import replacing

_ARRAYS = f"""\
arrays read, all float, N clips of T frames at 25 a second:
  speaker_video       (N, T, 3, H, W)  face images in [-1, 1]
  speaker_audio       (N, T, 78)       audio features
  speaker_attributes  (N, T, 25)       for bundles that see facial attributes; NaN = unknown
  speaker_3dmm        (N, T, 58)       for bundles that see facial attributes; NaN = unknown
  listener_history    (N, H, 25)       past behaviour, for personal reactions. Authors' networks
                                       read its first 480 frames, ours the newest; ours may
                                       want 31 columns: attributes and head pose
  noise               (N * M, d)       eps of each reaction, row = clip * M + sample; the stream
                                       holds it. Without it eps is drawn from --seed
  beta                ()               weight of the pattern, unless --beta says another

arrays written, as far as checkpoint and input allow:
  encoded (N, T, d), mu and sigma (N, d) or in the stream (N, T, d), pattern (N, d),
  generic_3dmm and personal_3dmm (N * M, T, 58), generic_attributes and personal_attributes
  (N * M, T, 25), noise where it was drawn offline. 3DMM coefficients are deviations from the mean
  face. M is {DEFAULT_SAMPLES} where neither noise nor --samples says otherwise.

The stream of authors' checkpoints encodes the whole window again for each frame: seconds a frame.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _ARRAYS
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="authors' checkpoint (PAG or stage 1), our own, or a bundle (folder or name)",
    )
    parser.add_argument(
        "--generic-checkpoint",
        type=Path,
        help="authors' stage-1 checkpoint, for generic reactions beside a PAG file's personal ones",
    )
    parser.add_argument("--input", type=Path, required=True, help="the .npz to read")
    parser.add_argument("--output", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--mode", choices=MODES, default="offline", help="default: offline")
    parser.add_argument("--samples", type=int, help="reactions to each clip")
    parser.add_argument("--seed", type=int, default=0, help="of noise that is not given")
    parser.add_argument(
        "--window", type=int, help="frames in view in the stream (default: 256, or the bundle's)"
    )
    parser.add_argument("--beta", type=float, help="weight of the pattern in personal reactions")
    parser.add_argument(
        "--integration",
        help="self-attn or residual, for the authors' checkpoints whose weights do not tell which",
    )
    parser.add_argument(
        "--noise-seconds", type=float, default=8.0, help="time constant of the stream's noise"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="print one object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Read, generate, write. Raises ValueError and OSError for what the user can put right."""
    options = GenerationOptions(
        mode=arguments.mode,
        samples=arguments.samples,
        seed=arguments.seed,
        window=arguments.window,
        beta=arguments.beta,
        integration=arguments.integration,
        noise_seconds=arguments.noise_seconds,
        device=arguments.device,
        progress=True,
    )
    folder = arguments.output.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder} for the output")
    given = read_input(arguments.input)
    generator = open_generator(arguments.checkpoint, arguments.generic_checkpoint, options)
    results = react(generator, given, options)
    _write(arguments.output, results)
    shapes = {name: list(array.shape) for name, array in results.items()}
    if arguments.json:
        summary = {
            "output": str(arguments.output),
            "source": generator.source,
            "mode": options.mode,
            "clips": given.clips,
            "frames": given.frames,
            "seed": options.seed,
            "arrays": shapes,
        }
        print(json.dumps(summary))
    else:
        print(f"{generator.source}, {options.mode}: {arguments.output}")
        for name, shape in shapes.items():
            print(f"  {name:20} {tuple(shape)}")
    return 0


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write all of the file or none of it, under exactly this name."""
    with replacing(path) as part, open(part, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
