"""Reactions of a generator to the pairs of a prepared split, ready to be judged by `metrics`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from perreactor_model.contract import ATTRIBUTE_COUNT
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.networks.decoders import AlignedDecoder
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.streaming.noise import LatentNoise

MODES = ("offline", "stream")

NOISE_SECONDS = 8.0
"""Time constant of the stream's noise, that of the nodes by default."""

HISTORY_FRAMES = 480
"""19.2 s, the paper's."""

_PICTURES = 64
"""Encoded at once."""


class PredictionError(ValueError):
    """Reactions that this generator or split cannot give. The message says why."""


def predict(
    generator: ReactionGenerator,
    split: PreparedSplit,
    samples: int,
    seed: int,
    personal: bool,
    mode: str = "offline",
    rows: Sequence[int] | np.ndarray | None = None,
    history_frames: int = HISTORY_FRAMES,
    progress: Callable[[int, int], None] | None = None,
    history_view: str = "observed",
    history_choice: int = 0,
) -> Predictions:
    """`samples` reactions to each of the pairs `rows` (by default all), generic or personal.

    Personal ones have the pattern of the listener's past: the newest `history_frames` of another
    recording, or of several where none is so long, never of one that fits the speaker; another
    `history_choice` is another recording.
    offline: the whole clip, one latent a sample; stream: frame t from the frames up to t in the
    window, noise that varies slowly. The noise of a pair depends on the seed, its number and the
    sample. Raises PredictionError.
    """
    _check_mode(generator, mode)
    chosen = np.arange(len(split.pairs)) if rows is None else np.asarray(rows, int)
    faces = []
    token, spoken = None, -1
    for done, pair in enumerate(chosen.tolist()):
        with torch.no_grad():
            # Pairs of one speaker follow each other: what is heard is read once.
            if token is None or spoken != int(split.pairs[pair, 0]):
                spoken = int(split.pairs[pair, 0])
                token = speaker_tokens(generator, split, spoken)
            pattern = None
            if personal:
                pattern = pattern_of(
                    generator, split, pair, history_frames, history_view, history_choice
                )
            faces.append(react(generator, token, samples, seed, f"clip_{pair}", mode, pattern))
        if progress is not None:
            progress(done + 1, len(chosen))
    return beside_real(split, chosen, faces)


def streams(generator: ReactionGenerator) -> bool:
    """Whether its reactions can be computed frame by frame in one pass."""
    return isinstance(generator.decoder_generic, AlignedDecoder)


def pattern_of(
    generator: ReactionGenerator,
    split: PreparedSplit,
    pair: int,
    history_frames: int,
    view: str = "observed",
    choice: int = 0,
) -> Tensor:
    """Pattern (d,) of the listener of a pair, from its past. Raises PredictionError."""
    return pattern_of_rows(generator, past_rows(split, pair, history_frames, view, choice))


def past_rows(
    split: PreparedSplit, pair: int, history_frames: int, view: str = "observed", choice: int = 0
) -> np.ndarray:
    """The past (H, 31) that the listener of a pair is known by. Raises PredictionError.

    The newest frames of one recording, or, where none is long enough, of several after each other.
    """
    pasts = split.other_recordings(pair)
    if not len(pasts):
        who = split.identity_names[split.listener_identity[pair]]
        raise PredictionError(
            f"the split '{split.name}' has no other recording of listener {who} to take a history "
            f"from for pair {pair}: personal reactions need two sessions of each listener"
        )
    # Which one is drawn by the pair's number: not always the first session of everybody.
    long = [r for r in pasts.tolist() if split.frames(r) >= history_frames]
    if long:
        chosen = [long[(pair + choice) % len(long)]]
    else:
        chosen = np.roll(pasts, -((pair + choice) % len(pasts))).tolist()
    parts: list[np.ndarray] = []
    wanted = history_frames
    for recording in chosen:
        frames = split.frames(recording)
        parts.insert(0, split.history_rows(recording, max(0, frames - wanted), frames, view))
        wanted -= len(parts[0])
        if wanted == 0:
            break
    return np.concatenate(parts)


def pattern_of_rows(generator: ReactionGenerator, rows: np.ndarray) -> Tensor:
    """Pattern (d,) of a history (H, 31) without holes."""
    history = torch.from_numpy(np.ascontiguousarray(rows[:, : generator.config.pattern_channels]))
    return generator.pattern(history.to(_device(generator)))


@torch.no_grad()
def react(
    generator: ReactionGenerator,
    token: Tensor,
    samples: int,
    seed: int,
    name: str,
    mode: str = "offline",
    pattern: Tensor | None = None,
) -> np.ndarray:
    """Reactions to a speaker's `token` (T, d): float32 (M, T, 83), generic without a pattern.

    `pattern` (d,), or (P, 1, d) of P listeners who share the noise: (P M, T, 83), M of each. Noise
    is drawn by `seed`, `name` and number of the sample. Raises PredictionError.
    """
    _check_mode(generator, mode)
    frames, stream = token.shape[0], mode == "stream"
    step = generator.distribution_of(token, generator.config.window if stream else None)
    last = slice(None) if stream else slice(-1, None)
    noise = _noise(generator, seed, name, samples, frames if stream else 1).to(token.device)
    latent = step.mean[last] + step.deviation[last] * noise
    if pattern is not None:
        latent = generator.personalise(latent, pattern.reshape(-1, 1, 1, pattern.shape[-1]))
        latent = latent.flatten(0, 1)
    latent = latent.expand(len(latent), frames, -1)
    decoded = generator.decode(latent, token, personal=pattern is not None)
    face = torch.cat([decoded.attributes, decoded.coefficients], dim=-1)
    return np.asarray(face.cpu().numpy(), np.float32)


def _check_mode(generator: ReactionGenerator, mode: str) -> None:
    if mode not in MODES:
        raise PredictionError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    if mode == "stream" and not streams(generator):
        raise PredictionError(
            "the paper's decoder is streamed in blocks, which a bundle does: export it"
        )


def _noise(generator: ReactionGenerator, seed: int, name: str, samples: int, frames: int) -> Tensor:
    """(M, frames, d); named as `perreactor generate` names its clips."""
    seconds = math.inf if frames == 1 else NOISE_SECONDS
    drawn = []
    for sample in range(samples):
        noise = LatentNoise(generator.config.feature_size, seconds, seed, name, sample)
        drawn.append(np.stack([noise.at(frame) for frame in range(frames)]))
    return torch.from_numpy(np.stack(drawn))


@torch.no_grad()
def speaker_tokens(generator: ReactionGenerator, split: PreparedSplit, recording: int) -> Tensor:
    """(T, d) of a speaker."""
    frames = split.frames(recording)
    device = _device(generator)
    audio = torch.from_numpy(split.speaker_audio(recording, 0, frames)).to(device)
    heard = torch.ones(frames, dtype=torch.bool, device=device)
    encoder = generator.frame_encoder
    start = int(split.start[recording])
    if generator.config.visual_input == "facial_attributes":
        visual = torch.from_numpy(split.speaker_visual(recording, 0, frames)).to(device)
        return encoder(visual, audio, ~visual.isnan().all(dim=-1), heard)
    found = heard
    if split.face_seen is not None:
        found = torch.from_numpy(np.array(split.face_seen[start : start + frames])).to(device)
    seen = _face_features(generator, split, start, start + frames)
    return encoder.join(seen, encoder.voice(audio), found, heard)


def _face_features(
    generator: ReactionGenerator, split: PreparedSplit, first: int, last: int
) -> Tensor:
    """(n, d) of the frames `first` to `last` of a split's arrays. Raises PredictionError."""
    device = _device(generator)
    if split.face_tokens is not None:
        return torch.from_numpy(np.array(split.face_tokens[first:last])).to(device)
    size = generator.config.image_size
    if split.faces is None or split.faces.shape[1] != size:
        held = "none" if split.faces is None else f"pictures of {split.faces.shape[1]} pixels"
        raise PredictionError(
            f"this generator looks at pictures of faces of {size} pixels, the split "
            f"'{split.name}' holds {held}: prepare the corpus with --faces crops --image-size "
            f"{size}, or with --faces tokens and this checkpoint as --encoder"
        )
    features = []
    for begin in range(first, last, _PICTURES):
        pictures = torch.from_numpy(np.array(split.faces[begin : min(begin + _PICTURES, last)]))
        pictures = pictures.to(device).permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
        features.append(generator.frame_encoder.face(pictures))
    return torch.cat(features)


def beside_real(split: PreparedSplit, rows: np.ndarray, faces: Sequence[np.ndarray]) -> Predictions:
    """Reactions (M, T, 83) to the pairs `rows` of a split, with all that they are judged by."""
    pairs = np.asarray(split.pairs)[rows]
    spoken, real = (
        [split.reaction(recording, 0, split.frames(recording)) for recording in column.tolist()]
        for column in pairs.T
    )
    return Predictions.from_arrays(
        [face[..., :ATTRIBUTE_COUNT] for face in faces],
        [one[:, :ATTRIBUTE_COUNT] for one in real],
        [one[:, :ATTRIBUTE_COUNT] for one in spoken],
        np.asarray(split.appropriate)[np.ix_(rows, rows)],
        split.listener_identity[rows],
        prediction_3dmm=[face[..., ATTRIBUTE_COUNT:] for face in faces],
        listener_3dmm=[one[:, ATTRIBUTE_COUNT:] for one in real],
    )


def _device(generator: ReactionGenerator) -> torch.device:
    return generator.distribution.tokens.device
