"""The processes of a run, and where they compute: Lightning Fabric, alone or under torchrun."""

from __future__ import annotations

import os
from dataclasses import replace

import torch
from lightning_fabric import Fabric

from perreactor_model.training.options import LoopOptions, OptionError

_PRECISION = {"32": "32-true", "bf16": "bf16-mixed"}


def as_launched(loop: LoopOptions) -> LoopOptions:
    """torchrun knows how many processes there are; the options then follow it.

    Raises OptionError where the batch cannot be shared by them.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return loop
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return replace(loop, devices=here, nodes=int(os.environ["WORLD_SIZE"]) // here)


def launched(loop: LoopOptions) -> Fabric:
    """Start the other processes of the run, if any, and return this one's connection to them.

    Raises OptionError for a device that is not there.
    """
    cuda = torch.cuda.device_count()
    if loop.device == "cuda" and not cuda:
        raise OptionError("loop.device is cuda, but torch sees no GPU: use cpu or auto")
    gpu = loop.device != "cpu" and cuda > 0
    if gpu and loop.devices > cuda:
        raise OptionError(f"loop.devices is {loop.devices}, but this machine has {cuda} GPUs")
    fabric = Fabric(
        accelerator="cuda" if gpu else "cpu",
        devices=loop.devices,
        num_nodes=loop.nodes,
        strategy="ddp" if loop.devices * loop.nodes > 1 else "auto",
        precision=_PRECISION[loop.precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric
