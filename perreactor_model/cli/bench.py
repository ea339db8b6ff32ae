"""`perreactor bench`: the figures of the README, measured on the machine at hand."""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

from perreactor_model.bundle.manifest import DEFAULT_BUNDLE, Bundle

FACE_IMAGE = "demo_face_image"
FACIAL_ATTRIBUTES = DEFAULT_BUNDLE

BENCHES = (
    "step",
    "robots",
    "latency",
    "soak",
    "metrics",
    "evaluation",
    "analyzer",
    "actions",
    "train",
    "all",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what",
        choices=BENCHES,
        help="which figure; latency and soak need ROS 2; evaluation writes a file of 1.5 GB",
    )
    parser.add_argument(
        "--bundle",
        help="bundle that step, robots, latency and soak run, a folder or a name (default: "
        f"{FACE_IMAGE} for step, the nodes' own for latency and soak, both of these for robots); "
        "`perreactor bundle` makes larger ones to measure",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--seconds",
        type=float,
        help="length of latency (60), soak (600) and analyzer (200) in seconds",
    )


def run(args: argparse.Namespace) -> int:
    """Run the benches asked for, printing each as soon as it is done."""
    if args.bundle:
        # The nodes are given the folder; whatever is wrong with it is told before anything runs.
        args.bundle = str(Bundle.load(args.bundle).path)
    chosen = BENCHES[:-1] if args.what == "all" else (args.what,)
    results: dict[str, Any] = {}
    for name in chosen:
        print(f"bench {name} ...", file=sys.stderr, flush=True)
        results[name] = _RUNNERS[name](args)
        if not args.json:
            print_result(name, results[name])
    if args.json:
        print(json.dumps(results, indent=2))
    return 0


def _step(args: argparse.Namespace) -> dict[str, Any]:
    from perreactor_model.bench import step

    return step.measure(Bundle.load(args.bundle or FACE_IMAGE))


def _robots(args: argparse.Namespace) -> dict[str, Any]:
    from perreactor_model.bench import robots

    given = (args.bundle,) if args.bundle else (FACIAL_ATTRIBUTES, FACE_IMAGE)
    bundles = [Bundle.load(each) for each in given]
    return {
        "engine": {bundle.name: robots.measure(bundle) for bundle in bundles},
        "graph": _in_the_graph("robots", args.seconds, bundles),
    }


def _judging_runner(name: str) -> Callable[[argparse.Namespace], Any]:
    def measure(args: argparse.Namespace) -> Any:
        if importlib.util.find_spec("numba") is None:
            return "not measured: numba is missing (pip install 'perreactor[evaluation]')"
        return importlib.import_module(f"perreactor_model.bench.{name}").measure()

    return measure


def _in_the_graph(name: str, *arguments: Any) -> Any:
    """Benches of the running graph live with the nodes; without ROS 2 they say so."""
    try:
        module = importlib.import_module(f"perreactor_ros.bench.{name}")
    except ModuleNotFoundError as error:
        return f"not measured: {error.name} is missing (see `perreactor doctor`)"
    return module.measure(*arguments)


def _graph_runner(name: str) -> Callable[[argparse.Namespace], Any]:
    return lambda args: _in_the_graph(name, args.seconds, args.bundle)


def _analyzer(args: argparse.Namespace) -> Any:
    if missing := _missing_for_faces():
        return missing
    return importlib.import_module("perreactor_model.bench.analyzer").measure(args.seconds)


def _actions(args: argparse.Namespace) -> Any:
    if missing := _missing_for_faces():
        return missing
    return importlib.import_module("perreactor_model.bench.known_actions").measure()


def _train(args: argparse.Namespace) -> Any:
    for name in ("torch", "lightning_fabric"):
        if importlib.util.find_spec(name) is None:
            return f"not measured: {name} is missing (pip install -r requirements/training.txt)"
    return importlib.import_module("perreactor_model.bench.train").measure()


def _missing_for_faces() -> str | None:
    for name in ("mediapipe", "skimage"):
        if importlib.util.find_spec(name) is None:
            return f"not measured: {name} is missing (see docs/analyzer.md)"
    return None


_RUNNERS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "step": _step,
    "robots": _robots,
    "latency": _graph_runner("latency"),
    "soak": _graph_runner("soak"),
    "metrics": _judging_runner("metrics"),
    "evaluation": _judging_runner("evaluation"),
    "analyzer": _analyzer,
    "actions": _actions,
    "train": _train,
}


def print_result(name: str, result: Any, indent: int = 0) -> None:
    """Print nested figures as an indented list."""
    pad = "  " * indent
    if not isinstance(result, dict):
        print(f"{pad}{name}: {result}")
        return
    flat = all(not isinstance(value, dict) for value in result.values())
    if flat and indent:
        print(f"{pad}{name}: " + ", ".join(f"{key} {value}" for key, value in result.items()))
        return
    print(f"{pad}{name}:")
    for key, value in result.items():
        print_result(key, value, indent + 1)
