"""What is lost is said once, the face goes to rest, and all comes back by itself."""

import numpy as np
from live_graph import stamp_of
from perreactor_ros.msg import FacialReaction, SpeakerBehaviour


def at_rest(reaction) -> bool:
    return max(reaction.action_units) < 0.01 and np.abs(reaction.face_3dmm).max() < 0.01


def test_without_perception_the_face_decays_to_neutral_and_recovers(graph, bundle, behaviour):
    process = graph.start("reactor", {"bundle": str(bundle), "decay_seconds": 0.5})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    heard = behaviour()
    moving = graph.wait_for(reactions, lambda each: max(each.action_units) > 0.02, "a moving face")
    assert moving.confidence > 0
    heard.speaking = False
    last_heard = heard.last_index
    rest = graph.wait_for(reactions, at_rest, "a face at rest")
    graph.wait_for(reactions, lambda each: each.confidence == 0, "no confidence left")
    graph.wait_for_more(reactions, 5, "reactions at rest")
    stamps = [stamp_of(each) for each in reactions]
    assert set(np.diff(stamps)) == {40_000_000}, "frame by frame, none left out"
    # loss_seconds 0.5 and decay_seconds 0.5, with a frame to spare at each border
    assert rest.frame - last_heard <= 25 + 3
    heard.speaking = True
    graph.wait_for(reactions, lambda each: max(each.action_units) > 0.02, "the face to move again")
    process.wait_for_line("speaker is back")
    assert process.says("speaker lost") == 1


def test_a_speaker_who_leaves_the_camera_falls_silent_and_returns(graph, face_bundle, speaker):
    graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    graph.start("reactor", {"bundle": str(face_bundle), "decay_seconds": 0.5})
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    seen = speaker()
    graph.wait_for(reactions, lambda each: each.confidence > 0, "a confident reaction")
    seen.camera = False
    graph.wait_for(
        behaviour, lambda each: each.voice_present and not each.face_present, "a voice alone"
    )
    seen.microphone = False
    graph.wait_for(reactions, at_rest, "a face at rest")
    seen.camera = seen.microphone = True
    graph.wait_for(
        behaviour, lambda each: each.voice_present and each.face_present, "face and voice again"
    )
    graph.wait_for(reactions, lambda each: each.confidence > 0, "a confident reaction again")


def test_a_lost_camera_is_said_once_and_so_is_its_return(graph, face_bundle, speaker):
    process = graph.start("perception", {"bundle": str(face_bundle), "crop": False})
    behaviour = graph.collect(SpeakerBehaviour, "speaker/behaviour")
    seen = speaker()
    graph.wait_for(behaviour, lambda each: each.face_present, "a face")
    seen.camera = False
    process.wait_for_line("image lost")
    graph.wait_for_more(behaviour, 30, "frames without a camera")
    assert process.says("image lost") == 1
    assert process.says("audio lost") == 0
    seen.camera = True
    process.wait_for_line("image is back")
    graph.wait_for(behaviour, lambda each: each.face_present, "a face again")
    assert process.says("image is back") == 1


def test_a_face_that_came_to_rest_has_a_neutral_expression(graph, bundle, behaviour):
    graph.start("reactor", {"bundle": str(bundle), "decay_seconds": 0.2, "loss_seconds": 0.1})
    reactions = graph.collect(FacialReaction, "robot_a/reaction")
    heard = behaviour()
    graph.wait_until(lambda: len(reactions) >= 20, "reactions")
    heard.speaking = False
    rest = graph.wait_for(reactions, at_rest, "a face at rest")
    assert rest.expressions[FacialReaction.NEUTRAL] > 0.99
    assert abs(rest.valence) < 0.01
    assert abs(rest.arousal) < 0.01
