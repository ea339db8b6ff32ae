"""Noise on what D_R sees, real and generated alike.

Real action units may be exactly 0 or 1; what a sigmoid makes never is, and a judge who looks at
that learns nothing else. Noise makes the two overlap: C. K. Sonderby et al.: "Amortised MAP
inference for image super-resolution", ICLR 2017, section 3.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def noisy(
    frames: Tensor, scale: Tensor, deviation: float, keys: Sequence[tuple[int, ...]], which: int
) -> Tensor:
    """`frames` (B, ..., 83) and noise of `deviation` spreads.

    The noise of a clip depends on its key and on `which` of the views of it this is alone.
    """
    if deviation == 0:
        return frames
    drawn = np.stack(
        [
            np.random.Generator(
                np.random.Philox(np.random.SeedSequence((*key, which)))
            ).standard_normal(tuple(frames.shape[1:]), np.float32)
            for key in keys
        ]
    )
    return frames + deviation * scale * torch.from_numpy(drawn).to(frames.device)
