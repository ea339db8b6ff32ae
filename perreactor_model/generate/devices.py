"""Where torch computes, and how exactly."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def torch_device(device: str) -> torch.device:
    """`auto` is the GPU where torch sees one. Raises ValueError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device not in ("cpu", "cuda"):
        raise ValueError(f"unknown device '{device}': choose one of auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' asked for, but torch sees no GPU: use 'cpu' or 'auto'")
    return torch.device(device)


@contextmanager
def exactly() -> Iterator[None]:
    """No gradients, and no reduced precision in a GPU's convolutions."""
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
        yield
