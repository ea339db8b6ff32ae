"""One clip of training: a speaker, reactions that fit and that do not, and a listener's past.

All that is drawn for a clip is drawn from (seed, epoch, item) and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from perreactor_model.contract import SPEAKER_VECTOR_COUNT
from perreactor_model.training.choosing import Choices, Chosen, Place
from perreactor_model.training.latent_noise import held_noise, stream_noise
from perreactor_model.training.options import DataOptions, OptionError, TrainOptions

if TYPE_CHECKING:
    from perreactor_model.preparation.prepared import PreparedSplit

Key = tuple[int, int, int]

_CHOICE, _ABSENCE, _NOISE = range(3)
_WHOLE = 0.5
"""Of the clips that lose a face or voice, the share that lose it for the whole clip."""


@dataclass(frozen=True)
class Clip:
    """The arrays of one clip; `Batch` says what each is, with one dimension more in front."""

    key: Key
    chosen: Chosen
    visual: np.ndarray | None
    face_token: np.ndarray | None
    audio: np.ndarray
    face_present: np.ndarray
    voice_present: np.ndarray
    speaker: np.ndarray
    appropriate: np.ndarray
    appropriate_weight: np.ndarray
    inappropriate: np.ndarray
    inappropriate_weight: np.ndarray
    noise: np.ndarray
    stream: bool
    history: np.ndarray | None
    past: np.ndarray | None
    others: np.ndarray | None
    others_weight: np.ndarray | None


class Listeners(NamedTuple):
    """Pasts of many listeners: as a pattern encoder sees them (n, H, C), as they truly were
    (n, H, 83), and whose they are (n,).
    """

    histories: Tensor
    pasts: Tensor
    people: Tensor


class ClipMaker:
    """Builds clips of one split of a prepared corpus; safe to be used by several threads."""

    def __init__(self, split: PreparedSplit, options: TrainOptions, held_out: bool = False) -> None:
        """`held_out`: without dropout of modalities. Raises OptionError if no clip can be made."""
        self.split = split
        self._data: DataOptions = options.data
        self._seed = options.loop.seed
        self._size = options.model.feature_size
        self._channels = options.model.pattern_channels
        self._image = options.model.visual_input == "face_image"
        self._dropout = not held_out
        if self._image:
            _refuse_faces(split, options)
        self.choices = Choices(split, options.data, personal=options.stage == "pag")

    @property
    def items(self) -> np.ndarray:
        """Numbers of the clips that can be made."""
        return self.choices.items

    def make(self, epoch: int, item: int) -> Clip:
        """The clip of an item in an epoch."""
        key = (self._seed, epoch, item)
        data, split = self._data, self.split
        chosen = self._choice(key)
        speaker, first = chosen.speaker, chosen.start
        last = first + data.clip_frames
        visual, token, face = self._face(speaker, first, last)
        voice = np.ones(data.clip_frames, bool)
        self._withhold(face, voice, _generator(key, _ABSENCE))
        noise, stream = self._noise(_generator(key, _NOISE))
        fitting, fitting_weight = self._reactions(chosen.fitting, data.appropriate)
        wrong, wrong_weight = self._reactions(chosen.wrong, data.inappropriate)
        history = past = others = others_weight = None
        if chosen.past is not None:
            history, past = self._history(chosen.past), self._past(chosen.past)
            others, others_weight = self._reactions(chosen.others, data.others)
        return Clip(
            key=key,
            chosen=chosen,
            visual=visual,
            face_token=token,
            audio=split.speaker_audio(speaker, first, last),
            face_present=face,
            voice_present=voice,
            speaker=split.reaction(speaker, first, last),
            appropriate=fitting,
            appropriate_weight=fitting_weight,
            inappropriate=wrong,
            inappropriate_weight=wrong_weight,
            noise=noise,
            stream=stream,
            history=history,
            past=past,
            others=others,
            others_weight=others_weight,
        )

    def listeners(self, count: int) -> Listeners:
        """The listeners of at most `count` items from all over the split (stage 2)."""
        chosen = self.items[np.unique(np.linspace(0, len(self.items) - 1, count).astype(int))]
        places = [
            place
            for item in chosen
            if (place := self._choice((self._seed, 0, int(item))).past) is not None
        ]
        return Listeners(
            torch.from_numpy(np.stack([self._history(place) for place in places])),
            torch.from_numpy(np.stack([self._past(place) for place in places])),
            torch.tensor([int(self.split.identity[recording]) for recording, _ in places]),
        )

    def _choice(self, key: Key) -> Chosen:
        return self.choices.choose(key[2], _generator(key, _CHOICE))

    def _history(self, place: Place) -> np.ndarray:
        """A listener's past (H, C) as it is shown to the pattern encoder."""
        recording, start = place
        data = self._data
        last = start + data.history_frames
        rows = self.split.history_rows(recording, start, last, data.history_view)
        return np.asarray(rows[:, : self._channels], np.float32)

    def _past(self, place: Place) -> np.ndarray:
        """What the listener truly did then (H, 83)."""
        recording, start = place
        return self.split.reaction(recording, start, start + self._data.history_frames)

    def _face(
        self, recording: int, first: int, last: int
    ) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray]:
        """What is seen of the speaker, features of it instead, and in which frames it is seen."""
        if not self._image:
            visual = self.split.speaker_visual(recording, first, last)
            return visual, None, ~np.isnan(visual).all(axis=1)
        seen = self.split.face_seen
        present = (
            np.ones(last - first, bool) if seen is None else self._rows(seen, recording, first)
        )
        if self.split.face_tokens is not None:
            return None, self._rows(self.split.face_tokens, recording, first), present
        assert self.split.faces is not None
        return self._rows(self.split.faces, recording, first), None, present

    def _rows(self, table: np.ndarray, recording: int, first: int) -> np.ndarray:
        start = int(self.split.start[recording]) + first
        return np.array(table[start : start + self._data.clip_frames])

    def _reactions(
        self, places: tuple[tuple[int, int], ...], count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """`count` reactions (count, T, 83) and their weights; what is missing is 0."""
        frames = self._data.clip_frames
        reactions = np.zeros((count, frames, SPEAKER_VECTOR_COUNT), np.float32)
        weight = np.zeros(count, np.float32)
        for row, (recording, start) in enumerate(places):
            reactions[row] = self.split.reaction(recording, start, start + frames)
            weight[row] = 1.0
        return reactions, weight

    def _withhold(
        self, face: np.ndarray, voice: np.ndarray, generator: np.random.Generator
    ) -> None:
        """Mark what the generator shall do without (in place)."""
        data = self._data
        if data.modalities == "audio":
            face[:] = False
        if data.modalities == "visual":
            voice[:] = False
        # Drawn in any case: one option must not move what is drawn for another.
        for present, share in ((face, data.face_dropout), (voice, data.voice_dropout)):
            lost, whole = generator.random(2)
            length = int(generator.integers(1, len(present) + 1))
            start = int(generator.integers(0, len(present) - length + 1))
            if self._dropout and lost < share:
                present[slice(None) if whole < _WHOLE else slice(start, start + length)] = False

    def _noise(self, generator: np.random.Generator) -> tuple[np.ndarray, bool]:
        data = self._data
        stream = data.latents == "stream"
        if data.latents == "mixed":
            stream = bool(generator.random() < 0.5)
        shape = data.samples, data.clip_frames, self._size
        if stream:
            return stream_noise(generator, *shape, data.noise_seconds), True
        return held_noise(generator, *shape), False


def _refuse_faces(split: PreparedSplit, options: TrainOptions) -> None:
    """Raises OptionError where the split holds no faces, or faces that do not fit the model."""
    if split.face_tokens is not None:
        size, wanted, name = split.face_tokens.shape[-1], options.model.feature_size, "feature_size"
    elif split.faces is not None:
        size, wanted, name = split.faces.shape[1], options.model.image_size, "image_size"
    else:
        raise OptionError(
            "model.visual_input is face_image, but the prepared corpus holds no faces: prepare "
            "it with faces, or train with model.visual_input=facial_attributes"
        )
    if size != wanted:
        raise OptionError(
            f"model.{name} is {wanted}, but the faces of the split '{split.name}' were prepared "
            f"for {size}: give model.{name}={size}, or prepare them anew"
        )


def _generator(key: Key, purpose: int) -> np.random.Generator:
    seeds = np.random.SeedSequence(key, spawn_key=(purpose,))
    return np.random.Generator(np.random.Philox(seeds))
