"""`perreactor bundle`: make untrained bundles, such as benchmarks of other sizes need."""

import argparse
import json
import sys
from pathlib import Path

from perreactor_model.contract import VISUAL_INPUTS
from perreactor_model.networks.config import DECODERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--out",
        type=Path,
        help="folder to write; its name names the bundle "
        "(default: untrained_face_image and untrained_facial_attributes in the current folder)",
    )
    parser.add_argument(
        "--visual-input",
        choices=VISUAL_INPUTS,
        help="what the encoder sees (default: a bundle for each, or face_image with --out)",
    )
    parser.add_argument(
        "--decoder", choices=DECODERS, default="aligned", help="kind of decoder (docs/bundles.md)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Make one bundle or, without `--out`, one for each visual input; say which models they are."""
    if args.seed < 0:
        raise ValueError(f"--seed must be 0 or more, not {args.seed}")
    try:
        from perreactor_model.bundle.untrained import make_untrained_bundle, untrained_config
    except ModuleNotFoundError as error:
        raise ValueError(
            f"making a bundle needs {error.name}, which is not installed; "
            "install the packages for training first"
        ) from error

    made = []
    for visual_input, folder in _folders(args):
        print(f"making {folder} (about half a minute)", file=sys.stderr)
        config = untrained_config(visual_input, args.decoder)
        bundle = make_untrained_bundle(folder, config, args.seed)
        made.append({"path": str(bundle.path), "model_id": bundle.model_id})
        if not args.json:
            print(f"{bundle.path}: {bundle.model_id}, untrained")
    if args.json:
        print(json.dumps({"bundles": made}))
    return 0


def _folders(args: argparse.Namespace) -> list[tuple[str, Path]]:
    """What each new bundle sees, and its folder; none is in the package unless it is asked for."""
    if args.out is not None:
        return [(args.visual_input or "face_image", args.out)]
    chosen = [args.visual_input] if args.visual_input else VISUAL_INPUTS
    return [(visual_input, Path(f"untrained_{visual_input}")) for visual_input in chosen]
