"""Synthetic predictions to try the metrics on: `python -m perreactor_model.metrics.example FILE`.

Six situations, each met by four speakers and their listeners; whoever meets the same situation
reacts appropriately. Listeners are eight people, each with a livelier or calmer face of their own.
As with a tracker, action units below a threshold are exactly 0, some of them for a whole clip.
The ten predictions a clip are reactions of random people to its situation: appropriate, lively,
well timed, and nobody's in particular. `docs/metrics.md` shows what they and the anchors score.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from perreactor_model.bench.synthetic_reactions import Episode, a_few_episodes, realistic
from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    AFFECT_SLICE,
    FRAME_RATE,
    attribute_ranges,
)

SITUATIONS, CLIPS_EACH, PEOPLE = 6, 4, 8
DELAY = 0.8
"""Seconds by which listeners trail the speaker."""

THRESHOLD = 0.1
"""Activity of an action unit that goes unnoticed."""


def example(samples: int = 10, frames: int = 750, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays that `perreactor metrics` reads, by name."""
    generator = np.random.default_rng(seed)
    situation = np.repeat(np.arange(SITUATIONS), CLIPS_EACH)
    identity = np.arange(SITUATIONS * CLIPS_EACH) % PEOPLE
    spoken = [a_few_episodes(generator, frames) for _ in range(SITUATIONS)]
    heard = [_later(episodes) for episodes in spoken]
    rest = generator.uniform(0.0, 0.15, (PEOPLE, 17))
    vigour = generator.uniform(0.5, 1.3, (PEOPLE, 1))
    listener = np.stack(
        [
            _as_person(realistic(generator, heard[one], 1, frames)[0], rest[who], vigour[who])
            for one, who in zip(situation, identity, strict=True)
        ]
    )
    prediction = []
    for one in situation:
        lent = realistic(generator, heard[one], samples, frames)
        people = generator.integers(PEOPLE, size=samples)
        prediction.append(
            [_as_person(r, rest[w], vigour[w]) for r, w in zip(lent, people, strict=True)]
        )
    return {
        "prediction": np.array(prediction, np.float32),
        "listener": listener,
        "speaker": np.stack(
            [_tracked(realistic(generator, spoken[one], 1, frames)[0]) for one in situation]
        ),
        "appropriate": situation[:, None] == situation,
        "identity": identity,
    }


def _later(episodes: list[Episode]) -> list[Episode]:
    return [replace(one, onset=one.onset + DELAY * FRAME_RATE) for one in episodes]


def _as_person(reaction: np.ndarray, rest: np.ndarray, vigour: np.ndarray) -> np.ndarray:
    """The reaction as somebody shows it: action units and affect stronger or weaker, and moved."""
    shown = reaction.astype(np.float64)
    moving = slice(ACTION_UNIT_SLICE.start, AFFECT_SLICE.stop)
    shown[:, moving] = rest + vigour * shown[:, moving]
    return _tracked(np.clip(shown, *attribute_ranges()))


def _tracked(shown: np.ndarray) -> np.ndarray:
    """What a tracker makes of it, float32."""
    tracked = shown.astype(np.float32)
    units = tracked[..., ACTION_UNIT_SLICE]
    units[units < THRESHOLD] = 0.0
    return tracked


def main(words: list[str]) -> int:
    """Write the example to the file that is named. Returns the exit status."""
    if len(words) != 1 or words[0].startswith("-"):
        print("usage: python -m perreactor_model.metrics.example FILE.npz", file=sys.stderr)
        return 2
    path = Path(words[0]).with_suffix(".npz")
    np.savez(path, **example())  # type: ignore[arg-type]
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
