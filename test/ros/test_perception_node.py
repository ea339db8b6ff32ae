"""The perception node: camera, microphone and analyzer in, speaker behaviour out."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from live_graph import Speaker, set_stamp, stamp_of
from perreactor_ros.msg import SpeakerBehaviour
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool

from perreactor_model.bundle.manifest import read_manifest


def start_perception(graph, bundle, **parameters):
    process = graph.start("perception", {"bundle": str(bundle), "crop": False, **parameters})
    graph.wait_for_state("perception", "active")
    return process


def test_camera_and_microphone_become_a_token_for_each_frame(graph, face_bundle, speaker):
    start_perception(graph, face_bundle, speaker_id="anna")
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    speaker()
    graph.wait_until(lambda: len(behaviour) >= 30, "behaviour")
    manifest = read_manifest(face_bundle / "bundle.json")
    numbers = [each.frame for each in behaviour]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {stamp_of(b) - stamp_of(a) for a, b in zip(behaviour, behaviour[1:], strict=False)} == {
        40_000_000
    }
    for each in behaviour:
        assert len(each.token) == manifest.model.feature_size
        assert np.isfinite(each.token).all()
        assert each.model_id == manifest.model_id
        assert each.speaker_id == "anna"
        assert each.header.frame_id == "camera"
    assert all(each.face_present and each.voice_present for each in behaviour[5:])


def test_attributes_of_an_analyzer_serve_a_bundle_without_camera(graph, bundle, speaker):
    start_perception(graph, bundle, analyzer="none")
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    analyzer = graph.node.create_publisher(SpeakerBehaviour, "speaker/attributes", 10)

    class Analyzer(Speaker):
        def publish(self, index, stamp_ns):
            super().publish(index, stamp_ns)
            message = SpeakerBehaviour(attributes_known=True)
            set_stamp(message, stamp_ns)
            message.attributes = np.full(25, 0.25, np.float32)
            message.face_3dmm = np.full(58, np.nan, np.float32)
            analyzer.publish(message)

    Analyzer(graph)
    seen = graph.wait_for(behaviour, lambda each: each.face_present, "a frame with a face")
    assert seen.attributes_known
    assert (seen.attributes == 0.25).all()
    assert np.isnan(seen.face_3dmm).all()
    assert not graph.node.get_subscriptions_info_by_topic("image"), "a camera is of no use here"


def test_while_the_robot_speaks_the_voice_counts_as_absent(graph, face_bundle, speaker):
    start_perception(graph, face_bundle)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    speaking = graph.node.create_publisher(Bool, "robot_speaking", 10)
    speaker()
    graph.wait_for(behaviour, lambda each: each.voice_present, "a voice")
    speaking.publish(Bool(data=True))
    absent = graph.wait_for(behaviour, lambda each: not each.voice_present, "no voice")
    assert absent.face_present
    speaking.publish(Bool(data=False))
    graph.wait_for(behaviour, lambda each: each.voice_present, "the voice again")


def test_input_without_stamps_is_stamped_on_receipt_and_said_once(graph, face_bundle, speaker):
    process = start_perception(graph, face_bundle)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")

    class Unstamped(Speaker):
        def image(self, index, stamp_ns):
            return super().image(index, 0)

        def chunk(self, index, stamp_ns):
            return super().chunk(index, 0)

    before = graph.node.get_clock().now().nanoseconds
    Unstamped(graph)
    present = graph.wait_for(behaviour, lambda each: each.face_present, "a frame with a face")
    assert stamp_of(present) > before - 1_000_000_000
    graph.wait_for(behaviour, lambda each: each.voice_present, "a frame with a voice")
    assert process.says("images without a stamp") == 1
    assert process.says("sound without a stamp") == 1


def test_compressed_images_are_heard_below_the_remapped_name(graph, face_bundle, speaker):
    import cv2

    process = graph.start(
        "perception",
        {"bundle": str(face_bundle), "crop": False, "image_transport": "compressed"},
        ["-r", "image:=camera/front"],
    )
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    camera = graph.node.create_publisher(CompressedImage, "camera/front/compressed", 10)
    _, jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))

    class Camera(Speaker):
        def publish(self, index, stamp_ns):
            message = CompressedImage(format="jpeg", data=jpeg.tobytes())
            set_stamp(message, stamp_ns)
            camera.publish(message)

    Camera(graph)
    graph.wait_for(behaviour, lambda each: each.face_present, "a frame with a face")
    assert process.running


@pytest.mark.parametrize("encoding", ["truncated", "bayer_unknown8"])
def test_broken_images_are_no_face_and_no_crash(graph, face_bundle, encoding):
    process = start_perception(graph, face_bundle)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")

    class Broken(Speaker):
        def image(self, index, stamp_ns):
            message = super().image(index, stamp_ns)
            if encoding == "truncated":
                message.data = message.data[:100]
            else:
                message.encoding = encoding
            return message

    Broken(graph)
    frame = graph.wait_for(behaviour, lambda each: each.voice_present, "a frame")
    assert not frame.face_present
    process.wait_for_line("only 100 came|bayer_unknown8")


def test_sound_that_cannot_be_read_is_refused_and_said_once(graph, face_bundle):
    process = start_perception(graph, face_bundle)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")

    class Odd(Speaker):
        def chunk(self, index, stamp_ns):
            message = super().chunk(index, stamp_ns)
            message.encoding = 77
            return message

    Odd(graph)
    graph.wait_for_more(behaviour, 10, "frames")
    assert not any(each.voice_present for each in behaviour)
    assert process.says("encoding 77") == 1


def test_a_microphone_type_that_is_not_installed_fails_to_configure_by_name(graph, face_bundle):
    process = graph.start(
        "perception", {"bundle": str(face_bundle), "audio_type": "audio_common_msgs/AudioStamped"}
    )
    process.wait_for_line("audio_common_msgs/AudioStamped messages are not installed")
    assert graph.state_of("perception") == "unconfigured"


def test_diagnostics_tell_what_comes_in_and_out(graph, face_bundle, speaker):
    start_perception(graph, face_bundle)
    arrays = graph.collect(DiagnosticArray, "/diagnostics")
    speaker()

    def told():
        if not arrays:
            return None
        values = {each.key: each.value for each in arrays[-1].status[0].values}
        return values if float(values["behaviour (Hz)"]) > 20 else None

    values = graph.wait_until(told, "diagnostics with rates")
    assert float(values["image (Hz)"]) > 20
    assert float(values["audio (Hz)"]) > 20
    assert "skew of sound to image (ms)" in values
    assert values["messages dropped"] == "0"


def test_stamps_of_behaviour_follow_the_camera_and_not_its_arrival(graph, face_bundle):
    """A camera whose clock is an hour behind is answered in its own time."""
    start_perception(graph, face_bundle)
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    hour = 3600 * 1_000_000_000

    class Behind(Speaker):
        def publish(self, index, stamp_ns):
            super().publish(index, stamp_ns - hour)

    speaker = Behind(graph)
    frame = graph.wait_for(behaviour, lambda each: each.face_present, "a frame with a face")
    assert Time.from_msg(frame.header.stamp).nanoseconds < speaker.start_ns - hour // 2
