"""Clips to batches, on time: threads build the next batches while the networks are at work.

Threads, not processes: numpy lets go of the interpreter while it draws and copies, and nothing has
to be sent or to fit into a container's shared memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from perreactor_model.training.batch import Batch
from perreactor_model.training.items import Clip, ClipMaker

Made = TypeVar("Made")

_AHEAD = 2
"""Batches that wait for each thread."""


def collate(clips: Sequence[Clip]) -> Batch:
    """Clips of equal sizes as one batch. Pictures stay bytes, (B, T, S, S, 3); see `to_device`."""
    return Batch(
        key=tuple(clip.key for clip in clips),
        audio=_stacked([clip.audio for clip in clips]),
        face_present=_stacked([clip.face_present for clip in clips]),
        voice_present=_stacked([clip.voice_present for clip in clips]),
        speaker=_stacked([clip.speaker for clip in clips]),
        appropriate=_stacked([clip.appropriate for clip in clips]),
        appropriate_weight=_stacked([clip.appropriate_weight for clip in clips]),
        inappropriate=_stacked([clip.inappropriate for clip in clips]),
        inappropriate_weight=_stacked([clip.inappropriate_weight for clip in clips]),
        noise=_stacked([clip.noise for clip in clips]),
        stream=torch.tensor([clip.stream for clip in clips]),
        visual=_optional([clip.visual for clip in clips]),
        face_token=_optional([clip.face_token for clip in clips]),
        history=_optional([clip.history for clip in clips]),
        past=_optional([clip.past for clip in clips]),
        others=_optional([clip.others for clip in clips]),
        others_weight=_optional([clip.others_weight for clip in clips]),
    )


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where it is needed, pictures as (B, T, 3, S, S) from -1 to 1."""
    moved = batch.to(device)
    visual = moved.visual
    if visual is None or visual.dtype != torch.uint8:
        return moved
    pictures = visual.permute(0, 1, 4, 2, 3).to(torch.float32) / 127.5 - 1.0
    return replace(moved, visual=pictures)


def batches(
    maker: ClipMaker,
    shares: Iterable[Sequence[tuple[int, int]]],
    device: torch.device,
    workers: int = 0,
) -> Generator[Batch, None, None]:
    """The batch of each share (epochs and items), in order, built by `workers` threads."""

    def build(share: Sequence[tuple[int, int]]) -> Batch:
        return to_device(collate([maker.make(epoch, item) for epoch, item in share]), device)

    return ahead(build, shares, workers)


def ahead(
    build: Callable[[Sequence[tuple[int, int]]], Made],
    shares: Iterable[Sequence[tuple[int, int]]],
    workers: int,
) -> Generator[Made, None, None]:
    """What `build` makes of each share, in order; `workers` threads make the next ones already."""
    if workers == 0:
        yield from map(build, shares)
        return
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="clips") as pool:
        try:
            for share in shares:
                waiting.append(pool.submit(build, share))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _optional(arrays: Sequence[np.ndarray | None]) -> Tensor | None:
    there = [array for array in arrays if array is not None]
    return _stacked(there) if there else None
