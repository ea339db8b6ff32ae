"""Work for one new frame: encoded once and decoded from caches, against the whole window again.

Three ways to answer one new frame with a 256-frame window, one robot, on one core:

1. *stream*: what perreactor does;
2. *window again*: the same networks in the same runtime, the whole window encoded, its distribution
   taken and its reaction decoded at each step, as every online method of the field does;
3. *authors' way*: normalisation over the clip (so the window must be encoded again), PyTorch eager,
   with networks as wide as the bundle's, on pictures of the same size.

A bundle that sees attributes does less than the authors' way, which sees pictures: no such ratio.
"""

from __future__ import annotations

import importlib.util
import statistics
from typing import Any

import numpy as np

from perreactor_model.bench.speaker_input import LiveInput, encoder_inputs
from perreactor_model.bench.timing import milliseconds, on_cores, summary
from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import AUDIO_FEATURE_COUNT
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.perceiver import Perceiver
from perreactor_model.streaming.runtime import load_graph


def measure(bundle: Bundle, repeats: int = 200, window_repeats: int = 3) -> dict[str, Any]:
    """Milliseconds of the three ways and the ratios between them."""
    with on_cores(1) as cores:
        stream = _stream(bundle, repeats)
        again = _window_again(bundle, window_repeats)
        authors = _authors_way(bundle, window_repeats)
    result: dict[str, Any] = {
        "bundle": bundle.model_id,
        "cores": cores,
        "visual_input": bundle.config.visual_input,
        "feature_size": bundle.config.feature_size,
        "window_frames": bundle.config.window,
        "stream": summary(stream),
        "window_again": summary(again),
        "ratio_window_again": round(statistics.median(again) / statistics.median(stream), 1),
    }
    if isinstance(authors, str):
        result["authors_way"] = f"not measured: {authors}"
    else:
        result["authors_way"] = summary(authors)
        ratio = statistics.median(authors) / statistics.median(stream)
        result["ratio_authors_way"] = round(ratio, 1)
    return result


def _stream(bundle: Bundle, repeats: int) -> list[float]:
    perceiver = Perceiver(bundle, device="cpu", threads=1, crop=False)
    engine = ReactionEngine(bundle, EngineSettings(device="cpu", threads=1))
    engine.add_robot("robot_a", "generic")
    speaker = LiveInput(bundle)

    def one_frame() -> None:
        speaker.push(perceiver)
        engine.push(perceiver.take())

    return milliseconds(one_frame, repeats, warm_up=bundle.config.window + 10)


def _window_again(bundle: Bundle, repeats: int) -> list[float]:
    """The same graphs without any past: the window is all new frames."""
    config = bundle.config
    encoder = load_graph(bundle, "frame_encoder", "cpu", 1)
    distribution = load_graph(bundle, "distribution", "cpu", 1)
    decoder = load_graph(bundle, "decoder_generic", "cpu", 1)
    inputs = encoder_inputs(bundle, config.window)
    head = config.feature_size // config.heads
    frames = np.arange(config.window, dtype=np.int64)
    band = np.array(config.window, np.int64)
    layers = range(config.decoder_layers)
    no_key = np.zeros((config.heads, head, 0), np.float32)
    no_value = np.zeros((config.heads, 0, head), np.float32)
    names = [output.name for output in distribution.get_outputs()]

    def whole_window() -> None:
        (token,) = encoder.run(["token"], inputs)
        speaker = {"token": token, "frame": frames, "band": band, "key": no_key, "value": no_value}
        speaker["slot_frame"] = frames[:0]
        outputs = dict(zip(names, distribution.run(names, speaker), strict=True))
        latent = outputs["mean"][None]
        if config.decoder == "aligned":
            asked = {"latent": latent, "frame": frames, "band": band, "speaker_frame": frames}
            asked["own_frame"] = np.zeros((1, 0), np.int64)
            for layer in layers:
                asked[f"speaker_key_{layer}"] = outputs[f"generic_new_key_{layer}"]
                asked[f"speaker_value_{layer}"] = outputs[f"generic_new_value_{layer}"]
        else:
            asked = {"latent": latent, "position": frames[None]}
            asked["own_position"] = np.zeros((1, 0), np.int64)
        for layer in layers:
            asked[f"own_key_{layer}"] = no_key[None]
            asked[f"own_value_{layer}"] = no_value[None]
        decoder.run(["coefficients", "attributes"], asked)

    return milliseconds(whole_window, repeats, warm_up=1)


def _authors_way(bundle: Bundle, repeats: int) -> list[float] | str:
    """Times, or why there are none."""
    if bundle.config.visual_input != "face_image":
        return f"the authors' networks see pictures, {bundle.name} does not"
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    from perreactor_model.networks.authors.network import AuthorsNetwork
    from perreactor_model.networks.authors.sizes import AuthorsSizes

    torch.set_num_threads(1)
    window, size = bundle.config.window, bundle.config.image_size
    network = AuthorsNetwork(AuthorsSizes(feature_size=bundle.config.feature_size)).eval()
    video = torch.rand(1, window, 3, size, size) * 2 - 1
    audio = torch.randn(1, window, AUDIO_FEATURE_COUNT)

    def whole_window() -> None:
        with torch.inference_mode():
            tokens = network.encoder(video, audio)
            mean, _ = network.distribution(tokens)
            network.react(mean, window)

    return milliseconds(whole_window, repeats, warm_up=0)
