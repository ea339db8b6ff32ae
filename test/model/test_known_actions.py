"""A face that does a known thing, before the real analyzer: what is read of it.

One public-domain portrait, animated and warped; how people's faces are scored is not tested here.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNITS, EXPRESSION_SLICE, EXPRESSIONS, FRAME_NS
from perreactor_model.face_analysis.choice import landmarks_installed

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)
pytest.importorskip("skimage", reason="the portrait comes with scikit-image")

from perreactor_model.bench.face_warps import ACTIONS, NO_ACTIONS
from perreactor_model.bench.known_actions import (
    CONDITIONS,
    FACES,
    Condition,
    Session,
    acting_face,
    lively,
)
from perreactor_model.face_analysis.action_units import intensities
from perreactor_model.face_analysis.affect import derive
from perreactor_model.face_analysis.analyzer import LandmarkAnalyzer
from perreactor_model.face_analysis.neutral import NeutralFace

Reading = dict[str, float]
BY_NAME = {action.name: action for action in (*ACTIONS, *NO_ACTIONS)}
GOOD = {
    "brows raised": "AU1", "inner brows raised": "AU1", "outer brows raised": "AU2",
    "frown (animated)": "AU4", "lids tightened": "AU7", "smile": "AU12",
    "lip corners pulled": "AU12", "lip corners lowered": "AU15", "lips parted": "AU25",
}  # fmt: skip
"""Actions whose unit comes first, and alone, before a frontal face (docs/analyzer.md)."""
COMPANY = {
    "brows raised": {"AU2"},
    "smile": {"AU6", "AU7", "AU25", "AU26"},
    "lip corners pulled": {"AU6"},
    "lips parted": {"AU26"},
}
"""Units that belong to an action as well."""


def named(row: np.ndarray) -> Reading:
    return dict(zip(ACTION_UNITS, map(float, row), strict=True))


def others(reading: Reading, *but: str) -> float:
    return max(value for name, value in reading.items() if name not in but and value == value)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    opened = Session(acting_face())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def readings(session: Session) -> dict[str, Reading]:
    return {name: named(session.read(action)) for name, action in BY_NAME.items()}


@pytest.mark.parametrize("name", GOOD)
def test_the_right_unit_comes_first(readings: dict[str, Reading], name: str) -> None:
    reading, unit = readings[name], GOOD[name]
    assert reading[unit] > 0.3
    assert others(reading, unit, *COMPANY.get(name, ())) < 0.35 * reading[unit]


def test_a_dropped_jaw_is_an_open_mouth_and_no_smile(readings: dict[str, Reading]) -> None:
    reading = readings["jaw dropped"]
    assert reading["AU26"] > 0.7
    assert reading["AU25"] > 0.9
    assert others(reading, "AU25", "AU26") < 0.1


def test_poorly_seen_units_are_read_weakly_but_read(readings: dict[str, Reading]) -> None:
    for name, unit in (
        ("nose wrinkled", "AU9"), ("upper lip raised", "AU10"), ("dimples", "AU14"),
        ("chin raised", "AU17"), ("lips pressed", "AU24"),
    ):  # fmt: skip
        assert readings[name][unit] > 0.05, name


def test_lip_corners_up_out_and_down_are_told_apart(readings: dict[str, Reading]) -> None:
    smile, dimples, down = (
        readings[name] for name in ("lip corners pulled", "dimples", "lip corners lowered")
    )
    assert smile["AU14"] == smile["AU15"] == 0.0
    assert dimples["AU12"] == dimples["AU15"] == 0.0
    assert down["AU12"] == down["AU14"] == 0.0


@pytest.mark.parametrize("action", NO_ACTIONS, ids=lambda action: str(action.name))
def test_turning_the_head_or_closing_the_eyes_is_no_action(
    readings: dict[str, Reading], action: object
) -> None:
    assert others(readings[action.name]) < 0.2  # type: ignore[attr-defined]


def test_tightened_lips_are_never_claimed(readings: dict[str, Reading]) -> None:
    assert all(np.isnan(reading["AU23"]) for reading in readings.values())


@pytest.mark.parametrize(
    ("name", "unit"), [("smile", "AU12"), ("brows raised", "AU1"), ("jaw dropped", "AU26")]
)
def test_a_stronger_action_reads_stronger(session: Session, name: str, unit: str) -> None:
    index = ACTION_UNITS.index(unit)
    track = [float(session.read(BY_NAME[name], share)[index]) for share in (0.3, 0.6, 1.0)]
    assert track[0] < track[1] < track[2]


def test_a_living_face_at_rest_with_blinks_reads_next_to_nothing(session: Session) -> None:
    read = session.show(session.face.drawn(**lively(frame)) for frame in range(70))
    assert np.nanmax(read[:, [ACTION_UNITS.index(name) for name in ("AU1", "AU6", "AU7")]]) < 0.1
    assert others(named(read.mean(axis=0))) < 0.08


def test_talking_reads_as_lips_and_jaw_and_as_nothing_else(session: Session) -> None:
    read = session.show(session.face.drawn(**lively(frame, talking=True)) for frame in range(70))
    mean = named(np.mean(read, axis=0))
    assert mean["AU25"] > 0.3
    assert mean["AU26"] > 0.1
    assert others(mean, "AU25", "AU26") < 0.08
    assert np.quantile(read[:, ACTION_UNITS.index("AU12")], 0.95) < 0.15


def test_the_portraits_own_smile_is_happy_against_its_calm_face(session: Session) -> None:
    from skimage import data

    analyzer = LandmarkAnalyzer()
    calm = [analyzer.measure(session.face.calm(), k * FRAME_NS) for k in range(5)]
    analyzer.reset()
    smiling = analyzer.measure(data.astronaut(), 0)  # the photograph itself
    analyzer.close()
    neutral = NeutralFace.from_recording(np.array([measured.measurements for measured in calm]))
    read = intensities(smiling.measurements, neutral, smiling.rotation)
    assert named(read)["AU12"] > 0.7
    shares = derive(read).values[2:]
    assert EXPRESSIONS[int(np.argmax(shares))] == "happy"


def test_somebody_who_only_ever_smiles_is_taken_for_neutral() -> None:
    from skimage import data

    portrait = data.astronaut()  # a limit, written down in docs/analyzer.md
    analyzer = LandmarkAnalyzer()
    for k in range(115):
        seen = analyzer.analyze(portrait, k * FRAME_NS)
    analyzer.close()
    assert others(named(seen.attributes[:15])) < 0.05
    assert seen.attributes[EXPRESSION_SLICE][EXPRESSIONS.index("neutral")] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS[1:], ids=lambda condition: str(condition.name))
def test_the_same_is_read_under_other_conditions(condition: Condition) -> None:
    session = Session(acting_face(), condition)
    smile, brows, jaw = (
        named(session.read(BY_NAME[name])) for name in ("smile", "brows raised", "jaw dropped")
    )
    session.close()
    assert smile["AU12"] > 0.25
    assert others(smile, "AU12", *COMPANY["smile"]) < 0.25
    assert brows["AU1"] > 0.4
    assert others(brows, "AU1", "AU2") < 0.25
    assert not jaw["AU26"] <= 0.4, "a gaping mouth may be taken for covered: unknown, not wrong"
    assert others(jaw, "AU25", "AU26") < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FACES)[1:])
def test_the_same_is_read_of_other_faces(name: str) -> None:
    session = Session(acting_face(name))
    for action, unit in GOOD.items():
        reading = named(session.read(BY_NAME[action]))
        assert reading[unit] > 0.2, action
        assert others(reading, unit, *COMPANY.get(action, ())) < 0.5 * reading[unit], action
    session.close()
