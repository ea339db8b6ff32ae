"""Affect is derived from action units: neutral at rest, the right expression for its prototype."""

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNITS, EXPRESSIONS
from perreactor_model.face_analysis.affect import Affect, derive
from perreactor_model.face_analysis.observation import Knowledge


def derived(**units: float) -> Affect:
    intensities = np.zeros(15, np.float32)
    for name, value in units.items():
        intensities[ACTION_UNITS.index(name)] = value
    return derive(intensities)


def share(affect: Affect, expression: str) -> float:
    return float(affect.values[2 + EXPRESSIONS.index(expression)])


def strongest(affect: Affect) -> str:
    return EXPRESSIONS[int(np.argmax(affect.values[2:]))]


def test_a_face_at_rest_is_neutral_for_certain() -> None:
    rest = derived()
    assert share(rest, "neutral") == 1.0
    assert rest.values[0] == rest.values[1] == 0.0
    assert (rest.knowledge == Knowledge.DERIVED).all()


@pytest.mark.parametrize(
    ("expression", "units"),
    [
        ("happy", {"AU12": 0.9, "AU6": 0.6, "AU25": 0.6}),
        ("happy", {"AU12": 0.9}),
        ("sad", {"AU15": 0.8, "AU1": 0.6, "AU4": 0.5, "AU17": 0.5}),
        ("surprise", {"AU1": 0.9, "AU2": 0.9, "AU25": 0.8, "AU26": 0.8}),
        ("fear", {"AU1": 0.9, "AU4": 0.8, "AU2": 0.3, "AU25": 0.8}),
        ("disgust", {"AU9": 0.7, "AU10": 0.7, "AU17": 0.5, "AU4": 0.2}),
        ("anger", {"AU4": 0.9, "AU7": 0.8, "AU24": 0.8, "AU17": 0.4}),
        ("contempt", {"AU14": 0.8, "AU12": 0.2}),
    ],
)
def test_each_prototype_gives_its_expression(expression: str, units: dict[str, float]) -> None:
    assert strongest(derived(**units)) == expression


def test_probabilities_sum_to_one_whatever_the_units_are() -> None:
    for row in np.random.default_rng(0).uniform(0, 1, (200, 15)).astype(np.float32):
        values = derive(row).values
        assert values[2:].sum() == pytest.approx(1.0, abs=1e-5)
        assert (values[2:] >= 0).all()
        assert (np.abs(values[:2]) <= 1.0).all()


def test_talking_is_neutral() -> None:
    assert share(derived(AU25=1.0, AU26=0.7), "neutral") == 1.0


def test_a_growing_smile_grows_happiness_and_valence() -> None:
    smiles = [derived(AU12=strength, AU6=0.5 * strength) for strength in np.linspace(0, 1, 11)]
    assert (np.diff([share(one, "happy") for one in smiles]) >= 0).all()
    assert (np.diff([one.values[0] for one in smiles]) >= 0).all()
    assert smiles[-1].values[0] > 0.5


def test_valence_and_arousal_have_the_signs_of_their_expressions() -> None:
    assert (derived(AU12=1.0).values[:2] > 0.2).all()
    angry = derived(AU4=1.0, AU7=1.0, AU24=1.0)
    assert angry.values[0] < -0.3 and angry.values[1] > 0.3
    assert derived(AU15=1.0, AU17=0.8).values[0] < -0.3


def test_dimples_of_a_broad_smile_are_not_contempt() -> None:
    assert share(derived(AU12=0.9, AU14=0.6, AU6=0.5), "contempt") < 0.1


def test_a_little_noise_in_one_unit_stays_neutral() -> None:
    for name in ACTION_UNITS:
        assert share(derived(**{name: 0.05}), "neutral") > 0.9


def test_an_unknown_supporting_unit_leaves_the_rest_to_tell() -> None:
    intensities = np.zeros(15, np.float32)
    intensities[ACTION_UNITS.index("AU12")] = 0.9
    for name in ("AU6", "AU7", "AU23"):
        intensities[ACTION_UNITS.index(name)] = np.nan
    assert strongest(derive(intensities)) == "happy"


def test_with_the_mouth_hidden_nothing_is_invented() -> None:
    intensities = np.zeros(15, np.float32)
    intensities[ACTION_UNITS.index("AU10") :] = np.nan
    affect = derive(intensities)
    assert np.isnan(affect.values).all()
    assert (affect.knowledge == Knowledge.UNKNOWN).all()
