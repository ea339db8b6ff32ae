"""Pictures of speakers, each with what the face analyzer made of the same frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from perreactor_model.contract import ACTION_UNITS, SPEAKER_VECTOR_COUNT
from perreactor_model.training.face_pictures import varied
from perreactor_model.training.options import OptionError, TrainOptions

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedSplit


@dataclass(frozen=True)
class FaceBatch:
    """B frames. picture (B, 3, S, S) from -1 to 1, visual (B, 83) with NaN for unknown."""

    picture: Tensor
    visual: Tensor


class FaceFrames:
    """Frames of a split in which a face is seen and known; safe to be used by several threads."""

    def __init__(self, split: PreparedSplit, options: TrainOptions, held_out: bool = False) -> None:
        """`held_out`: pictures as they are. Raises OptionError where the split holds none."""
        self._split, self._options = split, options.face
        self._seed, self._varied = options.loop.seed, not held_out
        _refuse_pictures(split, options.model.image_size)
        self._place = _known(split)
        if not len(self._place):
            raise OptionError(
                f"no frame of the split '{split.name}' has both a face and attributes of it: "
                "prepare the corpus from videos in which speakers' faces are seen"
            )

    @property
    def items(self) -> np.ndarray:
        """Numbers of the frames."""
        return np.arange(len(self._place))

    def batch(self, share: Sequence[tuple[int, int]], device: torch.device) -> FaceBatch:
        """The frames of a share: epochs and items. How one is varied follows from both."""
        pictures, visual = zip(*(self._frame(epoch, item) for epoch, item in share), strict=True)
        stacked = torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2)
        return FaceBatch(
            stacked.to(torch.float32) / 127.5 - 1.0,
            torch.from_numpy(np.concatenate(visual)).to(device),
        )

    def spread(self, count: int) -> list[tuple[int, int]]:
        """At most `count` frames from all over the split, as a share of the first epoch."""
        chosen = np.unique(np.linspace(0, len(self._place) - 1, count).astype(int))
        return [(0, item) for item in chosen.tolist()]

    def visual(self, share: Sequence[tuple[int, int]]) -> Tensor:
        """Attributes and coefficients alone, (n, 83)."""
        return torch.from_numpy(np.concatenate([self._visual(item) for _, item in share]))

    def _frame(self, epoch: int, item: int) -> tuple[np.ndarray, np.ndarray]:
        assert self._split.faces is not None
        picture = np.array(self._split.faces[self._place[item, 2]])
        if self._varied:
            seeds = np.random.SeedSequence((self._seed, epoch, item))
            picture = varied(picture, np.random.Generator(np.random.Philox(seeds)), self._options)
        return picture, self._visual(item)

    def _visual(self, item: int) -> np.ndarray:
        recording, frame, _ = self._place[item].tolist()
        return self._split.speaker_visual(recording, frame, frame + 1)


def _known(split: PreparedSplit) -> np.ndarray:
    """Recording, frame, and place in the split's arrays of each frame, int64 (n, 3).

    A face that an analyzer has lost, or does not know yet, teaches nothing: when nothing is known
    of it, a robot that sees attributes is told of no face at all.
    """
    found = []
    for recording in np.unique(np.asarray(split.pairs)[:, 0]).tolist():
        frames, start = split.frames(recording), int(split.start[recording])
        visual = split.speaker_visual(recording, 0, frames)
        assert visual.shape == (frames, SPEAKER_VECTOR_COUNT)
        usable = ~np.isnan(visual[:, : len(ACTION_UNITS)]).all(axis=1)
        if split.face_seen is not None:
            usable &= split.face_seen[start : start + frames]
        frame = np.flatnonzero(usable)
        found.append(np.stack([np.full_like(frame, recording), frame, start + frame], axis=1))
    return np.concatenate(found)


def _refuse_pictures(split: PreparedSplit, size: int) -> None:
    """Raises OptionError where a split has no pictures, or others than the encoder looks at."""
    if split.faces is None:
        raise OptionError(
            f"the split '{split.name}' holds no pictures of faces: make the corpus with videos "
            "(`perreactor synthesize --video`) and prepare it with --faces crops "
            f"--image-size {size}"
        )
    if split.faces.shape[1] != size:
        raise OptionError(
            f"model.image_size is {size}, but the pictures of the split '{split.name}' have "
            f"{split.faces.shape[1]} pixels: give model.image_size={split.faces.shape[1]}, or "
            f"prepare them with --image-size {size}"
        )
