"""Tests neither see nor touch what the person at this machine keeps: profiles and bundles."""

import os
from pathlib import Path

import pytest

from perreactor_model.bundle.manifest import SEARCH_VARIABLE
from perreactor_model.profiles.folders import FOLDER_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def a_users_empty_rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where profiles are kept during the tests, also by the processes that they start."""
    folder = tmp_path_factory.mktemp("profiles")
    os.environ[FOLDER_VARIABLE] = str(folder)
    os.environ.pop(SEARCH_VARIABLE, None)
    return folder
