"""onnxruntime sessions of a bundle's graphs, and the choice of device that runs them.

onnxruntime is imported when the first graph is loaded, not before.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from perreactor_model.bundle.manifest import Bundle, BundleError
from perreactor_model.contract import AUDIO_FEATURE_COUNT, SPEAKER_VECTOR_COUNT
from perreactor_model.networks.config import PATTERN_INPUTS, ModelConfig

if TYPE_CHECKING:
    import onnxruntime

DEVICES = ("auto", "cpu", "cuda")

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"

_log = logging.getLogger(__name__)


class DeviceError(ValueError):
    """The requested device does not exist or cannot be used on this machine."""


def choose_providers(device: str) -> list[str]:
    """onnxruntime's execution providers for `device`, best first.

    `auto` takes CUDA where the installed package offers it, else the CPU. Raises DeviceError for an
    unknown name, and for `cuda` where the package has no CUDA provider.
    """
    import onnxruntime

    if device not in DEVICES:
        raise DeviceError(f"unknown device '{device}': choose one of {', '.join(DEVICES)}")
    offered = onnxruntime.get_available_providers()
    if device == "cpu" or (device == "auto" and _CUDA not in offered):
        return [_CPU]
    if _CUDA not in offered:
        raise DeviceError(
            "device 'cuda' asked for, but the installed onnxruntime offers only "
            f"{', '.join(offered)}: install onnxruntime-gpu in place of onnxruntime, or use 'auto'"
        )
    return [_CUDA, _CPU]


def load_graph(
    bundle: Bundle, graph: str, device: str = "auto", threads: int = 1
) -> onnxruntime.InferenceSession:
    """Load one of the bundle's graphs ("frame_encoder", "distribution", ...) for inference.

    `threads` is the number of threads inside an operator. Threads do not spin while they wait:
    a robot's other processes need the cores, and latency is steadier. Raises DeviceError, and
    BundleError for a graph that is not what the bundle's manifest states.
    """
    import onnxruntime

    if threads < 1:
        raise DeviceError(f"threads is {threads}: give 1 or more")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = choose_providers(device)
    path = bundle.graph_path(graph)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors share no base of their own
        raise BundleError(f"{path}: onnxruntime cannot load it: {error}") from error
    _refuse_silent_fallback(session.get_providers()[0], providers[0], device, graph)
    _refuse_other_inputs(session, bundle, graph)
    _refuse_other_sizes(session, bundle, graph)
    return session


def _refuse_other_inputs(session: onnxruntime.InferenceSession, bundle: Bundle, graph: str) -> None:
    """What the manifest makes of a graph (its kind of decoder, its layers) against its inputs."""
    wanted = _input_names(bundle.config, graph)
    found = {given.name for given in session.get_inputs()}
    if found != wanted:
        raise BundleError(
            f"{bundle.graph_path(graph)}: it takes {', '.join(sorted(found))}, but bundle.json "
            f"asks for {', '.join(sorted(wanted))}: export the bundle again"
        )


def _input_names(config: ModelConfig, graph: str) -> set[str]:
    if graph == "frame_encoder":
        visual = "image" if config.visual_input == "face_image" else "attributes"
        return {visual, "audio", "face_present", "voice_present"}
    if graph == "distribution":
        return {"token", "frame", "band", "slot_frame", "key", "value"}
    if graph == "pattern_encoder":
        return {"history"}
    if config.decoder == "aligned":
        names = {"latent", "frame", "band", "speaker_frame", "own_frame"}
        cached: tuple[str, ...] = ("speaker_key", "speaker_value", "own_key", "own_value")
    else:
        names = {"latent", "position", "own_position"}
        cached = ("own_key", "own_value")
    layers = range(config.decoder_layers)
    return names | {f"{name}_{layer}" for name in cached for layer in layers}


def _refuse_other_sizes(session: onnxruntime.InferenceSession, bundle: Bundle, graph: str) -> None:
    """The manifest's sizes against the graph's: hashes alone do not say that the two agree."""
    config = bundle.config
    head_size = config.feature_size // config.heads
    expected: dict[str, tuple[int | None, ...]] = {
        "image": (None, 3, config.image_size, config.image_size),
        "attributes": (None, SPEAKER_VECTOR_COUNT),
        "audio": (None, AUDIO_FEATURE_COUNT),
        "token": (None, config.feature_size),
        "latent": (None, None, config.feature_size),
        "key": (config.heads, head_size, None),
        "own_key_0": (None, config.heads, head_size, None),
        "history": (None, PATTERN_INPUTS[config.pattern_input]),
    }
    for given in session.get_inputs():
        wanted = expected.get(given.name, ())
        found = [size if isinstance(size, int) else None for size in given.shape]
        if any(want and want != size for want, size in zip(wanted, found, strict=False)):
            sizes = " x ".join("?" if size is None else str(size) for size in wanted)
            raise BundleError(
                f"{bundle.graph_path(graph)}: input '{given.name}' has shape {given.shape}, but "
                f"the sizes in bundle.json ask for {sizes}: export the bundle again"
            )


def _refuse_silent_fallback(used: str, wanted: str, device: str, graph: str) -> None:
    """onnxruntime drops a provider whose libraries are missing; that must never go unnoticed."""
    if used == wanted:
        return
    if device != "auto":
        raise DeviceError(f"{graph}: {wanted} could not start (its libraries are missing)")
    _log.warning("%s runs on %s: %s could not start", graph, used, wanted)
