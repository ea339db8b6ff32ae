"""An offline run knows the same profiles, and weighs them by the same beta, as the nodes would."""

from pathlib import Path

import pytest
import yaml

from perreactor_ros.parameters import ParameterError
from perreactor_ros.replay.settings import node_settings


def parameter_file(folder: Path, **parameters: object) -> Path:
    path = folder / "parameters.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
    return path


def test_by_default_beta_and_profiles_are_the_bundles_and_the_users() -> None:
    settings = node_settings({})
    assert settings.engine.beta is None
    assert settings.profile_folders == ()


def test_beta_and_profiles_come_from_the_parameter_file(tmp_path: Path) -> None:
    settings = node_settings({}, parameter_file(tmp_path, beta=2.5, profiles=str(tmp_path)))
    assert settings.engine.beta == 2.5
    assert settings.profile_folders == (tmp_path,)


def test_a_beta_that_the_nodes_would_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"give 0.0 to 10.0, or -1.0"):
        node_settings({}, parameter_file(tmp_path, beta=-0.5))
