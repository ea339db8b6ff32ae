"""`perreactor replay` as a user meets it: a bag in, a folder out, and what it says on the way."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_graph import set_stamp, stamp_of
from perreactor_ros.msg import AudioChunk, FacialReaction, SpeakerBehaviour
from sensor_msgs.msg import Image
from short_bags import write_bag
from std_msgs.msg import String

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.cli.main import main
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.replay.console import Console
from perreactor_ros.replay.topics import ReplayError, TopicOptions, find_sources

FRAME_NS = 40_000_000
BEGIN_NS = 1_700_000_000_000_000_000
Recorded = tuple[str, Any, int]


def described(index: int) -> SpeakerBehaviour:
    """The speaker's face as an analyzer tells it."""
    message = SpeakerBehaviour(attributes_known=True)
    set_stamp(message, BEGIN_NS + index * FRAME_NS)
    message.attributes = (0.5 + 0.4 * np.sin(0.2 * index + np.arange(25))).astype(np.float32)
    message.face_3dmm = np.full(58, np.nan, np.float32)
    return message


def sound(index: int) -> AudioChunk:
    times = (np.arange(640) + index * 640) / 16000
    message = AudioChunk(sample_rate=16000, channels=1, encoding=AudioChunk.INT16)
    set_stamp(message, BEGIN_NS + index * FRAME_NS)
    message.data = (8000 * np.sin(1400 * times)).astype("<i2").tobytes()
    return message


def real_face(index: int) -> FacialReaction:
    """What a listener really did: smooth, all of it in motion, from no bundle."""
    message = FacialReaction(robot="human")
    set_stamp(message, BEGIN_NS + index * FRAME_NS + 3_000_000)
    wave = 0.5 + 0.3 * np.sin(0.07 * index * (1 + np.arange(25) / 25))
    message.action_units = wave[:15].astype(np.float32)
    message.valence, message.arousal = (float(value) for value in wave[15:17])
    message.expressions = (wave[17:] / wave[17:].sum()).astype(np.float32)
    return message


def encoded(bundle: Bundle, index: int) -> SpeakerBehaviour:
    message = SpeakerBehaviour(model_id=bundle.model_id, frame=index)
    set_stamp(message, BEGIN_NS + index * FRAME_NS)
    message.face_present = message.voice_present = True
    message.token = np.sin(0.1 * index + np.arange(bundle.config.feature_size)).tolist()
    return message


def conversation(frames: int, real: bool = True) -> Iterator[Recorded]:
    """An analyzer's attributes, a microphone and, if wanted, the listener's face."""
    for index in range(frames):
        stamp_ns = BEGIN_NS + index * FRAME_NS
        yield "/speaker/attributes", described(index), stamp_ns + 1_000_000
        if real:
            yield "/listener/face", real_face(index), stamp_ns + 5_000_000
        yield "/audio", sound(index), stamp_ns + FRAME_NS


def private(bundle: Bundle, frames: int) -> Iterator[Recorded]:
    for index in range(frames):
        stamp_ns = BEGIN_NS + index * FRAME_NS
        yield "/speaker/behaviour", encoded(bundle, index), stamp_ns + 90_000_000


def contents(bag: Path) -> list[tuple[str, int, bytes]]:
    with BagReader(bag) as reader:
        assert not reader.troubles
        return [(each.topic, each.time_ns, each.cdr) for each in reader.messages(reader.topics)]


def messages(bag: Path, topic: str) -> list[Any]:
    with BagReader(bag) as reader:
        return [each.read() for each in reader.messages([topic])]


@pytest.fixture
def loaded(bundle: Path) -> Bundle:
    return Bundle.load(bundle)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    return write_bag(tmp_path / "talk", conversation(150))


@pytest.fixture
def replay(bundle: Path, tmp_path: Path) -> Callable[..., int]:
    """Runs the command; the results are in tmp_path / "out"."""

    def run(bag: Path, *options: str) -> int:
        words = ["replay", str(bag), "--bundle", str(bundle), "--out", str(tmp_path / "out")]
        return main([*words, *options])

    return run


def test_a_conversation_becomes_reactions_with_scores(replay, talk, tmp_path, capsys):
    assert replay(talk, "--profile", "warm,stoic", "--samples", "2", "--no-report") == 0
    bag = tmp_path / "out" / "reactions"
    topics = {topic for topic, _, _ in contents(bag)}
    assert topics == {
        f"/{robot}/{sample}reaction"
        for robot in ("robot_a", "robot_b")
        for sample in ("", "sample_1/")
    }
    reactions = messages(bag, "/robot_b/reaction")
    assert [each.frame for each in reactions] == list(range(150))
    assert {each.listener_profile for each in reactions} == {"stoic"}
    assert all(math.isnan(each.latency) for each in reactions)
    times = [time_ns for topic, time_ns, _ in contents(bag) if topic == "/robot_b/reaction"]
    assert [stamp_of(each) for each in reactions] == times
    said = capsys.readouterr().out
    assert "times real time" in said
    assert "Nearest to the real listener: robot_" in said
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["reactions"]


@pytest.mark.slow
def test_the_report_holds_the_scores_that_json_prints(replay, talk, tmp_path, capsys):
    assert replay(talk, "--profile", "warm,stoic", "--json") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000
    assert set(report["scores"]) == {"robot_a", "robot_b"}
    assert set(report["scores"]["robot_a"]) == {"reference", "corrected", "anchors"}
    assert report["scores"]["robot_a"]["corrected"]["FRSyn_undefined"] is not None
    assert report["provenance"]["seed"] == 0


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_into_any_storage(talk, bundle, tmp_path):
    made = []
    for storage in ("mcap", "sqlite3"):
        out = tmp_path / storage
        words = ["replay", str(talk), "--bundle", str(bundle), "--out", str(out), "--no-report"]
        words += ["--storage", storage, "--samples", "2", "--seed", "7"]
        subprocess.run([sys.executable, "-m", "perreactor_model", *words], check=True)
        made.append(sorted(contents(out / "reactions")))
    assert len(made[0]) == 300
    assert made[0] == made[1]


def test_encoded_behaviour_is_answered_without_perception(replay, loaded, tmp_path, capsys):
    bag = write_bag(tmp_path / "private", private(loaded, 60))
    assert replay(bag, "--no-report") == 0
    reactions = messages(tmp_path / "out" / "reactions", "/robot_a/reaction")
    assert [each.frame for each in reactions] == list(range(60))
    assert {each.listener_profile for each in reactions} == {"generic"}
    assert "No scores: the bag holds no real reactions" in capsys.readouterr().out
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["reactions"]


def test_one_object_is_printed_where_json_is_asked_for(replay, loaded, tmp_path, capsys):
    bag = write_bag(tmp_path / "private", private(loaded, 20))
    assert replay(bag, "--json", "--no-report", "--seed", "4") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["provenance"]["seed"] == 4
    assert printed["scores"] is None
    assert "no real reactions" in printed["not_scored"]


def test_a_folder_with_something_else_is_refused_and_an_earlier_replay_replaced(
    replay, loaded, tmp_path, capsys
):
    talk = write_bag(tmp_path / "talk", private(loaded, 20))
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    assert replay(talk, "--no-report") == 2
    assert "thesis.tex" in capsys.readouterr().err
    (out / "thesis.tex").unlink()
    assert replay(talk, "--no-report", "--seed", "1") == 0
    first = contents(out / "reactions")
    assert replay(talk, "--no-report", "--seed", "2") == 0
    assert contents(out / "reactions") != first
    assert {each.name for each in tmp_path.iterdir()} == {"talk", "out"}


def test_the_folder_that_the_user_stands_in_stays_the_same_one(
    replay, loaded, tmp_path, monkeypatch
):
    talk = write_bag(tmp_path / "talk", private(loaded, 20))
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    before = out.stat().st_ino
    for seed in ("1", "2"):
        assert replay(talk, "--no-report", "--out", ".", "--seed", seed) == 0
        assert out.stat().st_ino == before
        assert [each.name for each in Path(".").iterdir()] == ["reactions"]


def test_results_bear_the_name_of_the_bag_however_it_is_given(
    bundle, loaded, tmp_path, monkeypatch
):
    talk = write_bag(tmp_path / "talk", private(loaded, 20))
    inner = tmp_path / "inner"
    for place, bag in ((tmp_path, "talk/metadata.yaml"), (inner, "../inner/../talk/.")):
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        assert main(["replay", bag, "--bundle", str(bundle), "--no-report"]) == 0
        assert [each.name for each in place.glob("*_replay")] == ["talk_replay"]
    assert (talk / "metadata.yaml").is_file()


def test_what_is_missing_is_told_and_the_rest_is_reacted_to(replay, tmp_path, capsys):
    heard = (each for each in conversation(60, real=False) if each[0] == "/audio")
    bag = write_bag(tmp_path / "dark", heard)
    assert replay(bag, "--no-report") == 0
    assert "see nobody" in capsys.readouterr().err
    assert len(messages(tmp_path / "out" / "reactions", "/robot_a/reaction")) == 60


def test_a_bag_without_a_speaker_says_what_it_holds_and_leaves_nothing(replay, tmp_path, capsys):
    bag = write_bag(tmp_path / "notes", [("/notes", String(data="hello"), BEGIN_NS)])
    assert replay(bag) == 2
    said = capsys.readouterr().err
    assert "/notes (std_msgs/msg/String)" in said
    assert "--audio-topic" in said
    assert {each.name for each in tmp_path.iterdir()} == {"notes"}


def test_behaviour_of_another_bundle_names_the_bundle_to_use(replay, face_bundle, tmp_path, capsys):
    bag = write_bag(tmp_path / "private", private(Bundle.load(face_bundle), 10))
    assert replay(bag) == 2
    assert "--bundle demo_face_image" in capsys.readouterr().err


def test_an_unknown_topic_profile_or_number_of_samples_is_refused(replay, talk, tmp_path, capsys):
    for options, hint in (
        (["--audio-topic", "/adio"], "did you mean /audio?"),
        (["--audio-topic", "/listener/face"], "FacialReaction"),
        (["--real-topic", "/audio"], "FacialActionUnits"),
        (["--profile", "nobody"], "warm"),
        (["--profile", "warm,,stoic"], "--profile"),
        (["--samples", "0"], "--samples"),
        (["--seed", "-1"], "--seed"),
        (["--against", str(talk)], "no reaction of a robot"),
        (["--out", str(talk / "metadata.yaml" / "x")], "--out"),
    ):
        assert replay(talk, *options) == 2
        assert hint in capsys.readouterr().err
        assert {each.name for each in tmp_path.iterdir()} == {"talk"}


def test_pictures_that_cannot_be_decoded_are_counted_and_do_not_end_it(
    face_bundle, tmp_path, capsys
):
    def broken() -> Iterator[Recorded]:
        for index in range(30):
            image = Image(height=48, width=64, encoding="rgb8", step=192)
            set_stamp(image, BEGIN_NS + index * FRAME_NS)
            image.data = bytes(100)
            yield "/image", image, BEGIN_NS + index * FRAME_NS + 1
            yield "/audio", sound(index), BEGIN_NS + (index + 1) * FRAME_NS

    bag = write_bag(tmp_path / "broken", broken())
    words = ["--bundle", str(face_bundle), "--out", str(tmp_path / "out"), "--no-report"]
    assert main(["replay", str(bag), *words]) == 0
    said = capsys.readouterr().err
    assert "30 images could not be decoded" in said
    assert "only 100 came" in said, "the first one's fault is told"
    assert all(line.startswith("perreactor: note: ") for line in said.splitlines())
    assert len(messages(tmp_path / "out" / "reactions", "/robot_a/reaction")) == 30


def press_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, *counts: int, number: signal.Signals = signal.SIGINT
) -> None:
    """At the messages with these numbers; or send another signal."""

    @contextmanager
    def progress(self: Console, begin_ns: int, end_ns: int) -> Iterator[Callable[[int], None]]:
        seen: list[int] = []

        def press(time_ns: int) -> None:
            seen.append(time_ns)
            for _ in range(counts.count(len(seen))):
                signal.raise_signal(number)

        yield press

    monkeypatch.setattr(Console, "progress", progress)


def test_ctrl_c_keeps_the_reactions_so_far(replay, loaded, tmp_path, monkeypatch, capsys):
    press_ctrl_c(monkeypatch, 50)
    bag = write_bag(tmp_path / "long", private(loaded, 200))
    before = signal.getsignal(signal.SIGINT)
    assert replay(bag) == 130
    assert signal.getsignal(signal.SIGINT) is before
    reactions = messages(tmp_path / "out" / "reactions", "/robot_a/reaction")
    assert [each.frame for each in reactions] == list(range(50))
    assert "stopped after 2.0 s" in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["reactions"]


@pytest.mark.parametrize("shell", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_ends_it_as_ctrl_c_does(replay, loaded, tmp_path, monkeypatch, shell):
    press_ctrl_c(monkeypatch, 50, number=signal.SIGTERM)
    bag = write_bag(tmp_path / "long", private(loaded, 200))
    before = signal.signal(signal.SIGINT, shell)
    try:
        assert replay(bag) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert len(messages(tmp_path / "out" / "reactions", "/robot_a/reaction")) == 50
    assert {each.name for each in tmp_path.iterdir()} == {"long", "out"}


def test_sigterm_during_the_report_keeps_the_reactions(replay, loaded, tmp_path, monkeypatch):
    def terminate(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("perreactor_model.report.folder.write_report", terminate)
    bag = write_bag(tmp_path / "short", private(loaded, 20))
    assert replay(bag) == 130
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["reactions"]


def test_a_second_ctrl_c_leaves_nothing(replay, loaded, tmp_path, monkeypatch, capsys):
    press_ctrl_c(monkeypatch, 50, 50)
    bag = write_bag(tmp_path / "long", private(loaded, 200))
    assert replay(bag) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["long"]


@pytest.mark.parametrize("trouble, status", [(KeyboardInterrupt, 130), (OSError("disk full"), 1)])
def test_reactions_are_kept_when_there_can_be_no_report(
    replay, loaded, tmp_path, monkeypatch, capsys, trouble, status
):
    def fail(*_: object) -> None:
        (tmp_path / "seen").touch()
        raise trouble

    monkeypatch.setattr("perreactor_model.report.folder.write_report", fail)
    bag = write_bag(tmp_path / "short", private(loaded, 20))
    assert replay(bag) == status
    assert (tmp_path / "seen").exists()
    assert "the reactions are complete" in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["reactions"]


# --- Which topics --------------------------------------------------------------------------------


def sources(bag: Path, bundle: Bundle, **options):
    with BagReader(bag) as reader:
        return find_sources(
            reader, bundle.config.visual_input, bundle.model_id, TopicOptions(**options)
        )


def test_raw_sensors_come_before_encoded_behaviour(loaded, tmp_path):
    both = [*conversation(5), *private(loaded, 5)]
    bag = write_bag(tmp_path / "both", both)
    found = sources(bag, loaded)
    assert found.kinds == {"/speaker/attributes": "attributes", "/audio": "audio"}
    assert found.real == ("/listener/face",)
    found = sources(bag, loaded, behaviour="speaker/behaviour")
    assert found.kinds == {"/speaker/behaviour": "behaviour"}


def test_behaviour_comes_before_half_of_the_sensors(loaded, tmp_path):
    heard = [each for each in conversation(5) if each[0] == "/audio"]
    bag = write_bag(tmp_path / "half", [*heard, *private(loaded, 5)])
    found = sources(bag, loaded)
    assert found.behaviour == "/speaker/behaviour"
    assert not found.notes
    assert sources(bag, loaded, audio="/audio").kinds == {"/audio": "audio"}


def test_two_microphones_have_to_be_told_apart_unless_one_has_the_usual_name(loaded, tmp_path):
    def microphones(*names: str) -> list[Recorded]:
        return [(name, sound(index), BEGIN_NS + index) for index in range(3) for name in names]

    bag = write_bag(tmp_path / "two", microphones("/left", "/right"))
    with pytest.raises(ReplayError, match="/left, /right; name one with --audio-topic"):
        sources(bag, loaded)
    assert sources(bag, loaded, audio="/left").audio == "/left"
    bag = write_bag(tmp_path / "usual", microphones("/left", "/audio"))
    assert sources(bag, loaded).audio == "/audio"


def test_several_real_listeners_are_scored_only_when_one_is_named(loaded, tmp_path):
    faces = [(name, real_face(0), BEGIN_NS) for name in ("/anna/face", "/ben/face")]
    bag = write_bag(tmp_path / "listeners", [*conversation(3, real=False), *faces])
    found = sources(bag, loaded)
    assert found.real == ()
    assert "--real-topic" in found.notes[0]
    named = sources(bag, loaded, real=("/ben/face", "/anna/face"))
    assert named.real == ("/ben/face", "/anna/face")


def test_a_robots_own_reactions_are_no_real_ones(loaded, tmp_path):
    said = real_face(0)
    said.model_id = "demo_attributes-123456789abc"
    bag = write_bag(tmp_path / "live", [*conversation(3, real=False), ("/r/reaction", said, 1)])
    assert sources(bag, loaded).real == ()


def test_the_raw_camera_serves_where_it_is_there_twice(face_bundle, tmp_path):
    from sensor_msgs.msg import CompressedImage

    bundle = Bundle.load(face_bundle)
    pictures = [
        ("/camera/image/compressed", CompressedImage(format="jpeg"), BEGIN_NS),
        ("/camera/image", Image(), BEGIN_NS),
        ("/face_view", Image(), BEGIN_NS),
        ("/audio", sound(0), BEGIN_NS),
    ]
    found = sources(write_bag(tmp_path / "twice", pictures), bundle)
    assert (found.image, found.compressed) == ("/camera/image", False)
    found = sources(write_bag(tmp_path / "once", [pictures[0], pictures[3]]), bundle)
    assert (found.image, found.compressed) == ("/camera/image/compressed", True)


def test_perception_of_the_listener_is_scored_against_where_it_is_named(loaded, tmp_path):
    faces = [("/listener/speaker/behaviour", described(index), BEGIN_NS) for index in range(3)]
    bag = write_bag(tmp_path / "both", [*conversation(3, real=False), *faces])
    found = sources(bag, loaded, real=("listener/speaker/behaviour",))
    assert found.real == ("/listener/speaker/behaviour",)
    assert found.attributes == "/speaker/attributes"
