"""What one training step sees. Made by the data side, consumed by the stages."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B clips of T frames; M reactions will be generated to each.

    All randomness of a clip is drawn from its `key`, so a clip gives the same loss in any batch, on
    any device, at any time.
    """

    key: tuple[tuple[int, int, int], ...]
    """(seed, epoch, item) of each clip."""
    audio: Tensor
    """(B, T, 78)."""
    face_present: Tensor
    """(B, T) bool; False also where the face is withheld to train without it."""
    voice_present: Tensor
    """(B, T) bool."""
    speaker: Tensor
    """(B, T, 83): the speaker's true attributes and coefficients, for judges that see those."""
    appropriate: Tensor
    """(B, A, T, 83): real reactions that fit; in stage 2 those of one listener."""
    appropriate_weight: Tensor
    """(B, A): 1, or 0 for padding."""
    inappropriate: Tensor
    """(B, I, T, 83): real reactions to something else; in stage 2 of the same listener."""
    inappropriate_weight: Tensor
    """(B, I)."""
    noise: Tensor
    """(B, M, T, d) standard normal; the same in all frames where latents are held."""
    stream: Tensor
    """(B,) bool: latents from the distribution of each frame; else from that of the whole clip."""
    visual: Tensor | None = None
    """(B, T, 83) with NaN for unknown, or (B, T, 3, size, size); None where `face_token` is."""
    face_token: Tensor | None = None
    """(B, T, d): features of the face from a frozen encoder."""
    history: Tensor | None = None
    """(B, H, C): past of the listener of `appropriate`, never the clip that is to be met."""
    past: Tensor | None = None
    """(B, H, 83): what the listener truly did in `history`."""
    others: Tensor | None = None
    """(B, O, T, 83): fitting reactions of other listeners (stage 2)."""
    others_weight: Tensor | None = None
    """(B, O)."""

    def __len__(self) -> int:
        return self.audio.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in dataclasses.fields(self)
            if isinstance(getattr(self, field.name), Tensor)
        }
        return dataclasses.replace(self, **moved)
