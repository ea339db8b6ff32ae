"""onnxruntime sessions of a bundle's graphs, and the choice of device that runs them.

onnxruntime is imported when the first graph is loaded, not before.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

    from perreactor_model.bundle.manifest import Bundle

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
    a robot's other processes need the cores, and latency is steadier. Raises DeviceError.
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
    session = onnxruntime.InferenceSession(
        str(bundle.graph_path(graph)), options, providers=providers
    )
    _refuse_silent_fallback(session.get_providers()[0], providers[0], device, graph)
    return session


def _refuse_silent_fallback(used: str, wanted: str, device: str, graph: str) -> None:
    """onnxruntime drops a provider whose libraries are missing; that must never go unnoticed."""
    if used == wanted:
        return
    if device != "auto":
        raise DeviceError(f"{graph}: {wanted} could not start (its libraries are missing)")
    _log.warning("%s runs on %s: %s could not start", graph, used, wanted)
