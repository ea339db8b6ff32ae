"""Which recordings meet in a clip: speaker, reactions that fit or do not, a listener's past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.training.options import DataOptions, OptionError

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedSplit

Place = tuple[int, int]
"""A recording, and the frame where the clip begins in it."""


@dataclass(frozen=True)
class Chosen:
    """`past` never lies in a recording of `fitting` or `wrong`, nor in any that would fit."""

    speaker: int
    start: int
    fitting: tuple[Place, ...]
    wrong: tuple[Place, ...]
    others: tuple[Place, ...] = ()
    past: Place | None = None


class Choices:
    """Draws recordings. Reactions that fit are cut where the speaker is, others anywhere.

    Generic: any listener's reactions. Personal: a random one of the listeners with a fitting
    reaction; its fitting reactions, its other ones, fitting ones of others, and its past.
    """

    def __init__(self, split: PreparedSplit, data: DataOptions, personal: bool) -> None:
        """Raises OptionError where the recordings allow no clip at all."""
        self._data, self._personal = data, personal
        self._appropriate = split.appropriate
        pairs = np.asarray(split.pairs)
        self._speaker, self._listener = pairs[:, 0], pairs[:, 1]
        self._frames = np.diff(np.asarray(split.start))
        self._who = np.asarray(split.identity)[self._listener]
        self._reaction_frames = self._frames[self._listener]
        long = self._frames[self._speaker] >= data.clip_frames
        long &= self._reaction_frames >= data.clip_frames
        if not long.any():
            longest = int(np.minimum(self._frames[self._speaker], self._reaction_frames).max())
            raise OptionError(
                f"data.clip_frames is {data.clip_frames}, but the longest clip of the split "
                f"'{split.name}' has {longest} frames: give at most {longest}"
            )
        items = np.flatnonzero(long)
        if personal:
            items = np.array([item for item in items if len(self._possible(int(item)))], int)
            if not len(items):
                raise OptionError(self._no_past(split.name))
        self.items = items

    def choose(self, item: int, generator: np.random.Generator) -> Chosen:
        """The recordings of a clip of `item`, one of `items`."""
        return (
            self._chosen_personal(item, generator)
            if self._personal
            else self._chosen_generic(item, generator)
        )

    def _chosen_generic(self, item: int, generator: np.random.Generator) -> Chosen:
        start = self._start(item, item, generator)
        fits = self._fitting(item)
        reach = self._reaction_frames >= start + self._data.clip_frames
        fitting = self._drawn(
            generator, np.flatnonzero(fits & reach), self._data.appropriate, start
        )
        wrong = self._drawn(generator, self._wrong(fits), self._data.inappropriate)
        return Chosen(int(self._speaker[item]), start, fitting, wrong)

    def _chosen_personal(self, item: int, generator: np.random.Generator) -> Chosen:
        data = self._data
        fits = self._fitting(item)
        listener = generator.choice(self._possible(item))
        own = self._who == listener
        long = self._reaction_frames >= data.clip_frames
        first = int(generator.choice(np.flatnonzero(fits & own & long)))
        start = self._start(item, first, generator)
        reach = self._reaction_frames >= start + data.clip_frames
        past = self._past(fits, own)
        recording = int(generator.choice(past))
        begin = int(generator.integers(0, self._frames[recording] - data.history_frames + 1))
        # A clip that the pattern was taken from must not be known by it as one that does not fit.
        unfit = self._wrong(fits, own & (self._listener != recording))
        return Chosen(
            speaker=int(self._speaker[item]),
            start=start,
            fitting=self._drawn(
                generator, np.flatnonzero(fits & own & reach), data.appropriate, start
            ),
            wrong=self._drawn(generator, unfit, data.inappropriate),
            others=self._drawn(generator, np.flatnonzero(fits & ~own & reach), data.others, start),
            past=(recording, begin),
        )

    def _start(self, item: int, reaction: int, generator: np.random.Generator) -> int:
        room = min(self._frames[self._speaker[item]], self._reaction_frames[reaction])
        return int(generator.integers(0, room - self._data.clip_frames + 1))

    def _fitting(self, item: int) -> np.ndarray:
        return np.asarray(self._appropriate[item], bool)

    def _wrong(self, fits: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
        wrong = ~fits & (self._reaction_frames >= self._data.clip_frames)
        return np.flatnonzero(wrong if among is None else wrong & among)

    def _possible(self, item: int) -> np.ndarray:
        """Listeners with a fitting reaction and a past that is none of their fitting reactions."""
        fits = self._fitting(item)
        reach = self._reaction_frames >= self._data.clip_frames
        pasts = self._who[self._remembered(fits)]
        return np.intersect1d(self._who[fits & reach], pasts)

    def _past(self, fits: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Recordings of a listener that can serve as its past."""
        return np.unique(self._listener[self._remembered(fits) & own])

    def _remembered(self, fits: np.ndarray) -> np.ndarray:
        long = self._reaction_frames >= self._data.history_frames
        target = np.zeros(len(self._frames), bool)
        target[self._listener[fits]] = True
        return long & ~target[self._listener]

    def _drawn(
        self,
        generator: np.random.Generator,
        pairs: np.ndarray,
        count: int,
        start: int | None = None,
    ) -> tuple[Place, ...]:
        """At most `count` of the listeners of `pairs`, cut at `start` or anywhere."""
        if not len(pairs):
            return ()
        taken = generator.choice(pairs, min(count, len(pairs)), replace=False)
        places = []
        for pair in taken:
            room = int(self._reaction_frames[pair]) - self._data.clip_frames
            begin = start if start is not None else int(generator.integers(0, room + 1))
            places.append((int(self._listener[pair]), begin))
        return tuple(places)

    def _no_past(self, name: str) -> str:
        longest = int(self._reaction_frames.max())
        if self._data.history_frames > longest:
            return (
                f"data.history_frames is {self._data.history_frames}, but the longest recording of "
                f"a listener in the split '{name}' has {longest} frames: give at most {longest}"
            )
        return (
            f"no listener of the split '{name}' has, beside a reaction of {self._data.clip_frames} "
            f"frames, another recording of {self._data.history_frames} frames for its history: "
            "give a smaller data.history_frames, or more sessions of each listener"
        )
