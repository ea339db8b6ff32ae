"""`perreactor export`: a bundle for the nodes from a checkpoint of a training run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perreactor_model.contract import AU_SEMANTICS, COEFFICIENT_COUNT
from perreactor_model.synthesis.personas import SHIPPED_PERSONAS

if TYPE_CHECKING:
    from perreactor_model.bundle.trained import CorpusFacts, TrainedNetworks

HISTORY_SECONDS = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "checkpoint", type=Path, help="best.ckpt or last.ckpt of `perreactor train pag` or `face`"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the bundle; a bundle that is there is replaced",
    )
    parser.add_argument("--name", help="of the bundle (default: the folder's)")
    parser.add_argument(
        "--profiles",
        nargs="*",
        metavar="WHO",
        help="whose profiles come with it: names of shipped personas "
        f"({', '.join(SHIPPED_PERSONAS)}), YAML files of personas, or files of attributes "
        "(default: the shipped personas, none for a GAG; the option alone: none)",
    )
    parser.add_argument(
        "--history-seconds",
        type=float,
        default=HISTORY_SECONDS,
        help=f"how long each persona is watched for its profile (default: {HISTORY_SECONDS:g})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the personas' histories")
    parser.add_argument(
        "--data",
        type=Path,
        help="the prepared corpus it was trained on, for the mean face, "
        "where the checkpoint does not tell it",
    )
    parser.add_argument(
        "--au-semantics",
        choices=AU_SEMANTICS,
        help="what action units are, where neither checkpoint nor corpus tells it "
        "(default: intensity)",
    )
    parser.add_argument(
        "--scores", type=Path, help="a JSON file to keep in the bundle's record of where it is from"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Export, compare, and say how far bundle and checkpoint differ. Raises ValueError, OSError."""
    if not 0.0 < arguments.history_seconds <= 3600.0:
        raise ValueError(
            f"--history-seconds must be above 0 and at most 3600, not {arguments.history_seconds:g}"
        )
    if arguments.seed < 0:
        raise ValueError(f"--seed must be 0 or more, not {arguments.seed}")
    scores = _scores(arguments.scores)
    trained = _import_trained()
    networks = trained.read_networks(arguments.checkpoint)
    corpus = _corpus(networks, arguments)
    from perreactor_model.bundle.persona_histories import histories

    chosen = arguments.profiles
    if chosen is None:
        chosen = SHIPPED_PERSONAS if networks.knows_listeners else ()
    people = histories(chosen, arguments.history_seconds, arguments.seed)
    print(f"making {arguments.out} (about a minute)", file=sys.stderr)
    made = trained.export_bundle(
        networks, arguments.out, corpus, people, arguments.name, scores=scores
    )
    _tell(made, arguments.json)
    return 0


def _import_trained() -> Any:
    try:
        from perreactor_model.bundle import trained
    except ModuleNotFoundError as error:
        raise ValueError(
            f"exporting needs {error.name}, which is not installed: "
            "pip install -r requirements/training.txt"
        ) from error
    return trained


def _corpus(networks: TrainedNetworks, arguments: argparse.Namespace) -> CorpusFacts:
    """From the prepared corpus if it is given, else from the checkpoint, else what is asked for."""
    from perreactor_model.bundle.trained import CorpusFacts, recorded_corpus

    facts = recorded_corpus(networks)
    if arguments.data is not None:
        facts = _facts_of(arguments.data, networks)
    asked = arguments.au_semantics
    if facts is None:
        if networks.steps:
            print(
                "perreactor: note: the checkpoint does not tell the mean face of its corpus; "
                "coefficients will be taken as deviations from a neutral face (or give --data)",
                file=sys.stderr,
            )
        return CorpusFacts(np.zeros(COEFFICIENT_COUNT, np.float32), asked or "intensity")
    if asked not in (None, facts.au_semantics):
        raise ValueError(
            f"--au-semantics {asked}: the networks were trained on {facts.au_semantics}; "
            "leave the option out"
        )
    return facts


def _facts_of(folder: Path, networks: TrainedNetworks) -> CorpusFacts:
    from perreactor_model.bundle.trained import CorpusFacts
    from perreactor_model.preparation import open_prepared

    corpus = open_prepared(folder)
    known = networks.record.get("data")
    if known not in (None, corpus.key):
        raise ValueError(
            f"{networks.path} was trained on another prepared corpus (key {known}) than {folder} "
            f"(key {corpus.key}): give the one it was trained on"
        )
    return CorpusFacts(
        np.asarray(corpus.mean_face, np.float32), corpus.au_semantics, corpus.key, corpus.synthetic
    )


def _scores(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold one JSON object")
    return content


def _tell(made: Any, as_json: bool) -> None:
    bundle = made.bundle
    if as_json:
        told = {
            "path": str(bundle.path),
            "model_id": bundle.model_id,
            "trained": bundle.trained,
            "profiles": list(made.profiles),
            "difference_offline": made.differences.offline,
            "difference_stream": made.differences.stream,
        }
        print(json.dumps(told))
        return
    kind = "trained" if bundle.trained else "not trained, as far as the checkpoint tells"
    print(f"{bundle.path}: {bundle.model_id}, {kind}")
    if bundle.domain:
        print(f"  {bundle.domain}")
    print(f"  profiles: {', '.join(made.profiles) or 'none'}")
    print(f"  largest difference from the checkpoint: {made.differences}")
