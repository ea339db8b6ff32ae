"""What ROS4HRI's messages become: attributes of the contract, unknown where nobody tells them."""

from types import SimpleNamespace

import numpy as np
import pytest

from perreactor_model.contract import AROUSAL, ATTRIBUTES, EXPRESSION_SLICE, VALENCE
from perreactor_ros.hri_faces import HriError, HriReading
from perreactor_ros.hri_messages import expression_attributes

SECOND = 1_000_000_000


def told(expression="", valence=0.0, arousal=0.0, confidence=1.0) -> SimpleNamespace:
    return SimpleNamespace(
        expression=expression, valence=valence, arousal=arousal, confidence=confidence
    )


def units(**intensities: float) -> SimpleNamespace:
    all_units = np.zeros(99, np.float32)
    for name, intensity in intensities.items():
        all_units[int(name[2:])] = intensity
    return SimpleNamespace(intensity=all_units, confidence=np.zeros(99, np.float32))


def test_a_named_expression_has_its_confidence_and_the_others_share_the_rest():
    attributes = expression_attributes(told("scared", confidence=0.65))
    shares = dict(zip(ATTRIBUTES[EXPRESSION_SLICE], attributes[EXPRESSION_SLICE], strict=True))
    assert shares.pop("fear") == pytest.approx(0.65)
    assert list(shares.values()) == pytest.approx([0.05] * 7)
    assert np.isnan(attributes[: EXPRESSION_SLICE.start]).all(), "0 and 0 were not filled in"


def test_valence_and_arousal_are_taken_where_they_are_filled_in():
    attributes = expression_attributes(told("", valence=-0.5, arousal=0.25))
    assert attributes[VALENCE] == -0.5
    assert attributes[AROUSAL] == 0.25
    assert np.isnan(attributes[EXPRESSION_SLICE]).all()
    assert expression_attributes(told("neutral"))[VALENCE] == 0.0


@pytest.mark.parametrize(
    "message",
    [told("happy", confidence=0.0), told("bored"), told("happy", confidence=float("nan"))],
)
def test_what_tells_nothing_stays_unknown(message):
    assert np.isnan(expression_attributes(message)).all()


def test_affect_beyond_its_range_is_on_another_scale_and_not_taken():
    assert np.isnan(expression_attributes(told("happy", valence=7.0, arousal=3.0))[VALENCE])


def test_units_take_the_expression_along_while_it_is_fresh():
    reading = HriReading()
    assert reading.expression(told("sad", valence=-0.4, arousal=0.1), 0) is not None
    attributes = reading.units(units(AU12=0.75), SECOND // 2)
    assert attributes[ATTRIBUTES.index("AU12")] == 0.75
    assert attributes[ATTRIBUTES.index("sad")] == 1.0
    assert attributes[VALENCE] == pytest.approx(-0.4)
    assert reading.expression(told("sad"), SECOND // 2) is None, "the next units take it along"


def test_intensities_of_another_scale_are_refused_with_what_would_be_right():
    with pytest.raises(HriError, match="AU12 has an intensity of 3.5: .*divide .* by 5"):
        HriReading().units(units(AU6=2.0, AU12=3.5), 0)


def test_units_that_nobody_knows_stay_unknown():
    message = units()
    message.intensity[:] = np.nan
    assert np.isnan(HriReading().units(message, 0)).all()


def test_without_a_fresh_expression_affect_is_derived_from_the_units():
    reading = HriReading()
    reading.expression(told("sad"), 0)
    smiling = units(AU6=0.8, AU12=0.9, AU25=0.5)
    attributes = reading.units(smiling, 5 * SECOND)
    assert np.argmax(attributes[EXPRESSION_SLICE]) == ATTRIBUTES.index("happy") - 17
    assert attributes[VALENCE] > 0.3
