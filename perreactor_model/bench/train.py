"""Training against the authors' way of it: one thread, processor time, in one run.

Batch 8, 256 frames, 4 reactions to each speaker, both discriminators, full sizes; the generator
and the tokens of the speaker's face are the same on both sides.

- *step*: from a batch to new weights. The authors' discriminators and losses are those of
  `train_authors`, after the same generator.
- *loop*: all that it takes to get there. Ours reads the prepared corpus, where features of the face
  are kept. The authors' decodes the video, computes MFCC and encodes the frames again in each step:
  in their first stage with gradients for the encoder, which learns; in the second, where it is
  frozen, without.

The best of several rounds counts, in which both take turns.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from perreactor_model.audio.features import clip_features
from perreactor_model.bench.train_authors import AuthorsStep
from perreactor_model.bench.train_corpus import AUDIO_RATE, write_corpus, write_video
from perreactor_model.contract import FRAME_RATE
from perreactor_model.media.video import read_pictures
from perreactor_model.networks.authors.encoder import SpeakerEncoder
from perreactor_model.networks.config import ModelConfig
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.batch import Batch
from perreactor_model.training.collating import batches
from perreactor_model.training.generic_stage import GenericStage
from perreactor_model.training.items import ClipMaker
from perreactor_model.training.options import DataOptions, LoopOptions, TrainOptions
from perreactor_model.training.sampling import ClipOrder
from perreactor_model.training.stepping import Stepper

_SPARE_FRAMES = 44


@dataclasses.dataclass(frozen=True)
class Size:
    """What is trained on, how often, and how many clips the authors' way is made to encode."""

    clips: int = 8
    frames: int = 256
    samples: int = 4
    feature_size: int = 128
    image_size: int = 224
    rounds: int = 3
    encoded_clips: int = 2


def measure(size: Size | None = None) -> dict[str, Any]:
    """Seconds of both ways, their ratios, and memory per clip."""
    size = size or Size()
    with tempfile.TemporaryDirectory(prefix="perreactor_bench_") as name, _one_thread():
        race = _Race(size, Path(name))
        step = _in_turns(race.our_step, race.authors_step, size.rounds)
        loop = _in_turns(race.our_loop, race.authors_reading, 1 + (size.rounds > 1))
        _, learning = _in_turns(lambda: None, race.authors_learning_to_see, 1)
        memory = race.memory()
    many = size.clips / size.encoded_clips
    return {
        "batch": size.clips,
        "frames": size.frames,
        "samples": size.samples,
        "threads": 1,
        "step": _row(step[0], step[1]),
        "loop_stage_1": _row(loop[0], many * learning + step[1]),
        "loop_stage_2_encoder_frozen": _row(loop[0], many * loop[1] + step[1]),
        "authors_reading_and_encoding": f"measured on {size.encoded_clips} of the clips",
        "memory_per_clip": memory,
    }


class _Race:
    """Both ways on the same corpus and the same first weights."""

    def __init__(self, size: Size, folder: Path) -> None:
        self._size = size
        model = ModelConfig(feature_size=size.feature_size, visual_input="face_image")
        data = DataOptions(clip_frames=size.frames, samples=size.samples, latents="mixed")
        self._options = TrainOptions(
            "gag", model=model, data=data, loop=LoopOptions(batch=size.clips)
        )
        corpus = write_corpus(folder / "prepared", size.frames + _SPARE_FRAMES, size.feature_size)
        self._maker = ClipMaker(corpus.splits["train"], self._options)
        self._order = ClipOrder(self._maker.items, 0)
        self._number = 0
        self._fabric = Fabric(accelerator="cpu", devices=1)
        self._stage = GenericStage(
            ReactionGenerator(model), self._options.loss, self._options.discriminator
        )
        self._stepper = Stepper(self._stage, self._options, self._fabric)
        generator = ReactionGenerator(model)
        generator.load_state_dict(self._stage.generator.state_dict())
        self._their_generator = GenericStage(
            generator, self._options.loss, self._options.discriminator
        )
        self._theirs = AuthorsStep(generator)
        self._encoder = SpeakerEncoder(size.feature_size)
        self._video = folder / "speaker.mp4"
        write_video(self._video, size.frames)
        seconds = size.frames / FRAME_RATE
        self._sound = np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * AUDIO_RATE))
        self._batch = self._next()

    def our_step(self) -> None:
        self._stepper.step([self._batch], 0)

    def authors_step(self) -> None:
        made = self._their_generator.react(self._batch)
        self._theirs.learn(self._batch, made.reaction)

    def our_loop(self) -> None:
        self._stepper.step([self._next()], 0)

    def authors_reading(self) -> None:
        """What comes before the step, of some clips."""
        with torch.no_grad():
            for _ in range(self._size.encoded_clips):
                self._encode()

    def authors_learning_to_see(self) -> None:
        """The same with gradients for the encoder."""
        for _ in range(self._size.encoded_clips):
            self._encode().sum().backward()

    def memory(self) -> dict[str, str]:
        """Bytes of a clip in a batch, and those that its step holds for backpropagation."""
        size, clips = self._size, self._size.clips
        ours = _held(self.our_step)
        theirs = _held(self.authors_step)
        pixels = size.frames * 3 * size.image_size**2 * 4
        return {
            "ours_in_a_batch": _megabytes(_bytes_of(self._batch) / clips),
            "authors_in_a_batch": _megabytes(_bytes_of(self._batch) / clips + pixels),
            "ours_in_a_step": _megabytes(ours / clips),
            "authors_in_a_step": _megabytes(theirs / clips),
        }

    def _next(self) -> Batch:
        share = self._order.share(self._number, self._size.clips, 0, 1)
        self._number += 1
        return next(batches(self._maker, [share], self._fabric.device))

    def _encode(self) -> Tensor:
        side = self._size.image_size
        pictures = read_pictures(self._video, size=(side, side))
        pixels = np.stack([frame.image for frame in pictures][: self._size.frames])
        video = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        audio = torch.from_numpy(clip_features(self._sound, AUDIO_RATE))
        tokens: Tensor = self._encoder(video[None], audio[None, : len(video)])
        return tokens


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_turns(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[float, float]:
    """Least processor seconds of each; ours is warmed up, theirs gains nothing by it."""
    ours()
    best = [math.inf, math.inf]
    for _ in range(rounds):
        for side, work in enumerate((ours, theirs)):
            began = time.process_time()
            work()
            best[side] = min(best[side], time.process_time() - began)
    return best[0], best[1]


def _row(ours: float, theirs: float) -> dict[str, float]:
    return {
        "ours_s": round(ours, 3),
        "authors_s": round(theirs, 2),
        "ratio": round(theirs / ours, 1),
    }


def _held(work: Callable[[], None]) -> int:
    """The most bytes that are kept for backpropagation at one time, weights included."""
    ledger = _Ledger()
    with torch.autograd.graph.saved_tensors_hooks(ledger.keep, lambda kept: kept.tensor):
        work()
    return ledger.most


class _Ledger:
    """Bytes of what is kept; a storage counts once, however many tensors look into it."""

    def __init__(self) -> None:
        self._users: Counter[int] = Counter()
        self._now = 0
        self.most = 0

    def keep(self, tensor: Tensor) -> _Kept:
        storage = tensor.untyped_storage()
        kept = _Kept(tensor, storage.data_ptr(), storage.nbytes(), self)
        self._users[kept.place] += 1
        if self._users[kept.place] == 1:
            self._now += kept.size
            self.most = max(self.most, self._now)
        return kept

    def drop(self, kept: _Kept) -> None:
        self._users[kept.place] -= 1
        if not self._users[kept.place]:
            self._now -= kept.size


@dataclasses.dataclass(eq=False)
class _Kept:
    """Lives as long as backpropagation needs the tensor."""

    tensor: Tensor
    place: int
    size: int
    ledger: _Ledger

    def __del__(self) -> None:
        self.ledger.drop(self)


def _bytes_of(batch: Batch) -> int:
    values = (getattr(batch, field.name) for field in dataclasses.fields(batch))
    return sum(value.nbytes for value in values if isinstance(value, Tensor))


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"
