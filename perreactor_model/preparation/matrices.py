"""Which real reactions are appropriate for which speaker, in the order of a split's pairs."""

from __future__ import annotations

import numpy as np

from perreactor_model.corpora.recordings import SplitIndex
from perreactor_model.preparation.prepared import PreparedError


def appropriate_of(split: SplitIndex, how: str) -> np.ndarray:
    """bool (N, N), [k, j]: the reaction of pair j fits the speaker of pair k.

    how: `file`, `sessions`, or `auto`. A pair's own reaction always fits. Raises PreparedError.
    """
    if how == "file" and split.matrix is None:
        raise PreparedError(
            f"the split '{split.name}' brings no matrix of what is appropriate: use sessions"
        )
    if how != "sessions" and split.matrix is not None:
        matrix = _from_file(split)
    else:
        matrix = _from_sessions(split)
    np.fill_diagonal(matrix, True)
    return matrix


def _from_file(split: SplitIndex) -> np.ndarray:
    assert split.matrix is not None
    try:
        matrix = np.load(split.matrix, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PreparedError(f"{split.matrix} cannot be read: {error}") from error
    count = len(split.pairs)
    if matrix.shape != (count, count):
        raise PreparedError(
            f"{split.matrix} has the shape {matrix.shape}, but '{split.name}' has {count} "
            f"pairs with both directions of each: expected ({count}, {count})"
        )
    return np.asarray(matrix > 0.5)


def _from_sessions(split: SplitIndex) -> np.ndarray:
    sessions = [split.recordings[int(listener)].session for listener in split.pairs[:, 1]]
    if not all(sessions):
        raise PreparedError(
            f"the split '{split.name}' has neither a matrix of what is appropriate nor sessions: "
            "put neighbour_emotion_<split>.npy beside the index"
        )
    numbers = np.unique(sessions, return_inverse=True)[1]
    return np.asarray(numbers[:, None] == numbers[None, :])
