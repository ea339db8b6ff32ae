"""`perreactor bundle`: make an untrained bundle, or show what a bundle is."""

import argparse
import json
import sys
from pathlib import Path

from perreactor_model.contract import VISUAL_INPUTS
from perreactor_model.networks.config import DECODERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write; its name names the bundle"
    )
    parser.add_argument(
        "--visual-input", choices=VISUAL_INPUTS, default="face_image", help="what the encoder sees"
    )
    parser.add_argument(
        "--decoder", choices=DECODERS, default="aligned", help="kind of decoder (docs/bundles.md)"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Make the bundle and say which model it is."""
    if args.seed < 0:
        raise ValueError(f"--seed must be 0 or more, not {args.seed}")
    try:
        from perreactor_model.bundle.untrained import make_untrained_bundle, untrained_config
    except ModuleNotFoundError as error:
        raise ValueError(
            f"making a bundle needs {error.name}, which is not installed; "
            "install the packages for training first"
        ) from error

    config = untrained_config(args.visual_input, args.decoder)
    print(f"making {args.out} (about half a minute)", file=sys.stderr)
    bundle = make_untrained_bundle(args.out, config, args.seed)
    if args.json:
        print(json.dumps({"path": str(bundle.path), "model_id": bundle.model_id}))
    else:
        print(f"{bundle.path}: {bundle.model_id}, untrained")
    return 0
