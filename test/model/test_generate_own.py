"""`generate` with our own networks: a checkpoint in torch and its bundle are one function."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle, BundleManifest, file_sha256, write_manifest
from perreactor_model.contract import FRAME_NS
from perreactor_model.generate import GenerationInput, GenerationOptions, generate
from perreactor_model.networks.config import ModelConfig
from perreactor_model.profiles import ListenerProfile
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import SpeakerFrame

torch = pytest.importorskip("torch")

CLIPS, FRAMES, SAMPLES, SIZE = 2, 9, 2, 16
NETWORKS = (("face_image", "aligned"), ("facial_attributes", "paper"))


def config_of(visual_input: str, decoder: str) -> ModelConfig:
    return ModelConfig(
        feature_size=SIZE,
        feed_forward=32,
        window=6,
        decoder=decoder,
        beta=0.5,
        visual_input=visual_input,
        visual_channels=16,
        image_size=32,
    )


def recording(visual_input: str) -> GenerationInput:
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    attributes = drawn(CLIPS, FRAMES, 25)
    attributes[0, 3] = np.nan
    audio = drawn(CLIPS, FRAMES, 78)
    audio[1, 2] = np.nan
    face = visual_input == "face_image"
    return GenerationInput(
        speaker_video=drawn(CLIPS, FRAMES, 3, 32, 32).clip(-1, 1) if face else None,
        speaker_attributes=None if face else attributes,
        speaker_audio=audio,
        listener_history=drawn(CLIPS, 21, 31),
        noise=drawn(CLIPS * SAMPLES, SIZE),
    )


def save(folder, visual_input: str, decoder: str):
    from perreactor_model.networks.checkpoint import save_checkpoint
    from perreactor_model.networks.generator import ReactionGenerator

    torch.manual_seed(3)
    networks = ReactionGenerator(config_of(visual_input, decoder)).eval()
    save_checkpoint(networks, folder / "own.pt")
    return networks


@pytest.fixture(params=NETWORKS, ids=" ".join)
def checkpoint(request, tmp_path):
    """A checkpoint's path and its visual input."""
    save(tmp_path, *request.param)
    return tmp_path / "own.pt", request.param[0]


@pytest.fixture(scope="module", params=NETWORKS, ids=" ".join)
def both(request, tmp_path_factory):
    """A checkpoint, the bundle of the same networks, and a recording for them."""
    from perreactor_model.networks.export import export_graphs

    folder = tmp_path_factory.mktemp("own")
    networks = save(folder, *request.param)
    files = {path.name: file_sha256(path) for path in export_graphs(networks, folder)}
    face = np.zeros(58, np.float32)
    write_manifest(BundleManifest("own", True, networks.config, face, "intensity", files), folder)
    return folder / "own.pt", folder, recording(request.param[0])


def test_a_checkpoint_gives_every_array(checkpoint):
    path, visual_input = checkpoint
    results = generate(path, recording(visual_input))
    rows = CLIPS * SAMPLES
    assert {name: array.shape for name, array in results.items()} == {
        "encoded": (CLIPS, FRAMES, SIZE),
        "mu": (CLIPS, SIZE),
        "sigma": (CLIPS, SIZE),
        "pattern": (CLIPS, SIZE),
        "generic_3dmm": (rows, FRAMES, 58),
        "generic_attributes": (rows, FRAMES, 25),
        "personal_3dmm": (rows, FRAMES, 58),
        "personal_attributes": (rows, FRAMES, 25),
    }
    assert all(np.isfinite(array).all() for array in results.values())
    assert not np.allclose(results["generic_3dmm"], results["personal_3dmm"], atol=1e-3)


def test_clips_do_not_see_each_other(checkpoint):
    path, visual_input = checkpoint
    given = recording(visual_input)
    arrays = ("speaker_video", "speaker_audio", "speaker_attributes", "listener_history")
    second = {name: getattr(given, name)[1:] for name in arrays if getattr(given, name) is not None}
    alone = generate(path, replace(given, noise=given.noise[SAMPLES:], **second))
    together = generate(path, given)
    assert np.allclose(alone["generic_3dmm"], together["generic_3dmm"][SAMPLES:], atol=1e-5)
    assert np.allclose(alone["personal_3dmm"], together["personal_3dmm"][SAMPLES:], atol=1e-5)


def test_a_missing_voice_counts_as_absent(checkpoint):
    path, visual_input = checkpoint
    given = recording(visual_input)
    silent = np.full_like(given.speaker_audio, np.nan)
    absent = generate(path, replace(given, speaker_audio=None))
    assert np.array_equal(
        absent["generic_3dmm"], generate(path, replace(given, speaker_audio=silent))["generic_3dmm"]
    )
    assert not np.allclose(absent["encoded"], generate(path, given)["encoded"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"listener_history": np.zeros((CLIPS, 21, 25), np.float32)}, r"4 or more frames, 31"),
        ({"listener_history": np.zeros((CLIPS, 3, 31), np.float32)}, r"4 or more frames, 31"),
        ({"noise": np.zeros((CLIPS, 8), np.float32)}, "feature size is 16"),
        ({"speaker_video": np.zeros((CLIPS, FRAMES, 3, 48, 48), np.float32)}, "see 32x32"),
    ],
)
def test_what_does_not_fit_the_networks_is_named(tmp_path, change, told):
    save(tmp_path, *NETWORKS[0])
    with pytest.raises(ValueError, match=told):
        generate(tmp_path / "own.pt", replace(recording("face_image"), **change))


def test_options_of_the_authors_files_are_refused(checkpoint):
    path, visual_input = checkpoint
    with pytest.raises(ValueError, match="our own bundles and checkpoints hold both decoders"):
        generate(path, recording(visual_input), generic_checkpoint=path)
    with pytest.raises(ValueError, match="authors' checkpoints only"):
        generate(path, recording(visual_input), GenerationOptions(integration="residual"))


@pytest.mark.slow
def test_a_checkpoint_and_its_bundle_agree_offline(both):
    checkpoint, folder, given = both
    in_torch, in_graphs = generate(checkpoint, given), generate(folder, given)
    assert set(in_torch) == set(in_graphs)
    for name, array in in_torch.items():
        assert np.abs(array - in_graphs[name]).max() < 1e-4, name


@pytest.mark.slow
def test_the_stream_of_a_bundle_is_the_robots_own(both):
    _, folder, given = both
    results = generate(folder, given, GenerationOptions(mode="stream", seed=5))
    bundle = Bundle.load(folder)
    ListenerProfile("someone", bundle.model_id, results["pattern"][1]).save(folder / "profiles")
    engine = ReactionEngine(bundle, EngineSettings(seed=5))
    engine.add_robot("other", "generic")
    engine.add_robot("clip_1", "someone", 0, given.noise[SAMPLES])
    face = given.speaker_video is not None
    for frame in range(FRAMES):
        seen = SpeakerFrame(
            frame, 0, frame * FRAME_NS, results["encoded"][1, frame], True, face and frame != 2
        )
        reaction = engine.push([seen])[1]
        assert np.array_equal(reaction.coefficients, results["personal_3dmm"][SAMPLES, frame])
        assert np.array_equal(reaction.attributes, results["personal_attributes"][SAMPLES, frame])


@pytest.mark.slow
def test_a_bundle_needs_no_torch(both, tmp_path):
    _, folder, given = both
    arrays = {name: value for name, value in vars(given).items() if isinstance(value, np.ndarray)}
    np.savez(tmp_path / "in.npz", **arrays)
    words = ["generate", "--checkpoint", str(folder), "--input", str(tmp_path / "in.npz")]
    words += ["--output", str(tmp_path / "out.npz")]
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from perreactor_model.cli.main import main\n"
        f"raise SystemExit(main({words!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as written:
        assert written["personal_attributes"].shape == (CLIPS * SAMPLES, FRAMES, 25)
