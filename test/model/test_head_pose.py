"""Head pose from a mesh: known turns come out with the contract's signs, and the rest is undone."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.face_analysis.head_pose import (
    REFERENCE,
    RIGID,
    FrontalFace,
    HeadPlace,
    frontal_face,
    translation,
    usual_place,
)
from perreactor_model.face_analysis.measurements import MEASUREMENTS, measure
from perreactor_model.face_analysis.mesh_model import MeshModel, region_around
from perreactor_model.media.face_animation import FaceAnimator, FaceControls

SIZE = (640, 480)


def rotation_matrix(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """About x first, then y, then z, in the picture's axes (y down, z away from the camera)."""
    (sx, sy, sz), (cx, cy, cz) = np.sin([pitch, yaw, roll]), np.cos([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def reference_mesh(seed: int = 0) -> np.ndarray:
    """A made-up face (478, 3) whose rigid points are the reference's, upright in the middle."""
    mesh = np.random.default_rng(seed).uniform(-0.7, 0.7, (478, 3))
    mesh[list(RIGID)] = REFERENCE
    # Heights of the middle of the face grow from its bridge to its chin, as in any face.
    for height, points in ((0.5, (2, 94, 164)), (0.7, (0, 13, 14, 17)), (1.0, (199, 152, 175))):
        mesh[list(points)] = (0.0, height, -0.2)
    mesh[94] = REFERENCE[RIGID.index(94)]
    return mesh


@pytest.fixture(scope="module")
def model() -> Iterator[MeshModel]:
    if not landmarks_installed():
        pytest.skip("the analyzer needs mediapipe")
    model = MeshModel()
    yield model
    model.close()


@pytest.fixture(scope="module")
def draw() -> Callable[..., np.ndarray]:
    data = pytest.importorskip("skimage").data
    animator = FaceAnimator(data.astronaut(), SIZE)
    return lambda **controls: animator.draw(FaceControls(**controls))


@pytest.fixture(scope="module")
def pose(model: MeshModel) -> Callable[[np.ndarray], FrontalFace]:
    def of(picture: np.ndarray) -> FrontalFace:
        region = model.faces(picture)[0]
        points = None
        for _ in range(5):
            points, _ = model.mesh(picture, region)
            assert points is not None
            region = region_around(points)
        assert points is not None
        return frontal_face(points)

    return of


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.0, -0.5, 0.0), (0.2, 0.4, -0.3), (0, 0, 3)]
)
def test_a_turned_scaled_and_moved_mesh_gives_its_angles_and_the_frontal_face(angles) -> None:
    frontal = reference_mesh()
    turned = frontal @ rotation_matrix(*angles).T * 83.0 + (310.0, 220.0, 4.0)

    face = frontal_face(turned.astype(np.float32))

    np.testing.assert_allclose(face.rotation, angles, atol=1e-4)
    np.testing.assert_allclose(face.points, frontal, atol=1e-4)
    assert (face.place.x, face.place.y) == (pytest.approx(310), pytest.approx(220))
    assert face.place.scale == pytest.approx(83.0, rel=1e-4)
    assert face.error < 1e-4


def test_a_mesh_without_extent_does_not_fail() -> None:
    face = frontal_face(np.zeros((478, 3), np.float32))

    assert np.isfinite(face.points).all() and np.isfinite(face.rotation).all()


@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_roll_is_that_of_a_turned_picture(draw, pose, degrees: float) -> None:
    picture = draw()
    # OpenCV turns counter-clockwise: the person's head then tilts to their own left.
    turn = cv2.getRotationMatrix2D((320, 240), degrees, 1.0)
    turned = cv2.warpAffine(picture, turn, SIZE, borderMode=cv2.BORDER_REPLICATE)

    change = pose(turned).rotation - pose(picture).rotation

    assert np.degrees(change[2]) == pytest.approx(degrees, abs=0.7)
    assert np.abs(np.degrees(change[:2])).max() < 1.0


@pytest.mark.parametrize(
    ("axis", "name", "angle", "tolerance"),
    [
        (0, "pitch", 0.2, 0.05),
        (0, "pitch", -0.2, 0.05),
        (1, "yaw", 0.25, 0.05),
        (1, "yaw", 0.436, 0.07),
        (1, "yaw", -0.436, 0.07),
        (2, "roll", 0.3, 0.03),
        (2, "roll", -0.3, 0.03),
    ],
)
def test_an_animated_head_turns_by_known_angles(
    draw, pose, axis: int, name: str, angle: float, tolerance: float
) -> None:
    change = pose(draw(**{name: angle})).rotation - pose(draw()).rotation

    assert change[axis] == pytest.approx(angle, abs=tolerance)
    assert np.abs(np.delete(change, axis)).max() < 0.08


@pytest.mark.parametrize("expression", [{}, {"smile": 1.0}, {"mouth_open": 0.8}], ids=str)
def test_an_expression_measures_the_same_when_the_head_turns(draw, pose, expression) -> None:
    """Typically within two millimetres, 0.02 of the distance between the eyes' outer corners."""
    still = measure(pose(draw(**expression)).points)

    for turn in ({"yaw": 0.436}, {"yaw": -0.436}, {"pitch": 0.2}, {"pitch": -0.2}):
        change = np.abs(measure(pose(draw(**expression, **turn)).points) - still)
        assert np.median(change) < 0.02, turn
        brows = [name.startswith(("brow", "eye")) for name in MEASUREMENTS]
        assert change[brows].max() < 0.05, turn


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.5, 2.0])
def test_an_expression_measures_the_same_at_other_sizes(draw, pose, scale: float) -> None:
    picture = draw(smile=0.5)
    scaled = cv2.resize(
        picture, None, fx=scale, fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )  # fmt: skip
    one, other = pose(picture), pose(scaled)

    assert np.abs(measure(other.points) - measure(one.points)).max() < 0.02
    assert other.place.scale / one.place.scale == pytest.approx(scale, rel=0.02)


def test_the_mouth_of_a_turned_head_stays_in_the_middle_of_the_face(draw, pose) -> None:
    lips = pose(draw(yaw=0.4)).points[[0, 13, 14, 17], 0]

    assert abs(lips.mean()) < 0.01


def test_translation_is_zero_at_the_neutral_place_and_has_signs() -> None:
    neutral = HeadPlace(320.0, 240.0, 90.0)

    assert not translation(neutral, neutral, 640).any()
    aside = translation(HeadPlace(330.0, 220.0, 90.0), neutral, 640)
    np.testing.assert_allclose(aside, (0.1, 0.2, 0.0), atol=1e-6)
    assert translation(HeadPlace(320.0, 240.0, 99.0), neutral, 640)[2] > 0.2


def test_translation_does_not_depend_on_the_size_of_the_picture() -> None:
    half = translation(HeadPlace(170.0, 110.0, 50.0), HeadPlace(160.0, 120.0, 45.0), 320)
    full = translation(HeadPlace(340.0, 220.0, 100.0), HeadPlace(320.0, 240.0, 90.0), 640)

    np.testing.assert_allclose(half, full, rtol=1e-6)


def test_the_usual_place_ignores_a_short_outing() -> None:
    places = [HeadPlace(100.0, 50.0, 20.0)] * 7 + [HeadPlace(400.0, 300.0, 60.0)] * 2

    assert usual_place(places) == HeadPlace(100.0, 50.0, 20.0)
    assert usual_place([]) is None
