"""Listener profiles from bags: behaviour, reactions, ROS4HRI's action units, and a camera."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour
from rclpy.serialization import serialize_message
from recorded_bags import (
    BEGIN_NS,
    BEHAVIOUR,
    FRAME,
    HRI,
    REACTION,
    SECOND,
    Raw,
    header,
    serialised,
    write_raw,
)

from perreactor_model.bundle.synthetic import LISTENERS, listener_history
from perreactor_model.cli.main import main
from perreactor_model.contract import ACTION_UNITS, ATTRIBUTES
from perreactor_model.face_analysis.choice import landmarks_installed
from perreactor_model.profiles import ProfileError, judge
from perreactor_ros.bags.listener_history import read_listener_history
from perreactor_ros.messages import stamp

FRAMES = 500
NAN = np.float32(np.nan)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """20 s of somebody: 25 attributes and head pose."""
    return listener_history(LISTENERS["lively"], np.random.default_rng(0), FRAMES)


def behaviours(
    rows: np.ndarray, ids: list[str] | None = None, topic: str = "/speaker/behaviour"
) -> list[Raw]:
    made = []
    for index, row in enumerate(rows):
        time_ns = BEGIN_NS + index * FRAME
        message = SpeakerBehaviour(frame=index, speaker_id=ids[index] if ids else "")
        message.header.stamp = stamp(time_ns)
        message.attributes = row[:25]
        message.face_3dmm = np.concatenate([np.full(52, NAN), row[25:]]).astype(np.float32)
        message.attributes_known = bool(np.isfinite(row).any())
        made.append(Raw(topic, BEHAVIOUR, serialize_message(message), time_ns))
    return made


def test_behaviour_gives_attributes_and_head_pose_frame_by_frame(
    rows: np.ndarray, tmp_path: Path
) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(rows))
    seen = []
    history = read_listener_history(bag, progress=lambda done, total: seen.append((done, total)))
    assert history.rows.tobytes() == rows.tobytes()
    assert history.source["topic"] == "/speaker/behaviour"
    assert seen[-1] == (FRAMES, FRAMES)


def test_frames_that_are_missing_are_unknown_and_late_ones_are_put_in_order(
    rows: np.ndarray, tmp_path: Path
) -> None:
    messages = behaviours(rows)
    late = messages[50:52]
    kept = [*messages[:50], late[1], late[0]._replace(time_ns=late[1].time_ns), *messages[52:100]]
    bag = write_raw(tmp_path / "bag", [*kept, *messages[200:]])
    history = read_listener_history(bag)
    assert len(history.rows) == FRAMES
    assert np.array_equal(history.rows[:100], rows[:100])
    assert not history.visible[103:197].any()
    assert np.array_equal(history.rows[200:], rows[200:])


def test_people_are_told_apart_by_their_id(rows: np.ndarray, tmp_path: Path) -> None:
    ids = ["face_1"] * 300 + ["face_2"] * 200
    history = read_listener_history(write_raw(tmp_path / "bag", behaviours(rows, ids)))
    quality = judge(history)
    assert quality.verdict == "refused"
    assert "person 1 ('face_1') for 12.0 s, person 2 ('face_2') for 8.0 s" in quality.reasons[0]
    assert judge(history.of_people([1])).visible_s == 12.0


def test_what_a_robot_did_is_not_taken_for_a_person(tmp_path: Path) -> None:
    message = FacialReaction(model_id="demo-0123456789ab")
    said = Raw("/robot_a/reaction", REACTION, serialize_message(message), BEGIN_NS)
    with pytest.raises(ProfileError, match="/robot_a/reaction holds what a robot did, .* person"):
        read_listener_history(write_raw(tmp_path / "bag", [said]))


def test_reactions_of_a_person_serve_as_well(rows: np.ndarray, tmp_path: Path) -> None:
    messages = []
    for index, row in enumerate(rows):
        time_ns = BEGIN_NS + index * FRAME
        message = FacialReaction(frame=index)
        message.header.stamp = stamp(time_ns)
        message.action_units = row[:15]
        message.valence, message.arousal = float(row[15]), float(row[16])
        message.expressions = row[17:25]
        message.face_3dmm = np.concatenate([np.zeros(52), row[25:]]).astype(np.float32)
        messages.append(Raw("/person/reaction", REACTION, serialize_message(message), time_ns))
    history = read_listener_history(write_raw(tmp_path / "bag", messages))
    assert np.allclose(history.rows, rows)


def test_action_units_of_ros4hri_at_their_own_rate_are_put_on_the_grid(
    rows: np.ndarray, tmp_path: Path
) -> None:
    name = "hri_msgs/msg/FacialActionUnits"
    messages, ones = [], np.ones(99, np.float32)
    for index in range(0, FRAMES, 2):  # 12.5 Hz
        intensity = np.full(99, NAN)
        for unit, value in zip(ACTION_UNITS, rows[index], strict=False):
            intensity[int(unit[2:])] = value
        time_ns = BEGIN_NS + index * FRAME
        fields = {"header": header(time_ns), "intensity": intensity, "confidence": ones}
        messages.append(Raw("/facs", name, serialised(name, HRI, fields), time_ns))
    history = read_listener_history(write_raw(tmp_path / "bag", messages, HRI))
    assert np.allclose(history.rows[::2, :15], rows[: FRAMES - 1 : 2, :15])
    assert history.visible.all()
    assert np.isnan(history.rows[:, 25:]).all()
    happy = history.rows[:, ATTRIBUTES.index("happy")]
    smile = history.rows[:, ATTRIBUTES.index("AU12")]
    assert np.corrcoef(happy, smile)[0, 1] > 0.5  # derived


def test_behaviour_without_attributes_says_what_to_record(tmp_path: Path) -> None:
    bag = write_raw(tmp_path / "bag", behaviours(np.full((300, 31), NAN)))
    with pytest.raises(ProfileError, match="knows no attributes .* analyzer is landmarks"):
        read_listener_history(bag)


def test_the_topic_is_asked_for_where_several_could_be_meant(
    rows: np.ndarray, tmp_path: Path
) -> None:
    both = [*behaviours(rows[:50], topic="/a"), *behaviours(rows[:50], topic="/b")]
    both.sort(key=lambda each: each.time_ns)
    bag = write_raw(tmp_path / "bag", both)
    with pytest.raises(ProfileError, match=r"--topic .*/a \(.*SpeakerBehaviour\), /b"):
        read_listener_history(bag)
    assert len(read_listener_history(bag, "b").rows) == 50
    with pytest.raises(ProfileError, match="there is no topic /c"):
        read_listener_history(bag, "/c")


def test_a_topic_that_shows_no_face_is_refused_with_those_that_do(
    rows: np.ndarray, tmp_path: Path
) -> None:
    cdr = serialised("std_msgs/msg/Bool", {}, {"data": True})
    other = Raw("/robot_speaking", "std_msgs/msg/Bool", cdr, BEGIN_NS)
    bag = write_raw(tmp_path / "bag", [other, *behaviours(rows[:50])])
    with pytest.raises(ProfileError, match="of type std_msgs/msg/Bool: .*/speaker/behaviour"):
        read_listener_history(bag, "/robot_speaking")


def test_a_bag_of_hours_is_refused(rows: np.ndarray, tmp_path: Path) -> None:
    messages = behaviours(rows[:2])
    later = SpeakerBehaviour(attributes_known=True)
    later.header.stamp = stamp(BEGIN_NS + 7 * 3600 * SECOND)
    messages.append(Raw("/speaker/behaviour", BEHAVIOUR, serialize_message(later), BEGIN_NS + 9))
    with pytest.raises(ProfileError, match="spans 7.0 hours"):
        read_listener_history(write_raw(tmp_path / "bag", messages))


def test_a_cameras_pictures_are_analyzed(tmp_path: Path) -> None:
    if not landmarks_installed():
        pytest.skip("the analyzer needs mediapipe")
    data = pytest.importorskip("skimage.data")
    import cv2

    face = np.ascontiguousarray(data.astronaut()[:256, 96:352])
    image = cv2.imencode(".jpg", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1]
    name = "sensor_msgs/msg/CompressedImage"
    messages = []
    for index in range(50):
        time_ns = BEGIN_NS + index * FRAME
        fields = {"header": header(time_ns), "format": "jpeg", "data": image}
        messages.append(Raw("/image/compressed", name, serialised(name, {}, fields), time_ns))
    history = read_listener_history(write_raw(tmp_path / "bag", messages))
    assert len(history.rows) == 50
    assert np.isfinite(history.rows[:, 25:28]).all()
    assert history.source["analyzer"] == "landmarks"


def test_the_command_makes_a_profile_of_a_bag(
    rows: np.ndarray,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PERREACTOR_PROFILES", str(tmp_path / "mine"))
    ids = ["alice"] * 480 + ["bob"] * 20
    bag = write_raw(tmp_path / "talk", behaviours(rows, ids))
    words = ["--bag", str(bag), "--topic", "/speaker/behaviour", "--bundle", str(bundle)]
    assert main(["profile", "create", "alice", *words, "--json"]) == 0
    record = SimpleNamespace(**json.loads(capsys.readouterr().out))
    assert record.seconds == 19.2
    assert "person 2 for 0.8 s" in record.quality["notes"][0]
    assert record.source == {
        "kind": "bag",
        "file": "talk",
        "topic": "/speaker/behaviour",
        "type": BEHAVIOUR,
    }
    (profile,) = (tmp_path / "mine").rglob("alice.json")
    assert "bob" not in profile.read_text()
