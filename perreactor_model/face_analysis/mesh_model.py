"""mediapipe's face models, called with a region of our own choice; no download, no tracking.

Only mediapipe's compiled bindings are loaded (20 ms, 20 MB): its package would bring matplotlib,
sounddevice and all other solutions along (500 ms, 65 MB). Two graphs are kept: one finds faces
anywhere in a picture, one lays a mesh over a face whose place is known. Both work on each picture
alone, so whom to follow is decided elsewhere (`landmarks.py`) and nothing depends on history.

Models: BlazeFace for near and for far faces (Bazarevsky et al. 2019), Attention Mesh (Grishchenko
et al. 2020).
"""

from __future__ import annotations

import importlib.util
import math
import platform
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perreactor_model.face_analysis.mesh_messages import (
    Detection,
    read_detection,
    read_landmarks,
)
from perreactor_model.face_analysis.quiet import without

CROP_SIZE = 192
"""Side in pixels of what the mesh model sees."""
SEARCH_SIZE = 192
"""Side in pixels of what the detectors see; the one for near faces makes 128 of it."""

INSTALL = "pip install --no-deps mediapipe==0.10.21"
_BINDINGS = "mediapipe.python._framework_bindings"
_FACE_POINTS = 468
_ROOM = 1.5
"""The mesh model was trained on squares this much larger than the face."""
_SEARCH_PIXELS = 3
"""Pixels of the picture that are looked at for each of the detectors', along either axis: all of a
640x480 picture, every sixth row and column of a 4K one."""
_SAME_FACE = 0.3

_CHATTER = re.compile(
    rb"(INFO: )?Created TensorFlow Lite XNNPACK delegate for CPU\.\n?"
    rb"|WARNING: All log messages before absl::InitializeLog\(\)[^\n]*\n"
    rb"|W0000 [^\n]*(inference_feedback_manager|landmark_projection_calculator)\.cc[^\n]*\n"
)
"""What the graphs say on stderr when they start; none of it can be acted upon."""

_MESH_GRAPH = """
input_stream: "image"
input_stream: "region"
output_stream: "landmarks"
output_stream: "facelandmarkcpu__face_presence_score"
num_threads: 1
node {
  calculator: "ConstantSidePacketCalculator"
  output_side_packet: "PACKET:with_attention"
  options { [mediapipe.ConstantSidePacketCalculatorOptions.ext] { packet { bool_value: true } } }
}
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_SEARCH_GRAPH = """
input_stream: "image"
output_stream: "near"
output_stream: "far"
num_threads: 1
node {
  calculator: "FaceDetectionShortRangeCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:near"
}
node {
  calculator: "FaceDetectionFullRangeCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:far"
}
"""
# mediapipe.NormalizedRect that covers the whole picture: centre x and y, height, width.
_WHOLE = b"".join(
    struct.pack("<Bf", tag, value)
    for tag, value in ((0x0D, 0.5), (0x15, 0.5), (0x1D, 1.0), (0x25, 1.0))
)


class AnalyzerMissing(ValueError):
    """An analyzer's library is not installed or does not run here. Says how to install it."""


@dataclass(frozen=True)
class Region:
    """A square of a picture: centre and side in pixels, turned by `angle` rad (clockwise)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def distance(self, other: Region) -> float:
        """How far away the middle of another region is, in sides of the larger one."""
        return math.hypot(other.x - self.x, other.y - self.y) / max(self.side, other.side)

    def to_picture(self, size: int) -> np.ndarray:
        """The affine map, float64 (2, 3), from a crop of `size` pixels to the picture."""
        step = self.side / size
        cosine, sine = math.cos(self.angle) * step, math.sin(self.angle) * step
        half = (size - 1) / 2
        return np.array(
            [
                [cosine, -sine, self.x - half * (cosine - sine)],
                [sine, cosine, self.y - half * (sine + cosine)],
            ]
        )

    def cut(self, rgb: np.ndarray, size: int) -> np.ndarray:
        """This square of RGB uint8 (height, width, 3), scaled to (size, size, 3).

        What lies outside the picture is black.
        """
        affine = self.to_picture(size)
        shrink = self.side / size
        if shrink > 2.0:
            # Averaged first: taking one pixel in several would make the mesh tremble.
            rgb, affine = _shrunk_part(rgb, affine, self, shrink)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(rgb, affine, (size, size), flags=flags)


def _shrunk_part(
    rgb: np.ndarray, affine: np.ndarray, region: Region, shrink: float
) -> tuple[np.ndarray, np.ndarray]:
    """The surroundings of a region at about the crop's resolution, and the map into them."""
    reach = region.side * 0.72  # half the diagonal
    left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
    part = rgb[
        top : max(top + 1, int(region.y + reach)), left : max(left + 1, int(region.x + reach))
    ]
    if not part.size:
        return np.zeros((1, 1, 3), np.uint8), affine
    size = (max(1, round(part.shape[1] / shrink)), max(1, round(part.shape[0] / shrink)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    factor = np.array([[size[0] / part.shape[1]], [size[1] / part.shape[0]]])
    moved = affine.copy()
    moved[:, 2] -= (left, top)
    moved[:, 2] += 0.5  # pixel centres
    moved *= factor
    moved[:, 2] -= 0.5
    return small, moved


class MeshModel:
    """Finds faces and lays meshes over them. Not to be shared between threads.

    Raises AnalyzerMissing where mediapipe is not installed or cannot run.
    """

    def __init__(self) -> None:
        self._bindings = _load_bindings()
        with without(_CHATTER):
            self._mesh = _Graph(
                self._bindings, _MESH_GRAPH, ("landmarks", "facelandmarkcpu__face_presence_score")
            )
            self._search = _Graph(self._bindings, _SEARCH_GRAPH, ("near", "far"))
            # The first pictures make them load their weights, and talk.
            self.faces(np.zeros((SEARCH_SIZE, SEARCH_SIZE, 3), np.uint8))
            self.mesh(np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8), Region(0, 0, CROP_SIZE))

    def close(self) -> None:
        """Free the graphs. Closing twice is harmless."""
        self._mesh.close()
        self._search.close()

    def mesh(self, rgb: np.ndarray, region: Region) -> tuple[np.ndarray | None, float]:
        """The mesh of the face in a region, with how surely there is one (0..1).

        float32 (478, 3): x and y in pixels of the picture, z in the same unit, growing away from
        the camera. None where the model sees no face.
        """
        crop = region.cut(rgb, CROP_SIZE)
        found = self._mesh.run({"image": self._picture(crop), "region": self._whole()})
        score_packet = found.get("facelandmarkcpu__face_presence_score")
        getter = self._bindings._packet_getter
        score = 0.0 if score_packet is None else float(getter.get_float(score_packet))
        packet = found.get("landmarks")
        if packet is None or packet.is_empty():
            return None, score
        points = read_landmarks(getter._get_serialized_proto(packet)) * CROP_SIZE
        affine = region.to_picture(CROP_SIZE)
        placed = np.empty_like(points)
        # A normalised coordinate of 0 is the outer edge of the first pixel.
        placed[:, :2] = (points[:, :2] - 0.5) @ affine[:, :2].T.astype(np.float32)
        placed[:, :2] += affine[:, 2].astype(np.float32)
        placed[:, 2] = points[:, 2] * np.float32(region.side / CROP_SIZE)
        return placed, score

    def faces(self, rgb: np.ndarray) -> list[Region]:
        """Regions around all faces of a picture, largest first; each face once.

        Faces are found from about 8 % of the longer side of the picture on.
        """
        step = max(1, max(rgb.shape[:2]) // (_SEARCH_PIXELS * SEARCH_SIZE))
        thinned = rgb[::step, ::step]
        height, width = thinned.shape[:2]
        whole = Region((width - 1) / 2, (height - 1) / 2, float(max(height, width)))
        found = self._search.run({"image": self._picture(whole.cut(thinned, SEARCH_SIZE))})
        affine = whole.to_picture(SEARCH_SIZE) * step
        regions: list[Region] = []
        for name in ("near", "far"):
            for each in self._detections(found.get(name)):
                region = _region_of(each, affine)
                # Both models see what is neither near nor far.
                if all(region.distance(other) > _SAME_FACE for other in regions):
                    regions.append(region)
        return sorted(regions, key=lambda region: (-region.side, region.x, region.y))

    def _detections(self, packet: Any) -> list[Detection]:
        if packet is None or packet.is_empty():
            return []
        getter = self._bindings._packet_getter
        return [read_detection(each) for each in getter._get_serialized_proto_list(packet)]

    def _picture(self, rgb: np.ndarray) -> Any:
        frame = self._bindings.image_frame
        return self._bindings._packet_creator._create_image_frame_from_pixel_data(
            frame.ImageFormat.SRGB, np.ascontiguousarray(rgb), True
        )

    def _whole(self) -> Any:
        return self._bindings._packet_creator._create_proto("mediapipe.NormalizedRect", _WHOLE)


def region_around(points: np.ndarray) -> Region:
    """Where to look for a face next, from its mesh (478, 3) in pixels."""
    face = points[:_FACE_POINTS, :2].astype(np.float64)
    across = face[263] - face[33]
    angle = math.atan2(across[1], across[0])
    cosine, sine = math.cos(angle), math.sin(angle)
    upright = face @ np.array([[cosine, -sine], [sine, cosine]])
    low, high = upright.min(axis=0), upright.max(axis=0)
    middle = np.array([[cosine, -sine], [sine, cosine]]) @ ((low + high) / 2)
    return Region(float(middle[0]), float(middle[1]), float((high - low).max()) * _ROOM, angle)


class _Graph:
    """One running graph: packets in, packets out."""

    def __init__(self, bindings: Any, text: str, outputs: tuple[str, ...]) -> None:
        self._bindings = bindings
        self._found: dict[str, Any] = {}
        self._time = 0
        self._graph = bindings.calculator_graph.CalculatorGraph(graph_config=text)
        for name in outputs:
            self._graph.observe_output_stream(name, self._found.__setitem__, False)
        self._graph.start_run({})

    def run(self, packets: dict[str, Any]) -> dict[str, Any]:
        self._found.clear()
        self._time += 1
        for name, packet in packets.items():
            self._graph.add_packet_to_input_stream(name, packet.at(self._time))
        self._graph.wait_until_idle()
        return self._found

    def close(self) -> None:
        if self._graph is not None:
            self._graph.close()
            self._graph = None


def _load_bindings() -> Any:
    """mediapipe's extension module, without the rest of the package."""
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        raise AnalyzerMissing(f"the analyzer `landmarks` needs mediapipe: {INSTALL}")
    root = Path(spec.submodule_search_locations[0])
    try:
        module = sys.modules.get(_BINDINGS) or _loaded(root)
        # Also where somebody else has imported mediapipe, which sets it only when first used.
        module.resource_util.set_resource_dir(str(root.parent))
        return module
    except (ImportError, AttributeError, OSError) as error:
        raise AnalyzerMissing(
            f"mediapipe in {root} does not run with Python {platform.python_version()} here "
            f"({error}); this version does, where it has a wheel: {INSTALL}"
        ) from error


def _loaded(root: Path) -> Any:
    library = next(iter(sorted((root / "python").glob("_framework_bindings.*"))), None)
    if library is None:
        raise ImportError("it has no _framework_bindings")
    spec = importlib.util.spec_from_file_location(_BINDINGS, library)
    assert spec is not None and spec.loader is not None
    with _old_message_factory():
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.modules.setdefault(_BINDINGS, module)
    return module


class _old_message_factory:
    """Lends protobuf the method that it dropped in version 5 and that the bindings look up.

    Without it they print an AttributeError at import and go on; nothing calls it.
    """

    def __enter__(self) -> None:
        from google.protobuf import message_factory

        factory: Any = message_factory.MessageFactory
        self._lent = not hasattr(factory, "GetPrototype")
        if self._lent:
            factory.GetPrototype = lambda _, kind: message_factory.GetMessageClass(kind)

    def __exit__(self, *exception: object) -> None:
        from google.protobuf import message_factory

        factory: Any = message_factory.MessageFactory
        if self._lent:
            del factory.GetPrototype


def _region_of(detection: Detection, affine: np.ndarray) -> Region:
    """The region for the mesh model around a detected face, upright with its eyes."""
    (left, top, width, height), points = detection

    def placed(x: float, y: float) -> np.ndarray:
        return affine[:, :2] @ (np.array([x, y]) * SEARCH_SIZE - 0.5) + affine[:, 2]

    middle = placed(left + width / 2, top + height / 2)
    across = placed(*points[1]) - placed(*points[0])
    side = max(width, height) * SEARCH_SIZE * float(affine[0, 0]) * _ROOM
    return Region(float(middle[0]), float(middle[1]), side, math.atan2(across[1], across[0]))
