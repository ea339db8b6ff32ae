"""A camera is enough: perception measures the facial attributes of the person it sees."""

import importlib.util
import sys

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from live_graph import Speaker, set_stamp
from perreactor_ros.msg import SpeakerBehaviour
from sensor_msgs.msg import Image

from perreactor_model.contract import ATTRIBUTES, ROTATION_SLICE
from perreactor_model.face_analysis.choice import landmarks_installed

if not landmarks_installed():
    pytest.skip("the analyzer needs mediapipe", allow_module_level=True)

from skimage import data

from perreactor_model.media.face_animation import FaceAnimator, FaceControls

SMILE, HAPPY = ATTRIBUTES.index("AU12"), ATTRIBUTES.index("happy")


class Person(Speaker):
    """Somebody with a face, calm until told to smile; the camera is a little noisy."""

    def __init__(self, graph, **options) -> None:
        animator = FaceAnimator(data.astronaut(), (320, 240))
        self._faces = {
            smile: animator.draw(FaceControls(smile=float(smile))) for smile in (False, True)
        }
        self._noise = np.random.default_rng(0)
        self.smiles = False
        super().__init__(graph, **options)

    def image(self, index: int, stamp_ns: int) -> Image:
        face = self._faces[self.smiles]
        noisy = np.clip(face + self._noise.normal(0.0, 2.0, face.shape), 0, 255).astype(np.uint8)
        message = Image(height=240, width=320, encoding="rgb8", step=960)
        set_stamp(message, stamp_ns)
        message.data = noisy.tobytes()
        return message


def in_diagnostics(arrays, key: str) -> str:
    values = [
        value.value
        for array in arrays[-20:]
        for status in array.status
        for value in status.values
        if value.key == key
    ]
    return values[-1] if values else ""


@pytest.mark.slow
def test_a_smile_into_the_camera_is_a_smile_in_the_speakers_behaviour(graph, bundle):
    graph.start("perception", {"bundle": str(bundle)})
    graph.wait_for_state("perception", "active")
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    diagnostics = graph.collect(DiagnosticArray, "/diagnostics")
    person = Person(graph)
    seen = graph.wait_for(behaviour, lambda each: each.face_present, "a face")
    assert seen.attributes_known, "where the head looks is known from the first picture"
    assert np.isfinite(seen.face_3dmm[ROTATION_SLICE]).all()
    assert np.isnan(seen.attributes).all(), "the face's rest is not known yet"
    assert seen.speaker_id == "face_1"
    calm = graph.wait_for(
        behaviour, lambda each: np.isfinite(each.attributes[SMILE]), "the end of the calibration"
    )
    assert calm.attributes[SMILE] < 0.2
    person.smiles = True
    graph.wait_for(behaviour, lambda each: each.attributes[SMILE] > 0.5, "a smile")
    graph.wait_for(behaviour, lambda each: each.attributes[HAPPY] > 0.5, "a happy face")
    graph.wait_until(lambda: in_diagnostics(diagnostics, "face") == "person 1", "the diagnostics")
    assert float(in_diagnostics(diagnostics, "analysis p50 (ms)")) > 0.0
    person.camera = False
    gone = graph.wait_for_more(behaviour, 25, "behaviour without a picture")[-1]
    assert not gone.face_present
    assert not gone.attributes_known
    assert gone.speaker_id == ""


def test_a_bundle_that_sees_pictures_measures_them_when_it_is_told_to(graph, face_bundle):
    graph.start("perception", {"bundle": str(face_bundle), "analyzer": "landmarks"})
    graph.wait_for_state("perception", "active")
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    Person(graph)
    seen = graph.wait_for(behaviour, lambda each: each.attributes_known, "attributes")
    assert len(seen.token)
    assert seen.speaker_id == "face_1"


def test_whoever_is_seen_after_a_clean_up_has_a_name_of_their_own(graph, face_bundle):
    graph.start("perception", {"bundle": str(face_bundle), "analyzer": "landmarks"})
    graph.wait_for_state("perception", "active")
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    Person(graph)
    graph.wait_for(behaviour, lambda each: each.speaker_id == "face_1", "a face")
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert graph.change_state("perception", transition)
    del behaviour[:]
    again = graph.wait_for(behaviour, lambda each: each.face_present, "a face, perhaps another")
    assert again.speaker_id == "face_2"


def test_without_mediapipe_the_node_warns_once_and_awaits_attributes(graph, bundle):
    hidden = (
        "import sys; sys.modules['mediapipe'] = None; "
        "from perreactor_ros.perception_node import main; main()"
    )
    parameters = ["--ros-args", "-p", f"bundle:={bundle}", "-p", "autostart:=true"]
    process = graph.run([sys.executable, "-c", hidden, *parameters])
    process.wait_for_line("listening to /speaker/attributes, /audio")
    assert process.says("mediapipe is not installed .*awaited on speaker/attributes") == 1


@pytest.mark.skipif(importlib.util.find_spec("hri_msgs") is not None, reason="hri_msgs is here")
def test_without_ros4hri_the_node_says_what_to_install_and_stays_unconfigured(graph, bundle):
    process = graph.start("perception", {"bundle": str(bundle), "analyzer": "hri"})
    process.wait_for_line("needs the messages of ROS4HRI .* install hri_msgs")
    graph.wait_for_state("perception", "unconfigured")


def test_an_unknown_analyzer_is_refused_with_the_known_ones(graph, bundle):
    process = graph.start("perception", {"bundle": str(bundle), "analyzer": "eyes"})
    process.wait_for_line("auto.*landmarks.*hri.*none")
