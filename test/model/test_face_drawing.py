"""A reaction drawn as a face shows what its numbers say."""

import numpy as np
import pytest

from perreactor_model.contract import (
    ACTION_UNITS,
    ATTRIBUTES,
    COEFFICIENT_COUNT,
    COEFFICIENTS,
    neutral_attributes,
)
from perreactor_model.media.face_drawing import (
    DrawingOptions,
    draw_face,
    strongest_action_units,
)
from perreactor_model.media.face_panels import Panel, compose, view_size

STILL = np.zeros(COEFFICIENT_COUNT, np.float32)


def face_with(**values: float) -> np.ndarray:
    attributes = neutral_attributes()
    for name, value in values.items():
        attributes[ATTRIBUTES.index(name)] = value
    return attributes


def pose_with(**values: float) -> np.ndarray:
    coefficients = STILL.copy()
    for name, value in values.items():
        coefficients[COEFFICIENTS.index(name)] = value
    return coefficients


def changed_pixels(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows and columns, 0..1 of the picture, that differ clearly."""
    difference = np.abs(one.astype(int) - other.astype(int)).max(axis=2) > 40
    return np.argwhere(difference) / len(one)


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_every_action_unit_changes_the_face_visibly(unit):
    changed = changed_pixels(
        draw_face(neutral_attributes(), STILL), draw_face(face_with(**{unit: 1.0}), STILL)
    )
    assert len(changed) > 60


@pytest.mark.parametrize("unit", ["AU1", "AU4", "AU12", "AU15", "AU25", "AU26"])
def test_a_small_action_unit_can_be_seen(unit):
    changed = changed_pixels(
        draw_face(neutral_attributes(), STILL), draw_face(face_with(**{unit: 0.15}), STILL)
    )
    assert len(changed) > 15


@pytest.mark.parametrize("unit", ["AU1", "AU2", "AU4"])
def test_brow_units_move_the_upper_face_only(unit):
    changed = changed_pixels(
        draw_face(neutral_attributes(), STILL), draw_face(face_with(**{unit: 1.0}), STILL)
    )
    assert changed[:, 0].max() < 0.52


@pytest.mark.parametrize("unit", ["AU10", "AU15", "AU23", "AU24", "AU25", "AU26"])
def test_mouth_units_leave_eyes_and_brows_alone(unit):
    changed = changed_pixels(
        draw_face(neutral_attributes(), STILL), draw_face(face_with(**{unit: 1.0}), STILL)
    )
    assert changed[:, 0].min() > 0.52


def red_lip_rows(image: np.ndarray) -> tuple[float, float]:
    """Mean height of the mouth's corners and of its middle; larger is lower."""
    mouth = (image[..., 0].astype(int) - image[..., 1] > 55) & (image[..., 1] < 140)
    rows, columns = np.nonzero(mouth)
    left, right = columns.min(), columns.max()
    ends = (columns <= left + 3) | (columns >= right - 3)
    middle = np.abs(columns - (left + right) / 2) < 4
    return float(rows[ends].mean()), float(rows[middle].mean())


def test_a_smile_lifts_the_corners_of_the_mouth_and_a_frown_drops_them():
    smile = red_lip_rows(draw_face(face_with(AU12=1.0), STILL))
    frown = red_lip_rows(draw_face(face_with(AU15=1.0), STILL))
    assert smile[0] < smile[1] - 10
    assert frown[0] > frown[1] + 10


def centre_of_eyes(image: np.ndarray) -> np.ndarray:
    """(row, column) of the blue irises."""
    iris = (image[..., 2].astype(int) - image[..., 0] > 40) & (image[..., 0] < 110)
    return np.argwhere(iris).mean(axis=0)


def test_the_head_turns_as_the_contract_says():
    rest = centre_of_eyes(draw_face(neutral_attributes(), STILL))
    own_left = centre_of_eyes(draw_face(neutral_attributes(), pose_with(rotation_y=0.3)))
    down = centre_of_eyes(draw_face(neutral_attributes(), pose_with(rotation_x=0.3)))
    own_right_shoulder = centre_of_eyes(draw_face(neutral_attributes(), pose_with(rotation_z=0.3)))
    assert own_left[1] > rest[1] + 8  # a face that looks at us turns to our right
    assert down[0] > rest[0] + 8
    assert own_right_shoulder[1] < rest[1] - 1


def test_a_blink_hides_the_irises():
    image = draw_face(neutral_attributes(), STILL, blink=1.0)
    iris = (image[..., 2].astype(int) - image[..., 0] > 40) & (image[..., 0] < 110)
    assert not iris.any()


def test_pleasure_and_displeasure_tint_the_skin_differently():
    pleased = draw_face(face_with(valence=1.0), STILL)[60, 120]
    displeased = draw_face(face_with(valence=-1.0), STILL)[60, 120]
    assert int(pleased[0]) - int(pleased[2]) > int(displeased[0]) - int(displeased[2]) + 40


def test_a_gain_of_one_draws_units_as_they_are():
    plain = draw_face(face_with(AU26=0.3), STILL, options=DrawingOptions(gain=1.0))
    lifted = draw_face(face_with(AU26=0.3), STILL, options=DrawingOptions(gain=3.0))
    rest = draw_face(neutral_attributes(), STILL)
    assert len(changed_pixels(rest, lifted)) > len(changed_pixels(rest, plain)) > 0


def test_unknown_and_wild_values_are_drawn_as_some_face():
    attributes = np.full(25, np.nan, np.float32)
    assert np.array_equal(draw_face(attributes, STILL), draw_face(np.zeros(25, np.float32), STILL))
    wild = draw_face(np.full(25, 1e6, np.float32), np.full(58, -1e6, np.float32), 120)
    assert wild.shape == (120, 120, 3)


def test_a_vector_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"attributes must have shape \(25,\), not \(15,\)"):
        draw_face(np.zeros(15), STILL)


def test_the_strongest_units_come_first():
    strongest = strongest_action_units(face_with(AU12=0.7, AU6=0.9, AU25=0.2))
    assert [name for name, _ in strongest] == ["AU6", "AU12", "AU25"]


@pytest.mark.parametrize("robots", [0, 1, 2, 3, 8, 9, 20])
def test_the_view_holds_the_speaker_and_every_robot(robots):
    panels = [Panel(f"robot_{k}", "warm", neutral_attributes(), STILL) for k in range(robots)]
    speaker = np.full((120, 160, 3), (10, 200, 10), np.uint8)
    image = compose(speaker, panels, "untrained weights")
    assert image.shape[1::-1] == view_size(robots)
    assert image.shape[0] % 2 == 0 and image.shape[1] % 2 == 0
    assert (image[200, 320] == (10, 200, 10)).all()


def test_the_caption_and_a_missing_reaction_are_shown():
    speaker = np.full((480, 640, 3), 90, np.uint8)
    waiting = compose(speaker, [Panel("robot_a", "warm")])
    captioned = compose(speaker, [Panel("robot_a", "warm")], "untrained weights")
    assert len(changed_pixels(waiting, captioned)) > 100
    drawn = compose(speaker, [Panel("robot_a", "warm", neutral_attributes(), STILL)])
    assert len(changed_pixels(waiting, drawn)) > 1000
