"""What is measured on a face moves with its landmarks, and only with those it is made of."""

import numpy as np
import pytest

from perreactor_model.face_analysis.measurements import (
    LEFT_OF,
    MEASUREMENT_COUNT,
    MEASUREMENTS,
    STEMS,
    FaceRegion,
    both_sides,
    measure,
    without_hidden,
)


def some_face() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.3, (478, 3)).astype(np.float32)


def value(measurements: np.ndarray, name: str) -> float:
    return float(measurements[MEASUREMENTS.index(name)])


def test_every_measurement_has_a_name_of_its_own() -> None:
    assert len(set(MEASUREMENTS)) == MEASUREMENT_COUNT == measure(some_face()).shape[0]


def test_a_face_elsewhere_in_the_picture_measures_the_same() -> None:
    face = some_face()
    np.testing.assert_allclose(measure(face + [0.3, -0.2, 0.5]), measure(face), atol=1e-5)


def test_raising_one_inner_brow_raises_its_height_by_as_much_and_not_the_other_side() -> None:
    face = some_face()
    raised = face.copy()
    raised[[55, 107, 65, 66], 1] -= 0.05  # y points down
    change = measure(raised) - measure(face)
    assert value(change, "brow_inner_right") == pytest.approx(0.05, abs=1e-5)
    moved = {MEASUREMENTS[index] for index in np.flatnonzero(np.abs(change) > 1e-5)}
    assert moved == {"brow_inner_right"}


def test_parting_the_lips_opens_the_gap() -> None:
    face = some_face()
    parted = face.copy()
    parted[[14, 87, 317], 1] += 0.04
    assert value(measure(parted) - measure(face), "lip_gap") == pytest.approx(0.04, abs=1e-5)


def test_the_mirror_image_swaps_the_sides() -> None:
    face = some_face()
    mirrored = face * [-1.0, 1.0, 1.0]
    swapped = mirrored.copy()
    for right, left in LEFT_OF.items():
        swapped[[right, left]] = mirrored[[left, right]]
    one, other = measure(face), measure(swapped)
    for stem in ("brow_apart", "corner_out", "corner_up", "cheek_depth"):
        assert value(one, f"{stem}_right") == pytest.approx(value(other, f"{stem}_left"), abs=1e-5)


def test_many_frames_at_once_measure_like_each_alone() -> None:
    faces = np.stack([some_face(), 2 * some_face()])
    np.testing.assert_allclose(measure(faces)[1], measure(faces[1]), rtol=1e-5)


def test_a_hidden_mouth_hides_its_measurements_and_no_others() -> None:
    visible = np.ones(8, bool)
    visible[[FaceRegion.MOUTH_RIGHT, FaceRegion.MOUTH_LEFT]] = False
    shown = without_hidden(measure(some_face()), visible)
    assert np.isnan(value(shown, "lip_gap"))
    assert np.isnan(value(shown, "corner_up_left"))
    assert np.isfinite(value(shown, "brow_inner_left"))


def test_the_visible_side_stands_for_a_hidden_one() -> None:
    visible = np.ones(8, bool)
    visible[FaceRegion.BROW_RIGHT] = False
    measured = measure(some_face())
    stems = both_sides(without_hidden(measured, visible))
    here = stems[STEMS.index("brow_inner")]
    assert here == pytest.approx(value(measured, "brow_inner_left"))
    eye = stems[STEMS.index("eye_opening")]
    sides = [value(measured, f"eye_opening_{side}") for side in ("right", "left")]
    assert eye == pytest.approx(float(np.mean(sides)))
