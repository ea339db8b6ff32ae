"""Small bundles for tests of everything that needs networks; made once a session.

Modules beside this file import as `import training_corpus`.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.networks.config import ModelConfig
from perreactor_model.preparation.prepared import PreparedCorpus

sys.path.append(str(Path(__file__).parent))

TINY = ModelConfig(
    feature_size=32,
    feed_forward=32,
    window=16,
    beta=1.0,
    visual_channels=16,
    image_size=64,
)


def _make(tmp_path_factory: pytest.TempPathFactory, name: str, config: ModelConfig) -> Bundle:
    pytest.importorskip("torch", reason="making a bundle needs torch")
    from perreactor_model.bundle.untrained import make_untrained_bundle

    folder: Path = tmp_path_factory.mktemp("bundles") / name
    return make_untrained_bundle(folder, config)


@pytest.fixture(scope="session")
def tiny_image_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Aligned decoder; sees the face's pixels."""
    return _make(tmp_path_factory, "tiny_image", TINY)


@pytest.fixture(scope="session")
def tiny_attributes_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Aligned decoder; sees facial attributes."""

    config = replace(TINY, visual_input="facial_attributes")
    return _make(tmp_path_factory, "tiny_attributes", config)


@pytest.fixture(scope="session")
def tiny_bundle(tiny_image_bundle: Bundle) -> Bundle:
    """The usual one, where the visual input does not matter."""
    return tiny_image_bundle


@pytest.fixture(scope="session")
def tiny_paper_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The paper's decoder; sees the face's pixels."""

    return _make(tmp_path_factory, "tiny_paper", replace(TINY, decoder="paper"))


@pytest.fixture(scope="session")
def tiny_prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """A prepared corpus of simulated people: three splits, three sessions of 12 s each."""
    from tiny_corpus import make_tiny_corpus

    return make_tiny_corpus(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch adds up on one thread, in one order, and does not compete with other processes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
