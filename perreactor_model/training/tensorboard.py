"""What TensorBoard shows of a run: curves, spreads of attributes, and reactions as faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from perreactor_model.contract import ATTRIBUTE_COUNT, ATTRIBUTES, COEFFICIENTS, ROTATION_SLICE
from perreactor_model.training.batch import Batch

if TYPE_CHECKING:
    from perreactor_model.training.stepping import Stepper

FOLDER = "tensorboard"
_FACES = 8
_FACE_SIZE = 120
_SHOWN = ("AU1", "AU4", "AU6", "AU12", "AU25", "valence", "arousal")
_POSE = {
    COEFFICIENTS[index]: ATTRIBUTE_COUNT + index
    for index in range(ROTATION_SLICE.start, ROTATION_SLICE.stop)
}


class Board:
    """Writes nothing where there is no folder (all processes but the first)."""

    def __init__(self, folder: Path | None, step: int) -> None:
        """`step`: what an interrupted run wrote after it is dropped."""
        self._writer: Any = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder / FOLDER), purge_step=step + 1)

    def scalars(self, group: str, told: Mapping[str, float], step: int) -> None:
        """One point of each curve."""
        if self._writer is not None:
            for name, value in told.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    @torch.no_grad()
    def reactions(self, stepper: Stepper, batch: Batch, step: int) -> None:
        """Generated beside real: how values are spread, and the faces of one clip."""
        if self._writer is None:
            return
        stage: Any = stepper.stage
        made = stage.react(batch).reaction.float().cpu()
        real = batch.appropriate[batch.appropriate_weight > 0].cpu()
        places = {name: ATTRIBUTES.index(name) for name in _SHOWN} | _POSE
        for name, place in places.items():
            self._writer.add_histogram(f"{name}/generated", made[..., place].flatten(), step)
            self._writer.add_histogram(f"{name}/real", real[..., place].flatten(), step)
        rows = [batch.speaker[0].cpu(), batch.appropriate[0, 0].cpu(), *made[0]]
        self._writer.add_image(
            "speaker, real reaction, generated reactions",
            drawn_reactions(rows),
            step,
            dataformats="HWC",
        )

    def pictures(self, name: str, shown: Tensor, step: int) -> None:
        """The first of `shown` (B, 3, S, S), from -1 to 1, side by side."""
        if self._writer is not None:
            row = torch.cat(list(shown[:_FACES].float().cpu()), dim=-1)
            self._writer.add_image(name, (row + 1.0) / 2.0, step)

    def close(self) -> None:
        """Write out what is still held."""
        if self._writer is not None:
            self._writer.close()


def drawn_reactions(rows: list[Tensor]) -> np.ndarray:
    """Faces of reactions (T, 83), one row each, time to the right: RGB uint8 (H, W, 3)."""
    from perreactor_model.media.face_drawing import draw_face

    strips = []
    for row in rows:
        frames = row.numpy()[np.linspace(0, len(row) - 1, _FACES).astype(int)]
        faces = [
            draw_face(frame[:ATTRIBUTE_COUNT], frame[ATTRIBUTE_COUNT:], _FACE_SIZE)
            for frame in frames
        ]
        strips.append(np.concatenate(faces, axis=1))
    return np.concatenate(strips, axis=0)
