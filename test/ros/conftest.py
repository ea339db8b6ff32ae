"""What the ROS tests share: a built workspace and a ROS graph of their own for every test.

Importing this file makes the messages importable. Where the package is built and sourced already
(`make test` does both) that build is used; otherwise the workspace is built once into a folder
that later runs find again. Where there is no ROS 2 at all, the tests here are not collected.

Fixtures:

- `graph` (a test): a `live_graph.LiveGraph` with a domain id that nobody else uses. It starts real
  node processes, publishes, collects, calls services and sets parameters; `live_graph.py` has the
  details. At the end every process that still runs is killed.
- `speaker` (a test): a function that makes a `live_graph.Speaker`: camera and microphone.
- `behaviour` (a test): a function that makes a `live_graph.Behaviour`: perception.
- `bundle` (a session): the folder of the shipped bundle with attributes as visual input.
- `face_bundle` (a session): that of the shipped one with face images as visual input.
- `untrained_bundle` (a session): that of a tiny seeded one with attributes; it needs torch.
- `hang_up_counts` (a test): processes that the test starts heed SIGHUP, also under `nohup`.
- `workspace` (a session): the prefix of the built package, with `lib/perreactor_ros/<executable>`.

Modules beside this file import as `from live_graph import ...`.
"""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perreactor_model.bundle.manifest import DEFAULT_BUNDLE, find_bundle

REPOSITORY = Path(__file__).parents[2]
HAS_ROS = importlib.util.find_spec("rclpy") is not None
collect_ignore_glob = [] if HAS_ROS else ["test_*.py"]

# Refuse wrong fields where messages are filled, here and in every process that a test starts.
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"

if HAS_ROS:
    sys.path.append(str(Path(__file__).parent))
    from built_workspace import use_workspace

    WORKSPACE = use_workspace(REPOSITORY)


def pytest_report_header() -> str:
    return f"perreactor_ros: {WORKSPACE}" if HAS_ROS else "no ROS 2 here: test/ros is left out"


@pytest.fixture(scope="session")
def workspace() -> Path:
    return WORKSPACE


@pytest.fixture
def graph(tmp_path: Path) -> Iterator:
    from live_graph import LiveGraph

    with LiveGraph(tmp_path) as live:
        yield live


@pytest.fixture
def speaker(graph) -> Callable:
    from live_graph import Speaker

    return lambda **options: Speaker(graph, **options)


@pytest.fixture
def behaviour(graph, bundle: Path) -> Callable:
    from live_graph import Behaviour

    return lambda **options: Behaviour(graph, bundle, **options)


@pytest.fixture(scope="session")
def bundle() -> Path:
    return find_bundle(DEFAULT_BUNDLE)


@pytest.fixture(scope="session")
def face_bundle() -> Path:
    return find_bundle("demo_face_image")


@pytest.fixture(scope="session")
def untrained_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="making a bundle needs torch")
    from perreactor_model.bundle.untrained import make_untrained_bundle
    from perreactor_model.networks.config import ModelConfig

    folder = tmp_path_factory.mktemp("bundles") / "untrained"
    config = ModelConfig(
        feature_size=32, feed_forward=32, window=16, visual_input="facial_attributes"
    )
    return make_untrained_bundle(folder, config).path


@pytest.fixture
def hang_up_counts() -> Iterator[None]:
    """Processes started by the test heed SIGHUP, even where the tests run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
