"""Generated reactions against the real ones of the same recording, by the one core of metrics.

The real reactions are put on the generated frames' grid; where they are known without a hole,
clips of at most 30 s (the field's length) are judged, each against what the listener really did
then. Real reactions that know some attributes only are judged by those.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    ATTRIBUTES,
    FRAME_NS,
    FRAME_RATE,
)
from perreactor_model.report.contents import ReactionTrack, RealTrack, SpeakerTrack

CLIP_FRAMES = 30 * FRAME_RATE
SHORTEST_FRAMES = 4 * FRAME_RATE
"""Below, a lag of up to 2 s cannot be looked for."""

LARGEST_HOLE_NS = 150_000_000
"""Real reactions further apart are not interpolated: a camera of 10 fps whose stamps jitter."""

_MOSTLY = 0.8
"""Share of frames from which something counts as known; frames without it are then left out."""


@dataclass(frozen=True)
class Scores:
    """Robot -> what `evaluate` gave for it; `why_not` where there is nothing to score.

    `clips` were judged, of `seconds` together. `notes` say what was left out, and why.
    """

    robots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    why_not: str = ""
    clips: int = 0
    seconds: float = 0.0
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _NothingToScore(Exception):
    """The reason, as a sentence without its full stop."""


@dataclass(frozen=True)
class _Grid:
    """What is known of every generated frame: T of them, the same for all robots."""

    spans: list[slice]
    listener: np.ndarray
    speaker: np.ndarray | None
    channels: np.ndarray


def score(
    reactions: Sequence[ReactionTrack],
    speaker: SpeakerTrack | None,
    real: RealTrack | None,
    step: int = 1,
) -> Scores:
    """Scores of each robot's reactions against the real ones of the same time.

    `step` is the number of frames that were answered in one call; above 1 their seams are judged.
    """
    if real is None:
        return Scores(why_not="the bag holds no real reactions of a listener to compare with")
    if importlib.util.find_spec("numba") is None:
        return Scores(why_not="numba is not installed: pip install 'perreactor[evaluation]'")
    robots: dict[str, list[ReactionTrack]] = {}
    for track in reactions:
        robots.setdefault(track.robot, []).append(track)
    notes: list[str] = []
    scores: dict[str, Mapping[str, Any]] = {}
    frames, clips, known = 0, 0, np.zeros(ATTRIBUTE_COUNT, bool)
    for robot, samples in robots.items():
        try:
            grid = _grid(samples[0], speaker, real, notes)
        except _NothingToScore as reason:
            return Scores(why_not=str(reason), notes=tuple(dict.fromkeys(notes)))
        # Trivial answers score the same for every robot: they stand with the first.
        scores[robot] = _evaluate(samples, grid, step, anchors=not scores)
        known, clips = grid.channels, len(grid.spans)
        frames = sum(span.stop - span.start for span in grid.spans)
    names = tuple(np.array(ATTRIBUTES)[known].tolist())
    if scores and len(names) < ATTRIBUTE_COUNT:
        notes.append(
            f"{real.source} knows {len(names)} of {ATTRIBUTE_COUNT} attributes ("
            f"{', '.join(names)}): only those are judged, and not in the reference mode"
        )
    return Scores(
        robots=scores,
        why_not="" if scores else "there are no reactions",
        clips=clips,
        seconds=frames / FRAME_RATE,
        channels=names,
        notes=tuple(dict.fromkeys(notes)),
    )


def _evaluate(
    samples: Sequence[ReactionTrack], grid: _Grid, step: int, anchors: bool
) -> dict[str, Any]:
    """The scores of one robot, whose samples answered the same frames."""
    from perreactor_model.metrics.evaluation import evaluate
    from perreactor_model.metrics.predictions import Predictions

    predictions = Predictions.from_arrays(
        prediction=[
            np.stack([sample.attributes[span] for sample in samples]) for span in grid.spans
        ],
        listener=[grid.listener[span] for span in grid.spans],
        speaker=None if grid.speaker is None else [grid.speaker[span] for span in grid.spans],
        appropriate=np.eye(len(grid.spans), dtype=bool),
        channels=grid.channels,
    )
    modes = ("reference", "corrected") if grid.channels.all() else ("corrected",)
    seam_step = step if step > 1 else None
    return evaluate(predictions, modes=modes, anchors=anchors, seam_step=seam_step)


def on_grid(real: RealTrack, stamp_ns: np.ndarray) -> np.ndarray:
    """Real reactions at the stamps (T,) of generated ones: float32 (T, 25), NaN where unknown.

    Linear between neighbours at most `LARGEST_HOLE_NS` apart; else the one less than half a frame
    away, if there is one.
    """
    known, values = real.stamp_ns, real.attributes
    result = np.full((len(stamp_ns), ATTRIBUTE_COUNT), np.nan, np.float32)
    if not len(known):
        return result
    right = np.searchsorted(known, stamp_ns)
    left, right = np.clip(right - 1, 0, None), np.clip(right, None, len(known) - 1)
    hole = known[right] - known[left]
    between = (hole > 0) & (hole <= LARGEST_HOLE_NS)
    between &= (known[left] <= stamp_ns) & (stamp_ns <= known[right])
    share = (stamp_ns[between] - known[left[between]]) / hole[between]
    weight = share.astype(np.float32)[:, None]
    result[between] = (1 - weight) * values[left[between]] + weight * values[right[between]]
    near = np.where(stamp_ns - known[left] <= known[right] - stamp_ns, left, right)
    exact = known[near] == stamp_ns
    beside = exact | (~between & (np.abs(known[near] - stamp_ns) < FRAME_NS // 2))
    result[beside] = values[near[beside]]
    return result


def clip_spans(stamp_ns: np.ndarray, epoch: np.ndarray, known: np.ndarray) -> list[slice]:
    """Where frames (T,) follow each other in one epoch and are all known, in clips.

    A stretch is cut into clips of `CLIP_FRAMES`; what is shorter than `SHORTEST_FRAMES` is left.
    """
    breaks = (np.diff(stamp_ns) != FRAME_NS) | (np.diff(epoch) != 0) | (np.diff(known) != 0)
    bounds = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(stamp_ns)]
    spans = []
    for begin, end in zip(bounds, bounds[1:], strict=False):
        if end > begin and known[begin]:
            starts = range(begin, end, CLIP_FRAMES)
            spans += [slice(start, min(start + CLIP_FRAMES, end)) for start in starts]
    return [span for span in spans if span.stop - span.start >= SHORTEST_FRAMES]


def _grid(
    track: ReactionTrack, speaker: SpeakerTrack | None, real: RealTrack, notes: list[str]
) -> _Grid:
    """What of a track can be judged. Raises _NothingToScore with the reason why nothing can."""
    listener = on_grid(real, track.stamp_ns)
    seen = np.isfinite(listener).any(axis=1)
    if not seen.any():
        raise _NothingToScore(
            f"the real reactions of {real.source} and the generated ones have no moment in "
            "common: are they stamped by the same clock?"
        )
    channels = np.isfinite(listener[seen]).mean(axis=0) >= _MOSTLY
    if not channels.any():
        raise _NothingToScore(f"no attribute of {real.source} is known most of the time")
    known = np.isfinite(listener[:, channels]).all(axis=1)
    described = _speaker_on(track, speaker, channels, known, notes)
    if described is not None:
        known = known & np.isfinite(described[:, channels]).all(axis=1)
    spans = clip_spans(track.stamp_ns, track.epoch, known)
    if not spans:
        raise _NothingToScore(
            f"the real reactions of {real.source} are nowhere known for "
            f"{SHORTEST_FRAMES // FRAME_RATE} s without a hole"
        )
    largest = float(np.nanmax(listener[:, channels]))
    if largest > 1.0:
        notes.append(
            f"attributes of {real.source} reach {largest:.3g}; perreactor's end at 1: they are "
            "compared as they are"
        )
    return _Grid(spans, listener, described, channels)


def _speaker_on(
    track: ReactionTrack,
    speaker: SpeakerTrack | None,
    channels: np.ndarray,
    known: np.ndarray,
    notes: list[str],
) -> np.ndarray | None:
    """The speaker's attributes (T, 25) for each frame, or None where too little is known."""
    left_out = "FRSyn and the error of the lag are left out"
    if speaker is None or speaker.attributes is None:
        notes.append(f"the speaker's facial attributes are not known: {left_out}")
        return None
    order = np.argsort(speaker.stamp_ns, kind="stable")
    place = np.searchsorted(speaker.stamp_ns, track.stamp_ns, sorter=order)
    row = order[np.clip(place, None, len(order) - 1)]
    found = speaker.stamp_ns[row] == track.stamp_ns
    described = np.where(found[:, None], speaker.attributes[row], np.float32(np.nan))
    share = np.isfinite(described[known][:, channels]).all(axis=1).mean() if known.any() else 0.0
    if share < _MOSTLY:
        notes.append(
            f"the speaker's facial attributes are known in {share:.0%} of the frames: {left_out}"
        )
        return None
    return described
