"""What hides a part of the face makes it unknown; light, speech and cameras do not."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from perreactor_model.contract import FRAME_NS
from perreactor_model.face_analysis.analyzer import LandmarkAnalyzer, Measured
from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.face_analysis.measurements import FaceRegion
from perreactor_model.face_analysis.visibility import VisibilitySettings
from perreactor_model.media.face_animation import FaceAnimator, FaceControls

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)
pytest.importorskip("skimage")

Change = Callable[[np.ndarray], np.ndarray]

MOUTH = (FaceRegion.MOUTH_RIGHT, FaceRegion.MOUTH_LEFT)
UPPER = tuple(region for region in FaceRegion if region.name.startswith(("BROW", "EYE")))
LEFT = tuple(region for region in FaceRegion if region.name.endswith("LEFT"))
KNOWN = 30
"""Pictures after which an analyzer knows what the person looks like."""


@pytest.fixture(scope="module")
def talking() -> list[np.ndarray]:
    """Speech, smiles, teeth, blinks and brows, 640x480."""
    from skimage import data

    animator = FaceAnimator(data.astronaut())
    pictures = []
    for frame in range(KNOWN):
        controls = FaceControls(
            mouth_open=max(0.0, 0.9 * np.sin(frame / 1.5)),
            smile=max(0.0, np.sin(frame / 6)),
            blink=float(frame % 13 == 7),
            brow_left=0.8 * max(0.0, np.sin(frame / 5)),
            brow_right=0.8 * max(0.0, np.sin(frame / 5)),
            frown=max(0.0, np.sin(frame / 7 + 3)),
            yaw=0.15 * np.sin(frame / 4),
        )
        pictures.append(animator.draw(controls))
    return pictures


@pytest.fixture(scope="module")
def opened() -> Iterator[LandmarkAnalyzer]:
    analyzer = LandmarkAnalyzer()
    yield analyzer
    analyzer.close()


@pytest.fixture
def analyzer(opened: LandmarkAnalyzer) -> LandmarkAnalyzer:
    opened.reset()
    return opened


def look(analyzer: LandmarkAnalyzer, pictures: list[np.ndarray], begin: int = 0) -> list[Measured]:
    return [
        analyzer.measure(picture, (begin + index) * FRAME_NS)
        for index, picture in enumerate(pictures)
    ]


def visible_share(measured: list[Measured], regions: tuple[FaceRegion, ...]) -> float:
    return float(np.mean([look.visible[list(regions)] for look in measured]))


def box(measured: Measured, part: str) -> tuple[slice, slice]:
    """Rows and columns of a part of the face in the picture."""
    points = measured.landmarks
    assert points is not None
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    width, height = right - left, bottom - top
    x, y = points[[61, 291, 0, 17]].mean(axis=0)
    edges = {
        "lower face": (left, top + 0.6 * height, right, bottom + 0.1 * height),
        "mouth": (x - 0.3 * width, y - 0.14 * height, x + 0.3 * width, y + 0.17 * height),
        "left of mouth": (x, y - 0.17 * height, right, bottom),
        "left half": (x, top - 10, right + 20, bottom + 10),
        "eyes": (left, points[33, 1] - 0.1 * height, right, points[33, 1] + 0.1 * height),
    }[part]
    begin_x, begin_y, end_x, end_y = (max(0, round(float(edge))) for edge in edges)
    return slice(begin_y, end_y), slice(begin_x, end_x)


def covered(picture: np.ndarray, place: tuple[slice, slice], thing: str) -> np.ndarray:
    """A thing held before a part of a picture."""
    picture = picture.copy()
    height, width = picture[place].shape[:2]
    across, down = np.linspace(-1, 1, width)[None, :, None], np.arange(height)[:, None, None]
    round_off = 0.55 + 0.45 * np.sqrt(1 - across**2)
    fingers = 0.65 + 0.35 * np.abs(np.sin(4 * np.pi * down / height)) + 0 * across
    noise = np.random.default_rng(3).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3))
    things = {
        "grey box": np.full((height, width, 3), 128.0),
        "blue box": np.full((height, width, 3), (40.0, 80.0, 160.0)),
        "skin-coloured box": np.full((height, width, 3), (214.0, 168.0, 142.0)),
        "cup": np.array((225.0, 222.0, 215.0)) * round_off + 0 * down,
        "hand": np.array((214.0, 165.0, 138.0)) * fingers,
        "textured box": cv2.resize(noise.astype(np.float32), (width, height)),
    }
    picture[place] = np.clip(things[thing], 0, 255).astype(np.uint8)
    return picture


THINGS = ("grey box", "blue box", "skin-coloured box", "cup", "hand", "textured box")


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(
    ("part", "hidden", "still_seen"),
    [
        ("lower face", MOUTH, UPPER),
        ("mouth", MOUTH, UPPER),
        ("left of mouth", (FaceRegion.MOUTH_LEFT,), UPPER),
        ("eyes", (FaceRegion.EYE_RIGHT, FaceRegion.EYE_LEFT), ()),
    ],
)
def test_a_covered_part_is_unknown_and_the_rest_is_not(
    analyzer, talking, thing: str, part: str, hidden, still_seen
) -> None:
    place = box(look(analyzer, talking)[-1], part)
    behind = [covered(picture, place, thing) for picture in talking[-1:-5:-1]]

    measured = look(analyzer, behind, KNOWN)[1:]

    assert visible_share(measured, hidden) == 0.0
    assert not still_seen or visible_share(measured, still_seen) == 1.0
    assert {look.person for look in measured} == {1}
    free = look(analyzer, talking[::-1][4:14], KNOWN + 4)
    assert visible_share(free[4:], tuple(FaceRegion)) > 0.95


def test_what_a_covered_mouth_does_is_not_measured(analyzer, talking) -> None:
    from perreactor_model.face_analysis.measurements import MEASUREMENTS

    before = look(analyzer, talking)[-1]
    behind = covered(talking[-1], box(before, "lower face"), "hand")
    measured = look(analyzer, [behind, behind], KNOWN)[-1]

    for name in ("lip_gap", "corner_up_right", "corner_up_left"):
        assert np.isfinite(before.measurements[MEASUREMENTS.index(name)])
        assert np.isnan(measured.measurements[MEASUREMENTS.index(name)])
    assert np.isfinite(measured.measurements[MEASUREMENTS.index("brow_inner_left")])


@pytest.mark.parametrize("thing", ["grey box", "skin-coloured box", "cup", "hand"])
def test_a_mouth_that_is_covered_from_the_first_picture_is_unknown(
    analyzer, talking, thing: str
) -> None:
    place = box(look(analyzer, talking[:3])[-1], "lower face")
    analyzer.reset()

    behind = look(analyzer, [covered(picture, place, thing) for picture in talking[:15]])
    free = look(analyzer, talking[15:], 15)

    assert visible_share(behind, MOUTH) == 0.0
    assert visible_share(behind, UPPER) == 1.0
    assert visible_share(free[4:], MOUTH) == 1.0


def jpeg(picture: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)


def side_light(picture: np.ndarray) -> np.ndarray:
    across = np.arange(picture.shape[1]) - 0.5 * picture.shape[1]
    return (picture * (0.4 + 0.6 / (1 + np.exp(-across / 15)))[None, :, None]).astype(np.uint8)


def cap_shadow(picture: np.ndarray) -> np.ndarray:
    down = np.arange(picture.shape[0]) - 0.45 * picture.shape[0]
    return (picture * (0.5 + 0.5 / (1 + np.exp(-down / 15)))[:, None, None]).astype(np.uint8)


HARMLESS: dict[str, Change] = {
    "nothing": lambda picture: picture,
    "dark": lambda picture: (picture * 0.5).astype(np.uint8),
    "bright": lambda picture: np.clip(picture * 1.3, 0, 255).astype(np.uint8),
    "warm lamp": lambda picture: np.clip(picture * (1.1, 1.0, 0.85), 0, 255).astype(np.uint8),
    "jpeg 30": jpeg,
    "blur": lambda picture: cv2.GaussianBlur(picture, (0, 0), 2.0),
    "light from the side": side_light,
    "shadow of a cap": cap_shadow,
    "half the size": lambda picture: cv2.resize(
        cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA), (640, 480)
    ),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_speech_light_and_camera_hide_nothing(analyzer, talking, change: str) -> None:
    look(analyzer, talking)

    measured = look(analyzer, [HARMLESS[change](picture) for picture in talking[::-1]], KNOWN)

    assert visible_share(measured, tuple(FaceRegion)) > 0.98
    assert {look.person for look in measured} == {1}


@pytest.mark.parametrize("yaw", [-0.436, 0.436])
@pytest.mark.parametrize(
    "expression", [{"mouth_open": 1.0}, {"smile": 1.0}, {"frown": 1.0}, {"blink": 1.0}], ids=str
)
def test_an_expression_on_a_turned_head_hides_nothing(analyzer, yaw: float, expression) -> None:
    """Also where the person was only ever seen calm and from the front."""
    from skimage import data

    animator = FaceAnimator(data.astronaut())
    look(analyzer, [animator.draw(FaceControls())] * KNOWN)

    measured = look(analyzer, [animator.draw(FaceControls(yaw=yaw, **expression))] * 3, KNOWN)

    assert visible_share(measured[1:], tuple(FaceRegion)) == 1.0


def test_a_grey_camera_hides_nothing(analyzer, talking) -> None:
    grey = [np.repeat(p.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for p in talking]

    assert visible_share(look(analyzer, grey), tuple(FaceRegion)) > 0.98


def test_a_blurred_face_and_a_tiny_one_are_seen_but_nothing_is_measured(analyzer, talking) -> None:
    for poor in (
        cv2.GaussianBlur(talking[0], (0, 0), 7.0),
        cv2.resize(talking[0], (80, 60), interpolation=cv2.INTER_AREA),
    ):
        analyzer.reset()
        measured = look(analyzer, [poor, poor])[-1]
        assert measured.person == 1 and measured.box is not None
        assert not measured.visible.any()
        assert np.isfinite(measured.rotation).all()


def test_the_far_side_of_a_turned_head_is_hidden(analyzer) -> None:
    from skimage import data

    animator = FaceAnimator(data.astronaut())
    turning = [animator.draw(FaceControls(yaw=0.04 * frame)) for frame in range(15)]
    left = look(analyzer, turning)
    analyzer.reset()
    right = look(analyzer, [picture[:, ::-1] for picture in turning])

    assert visible_share(left[:11], tuple(FaceRegion)) == 1.0
    assert left[-1].rotation[1] > 0.5
    assert not left[-1].visible[list(LEFT)].any()
    assert left[-1].visible[FaceRegion.EYE_RIGHT] and left[-1].visible[FaceRegion.BROW_RIGHT]
    assert right[-1].visible[FaceRegion.EYE_LEFT] and not right[-1].visible[FaceRegion.EYE_RIGHT]


def test_what_leaves_the_picture_is_hidden(analyzer, talking) -> None:
    points = look(analyzer, talking)[-1].landmarks
    assert points is not None
    nose = float(points[1, 0])

    def moved(step: int) -> np.ndarray:
        shift = np.array([[1.0, 0.0, (640 - nose - 10) * step / 12], [0.0, 1.0, 0.0]])
        return cv2.warpAffine(talking[-1], shift, (640, 480), borderMode=cv2.BORDER_REPLICATE)

    at_the_edge = look(analyzer, [moved(step) for step in range(13)], KNOWN)[-1]

    assert at_the_edge.person == 1
    assert not at_the_edge.visible[list(LEFT)].any()
    assert at_the_edge.visible[[FaceRegion.EYE_RIGHT, FaceRegion.BROW_RIGHT]].all()


@pytest.mark.parametrize("thing", ["blue box", "grey box"])
def test_a_plain_cover_that_stays_does_not_become_the_mouth(opened, talking, thing: str) -> None:
    # A still cover of which the talking head now and then shows the edge, for half a minute.
    seen = look(opened, talking[:1])
    rows, columns = box(seen[0], "mouth")
    opened.reset()
    place = slice(rows.start - 6, None), slice(columns.start - 12, columns.stop + 12)
    pictures = [covered(picture, place, thing) for picture in talking]
    measured = look(opened, [pictures[index % KNOWN] for index in range(750)])
    assert visible_share(measured, MOUTH) == 0.0
    assert visible_share(measured[KNOWN:], UPPER) > 0.9


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="smallest"):
        VisibilitySettings(smallest=0.0)
