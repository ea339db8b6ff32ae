"""Whose face is followed: the largest, nobody else meanwhile, the same person where it is safe."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from perreactor_model.contract import FRAME_NS
from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.face_analysis.landmarks import FaceMesh, FollowSettings, LandmarkFinder
from perreactor_model.face_analysis.mesh_model import AnalyzerMissing, MeshModel
from perreactor_model.media.speaker import SPEAKERS, portrait_of
from perreactor_model.vision.encodings import ImageError

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)
pytest.importorskip("skimage")

Placed = tuple[np.ndarray, float, float]
"""A portrait, where its face is across the picture, and how large."""


@pytest.fixture(scope="module")
def alice() -> np.ndarray:
    from skimage import data

    return data.astronaut()[20:220, 124:324]


@pytest.fixture(scope="module")
def bob() -> np.ndarray:
    """Mirrored, with other colours."""
    return portrait_of(SPEAKERS[1])[20:220, 124:324][:, ::-1]


@pytest.fixture(scope="module")
def opened() -> Iterator[LandmarkFinder]:
    finder = LandmarkFinder()
    yield finder
    finder.close()


@pytest.fixture
def finder(opened: LandmarkFinder) -> LandmarkFinder:
    opened.reset()
    return opened


def scene(*people: Placed) -> np.ndarray:
    """Portraits on a grey wall, 640x480, later ones in front."""
    picture = np.full((480, 640, 3), 150, np.uint8)
    for portrait, x, size in people:
        side = round(portrait.shape[0] * size)
        sprite = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        left, top = int(x - side / 2), int(240 - side / 2)
        begin, end = max(0, left), min(640, left + side)
        if begin < end:
            part = sprite[max(0, -top) : 480 - top, begin - left : end - left]
            picture[max(0, top) : max(0, top) + len(part), begin:end] = part
    return picture


def watch(
    finder: LandmarkFinder, people_at: Callable[[int], list[Placed]], frames: int
) -> list[FaceMesh | None]:
    """What is found in each of `frames` pictures; all that is seen is remembered as visible."""
    found = []
    for frame in range(frames):
        mesh = finder.find(scene(*people_at(frame)), frame * FRAME_NS)
        if mesh is not None:
            finder.learn(mesh, np.ones(8, bool))
        found.append(mesh)
    return found


def persons(found: list[FaceMesh | None]) -> list[int]:
    """Who was followed, 0 for nobody, without repetitions."""
    numbers = [0 if mesh is None else mesh.person for mesh in found]
    return [
        number for index, number in enumerate(numbers) if not index or number != numbers[index - 1]
    ]


def test_the_largest_face_comes_first(finder, alice, bob) -> None:
    mesh = finder.find(scene((bob, 480, 0.8), (alice, 190, 1.2)), 0)

    assert mesh is not None and mesh.person == 1
    assert abs(mesh.box.x - 190) < 20
    assert mesh.points.shape == (478, 3) and mesh.points.dtype == np.float32


@pytest.mark.parametrize("face", [50, 80, 150, 280])
def test_near_and_far_faces_are_found(finder, alice, face: int) -> None:
    """Sides from the brows to the chin in pixels; the portrait's is 95."""
    mesh = finder.find(scene((alice, 320, face / 95)), 0)

    assert mesh is not None and abs(mesh.box.x - 320) < face / 5
    assert face < mesh.box.side < 1.6 * face


def test_a_second_person_who_comes_nearer_does_not_take_over(finder, alice, bob) -> None:
    found = watch(finder, lambda frame: [(alice, 160, 0.9), (bob, 460, 0.6 + 0.012 * frame)], 60)

    assert persons(found) == [1]
    assert all(mesh is not None and abs(mesh.box.x - 160) < 30 for mesh in found)


def test_who_stays_is_followed_as_a_new_person_after_the_first_has_left(finder, alice, bob) -> None:
    def leaving(frame: int) -> list[Placed]:
        return [(bob, 480, 0.8), (alice, 200 - max(0, frame - 30) * 12, 1.2)]

    found = watch(finder, leaving, 100)

    assert persons(found) == [1, 0, 2]
    last = found[-1]
    assert last is not None and abs(last.box.x - 480) < 30


def test_a_face_that_is_back_at_its_place_soon_is_the_same_person(finder, alice, bob) -> None:
    def away_for_a_moment(frame: int) -> list[Placed]:
        return [(bob, 480, 0.8)] + ([] if 40 <= frame < 55 else [(alice, 200, 1.2)])

    assert persons(watch(finder, away_for_a_moment, 80)) == [1, 0, 1]


def test_a_face_that_comes_back_elsewhere_is_a_new_person(finder, alice) -> None:
    def elsewhere(frame: int) -> list[Placed]:
        return [(alice, 180, 1.1)] if frame < 40 else [(alice, 480, 1.1)] if frame > 80 else []

    assert persons(watch(finder, elsewhere, 100)) == [1, 0, 2]


def test_a_face_that_comes_back_late_is_a_new_person(finder, alice) -> None:
    def late(frame: int) -> list[Placed]:
        return [] if 40 <= frame < 180 else [(alice, 200, 1.2)]

    assert persons(watch(finder, late, 190)) == [1, 0, 2]


@pytest.mark.parametrize("gap", [0, 8, 40])
def test_another_person_in_the_same_place_is_a_new_person(finder, alice, bob, gap: int) -> None:
    def replaced(frame: int) -> list[Placed]:
        return [(alice, 200, 1.2)] if frame < 40 else [(bob, 200, 1.2)] if frame >= 40 + gap else []

    found = watch(finder, replaced, 60 + gap + 25)

    assert persons(found) == [1, 0, 2]
    after = [mesh for mesh in found[40:] if mesh is not None and mesh.person == 1]
    assert all(mesh.doubted for mesh in after[1:])


@pytest.mark.parametrize(("seconds", "people"), [(2, [1]), (7, [1, 2])])
def test_a_camera_that_was_away_is_as_good_as_a_face_that_was(finder, alice, seconds, people):
    picture = scene((alice, 200, 1.2))
    before = watch(finder, lambda _: [(alice, 200, 1.2)], 40)
    begin_ns = 40 * FRAME_NS + seconds * 1_000_000_000
    after = [finder.find(picture, begin_ns + frame * FRAME_NS) for frame in range(5)]
    assert persons(before + after) == people


def test_somebody_who_walks_past_behind_changes_nothing(finder, alice, bob) -> None:
    def past(frame: int) -> list[Placed]:
        return [(bob, -100 + frame * 10, 0.9), (alice, 320, 1.1)]

    found = watch(finder, past, 85)

    assert persons(found) == [1]
    assert all(mesh is not None and abs(mesh.box.x - 320) < 25 for mesh in found)


def test_somebody_who_walks_past_in_front_is_not_taken_for_the_person(finder, alice, bob) -> None:
    def past(frame: int) -> list[Placed]:
        return [(alice, 320, 1.1), (bob, -100 + max(0, frame - 30) * 25, 1.3)]

    found = watch(finder, past, 80)

    assert persons(found) == [1, 0, 1]
    first = [mesh for mesh in found if mesh is not None]
    assert all(abs(mesh.box.x - 320) < 40 for mesh in first)


def test_people_who_change_places_are_not_mixed_up(finder, alice, bob) -> None:
    def crossing(frame: int) -> list[Placed]:
        way = max(0, frame - 30) * 6
        return [(alice, 120 + way, 1.1), (bob, 520 - way, 1.1)]

    found = watch(finder, crossing, 95)

    assert persons(found) == [1, 0, 1]
    last = found[-1]
    assert last is not None and last.box.x > 450


def test_an_earlier_stamp_or_another_size_starts_afresh(finder, alice) -> None:
    picture = scene((alice, 200, 1.2))
    assert [finder.find(picture, stamp).person for stamp in (10, 20, 20)] == [1, 1, 1]
    assert finder.find(picture, 5).person == 2
    assert finder.find(picture[:400], 6).person == 3
    finder.reset()
    assert finder.find(picture, 0).person == 1


def test_the_same_pictures_give_the_same_bytes(alice, bob) -> None:
    def run() -> bytes:
        finder = LandmarkFinder()
        found = watch(finder, lambda k: [(bob, 500 - 5 * k, 0.8), (alice, 180 + 3 * k, 1.1)], 15)
        finder.close()
        return b"".join(mesh.points.tobytes() for mesh in found if mesh is not None)

    assert run() == run()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 700), (700, 1), (2, 3), (15, 15), (2160, 3840)], ids=str
)
def test_pictures_of_any_size_are_looked_at(finder, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for picture in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        assert finder.find(picture, 0) is None


def test_a_face_is_found_in_a_large_picture_and_in_a_view_of_it(finder, alice) -> None:
    large = np.full((2160, 3840, 3), 90, np.uint8)
    large[500:1700, 1000:2200] = cv2.resize(alice, (1200, 1200))
    in_full = finder.find(large, 0)
    view = large[::3, ::3]
    view.flags.writeable = False
    in_part = finder.find(view, 1)

    assert in_full is not None and in_part is not None
    assert abs(in_full.box.x / 3 - in_part.box.x) < 8


def test_a_face_is_found_in_a_grey_picture(finder, alice) -> None:
    grey = scene((alice, 300, 1.2)).mean(axis=2).astype(np.uint8)

    assert finder.find(np.repeat(grey[..., None], 3, axis=2), 0) is not None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[1, 2, 3]],
    ],
    ids=["grey", "four channels", "float", "empty", "list"],
)
def test_what_is_no_rgb_picture_is_refused(finder, picture) -> None:
    with pytest.raises(ImageError, match="RGB uint8"):
        finder.find(picture, 0)


@pytest.mark.parametrize(
    ("name", "value"), [("score", 1.0), ("same_growth", 1.0), ("jump", 0.0), ("tint", np.nan)]
)
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        FollowSettings(**{name: value})


def test_without_mediapipe_one_line_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(AnalyzerMissing, match="pip install --no-deps mediapipe") as raised:
        MeshModel()
    assert "\n" not in str(raised.value)


def test_opening_the_models_is_quiet_and_hides_nothing_of_ours() -> None:
    program = (
        "import os, sys, threading\n"
        "from perreactor_model.face_analysis.mesh_model import MeshModel\n"
        "stop = threading.Event()\n"
        "count = [0]\n"
        "def talk():\n"
        "    while not stop.is_set():\n"
        "        os.write(2, b'ours\\n'); count[0] += 1; stop.wait(0.002)\n"
        "talker = threading.Thread(target=talk); talker.start()\n"
        "MeshModel().close()\n"
        "stop.set(); talker.join()\n"
        "print(count[0], *sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('mediapipe', 'matplotlib', 'sounddevice', 'jax') and 'bindings' not in m))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    written, *heavy = done.stdout.split()
    # TensorFlow writes the beginning of its line on its own: ours may come in between.
    assert set(done.stderr.split()) <= {"ours", "INFO:"}
    assert done.stderr.count("ours") == int(written)
    assert heavy == []
