"""Does D_A^P know whose reaction it judges? The same reaction, with its own pattern and another's.

Asked of the judges in a checkpoint of stage 2, on clips that nobody learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from perreactor_model.evaluation.ranks import area_under_curve
from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.training.checkpoints import options_of
from perreactor_model.training.collating import collate, to_device
from perreactor_model.training.generic_stage import tokens_of
from perreactor_model.training.items import Clip, ClipMaker
from perreactor_model.training.personal_stage import PersonalStage
from perreactor_model.training.stages import build_stage

_TOGETHER = 8
"""Clips in one batch."""


class RankingError(ValueError):
    """A checkpoint or a split that has no D_A^P to be asked, or nobody to ask it about."""


@dataclass(frozen=True)
class PatternRanking:
    """`auc`: chance that a real reaction's score with its own listener's pattern is above its score
    with another listener's. `pooled`: the same over all reactions together. `clips`: asked about.
    """

    auc: float
    pooled: float
    clips: int


def rank_patterns(
    content: Mapping[str, Any], split: PreparedSplit, clips: int = 64
) -> PatternRanking:
    """Ask the D_A^P in the content of a checkpoint about `clips` clips of a held-out split.

    Raises RankingError, and OptionError where the split has no clip of the length trained on.
    """
    stage = personal_stage(content)
    made = ClipMaker(split, options_of(content), held_out=True)
    chosen = [made.make(0, int(item)) for item in _spread(made.items, clips)]
    who = np.array([_listener(split, clip) for clip in chosen])
    if len(np.unique(who)) < 2:
        raise RankingError("the clips are all of one listener: there is no other pattern to ask")
    own, others = [], []
    for index, scores in enumerate(_scores(stage, chosen)):
        # Only the clip's own past: another clip's of this listener may be the reaction itself.
        own.append(scores[index : index + 1])
        others.append(scores[who != who[index]])
    auc = float(np.mean([area_under_curve(a, b) for a, b in zip(own, others, strict=True)]))
    pooled = area_under_curve(np.concatenate(own), np.concatenate(others))
    return PatternRanking(auc, pooled, len(chosen))


def personal_stage(content: Mapping[str, Any]) -> PersonalStage:
    """Stage 2 as it was when the checkpoint was written, at rest. Raises RankingError."""
    training = content.get("training", {})
    if training.get("options", {}).get("stage") != "pag":
        raise RankingError("only a checkpoint of `perreactor train pag` has a D_A^P")
    options = options_of(content)
    with torch.random.fork_rng(devices=[]):
        stage = build_stage(options, None)
    assert isinstance(stage, PersonalStage)
    if stage.judges.appropriateness is None:
        raise RankingError("this run had no D_A^P: its weight was 0")
    # The judges learnt beside these weights; those averaged over steps came later.
    stage.generator.load_state_dict(training.get("generator", content["state_dict"]))
    stage.judges.load_state_dict(training["judges"])
    return stage.eval()


@torch.no_grad()
def _scores(stage: PersonalStage, clips: list[Clip]) -> list[np.ndarray]:
    """Logits (n,) of a real reaction of each of n clips with the patterns of all n clips."""
    assert stage.judges.appropriateness is not None
    device = next(stage.parameters()).device
    groups = [clips[first : first + _TOGETHER] for first in range(0, len(clips), _TOGETHER)]
    loaded = [to_device(collate(group), device) for group in groups]
    patterns = []
    for batch in loaded:
        assert batch.history is not None
        patterns.append(stage.generator.pattern(batch.history))
    every = torch.cat(patterns)
    scores: list[np.ndarray] = []
    for batch in loaded:
        speaker = stage.judges.speaker_view(batch, tokens_of(stage.generator, batch))
        for index in range(len(batch)):
            # Judged with each pattern as if they were so many reactions to the one speaker.
            reaction = batch.appropriate[index, :1].expand(len(every), -1, -1)
            logit = stage.judges.appropriateness(
                reaction[None], speaker[index : index + 1], every[None]
            )
            scores.append(logit[0].float().cpu().numpy())
    return scores


def _spread(items: np.ndarray, count: int) -> np.ndarray:
    """`count` of the items, evenly over all."""
    if len(items) <= count:
        return items
    return items[np.linspace(0, len(items) - 1, count).round().astype(int)]


def _listener(split: PreparedSplit, clip: Clip) -> int:
    assert clip.chosen.past is not None
    return int(split.identity[clip.chosen.past[0]])
