"""The analyzer as a whole: pictures of a person in, attributes and head pose out."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from perreactor_model.bench import analyzer as bench
from perreactor_model.contract import ACTION_UNITS, ATTRIBUTE_COUNT, EXPRESSION_SLICE, FRAME_NS
from perreactor_model.face_analysis.analyzer import (
    AnalyzerSettings,
    LandmarkAnalyzer,
    open_analyzer,
)
from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.face_analysis.neutral import NeutralFace, NeutralSettings
from perreactor_model.face_analysis.observation import FaceObservation, Knowledge
from perreactor_model.media.face_animation import FaceAnimator, FaceControls
from perreactor_model.media.speaker import SPEAKERS, portrait_of
from perreactor_model.vision.encodings import ImageError

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)
pytest.importorskip("skimage")

QUICK = AnalyzerSettings(neutral=NeutralSettings(seconds=1.0))
"""Calibrates within a second."""
CALIBRATION = 27
SMILE, LIPS_PART, JAW_DROP, BROWS = (
    ACTION_UNITS.index(name) for name in ("AU12", "AU25", "AU26", "AU1")
)
NOBODY = np.full((480, 640, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def animator() -> FaceAnimator:
    from skimage import data

    return FaceAnimator(data.astronaut())


@pytest.fixture(scope="module")
def calm(animator: FaceAnimator) -> list[np.ndarray]:
    """A calm face with a little sensor noise, 640x480."""
    rng = np.random.default_rng(0)
    picture = animator.draw(FaceControls()).astype(np.float32)
    return [
        np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(CALIBRATION)
    ]


@pytest.fixture(scope="module")
def opened() -> Iterator[LandmarkAnalyzer]:
    analyzer = LandmarkAnalyzer(QUICK)
    yield analyzer
    analyzer.close()


@pytest.fixture
def analyzer(opened: LandmarkAnalyzer) -> LandmarkAnalyzer:
    opened.reset()
    return opened


def look(
    analyzer: LandmarkAnalyzer, pictures: list[np.ndarray], begin: int = 0
) -> list[FaceObservation]:
    return [
        analyzer.analyze(picture, (begin + index) * FRAME_NS)
        for index, picture in enumerate(pictures)
    ]


def test_a_person_is_calibrated_first_and_known_then(analyzer, calm) -> None:
    seen = look(analyzer, calm)

    progress = [one.calibration for one in seen]
    assert progress == sorted(progress) and progress[0] < 0.1 and progress[-1] == 1.0
    for one in seen:
        assert one.person == 1 and one.face_present and one.landmarks.shape == (478, 2)
        known = one.knowledge != Knowledge.UNKNOWN
        assert np.array_equal(known, np.isfinite(one.attributes))
        assert known.any() == (one.calibration == 1.0)
        assert np.isfinite(one.rotation).all()
        assert np.isfinite(one.coefficients[52:55]).all() and np.isnan(one.coefficients[:52]).all()
    assert np.abs(seen[-1].translation).max() < 0.05


def test_a_calm_face_is_calm(analyzer, calm) -> None:
    last = look(analyzer, calm)[-1]

    assert np.nanmax(last.attributes[: len(ACTION_UNITS)]) < 0.1
    assert last.attributes[EXPRESSION_SLICE].argmax() == 0
    assert last.attributes[EXPRESSION_SLICE].sum() == pytest.approx(1.0, abs=1e-5)


def test_a_smile_is_seen_at_once_and_on_a_turned_head(analyzer, animator, calm) -> None:
    look(analyzer, calm)
    straight = look(analyzer, [animator.draw(FaceControls(smile=1.0))] * 4, CALIBRATION)
    turned = look(
        analyzer, [animator.draw(FaceControls(smile=1.0, yaw=0.06 * k)) for k in range(6)], 31
    )

    assert straight[1].attributes[SMILE] > 0.5
    assert turned[-1].attributes[SMILE] > 0.5
    assert turned[-1].rotation[1] == pytest.approx(0.3, abs=0.07)


def test_behind_a_cup_the_mouth_is_unknown_and_the_brows_are_not(analyzer, animator, calm) -> None:
    points = look(analyzer, calm)[-1].landmarks
    raised = animator.draw(FaceControls(brow_left=1.0, brow_right=1.0, smile=1.0))
    raised[round(points[2, 1]) + 6 :, round(points[61, 0]) - 70 : round(points[291, 0]) + 70] = (
        230,
        228,
        220,
    )

    seen = look(analyzer, [raised] * 4, CALIBRATION)[-1]

    assert seen.person == 1
    assert np.isnan(seen.attributes[[SMILE, LIPS_PART, JAW_DROP]]).all()
    assert (seen.knowledge[[SMILE, LIPS_PART, JAW_DROP]] == Knowledge.UNKNOWN).all()
    assert seen.attributes[BROWS] > 0.4


def test_nobody_in_the_picture_is_an_observation_without_a_face(analyzer, calm) -> None:
    look(analyzer, calm)
    (nobody,) = look(analyzer, [NOBODY], CALIBRATION)

    assert not nobody.face_present and nobody.person == 0 and nobody.landmarks is None
    assert np.isnan(nobody.attributes).all() and not nobody.knowledge.any()
    assert np.isnan(nobody.rotation).all() and np.isnan(nobody.translation).all()
    assert analyzer.analyze(calm[0], (CALIBRATION + 5) * FRAME_NS).calibration == 1.0


def test_a_new_person_is_calibrated_anew(analyzer, calm) -> None:
    other = FaceAnimator(portrait_of(SPEAKERS[1])).draw(FaceControls())[:, ::-1]
    look(analyzer, calm)
    look(analyzer, [NOBODY] * 30, CALIBRATION)

    (new,) = look(analyzer, [other], CALIBRATION + 30)

    assert new.person == 2
    assert new.calibration < 0.1 and np.isnan(new.attributes).all()
    assert np.isnan(new.translation).all()


def test_a_clock_that_jumps_back_begins_anew(analyzer, calm) -> None:
    look(analyzer, calm)

    assert analyzer.analyze(calm[0], FRAME_NS).calibration < 0.1


def test_a_reset_forgets_the_person(analyzer, calm) -> None:
    look(analyzer, calm)
    analyzer.reset()
    (first,) = look(analyzer, calm[:1], 100)

    assert first.person == 1 and first.calibration < 0.1


def test_the_same_pictures_give_the_same_bytes(analyzer, animator, calm) -> None:
    pictures = calm + [animator.draw(FaceControls(smile=0.2 * k, yaw=0.05 * k)) for k in range(5)]

    def run() -> bytes:
        analyzer.reset()
        return b"".join(
            part.tobytes()
            for one in look(analyzer, pictures)
            for part in (one.attributes, one.rotation, one.translation, one.landmarks)
        )

    assert run() == run()


def test_two_stages_say_what_both_together_say(analyzer, animator, calm) -> None:
    pictures = [animator.draw(FaceControls(smile=0.25 * k)) for k in range(5)]
    look(analyzer, calm)
    neutral = NeutralFace.from_state(analyzer._known.neutral.state(), QUICK.neutral)
    measured = [analyzer.measure(p, (CALIBRATION + k) * FRAME_NS) for k, p in enumerate(pictures)]
    apart = [analyzer.interpret(one, neutral) for one in measured]
    analyzer.reset()
    look(analyzer, calm)
    together = look(analyzer, pictures, CALIBRATION)

    for one, other in zip(apart, together, strict=True):
        np.testing.assert_allclose(one.attributes[:15], other.attributes[:15], atol=0.05)
        assert np.array_equal(one.rotation, other.rotation)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (7, 900), (1080, 1920)], ids=str)
def test_any_picture_is_looked_at(analyzer, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for picture in (np.zeros((*shape, 3), np.uint8), rng.integers(0, 256, (*shape, 3), np.uint8)):
        picture.flags.writeable = False
        for view in (picture, picture[::-1, ::-1], picture[..., ::-1]):
            assert not analyzer.analyze(view, 0).face_present


def test_a_view_of_a_picture_is_seen_as_its_copy(analyzer, calm) -> None:
    bgr = np.ascontiguousarray(calm[0][..., ::-1])
    of_view = analyzer.analyze(bgr[..., ::-1], 0).landmarks
    analyzer.reset()

    assert np.array_equal(of_view, analyzer.analyze(calm[0], 0).landmarks)


def test_a_picture_of_another_kind_is_refused(analyzer) -> None:
    with pytest.raises(ImageError, match="RGB uint8"):
        analyzer.analyze(np.zeros((4, 4), np.uint8), 0)


def test_a_picture_full_of_faces_is_looked_at(analyzer, animator) -> None:
    small = cv2.resize(animator.draw(FaceControls()), (213, 160), interpolation=cv2.INTER_AREA)

    seen = analyzer.analyze(np.tile(small, (3, 3, 1)), 0)

    assert seen.person == 1 and seen.attributes.shape == (ATTRIBUTE_COUNT,)


def test_analyzers_are_opened_by_name() -> None:
    analyzer = open_analyzer("landmarks", QUICK)
    assert analyzer.counters["pictures"] == 0
    analyzer.close()
    analyzer.close()
    with pytest.raises(ValueError, match="landmarks"):
        open_analyzer("telepathy")


def test_the_bench_times_pictures_and_weighs_memory() -> None:
    result = bench.measure(seconds=2.0, distinct=8)

    assert result["pictures"] == 50 and result["with_face"] == 50
    assert 0 < result["analyze"]["median_ms"] <= result["analyze"]["p99_ms"]
    assert result["memory"]["first_mib"] > 0
