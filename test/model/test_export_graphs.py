"""The exported graphs are the networks, for every size, and give each robot its own bytes."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from perreactor_model.bundle.manifest import GRAPHS, Bundle
from perreactor_model.bundle.untrained import untrained_generator
from perreactor_model.networks.config import EMPTY_FRAME
from perreactor_model.networks.export import ExportError, check_graph

LANES = 32


def session(bundle: Bundle, graph: str, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(bundle.graph_path(graph))
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def decoder_feed(bundle: Bundle, lanes: int, slots: int) -> dict[str, np.ndarray]:
    """Inputs of an aligned decoder for one new frame; the first lanes are always the same."""
    config = bundle.config
    heads, width = config.heads, config.head_size
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype=np.float32)

    feed = {
        "latent": normal(LANES, 1, config.feature_size)[:lanes],
        "frame": np.array([slots]),
        "band": np.array(config.window),
        "speaker_frame": np.arange(slots + 1),
        "own_frame": np.tile(np.arange(slots), (LANES, 1))[:lanes],
    }
    for layer in range(config.decoder_layers):
        feed[f"speaker_key_{layer}"] = normal(heads, width, slots + 1)
        feed[f"speaker_value_{layer}"] = normal(heads, slots + 1, width)
        feed[f"own_key_{layer}"] = normal(LANES, heads, width, slots)[:lanes]
        feed[f"own_value_{layer}"] = normal(LANES, heads, slots, width)[:lanes]
    return feed


def test_a_robot_gets_the_same_bytes_whoever_is_in_the_batch(tiny_bundle: Bundle) -> None:
    alone = None
    for threads in (1, 2):
        decoder = session(tiny_bundle, "decoder_personal", threads)
        for lanes in (1, 2, 3, 8, LANES):
            outputs = decoder.run(None, decoder_feed(tiny_bundle, lanes, 15))
            first = [output[0].tobytes() for output in outputs]
            alone = alone or first
            assert first == alone, f"{lanes} lanes, {threads} threads"


def test_a_frame_gets_the_same_token_beside_others(tiny_image_bundle: Bundle) -> None:
    config = tiny_image_bundle.config
    generator = np.random.default_rng(1)
    image = generator.random((5, 3, config.image_size, config.image_size), dtype=np.float32)
    audio = generator.standard_normal((5, 78), dtype=np.float32)
    found = set()
    for threads in (1, 2):
        encoder = session(tiny_image_bundle, "frame_encoder", threads)
        for frames in (1, 2, 5):
            on = np.ones(frames, bool)
            feed = {"image": image[:frames], "audio": audio[:frames]}
            token = encoder.run(None, feed | {"face_present": on, "voice_present": on})[0]
            found.add(token[0].tobytes())
    assert len(found) == 1


def test_the_distribution_from_cached_slots_is_that_of_the_whole(tiny_bundle: Bundle) -> None:
    graph = session(tiny_bundle, "distribution")
    config = tiny_bundle.config
    frames, window = 3 * config.window, config.window
    token = np.random.default_rng(2).standard_normal((frames, config.feature_size))
    token = token.astype(np.float32)
    heads, width = config.heads, config.head_size
    nothing = {
        "slot_frame": np.zeros(0, np.int64),
        "key": np.zeros((heads, width, 0), np.float32),
        "value": np.zeros((heads, 0, width), np.float32),
    }
    band = {"band": np.array(window)}
    at_once = graph.run(["mean"], {"token": token, "frame": np.arange(frames), **band, **nothing})
    slots = {
        "slot_frame": np.full(window, EMPTY_FRAME),
        "key": np.zeros((heads, width, window), np.float32),
        "value": np.zeros((heads, window, width), np.float32),
    }
    for index in range(frames):
        frame = np.array([index])
        step = {"token": token[index : index + 1], "frame": frame, **band, **slots}
        mean, key, value = graph.run(["mean", "new_key", "new_value"], step)
        np.testing.assert_allclose(mean[0], at_once[0][index], atol=1e-4)
        slots["slot_frame"][index % window] = index
        slots["key"][:, :, index % window] = key[:, :, 0]
        slots["value"][:, index % window] = value[:, 0]


def test_every_graph_is_one_file_that_tells_nothing_of_the_machine(tiny_bundle: Bundle) -> None:
    for graph in GRAPHS:
        path = tiny_bundle.graph_path(graph)
        model = onnx.load(path, load_external_data=False)
        assert all(entry.data_location != entry.EXTERNAL for entry in model.graph.initializer)
        content = path.read_bytes()
        assert b".py" not in content
        assert str(Path.home()).encode() not in content or Path.home() == Path("/")


def test_an_export_that_differs_from_torch_is_refused(tiny_bundle: Bundle) -> None:
    generator = untrained_generator(tiny_bundle.config, seed=0)
    path = tiny_bundle.graph_path("pattern_encoder")
    check_graph(generator, "pattern_encoder", path)
    with torch.no_grad():
        generator.pattern_encoder.meet.out.weight.mul_(2)
    with pytest.raises(ExportError, match="pattern_encoder.onnx: pattern differs"):
        check_graph(generator, "pattern_encoder", path)


def test_the_patterns_in_the_profiles_come_from_the_exported_encoder(tiny_bundle: Bundle) -> None:
    from perreactor_model.bundle.untrained import listener_histories

    encoder = session(tiny_bundle, "pattern_encoder")
    for name, history in listener_histories(tiny_bundle.config, 0).items():
        profile = json.loads((tiny_bundle.profiles_path / f"{name}.json").read_text())
        assert profile["bundle"] == tiny_bundle.model_id
        pattern = encoder.run(None, {"history": history})[0]
        np.testing.assert_allclose(pattern, profile["pattern"], atol=1e-4)
