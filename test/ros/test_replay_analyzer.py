"""A bag of pictures for a bundle that sees attributes: measured offline, each time the same."""

from pathlib import Path

import numpy as np
import pytest
from short_bags import BEGIN_NS, SECOND, WAY_NS, Recorded, write_bag

from perreactor_model.face_analysis.choice import landmarks_installed

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)

from skimage import data

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.media.face_animation import FaceAnimator, FaceControls
from perreactor_ros.bags.reader import BagReader
from perreactor_ros.messages import audio_message, image_message
from perreactor_ros.replay.pipeline import Pipeline, RobotSpec
from perreactor_ros.replay.serialised import reaction_bytes
from perreactor_ros.replay.settings import node_settings
from perreactor_ros.replay.topics import TopicOptions, find_sources

FRAMES = 30


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Somebody smiles now and then, in silence."""
    animator = FaceAnimator(data.astronaut(), (320, 240))

    def recorded() -> list[Recorded]:
        messages: list[Recorded] = []
        for frame in range(FRAMES):
            stamp_ns = BEGIN_NS + frame * SECOND // 25
            phase = np.sin(0.2 * frame)
            picture = animator.draw(FaceControls(smile=max(0.0, float(phase))))
            image = image_message(picture, stamp_ns, "camera")
            sound = audio_message(np.zeros(640, np.float32), stamp_ns, 16000, "microphone")
            messages.append(("/image", image, stamp_ns + WAY_NS))
            messages.append(("/audio", sound, stamp_ns + SECOND // 25 + WAY_NS))
        return messages

    return write_bag(tmp_path_factory.mktemp("bags") / "person", recorded())


class Silent:
    def info(self, message: str) -> None:
        """Of no interest here."""

    warning = error = info


def replayed(bag: Path, bundle: Path, analyzer: str) -> tuple[list, list[bytes]]:
    """What perception said of the speaker, and the reactions of a robot that mimics."""
    heard: list = []
    said: list = []
    with BagReader(bag) as reader:
        loaded = Bundle.load(bundle)
        sources = find_sources(
            reader, loaded.config.visual_input, loaded.model_id, TopicOptions(), analyzer
        )
        pipeline = Pipeline(
            loaded,
            (RobotSpec("robot_a", "mime"),),
            1,
            sources,
            node_settings({"analyzer": analyzer}),
            (Silent(), Silent()),
            heard.append,
            said.append,
        )
        for each in reader.messages({"/image", "/audio"}):
            pipeline.deliver(each.topic[1:], each.read(), each.time_ns)
        pipeline.finish()
    return heard, [reaction_bytes(each.message) for each in said]


def test_two_replays_of_a_bag_of_pictures_measure_and_react_the_same(bag, bundle):
    first, second = (replayed(bag, bundle, "landmarks") for _ in range(2))
    heard, reactions = first
    assert len(heard) == len(reactions) == FRAMES
    assert all(each.face_present and each.speaker_id == "face_1" for each in heard)
    assert reactions == second[1]
    rows = [
        np.array([[*each.attributes, *each.face_3dmm] for each in run])
        for run in (heard, second[0])
    ]
    np.testing.assert_array_equal(*rows)
    assert np.isfinite(rows[0][:, 77:80]).all(), "where the head looks"
