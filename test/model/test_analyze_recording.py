"""A recording's facial attributes: on the grid of frames, in two passes or as a live node would."""

import importlib.util
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNITS, FRAME_NS, FRAME_RATE, VALENCE
from perreactor_model.face_analysis.analyzer import LandmarkAnalyzer
from perreactor_model.face_analysis.attribute_files import AttributeTrack
from perreactor_model.face_analysis.observation import FaceObservation, Knowledge
from perreactor_model.face_analysis.recording import analyze_recording, frames_of
from perreactor_model.media.face_animation import FaceAnimator, FaceControls
from perreactor_model.media.video import PictureFrame, VideoError
from perreactor_model.streaming.clock import FrameClock
from perreactor_model.streaming.sight import Sight

pytest.importorskip("skimage")

SECOND = 1_000_000_000
SMILE = ACTION_UNITS.index("AU12")
SMILING = slice(110, 130)


def stamps_at(rate: float, seconds: float, start: int = 3_000_000) -> list[int]:
    return [start + round(index * SECOND / rate) for index in range(int(seconds * rate))]


def jittered(rate: float, seconds: float) -> list[int]:
    rng = np.random.default_rng(7)
    steps = rng.uniform(0.4, 1.6, int(seconds * rate)) / rate
    return [round(stamp * SECOND) for stamp in np.cumsum(steps)]


STAMPS = {
    "25": stamps_at(25, 3),
    "30": stamps_at(30, 3),
    "29.97": stamps_at(30000 / 1001, 3),
    "15": stamps_at(15, 3),
    "4": stamps_at(4, 3),
    "50": stamps_at(50, 3),
    "60": stamps_at(60, 3),
    "variable": jittered(25, 3),
    "gap": [*stamps_at(30, 1), *stamps_at(30, 1, start=2 * SECOND)],
    "one picture": [7],
}


def skip_without_mediapipe() -> None:
    """Some Pythons have no wheel of it. It is not imported: that takes seconds."""
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed")


@pytest.fixture(scope="module")
def faces() -> dict[str, np.ndarray]:
    skip_without_mediapipe()
    from skimage.data import astronaut

    animator = FaceAnimator(astronaut(), (320, 240))
    poses = {
        "calm": FaceControls(),
        "lively": FaceControls(yaw=0.04, mouth_open=0.1),
        "smile": FaceControls(smile=1.0),
    }
    drawn = {name: animator.draw(controls) for name, controls in poses.items()}
    drawn["mirrored"] = np.ascontiguousarray(drawn["calm"][:, ::-1])
    drawn["nobody"] = np.full((240, 320, 3), 90, np.uint8)
    return drawn


@pytest.fixture(scope="module")
def pictures(faces) -> list[PictureFrame]:
    """6.4 s: calm, a smile from 4.4 s to 5.2 s, calm again."""
    names = ["lively" if index % 3 == 0 else "calm" for index in range(160)]
    names[SMILING] = ["smile"] * 20
    stamps = stamps_at(25, 6.4)
    return [PictureFrame(stamp, faces[name]) for stamp, name in zip(stamps, names, strict=True)]


@pytest.fixture(scope="module")
def track(pictures) -> AttributeTrack:
    return analyze_recording(pictures)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", STAMPS)
def test_frames_have_the_pictures_that_the_frame_clock_gives_them(name):
    shown = [PictureFrame(stamp, np.zeros(0)) for stamp in STAMPS[name]]
    clock = FrameClock(expects=("image",))
    for picture in shown:
        clock.push_image(picture, picture.stamp_ns)
    clock.finish()
    expected = [(frame.stamp_ns, frame.image) for frame in clock.take()]
    assert list(frames_of(shown)) == expected
    assert len(expected) == pytest.approx((STAMPS[name][-1] - STAMPS[name][0]) / FRAME_NS, abs=1.5)


def test_frames_far_from_any_picture_have_none():
    found = [
        picture
        for stamp, picture in frames_of(PictureFrame(s, np.zeros(0)) for s in STAMPS["gap"])
        if 1.3 * SECOND < stamp < 1.9 * SECOND
    ]
    assert found == [None] * 15


def test_the_first_seconds_are_known_because_the_whole_recording_was_seen_first(track):
    assert len(track) == 160
    assert track.face_present.all()
    assert (track.person == 1).all()
    assert np.isfinite(track.attributes[:, SMILE]).all()
    assert (track.knowledge[:, SMILE] == Knowledge.MEASURED).all()
    assert (track.knowledge[:, VALENCE] == Knowledge.DERIVED).all()
    assert np.array_equal(track.knowledge == Knowledge.UNKNOWN, np.isnan(track.attributes))


def test_a_smile_is_read_where_it_was(track):
    smile = track.attributes[:, SMILE]
    assert smile[115:130].min() > 0.5
    assert smile[:108].max() < 0.15


def test_the_neutral_place_is_where_the_head_mostly_was(track):
    assert np.abs(np.median(track.translation, axis=0)).max() < 0.02


def test_a_causal_track_is_what_a_live_node_sees_to_the_last_bit(faces):
    names = ["lively" if index % 3 == 0 else "calm" for index in range(140)]
    names[130:] = ["smile"] * 10
    seen = [
        PictureFrame(stamp, faces[name])
        for stamp, name in zip(stamps_at(30, 4.67), names, strict=True)
    ]
    track = analyze_recording(seen, causal=True)
    clock, sight = FrameClock(expects=("image",)), Sight(0, None, LandmarkAnalyzer())
    for picture in seen:
        clock.push_image(picture.image, picture.stamp_ns)
    clock.finish()
    live = [sight.look(frame).observation for frame in clock.take()]
    sight.close()
    assert len(track) == len(live) == 117
    for name in ("attributes", "knowledge", "rotation", "translation"):
        assert same(getattr(track, name), np.stack([getattr(frame, name) for frame in live])), name
    assert np.isnan(track.attributes[:90]).all()
    assert np.isfinite(track.attributes[110:, SMILE]).all()


def test_two_runs_over_a_recording_are_equal(pictures, track):
    again = analyze_recording(iter(pictures))
    for name in ("attributes", "knowledge", "rotation", "translation", "person", "stamp_ns"):
        assert same(getattr(again, name), getattr(track, name)), name


def test_each_picture_that_is_shown_is_measured_once_and_then_let_go(faces, monkeypatch):
    measured: list[int] = []
    alive: list[weakref.ref] = []
    most = 0
    measure = LandmarkAnalyzer.measure

    def counted(self, rgb, stamp_ns):
        measured.append(stamp_ns)
        return measure(self, rgb, stamp_ns)

    def camera(rate: float) -> Iterator[PictureFrame]:
        nonlocal most
        for stamp in stamps_at(rate, 1):
            image = faces["calm"].copy()
            alive.append(weakref.ref(image))
            yield PictureFrame(stamp, image)
            del image
            most = max(most, sum(ref() is not None for ref in alive))

    monkeypatch.setattr(LandmarkAnalyzer, "measure", counted)
    assert len(analyze_recording(camera(50))) == 26
    assert len(measured) == len(set(measured)) == 26
    measured.clear()
    assert len(analyze_recording(camera(10))) == 24
    assert len(measured) == len(set(measured)) == 10
    assert most <= 8


def test_a_person_seen_too_shortly_has_a_pose_but_no_attributes(faces):
    seen = [PictureFrame(stamp, faces["calm"]) for stamp in stamps_at(25, 1)]
    track = analyze_recording(seen)
    assert track.face_present.all()
    assert np.isfinite(track.rotation).all()
    assert np.isnan(track.attributes).all()
    assert (track.knowledge == Knowledge.UNKNOWN).all()


def test_a_recording_without_a_face_is_all_unknown(faces):
    seen = [PictureFrame(stamp, faces["nobody"]) for stamp in stamps_at(25, 0.4)]
    track = analyze_recording(seen)
    assert len(track) == 10
    assert not track.face_present.any()
    assert (track.person == 0).all()
    assert np.isnan(track.rotation).all()


def test_somebody_who_comes_later_has_a_neutral_face_of_their_own(faces):
    """Both are calm all the time. Read against the other's neutral face, one would seem to act."""
    stamps = stamps_at(25, 16)
    names = ["calm"] * 125 + ["nobody"] * 150 + ["mirrored"] * 125
    seen = (PictureFrame(stamp, faces[name]) for stamp, name in zip(stamps, names, strict=True))
    track = analyze_recording(seen)
    assert set(track.person[:125]) == {1}
    assert set(track.person[126:275]) == {0}
    assert set(track.person[276:]) == {2}
    first, second = track.attributes[10:120, :15], track.attributes[285:, :15]
    assert np.nanmax(first) < 0.1
    assert np.nanmax(second) < 0.1


def test_whoever_watches_sees_every_frame_with_its_landmarks(pictures, track):
    frames: list[FaceObservation] = []
    steps: list[tuple[int, int]] = []
    watched = analyze_recording(
        pictures, watch=frames.append, progress=lambda done, total: steps.append((done, total))
    )
    assert same(watched.attributes, track.attributes)
    assert [frame.stamp_ns for frame in frames] == watched.stamp_ns.tolist()
    assert all(frame.landmarks is not None and frame.box is not None for frame in frames)
    assert [done for done, _ in steps] == list(range(1, 2 * len(track) + 1))


def test_no_pictures_is_a_mistake_told():
    skip_without_mediapipe()
    with pytest.raises(VideoError, match="no pictures"):
        analyze_recording([])


def test_the_steps_are_known_beforehand_for_a_file(speaker_file):
    steps: list[tuple[int, int]] = []
    track = analyze_recording(speaker_file, progress=lambda *step: steps.append(step))
    assert steps[-1] == (len(track), len(track))
    assert len(track) == FRAME_RATE
    assert track.source == speaker_file.name


@pytest.fixture
def speaker_file(tmp_path, faces):
    from perreactor_model.media.recording import VideoWriter

    path = tmp_path / "calm.mp4"
    with VideoWriter(path, 320, 240) as writer:
        for _ in range(FRAME_RATE):
            writer.write(faces["calm"])
    return path


def test_a_stamp_from_another_time_is_refused_and_not_bridged() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    stamps = (0, FRAME_NS, 1_763_000_000 * 1_000_000_000)
    frames = frames_of(PictureFrame(stamp, image) for stamp in stamps)
    with pytest.raises(VideoError, match=r"489722\.2 hours after the one before"):
        for _ in range(10):
            next(frames)
