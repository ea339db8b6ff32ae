"""The listeners of a corpus react anew: the ceiling of any model, as predictions to be judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perreactor_model.synthesis.corpus import CorpusPlanError, SyntheticCorpus


def redrawn(
    corpus: SyntheticCorpus,
    split: str,
    samples: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Arrays as `perreactor metrics` reads them: prediction (N, M, T, 25) and what judges it.

    Raises CorpusPlanError.
    """
    if samples < 1:
        raise CorpusPlanError(f"{samples} samples: give 1 or more")
    rows, frames = corpus.rows(split), corpus.plan.frames
    drawn, real, spoken, names = [], [], [], []
    for row, (performance, mirrored) in enumerate(rows):
        draws = range(1, samples + 1)
        drawn.append(np.stack([corpus.redraw(split, row, draw)[0] for draw in draws]))
        dyad = corpus.perform(performance)
        pair = list(zip((dyad.speaker, dyad.listener), corpus.people(performance), strict=True))
        (speaker, _), (listener, persona) = pair[::-1] if mirrored else pair
        real.append(listener.attributes[:frames])
        spoken.append(speaker.attributes[:frames])
        names.append(persona.name)
        if progress is not None:
            progress(row + 1, len(rows))
    return {
        "prediction": np.stack(drawn),
        "listener": np.stack(real),
        "speaker": np.stack(spoken),
        "appropriate": corpus.appropriate(split),
        "identity": np.array(names),
    }
