"""Authors' files load strictly, say what is wrong with them, and never run code."""

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from perreactor_model.networks.authors.checkpoint import (  # noqa: E402
    AuthorsCheckpointError,
    load_authors_checkpoint,
    network_from_tensors,
    tensors_of_network,
)
from perreactor_model.networks.authors.decoder import sinusoids  # noqa: E402
from perreactor_model.networks.authors.network import AuthorsNetwork  # noqa: E402
from perreactor_model.networks.authors.sizes import AuthorsSizes  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def tensors_of(**sizes) -> dict:
    torch.manual_seed(0)
    return tensors_of_network(AuthorsNetwork(AuthorsSizes(**sizes)).eval())


def write(path: Path, tensors: dict) -> Path:
    torch.save({"state_dict": tensors, "optimizer": {}}, path)
    return path


@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [4, 12, 20])
def test_feature_size_and_k_are_read_from_the_file(tmp_path, size, exponent):
    sizes = AuthorsSizes(size, exponent)
    written = AuthorsNetwork(sizes).eval()
    network = load_authors_checkpoint(write(tmp_path / "pag.pth", tensors_of_network(written)))
    assert network.sizes == sizes
    history = torch.rand(3, 480, 25)
    assert torch.equal(network.pattern(history), written.pattern(history))


@pytest.mark.parametrize("integration", ["summation", "summation_beta", "concat"])
def test_the_integration_shows_in_the_tensors(integration):
    tensors = tensors_of(feature_size=8, pattern_exponent=2, integration=integration)
    assert network_from_tensors(tensors).sizes.integration == integration


@pytest.mark.parametrize("integration", ["self-attn", "residual"])
def test_integrations_with_equal_tensors_must_be_named(integration):
    tensors = tensors_of(feature_size=8, pattern_exponent=2, integration=integration)
    with pytest.raises(AuthorsCheckpointError, match="'self-attn' or to 'residual'"):
        network_from_tensors(tensors)
    network = network_from_tensors(tensors, integration)
    generic = network.react(torch.zeros(1, 8), 3)[0]
    personal = network.react(torch.zeros(1, 8), 3, torch.ones(1, 8))[0]
    assert personal.shape == generic.shape
    assert not torch.allclose(personal, generic)


def test_an_integration_that_the_tensors_contradict_is_refused():
    with pytest.raises(AuthorsCheckpointError, match="'concat' asked for.*summation"):
        network_from_tensors(tensors_of(feature_size=8, pattern_exponent=2), "concat")


def test_the_stage_is_seen_in_the_names():
    assert load_authors_checkpoint(GOLDEN / "authors_small_stage1.pth").pattern is None
    assert load_authors_checkpoint(GOLDEN / "authors_small_pag.pth").sizes == AuthorsSizes(8, 3)


def test_the_authors_positional_table_is_the_formula_that_goes_on_after_it():
    network = load_authors_checkpoint(GOLDEN / "authors_small_stage1.pth")
    assert torch.allclose(network.decoder.positions[:, 0], sinusoids(0, 5000, 8), atol=1e-3)
    assert torch.equal(sinusoids(5000, 5002, 8), sinusoids(0, 5002, 8)[5000:])


@pytest.mark.parametrize("frames", [1, 2, 900])
def test_clips_may_be_of_any_length(frames):
    network = network_from_tensors(tensors_of(feature_size=4))
    coefficients, attributes = network.react(torch.randn(2, 4), frames)
    assert coefficients.shape == (2, frames, 58)
    assert attributes.shape == (2, frames, 25)
    assert coefficients.isfinite().all() and attributes.isfinite().all()
    assert ((attributes[..., :15] >= 0) & (attributes[..., :15] <= 1)).all()
    assert torch.allclose(attributes[..., 17:].sum(-1), torch.ones(2, frames))


@pytest.mark.parametrize("image", [(5, 5), (17, 40), (64, 64)])
@pytest.mark.parametrize("frames", [1, 40])
def test_images_may_be_of_any_size(image, frames):
    network = network_from_tensors(tensors_of(feature_size=4))
    tokens = network.encoder(torch.rand(1, frames, 3, *image), torch.randn(1, frames, 78))
    assert tokens.shape == (1, frames, 4)
    assert tokens.isfinite().all()


def test_a_missing_tensor_is_named():
    tensors = tensors_of(feature_size=8)
    del tensors["reaction_decoder.vae_model.linear.bias"]
    with pytest.raises(AuthorsCheckpointError, match=r"missing.*vae_model\.linear\.bias"):
        network_from_tensors(tensors)


def test_the_tensor_that_sizes_are_read_from_is_named_when_missing():
    tensors = tensors_of(feature_size=8)
    del tensors["reaction_decoder.vae_model.mu_token"]
    with pytest.raises(AuthorsCheckpointError, match="mu_token' is missing"):
        network_from_tensors(tensors)


def test_an_unexpected_tensor_is_named():
    tensors = tensors_of(feature_size=8) | {"surprise.weight": torch.zeros(2)}
    with pytest.raises(AuthorsCheckpointError, match=r"unexpected.*surprise\.weight' \(2,\)"):
        network_from_tensors(tensors)


def test_a_misshapen_tensor_is_named_with_the_shape_it_should_have():
    tensors = tensors_of(feature_size=8)
    name = "speaker_behaviour_encoder.audio_feature_map.weight"
    tensors[name] = torch.zeros(8, 39)
    with pytest.raises(AuthorsCheckpointError, match=r"\(8, 39\), expected \(8, 78\)"):
        network_from_tensors(tensors)


def test_a_pattern_encoder_that_fits_no_k_is_refused():
    tensors = tensors_of(feature_size=8, pattern_exponent=2)
    tensors["person_branch.temporal_layer.0.weight"] = torch.zeros(16, 8 * 100)
    with pytest.raises(AuthorsCheckpointError, match="fits no K"):
        network_from_tensors(tensors)


def test_weights_that_are_not_numbers_are_refused():
    tensors = tensors_of(feature_size=8)
    tensors["fusion.bias"] = torch.full((8,), float("nan"))
    with pytest.raises(AuthorsCheckpointError, match=r"'fusion\.bias' holds NaN"):
        network_from_tensors(tensors)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("plain_pickle", [False, True])
def test_code_in_a_file_is_not_run(tmp_path, plain_pickle):
    path, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    content = {"state_dict": tensors_of(feature_size=4), "optimizer": Trap(sprung)}
    if plain_pickle:
        path.write_bytes(pickle.dumps(content["optimizer"], protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(AuthorsCheckpointError, match="could run code"):
        load_authors_checkpoint(path)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_torch_file_is_refused(tmp_path, content):
    path = tmp_path / "odd.pth"
    path.write_bytes(content)
    with pytest.raises(AuthorsCheckpointError, match=r"odd\.pth"):
        load_authors_checkpoint(path)


@pytest.mark.parametrize("content", [{"state_dict": {"lstm.bias_ih_l0": 0}}, {"weights": {}}, []])
def test_another_kind_of_checkpoint_is_told_what_is_expected(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(AuthorsCheckpointError, match="expected a dictionary whose 'state_dict'"):
        load_authors_checkpoint(path)
