"""Stage `face`: pictures give the features that a trained generator has of attributes.

Distillation (G. Hinton et al.: "Distilling the knowledge in a neural network", 2015): the teacher
is the face encoder of a GAG or PAG that sees facial attributes, and what it makes of the measured
attributes of a frame is what the pupil shall make of the picture. Everything else of the
generator is the teacher's and stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perreactor_model.networks.encoders import FacialAttributesEncoder, FrameEncoder
from perreactor_model.networks.generator import ReactionGenerator
from perreactor_model.training.face_frames import FaceBatch
from perreactor_model.training.judging import Losses


class Teacher(nn.Module):
    """The face encoder that is copied, and what tokens take of its features."""

    share: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, face: FacialAttributesEncoder, fuse: nn.Linear) -> None:
        """`face` and `fuse` of the teacher's `FrameEncoder`."""
        super().__init__()
        self.face = face
        size = fuse.out_features
        self.register_buffer("share", fuse.weight.detach()[:, :size].clone())
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(()))
        self.requires_grad_(False)

    @torch.no_grad()
    def meet(self, visual: Tensor) -> None:
        """Measure how features differ between frames: `visual` (n, 83), NaN for unknown."""
        features = self.face(visual)
        self.mean.copy_(features.mean(dim=0))
        self.variance.copy_(self.taken(features).var(dim=0, correction=0).sum().clamp(min=1e-12))

    def taken(self, features: Tensor) -> Tensor:
        """What tokens get of features (B, d): (B, d). Two that differ elsewhere are the same."""
        return nn.functional.linear(features, self.share)


class FaceStage(nn.Module):
    """What is learnt (the face encoder of `generator`), and from whom (`judges`)."""

    def __init__(self, generator: ReactionGenerator, teacher: Teacher) -> None:
        super().__init__()
        self.generator = generator
        self.judges = teacher
        generator.requires_grad_(False)
        generator.frame_encoder.face.requires_grad_(True)

    def begin(self, visual: Tensor) -> None:
        """Measure the teacher on `visual` (n, 83), and give every picture its mean feature."""
        self.judges.meet(visual)
        with torch.no_grad():
            project = self.generator.frame_encoder.face.project
            assert isinstance(project, nn.Linear) and isinstance(project.bias, Tensor)
            project.weight.mul_(_SMALL)
            project.bias.copy_(self.judges.mean)

    def react(self, batch: FaceBatch) -> Tensor:
        """Features of the pictures, (B, d)."""
        features = self.generator.frame_encoder.face(batch.picture)
        assert isinstance(features, Tensor)
        return features

    def wanted(self, batch: FaceBatch) -> Tensor:
        """The teacher's features of the attributes, (B, d)."""
        with torch.no_grad():
            features = self.judges.face(batch.visual)
        assert isinstance(features, Tensor)
        return features

    def discriminator_losses(
        self, batch: FaceBatch, made: Tensor, step: int
    ) -> tuple[Losses, dict[str, Tensor]]:
        """None: a teacher does not learn."""
        return {}, {}

    def generator_losses(self, batch: FaceBatch, made: Tensor, step: int) -> Losses:
        """The share of the features' variance that is missed, as tokens see it."""
        apart = self.judges.taken(made.float() - self.wanted(batch))
        return {"features": apart.square().sum(dim=-1).mean() / self.judges.variance}


_SMALL = 0.1
"""Of the usual random weights, so that the mean feature is not drowned."""


def teacher_of(encoder: FrameEncoder) -> Teacher:
    """The teacher of a generator's frame encoder that sees attributes."""
    assert isinstance(encoder.face, FacialAttributesEncoder)
    return Teacher(encoder.face, encoder.fuse)
