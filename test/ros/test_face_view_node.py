"""The face view shows speaker and robots side by side, in step, and records them."""

import numpy as np
import pytest
from live_graph import FRAME_NS, _Ticking, stamp_of
from perreactor_ros.msg import FacialReaction
from sensor_msgs.msg import Image

from perreactor_model.bundle.manifest import MANIFEST_NAME, read_manifest
from perreactor_model.contract import ACTION_UNITS
from perreactor_model.media.face_panels import SPEAKER_WIDTH, view_size
from perreactor_model.media.video import probe, read_pictures
from perreactor_model.streaming.frames import Reaction
from perreactor_ros.messages import image_message, reaction_message

LATENCY_FRAMES = 4


def grey_of(index: int) -> int:
    return 20 + index % 200


class Conversation(_Ticking):
    """A camera whose grey level tells the frame, and robots that answer four frames later."""

    def __init__(self, graph, robots=("robot_a", "robot_b"), model_id="some-bundle") -> None:
        self.robots = dict.fromkeys(robots, 0.0)
        self._model_id = model_id
        self._image = graph.node.create_publisher(Image, "image", 10)
        self._reactions = {
            robot: graph.node.create_publisher(FacialReaction, f"{robot}/reaction", 10)
            for robot in robots
        }
        super().__init__(graph)

    def publish(self, index: int, stamp_ns: int) -> None:
        pixels = np.full((48, 64, 3), grey_of(index), np.uint8)
        self._image.publish(image_message(pixels, stamp_ns, "camera"))
        for robot, smile in self.robots.items():
            self._reactions[robot].publish(self._answer(robot, smile, index, stamp_ns))

    def _answer(self, robot: str, smile: float, index: int, stamp_ns: int) -> FacialReaction:
        attributes = np.zeros(25, np.float32)
        attributes[ACTION_UNITS.index("AU12")] = smile
        attributes[17] = 1.0
        index, stamp_ns = index - LATENCY_FRAMES, stamp_ns - LATENCY_FRAMES * FRAME_NS
        coefficients = np.zeros(58, np.float32)
        answer = Reaction(robot, "warm", max(index, 0), 0, stamp_ns, attributes, coefficients, 1.0)
        return reaction_message(answer, self._model_id, latency=0.16)


def pixels_of(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def panel_of(message: Image, number: int, robots: int = 2) -> np.ndarray:
    """The part of the view that shows a robot's face, captions left out."""
    width = (message.width - SPEAKER_WIDTH) // robots
    left = SPEAKER_WIDTH + number * width
    return pixels_of(message)[:400, left + 4 : left + width - 4].astype(int)


def bottom_of(view: Image) -> float:
    """How much there is to see where the caption stands, at the speaker's lower edge."""
    return float(pixels_of(view)[-30:, :400].std())


def test_the_speaker_shown_is_the_one_that_the_robots_answer(graph):
    views = graph.collect(Image, "face_view")
    conversation = Conversation(graph)
    graph.start("face_view", {"robots": "robot_a:warm,robot_b:stoic"})
    graph.wait_until(lambda: conversation.count > 10 and len(views) > 5, "views")
    for view in graph.wait_for_more(views, 10, "views"):
        assert (view.width, view.height) == view_size(2)
        index = round((stamp_of(view) - conversation.start_ns) / FRAME_NS)
        level = pixels_of(view)[200, SPEAKER_WIDTH // 2].mean()
        assert level == pytest.approx(grey_of(index), abs=1)


def test_each_robot_has_its_own_face(graph):
    views = graph.collect(Image, "face_view")
    conversation = Conversation(graph)
    graph.start("face_view", {"robots": "robot_a:warm,robot_b:stoic"})

    def same(view: Image) -> bool:
        return np.abs(panel_of(view, 0) - panel_of(view, 1)).max() < 3

    graph.wait_for(views, lambda view: panel_of(view, 0).std() > 20 and same(view), "equal faces")
    conversation.robots["robot_a"] = 1.0
    graph.wait_for(views, lambda view: not same(view), "a smile of robot_a alone")


def test_a_robot_that_does_not_react_is_shown_as_silent(graph):
    views = graph.collect(Image, "face_view")
    Conversation(graph, robots=("robot_a",))
    graph.start("face_view", {"robots": "robot_a:warm,robot_b:stoic"})
    view = graph.wait_for(views, lambda view: panel_of(view, 0).std() > 20, "robot_a's face")
    assert panel_of(view, 1).std() < 15


def test_a_recording_plays_after_ctrl_c(graph, speaker, tmp_path):
    path = tmp_path / "records" / "view.mp4"
    talking = speaker()
    view = graph.start("face_view", {"robots": "robot_a", "record": str(path)})
    graph.wait_until(lambda: talking.count > 10 and path.exists(), "a recording")
    begin = talking.count
    graph.wait_until(lambda: talking.count > begin + 50, "two seconds")
    assert view.stop() == 0
    assert view.says(r"recorded .*view\.mp4")
    assert "Traceback" not in view.output
    info = probe(path)
    assert (info.width, info.height) == view_size(1)
    assert info.has_sound
    assert len(list(read_pictures(path, frame_rate=25))) > 40


def test_a_recording_that_was_killed_still_plays(graph, speaker, tmp_path):
    path = tmp_path / "view.mp4"
    talking = speaker()
    view = graph.start("face_view", {"robots": "robot_a", "record": str(path)})
    graph.wait_until(lambda: path.exists() and path.stat().st_size > 20_000, "written pictures")
    assert talking.count
    view.kill()
    assert len(list(read_pictures(path))) > 10


def test_two_recordings_of_one_process_are_two_files(graph, speaker, tmp_path):
    path = tmp_path / "view.mp4"
    speaker()
    graph.start("face_view", {"robots": "robot_a", "record": str(path)})
    graph.wait_until(path.exists, "a recording")
    assert graph.change_state("face_view", "deactivate")
    size = path.stat().st_size
    assert graph.change_state("face_view", "activate")
    graph.wait_until((tmp_path / "view_2.mp4").exists, "a second recording")
    assert path.stat().st_size == size


def test_the_caption_is_a_parameter(graph):
    views = graph.collect(Image, "face_view")
    Conversation(graph, robots=("robot_a",))
    graph.start("face_view", {"robots": "robot_a"})
    graph.wait_until(lambda: views, "a view")

    assert bottom_of(views[-1]) < 1
    assert graph.set_parameter("face_view", "caption", "untrained weights").successful
    graph.wait_for(views, lambda view: bottom_of(view) > 5, "the caption")


def test_a_bundle_that_is_untrained_is_captioned_as_such(graph, untrained_bundle):
    views = graph.collect(Image, "face_view")
    manifest = read_manifest(untrained_bundle / MANIFEST_NAME)
    Conversation(graph, robots=("robot_a",), model_id=manifest.model_id)
    graph.start("face_view", {"robots": "robot_a", "bundle": str(untrained_bundle)})
    graph.wait_for(views, lambda view: bottom_of(view) > 5, "the caption")


def test_a_recording_must_be_an_mp4_file(graph, tmp_path):
    view = graph.start("face_view", {"record": str(tmp_path / "view.txt")})
    assert view.wait() == 1
    assert view.says(r"record is '.*view\.txt': give a path that ends in \.mp4")


def test_somebody_who_looks_later_gets_views_too(graph):
    """Without subscriber and recording nothing is drawn, to save processor time."""
    Conversation(graph, robots=("robot_a",))
    graph.start("face_view", {"robots": "robot_a"})
    graph.wait_for_state("face_view", "active")
    views = graph.collect(Image, "face_view")
    graph.wait_until(lambda: views, "a view once somebody looks")
