"""Benches of the running graph: the bundle that is named is the one that runs."""

import json
import os
import sys
from pathlib import Path

import pytest

from perreactor_model.bundle.manifest import read_manifest

CROWD = """
import json, sys
from perreactor_model.bundle.manifest import Bundle
from perreactor_ros.bench import robots
print()
print(json.dumps(robots.measure(1.0, [Bundle.load(sys.argv[1])])))
"""


@pytest.fixture
def measured(graph):
    """Runs Python with these arguments; the JSON object that it printed at the end."""

    def run(*arguments: object) -> dict:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = graph.run([sys.executable, *map(str, arguments)], PATH=path)
        assert process.wait() == 0, process.output
        return json.loads(process.output[process.output.rindex("\n{") :])

    return run


@pytest.mark.slow
@pytest.mark.parametrize("what", ["latency", "soak"])
def test_the_named_bundle_reacts_to_the_demos_speaker(measured, face_bundle, what):
    command = ("-m", "perreactor_model.cli.main", "bench", what)
    result = measured(*command, "--seconds", 2, "--bundle", face_bundle, "--json")[what]
    assert result["bundle"] == read_manifest(face_bundle / "bundle.json").model_id
    assert result["reactions"] > 10


@pytest.mark.slow
def test_a_crowd_listens_with_the_bundles_own_profiles(measured, face_bundle):
    result = measured("-c", CROWD, face_bundle)
    (case,) = result
    assert case == "demo_face_image x 8"
    assert result[case]["rate_hz"] > 0.0
