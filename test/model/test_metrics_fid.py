"""FRRea: the Fréchet distance, FID's Inception network, and the way from two folders to a number.

`PUBLISHED_FEATURES` were computed with pytorch-fid 0.3.0's own network and the weights of
`formula_weights`, which any machine makes alike.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from perreactor_model.metrics.fid import FidError, frechet_inception_distance, picture_files
from perreactor_model.metrics.frechet import Gaussian, frechet_distance

PUBLISHED_FEATURES = {
    307: 0.230618,
    623: 0.255671,
    1052: 0.208058,
    1407: 0.197891,
    1600: 0.198879,
    1962: 0.201773,
}
"""The strongest feature of each branch of the last block."""


def formula_weights() -> dict:
    """Weights for every layer of the file that pytorch-fid releases, from a formula."""
    torch = pytest.importorskip("torch")
    from perreactor_model.metrics.inception import FidInception

    shapes = {
        name: tuple(value.shape)
        for name, value in FidInception().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    shapes |= {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    weights = {}
    for place, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        wave = np.sin(np.arange(np.prod(shape)) * (1.0 + 0.01 * place) + place).reshape(shape)
        if name.endswith(("running_var", "bn.weight")):
            wave = 1.0 + 0.3 * wave
        elif len(shape) == 4:
            wave = 2.0 * wave / np.sqrt(np.prod(shape[1:]))
        else:
            wave = 0.1 * wave
        weights[name] = torch.from_numpy(wave.astype(np.float32))
    return weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(formula_weights(), path)
    return path


def draw(folder: Path, colours: list[int], ending: str = ".png") -> Path:
    """Small pictures of differing sizes: a disc on a plain ground."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, colour in enumerate(colours):
        picture = np.full((40 + 4 * index, 48, 3), 30, np.uint8)
        cv2.circle(picture, (24, 20), 8 + index, (colour, 255 - colour, 90), -1)
        cv2.imwrite(str(folder / f"{index}{ending}"), picture)
    return folder


def test_distance_of_normal_distributions_is_the_known_formula() -> None:
    first = Gaussian.from_covariance(np.array([0.0, 1.0]), np.diag([4.0, 9.0]))
    second = Gaussian.from_covariance(np.array([3.0, 5.0]), np.diag([1.0, 25.0]))
    # |m1 - m2|^2 = 25, and sum (s1 - s2)^2 = 1 + 4 where the axes are shared.
    assert frechet_distance(first, second) == pytest.approx(30.0, rel=1e-12)


def test_distance_agrees_with_the_matrix_root_where_axes_differ() -> None:
    scipy_linalg = pytest.importorskip("scipy.linalg")
    generator = np.random.default_rng(0)
    samples = [generator.normal(size=(60, 7)) @ generator.normal(size=(7, 7)) for _ in range(2)]
    covariances = [np.cov(one, rowvar=False) for one in samples]
    shift = samples[0].mean(0) - samples[1].mean(0)
    root = scipy_linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = shift @ shift + np.trace(covariances[0] + covariances[1] - 2 * root)
    distance = frechet_distance(*(Gaussian.of_samples(one) for one in samples))
    assert distance == pytest.approx(expected, rel=1e-9)


def test_distance_is_symmetric_and_zero_between_equals_of_any_rank() -> None:
    generator = np.random.default_rng(1)
    few, many = generator.normal(size=(3, 20)), generator.normal(size=(50, 20))
    first, second = Gaussian.of_samples(few), Gaussian.of_samples(many)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))
    for one in (first, second):
        assert frechet_distance(one, one) < 1e-12


def test_few_samples_and_their_covariance_are_the_same_distribution() -> None:
    few = np.random.default_rng(2).normal(size=(4, 9))
    by_samples = Gaussian.of_samples(few)
    by_covariance = Gaussian.from_covariance(few.mean(0), np.cov(few, rowvar=False))
    assert frechet_distance(by_samples, by_covariance) < 1e-12


@pytest.mark.slow
def test_network_gives_the_published_networks_features(checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    from perreactor_model.metrics.inception import load_inception

    wave = np.sin(np.arange(3 * 299 * 299) * 0.0137).reshape(1, 3, 299, 299)
    with torch.inference_mode():
        features = load_inception(checkpoint)(torch.from_numpy(wave.astype(np.float32)))
    assert features.shape == (1, 2048)
    chosen = features[0, list(PUBLISHED_FEATURES)].numpy()
    np.testing.assert_allclose(chosen, list(PUBLISHED_FEATURES.values()), rtol=1e-3)


@pytest.mark.slow
def test_a_folder_is_at_no_distance_from_itself_and_at_some_from_another(
    checkpoint: Path, tmp_path: Path
) -> None:
    real = draw(tmp_path / "real", [10, 60, 120])
    rendered = draw(tmp_path / "rendered", [250, 200], ".jpg")
    done: list[tuple[int, int]] = []
    same = frechet_inception_distance(real, real, checkpoint, "cpu")
    other = frechet_inception_distance(
        rendered, real, checkpoint, "cpu", batch=2, progress=lambda *place: done.append(place)
    )
    assert same["distance"] < 1e-6 * other["distance"]
    assert (other["rendered_pictures"], other["real_pictures"]) == (2, 3)
    assert "2048" in (other["warning"] or "")
    assert done == [(2, 5), (4, 5), (5, 5)]


def test_a_folder_without_pictures_is_refused_by_name(tmp_path: Path) -> None:
    draw(tmp_path / "real" / "person", [1, 2, 3])
    with pytest.raises(FidError, match="real holds 0 pictures.*at least 2.*subfolders hold 3"):
        picture_files(tmp_path / "real")
    with pytest.raises(FidError, match="is no folder"):
        picture_files(tmp_path / "absent")


def test_a_file_that_is_no_picture_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    real = draw(tmp_path / "real", [10, 60])
    (real / "broken.png").write_bytes(b"no picture")
    with pytest.raises(FidError, match=r"broken\.png cannot be read"):
        frechet_inception_distance(real, real, checkpoint, "cpu")


def test_a_missing_or_unreadable_checkpoint_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from perreactor_model.metrics.inception import CheckpointError

    real = draw(tmp_path / "real", [10, 60])
    with pytest.raises(FileNotFoundError, match="pt_inception-2015-12-05"):
        frechet_inception_distance(real, real, tmp_path / "absent.pth")
    (tmp_path / "noise.pth").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot be read"):
        frechet_inception_distance(real, real, tmp_path / "noise.pth")


def test_a_checkpoint_of_another_network_is_refused_naming_what_is_missing(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from perreactor_model.metrics.inception import CheckpointError, load_inception

    path = tmp_path / "other.pth"
    torch.save({"encoder.weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"missing Conv2d_1a_3x3\.conv\.weight.*more"):
        load_inception(path)
    torch.save([torch.zeros(2)], path)
    with pytest.raises(CheckpointError, match="no named weights"):
        load_inception(path)


@pytest.mark.slow
def test_the_other_inception_with_the_same_layers_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from perreactor_model.metrics.inception import CheckpointError, load_inception

    weights = formula_weights()
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(1000, 2048), torch.zeros(1000)
    torch.save(weights, tmp_path / "imagenet.pth")
    with pytest.raises(CheckpointError, match=r"fc\.weight is \(1000, 2048\) instead of \(1008"):
        load_inception(tmp_path / "imagenet.pth")


def test_without_torch_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = draw(tmp_path / "real", [10, 60])
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(FidError, match="needs torch"):
        frechet_inception_distance(real, real, tmp_path / "weights.pth")
