"""Which parts of a face can be trusted."""

from __future__ import annotations

import numpy as np

from perreactor_model.face_analysis.head_pose import FrontalFace
from perreactor_model.face_analysis.landmarks import FaceMesh
from perreactor_model.face_analysis.measurements import REGION_COUNT


def visible_regions(rgb: np.ndarray, mesh: FaceMesh, frontal: FrontalFace) -> np.ndarray:
    """bool (8,) in the order of `FaceRegion`: which parts of the face are seen."""
    return np.ones(REGION_COUNT, bool)
