"""Ring buffers of attention keys and values: what a window of the past is made of.

A slot remembers the absolute number of the frame it holds, and the graphs work out from that number
how old the slot is. Nothing is ever moved when the window slides: the oldest slot is overwritten.
"""

import numpy as np

from perreactor_model.networks.config import EMPTY_FRAME


class AttentionCache:
    """Keys and values of the last `slots` frames, for `rows` independent pasts.

    `frames` is int64 (rows, slots); `keys[name]` is float32 (rows, heads, size, slots), stored so
    that a graph multiplies by it as it lies, and `values[name]` is (rows, heads, slots, size).
    """

    def __init__(self, names: list[str], heads: int, size: int, slots: int) -> None:
        self.slots = slots
        self.frames = np.empty((0, slots), np.int64)
        self.keys = {name: np.empty((0, heads, size, slots), np.float32) for name in names}
        self.values = {name: np.empty((0, heads, slots, size), np.float32) for name in names}

    @property
    def rows(self) -> int:
        """How many pasts are held."""
        return self.frames.shape[0]

    def add_row(self) -> None:
        """Append an empty past."""
        empty = np.full((1, self.slots), EMPTY_FRAME, np.int64)
        self.frames = np.concatenate([self.frames, empty])
        for arrays in (self.keys, self.values):
            for name, array in arrays.items():
                arrays[name] = np.concatenate([array, np.zeros((1, *array.shape[1:]), np.float32)])

    def remove_row(self, row: int) -> None:
        """Forget one past; later rows move up."""
        self.frames = np.delete(self.frames, row, 0)
        for arrays in (self.keys, self.values):
            for name, array in arrays.items():
                arrays[name] = np.delete(array, row, 0)

    def clear(self) -> None:
        """Empty every past; stale keys stay but their slots say that they hold nothing."""
        self.frames.fill(EMPTY_FRAME)

    def write(
        self,
        frames: np.ndarray,
        keys: dict[str, np.ndarray],
        values: dict[str, np.ndarray],
        numbers: np.ndarray | None = None,
    ) -> None:
        """Store T new frames in every row, in place of the oldest.

        `frames` (T,) are absolute and choose the slots; `numbers`, (T,) or (rows, T), are what the
        slots remember where that is not the frame itself (a position within a block). Keys are
        (rows, heads, size, T), values (rows, heads, T, size).
        """
        assert len(frames) <= self.slots, f"{len(frames)} frames do not fit {self.slots} slots"
        slots = frames % self.slots
        self.frames[:, slots] = frames if numbers is None else numbers
        for name, array in keys.items():
            self.keys[name][..., slots] = array
        for name, array in values.items():
            self.values[name][:, :, slots] = array
