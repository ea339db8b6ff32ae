"""A trained generator as `perreactor evaluate` needs it: networks, and what they learnt with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perreactor_model.evaluation.asked import Asked
from perreactor_model.evaluation.predicting import HISTORY_FRAMES, predict, streams
from perreactor_model.metrics.predictions import Predictions
from perreactor_model.networks.checkpoint import (
    CheckpointError,
    generator_from_content,
    is_checkpoint,
    read_content,
)
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.preparation.prepared import PreparedSplit
from perreactor_model.training.checkpoints import stage_of_reactions

GENERIC, PERSONAL = "GAG", "PAG"


@dataclass(frozen=True)
class Trained:
    """A checkpoint: its generator, what else it holds, and whether its PAG has been trained."""

    path: Path
    generator: ReactionGenerator
    content: Mapping[str, Any]
    personal: bool

    @classmethod
    def load(cls, path: Path) -> Trained:
        """Raises CheckpointError and OSError."""
        content = read_content(path)
        if not (isinstance(content, dict) and is_checkpoint(content)):
            raise CheckpointError(f"{path} is no checkpoint of perreactor")
        generator = generator_from_content(content, str(path))
        stage = stage_of_reactions(content.get("training", {}))
        return cls(path, generator.eval(), content, stage in (None, "pag"))

    @property
    def generators(self) -> tuple[str, ...]:
        """What of it can be judged."""
        return (GENERIC, PERSONAL) if self.personal else (GENERIC,)

    def modes(self, asked: Asked) -> tuple[str, ...]:
        """How it can react, of what is asked. The paper's decoder has no stream of single frames;
        alone that is an error, beside offline reactions it is left out."""
        if asked.mode == "both" and not streams(self.generator):
            return ("offline",)
        return asked.streams

    def predict(
        self,
        split: PreparedSplit,
        asked: Asked,
        name: str,
        mode: str,
        progress: Any = None,
    ) -> Predictions:
        """Reactions of GAG or PAG to all pairs, with the history that PAG was trained on."""
        frames, view = self.history(asked)
        return predict(
            self.generator,
            split,
            samples=asked.samples,
            seed=asked.seed,
            personal=name == PERSONAL,
            mode=mode,
            history_frames=frames,
            progress=progress,
            history_view=view,
            history_choice=asked.history_choice,
        )

    def history(self, asked: Asked) -> tuple[int, str]:
        """Frames of the listener's past that it is shown, and in which view, as it was trained."""
        data = self.content.get("training", {}).get("options", {}).get("data", {})
        frames = asked.history_frames or int(data.get("history_frames", HISTORY_FRAMES))
        return frames, str(data.get("history_view", "observed"))
