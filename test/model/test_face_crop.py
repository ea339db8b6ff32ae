"""The crop follows one face: steadily, past misses and other faces, and says when it is gone."""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import pytest
from skimage import data

from perreactor_model.contract import FRAME_NS
from perreactor_model.vision.crop import FaceTracker, TrackerSettings
from perreactor_model.vision.detector import FaceBox, FaceDetector
from perreactor_model.vision.preprocess import network_input, whole_image

PORTRAIT = data.astronaut()[:400, 60:460]
FACE_X, FACE_Y, FACE_SIDE = 165, 113, 97
"""Where the face is in the portrait, in its pixels."""

WIDTH, HEIGHT = 640, 480
Place = tuple[int, int, float]
"""Left, top and scale of a portrait in the picture."""
AT_REST: Place = (150, 60, 0.8)


def picture(*places: Place) -> np.ndarray:
    """A grey wall with portraits on it, parts outside cut off."""
    canvas = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for left, top, scale in places:
        portrait = cv2.resize(PORTRAIT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = portrait.shape[:2]
        y = slice(max(0, top), min(HEIGHT, top + height))
        x = slice(max(0, left), min(WIDTH, left + width))
        canvas[y, x] = portrait[y.start - top : y.stop - top, x.start - left : x.stop - left]
    return canvas


def face_of(place: Place) -> FaceBox:
    left, top, scale = place
    return FaceBox(left + FACE_X * scale, top + FACE_Y * scale, FACE_SIDE * scale)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, 8.0, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def boxes_of(
    tracker: FaceTracker, pictures: Iterable[np.ndarray], first: int = 0
) -> list[FaceBox | None]:
    return [
        tracker.locate(image, (first + frame) * FRAME_NS) for frame, image in enumerate(pictures)
    ]


def assert_on(box: FaceBox | None, place: Place) -> None:
    face = face_of(place)
    assert box is not None
    assert face.distance(box) < 0.2
    assert 0.75 < box.side / face.side < 1.3


@pytest.mark.parametrize(
    "place",
    [(0, 0, 1.2), (150, 60, 0.8), (-60, -20, 0.8), (300, 200, 0.5), (460, 100, 0.6)],
)
def test_a_face_is_found_wherever_it_is(place: Place) -> None:
    tracker = FaceTracker(224)
    assert_on(tracker.locate(picture(place), 0), place)
    crop = tracker.crop(picture(place))
    assert crop is not None
    assert crop.shape == (224, 224, 3)
    assert crop.dtype == np.uint8


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (1920, 1080), (360, 480)])
def test_a_face_is_found_in_other_sizes_of_image(size: tuple[int, int]) -> None:
    scale = size[1] / HEIGHT
    image = cv2.resize(picture((120, 60, 0.8)), None, fx=scale, fy=scale)
    beside = max(0, size[0] - image.shape[1])
    image = cv2.copyMakeBorder(image, 0, 0, 0, beside, cv2.BORDER_REPLICATE)[:, : size[0]]
    box = FaceTracker(96).locate(image, 0)
    assert box is not None
    assert_on(FaceBox(box.x / scale, box.y / scale, box.side / scale), (120, 60, 0.8))


def test_the_crop_shows_the_head_and_little_else() -> None:
    tracker = FaceTracker(224)
    tracker.locate(picture(AT_REST), 0)
    crop = tracker.crop(picture(AT_REST))
    assert crop is not None
    in_crop = FaceDetector().everywhere(crop)[0]
    assert FaceBox(112, 104, 107).distance(in_crop) < 0.15
    assert 90 < in_crop.side < 124


def test_a_still_face_gives_the_same_crop_in_spite_of_noise() -> None:
    boxes = boxes_of(FaceTracker(224), (noisy(picture(AT_REST), seed) for seed in range(50)))
    assert len(set(boxes)) == 1


def test_small_jitter_does_not_move_the_crop() -> None:
    jitter = np.random.default_rng(0).integers(-2, 3, (50, 2))
    pictures = (picture((150 + x, 60 + y, 0.8)) for x, y in jitter)
    assert len(set(boxes_of(FaceTracker(224), pictures))) == 1


def test_the_crop_follows_a_walking_face_without_jumps() -> None:
    places = [(50 + 3 * frame, 60, 0.7) for frame in range(100)]
    boxes = boxes_of(FaceTracker(224), (picture(place) for place in places))
    centres = [box.x for box in boxes if box is not None]
    assert len(centres) == 100
    steps = np.diff(centres)
    assert steps.min() >= 0.0
    assert steps.max() < 0.25 * face_of(places[0]).side
    behind = [face_of(place).x - x for place, x in zip(places, centres, strict=True)]
    assert max(np.abs(behind)) < 0.6 * face_of(places[0]).side


def test_the_crop_follows_a_face_that_comes_closer() -> None:
    places = [(150, 20, 0.5 + 0.006 * frame) for frame in range(100)]
    boxes = boxes_of(FaceTracker(224), (picture(place) for place in places))
    assert all(boxes)
    settled = FaceTracker(224).locate(picture(places[-1]), 0)
    assert settled is not None and boxes[-1] is not None
    assert boxes[-1].side == pytest.approx(settled.side, rel=0.2)


def test_the_largest_of_two_faces_is_taken() -> None:
    small, large = (10, 100, 0.5), (280, 40, 0.8)
    assert_on(FaceTracker(224).locate(picture(small, large), 0), large)


def test_it_stays_with_its_face_when_a_larger_one_comes() -> None:
    own, other = (10, 100, 0.5), (260, 20, 0.9)
    tracker = FaceTracker(224)
    boxes_of(tracker, [picture(own)] * 10)
    assert_on(boxes_of(tracker, [picture(own, other)] * 50, first=10)[-1], own)


def test_it_waits_for_its_face_before_it_takes_another() -> None:
    own, other = (10, 100, 0.5), (260, 20, 0.9)
    tracker = FaceTracker(224)
    boxes_of(tracker, [picture(own)] * 10)
    missing = boxes_of(tracker, [picture(other)] * 60, first=10)
    assert_on(missing[10], own)
    assert_on(missing[-1], other)
    assert tracker.counters == {"faces_found": 2, "faces_lost": 1}


def test_a_short_miss_is_survived() -> None:
    tracker = FaceTracker(224)
    before = boxes_of(tracker, [picture(AT_REST)] * 10)[-1]
    during = boxes_of(tracker, [picture()] * 15, first=10)
    after = boxes_of(tracker, [picture(AT_REST)] * 10, first=25)
    assert {*during, *after} == {before}
    assert tracker.counters == {"faces_found": 1, "faces_lost": 0}


def test_a_face_that_is_gone_is_lost_after_the_set_time_and_found_again() -> None:
    tracker = FaceTracker(224, TrackerSettings(lost_seconds=0.6))
    boxes_of(tracker, [picture(AT_REST)] * 10)
    gone = boxes_of(tracker, [picture()] * 40, first=10)
    held = sum(box is not None for box in gone)
    # It may have been seen last up to one look (3 frames) before it went.
    assert 15 - 3 <= held <= 15
    assert gone[held:] == [None] * (40 - held)
    assert tracker.crop(picture()) is None
    elsewhere = (300, 100, 0.7)
    back = boxes_of(tracker, [picture(elsewhere)] * 10, first=50)
    assert_on(back[-1], elsewhere)
    assert sum(box is None for box in back) <= 5
    assert tracker.counters == {"faces_found": 2, "faces_lost": 1}


def test_after_a_pause_of_the_camera_the_face_is_taken_up_again() -> None:
    tracker = FaceTracker(224)
    boxes_of(tracker, [picture(AT_REST)] * 5)
    assert_on(tracker.locate(picture(AT_REST), 10**11), AT_REST)
    moved = (350, 60, 0.8)
    assert_on(tracker.locate(picture(moved), 2 * 10**11), moved)


@pytest.mark.parametrize("change", ["size", "time"])
def test_another_image_size_or_an_earlier_stamp_starts_afresh(change: str) -> None:
    tracker = FaceTracker(224)
    boxes_of(tracker, [picture(AT_REST)] * 5, first=100)
    image = picture((350, 60, 0.8))
    if change == "size":
        image = np.ascontiguousarray(image[:, 100:])
    assert_on(
        tracker.locate(image, 105 * FRAME_NS if change == "size" else 0),
        (250 if change == "size" else 350, 60, 0.8),
    )


def test_no_face_is_seen_where_there_is_none() -> None:
    tracker = FaceTracker(224)
    table = cv2.resize(data.coffee(), (WIDTH, HEIGHT))
    assert set(boxes_of(tracker, [table] * 12)) == {None}
    assert tracker.crop(table) is None


def test_the_same_images_and_stamps_give_the_same_crops() -> None:
    def crops() -> list[bytes]:
        tracker = FaceTracker(64)
        found = []
        for frame in range(30):
            image = noisy(picture((100 + 4 * frame, 60, 0.7)), frame)
            tracker.locate(image, frame * FRAME_NS)
            crop = tracker.crop(image)
            found.append(b"" if crop is None else crop.tobytes())
        return found

    assert crops() == crops()


def counted(detector: FaceDetector, calls: list[str]) -> FaceDetector:
    """The same detector, noting which search is made."""

    def noting(name: str, search: Callable) -> Callable:
        def noted(*arguments: object) -> object:
            calls.append(name)
            return search(*arguments)

        return noted

    for name in ("everywhere", "near"):
        setattr(detector, name, noting(name, getattr(detector, name)))
    return detector


@pytest.mark.parametrize(
    ("image", "everywhere", "near"),
    [(picture(AT_REST), 1, 10), (picture(), 5, 0)],
    ids=["known face", "no face"],
)
def test_searching_stays_rare(image: np.ndarray, everywhere: int, near: int) -> None:
    tracker = FaceTracker(224)
    calls: list[str] = []
    tracker._detector = counted(tracker._detector, calls)
    boxes_of(tracker, [image] * 25)
    assert calls.count("everywhere") <= everywhere
    assert calls.count("near") <= near


@pytest.mark.parametrize(
    ("settings", "says"), [({"lost_seconds": 0.0}, "lost_seconds"), ({"margin": 0.5}, "margin")]
)
def test_impossible_settings_are_refused_by_name(settings: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TrackerSettings(**settings)


# --- From the crop to the network --------------------------------------------------------------


@pytest.mark.parametrize("shape", [(224, 224), (128, 128), (480, 640), (100, 300)])
def test_a_face_that_is_cropped_already_is_used_whole(shape: Sequence[int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[:, shape[1] // 2 :] = 255
    whole = whole_image(image, 224)
    assert whole.shape == (224, 224, 3)
    assert whole[:, :108].max() == 0
    assert whole[:, 116:].min() == 255


def test_pixels_become_planes_between_minus_one_and_one() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    crop[0, 0] = (0, 255, 51)
    planes = network_input(crop)
    assert planes.shape == (1, 3, 8, 8)
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes[0, :, 0, 0], [-1.0, 1.0, -0.6], atol=1e-6)
    np.testing.assert_allclose(planes[0].transpose(1, 2, 0), crop / 127.5 - 1.0, atol=1e-6)
