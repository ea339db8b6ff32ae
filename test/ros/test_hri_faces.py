"""A face that a ROS4HRI analyzer describes, with the genuine hri_msgs, on a real graph."""

import numpy as np
import pytest

pytest.importorskip("hri_msgs.msg", reason="hri_msgs (ROS4HRI) is not installed")

from hri_msgs.msg import Expression, FacialActionUnits, IdsList
from live_graph import Speaker, set_stamp
from perreactor_ros.msg import SpeakerBehaviour

from perreactor_model.contract import ATTRIBUTES

SMILE, JAW, HAPPY = (ATTRIBUTES.index(name) for name in ("AU12", "AU26", "happy"))


class Faces(Speaker):
    """A microphone, and an analyzer that tracks some faces; each smiles by its own measure."""

    def __init__(self, graph, smiles: dict[str, float]) -> None:
        self.smiles = smiles
        self.others: list[str] = []
        self.expression = True
        self._node = graph.node
        self._list = graph.node.create_publisher(IdsList, "/humans/faces/tracked", 10)
        self._units, self._expressions = (
            {
                face: graph.node.create_publisher(type_, f"/humans/faces/{face}/{name}", 10)
                for face in smiles
            }
            for type_, name in ((FacialActionUnits, "facs"), (Expression, "expression"))
        )
        super().__init__(graph)
        self.camera = False

    def publish(self, index: int, stamp_ns: int) -> None:
        super().publish(index, stamp_ns)
        self._list.publish(IdsList(ids=[*self.others, *self.smiles]))
        for face, smile in self.smiles.items():
            units = FacialActionUnits()
            set_stamp(units, stamp_ns)
            values = np.zeros(99, np.float32)
            values[12] = smile
            confidence = np.ones(99, np.float32)
            confidence[26] = 0.0
            units.intensity, units.confidence = values, confidence
            self._units[face].publish(units)
            if self.expression:
                felt = Expression(expression="happy", confidence=0.9)
                set_stamp(felt, stamp_ns)
                self._expressions[face].publish(felt)


def start(graph, bundle, **parameters):
    process = graph.start("perception", {"bundle": str(bundle), "analyzer": "hri", **parameters})
    graph.wait_for_state("perception", "active")
    return process, graph.collect(SpeakerBehaviour, "speaker/behaviour")


def test_the_first_tracked_face_is_listened_to_until_it_is_gone(graph, bundle):
    process, behaviour = start(graph, bundle)
    faces = Faces(graph, {"anna": 0.25, "ben": 0.75})
    first = graph.wait_for(behaviour, lambda each: each.attributes_known, "a face")
    assert first.attributes[SMILE] == 0.25
    assert first.speaker_id == "anna"
    assert np.isnan(first.attributes[JAW]), "what the analyzer is not confident of stays unknown"
    happy = graph.wait_for(behaviour, lambda each: each.attributes[HAPPY] > 0.5, "an expression")
    assert happy.attributes[HAPPY] == pytest.approx(0.9)
    del faces.smiles["anna"]
    other = graph.wait_for(behaviour, lambda each: each.attributes[SMILE] == 0.75, "the other face")
    assert other.speaker_id == "ben"
    faces.smiles.clear()
    process.wait_for_line("ROS4HRI: no face")
    gone = graph.wait_for_more(behaviour, 25, "behaviour without a face")[-1]
    assert not gone.face_present
    assert gone.speaker_id == ""


def test_the_face_that_is_configured_is_the_one(graph, bundle):
    _, behaviour = start(graph, bundle, hri_face="ben")
    Faces(graph, {"anna": 0.25, "ben": 0.75})
    seen = graph.wait_for(behaviour, lambda each: each.attributes_known, "a face")
    assert seen.attributes[SMILE] == 0.75
    assert seen.speaker_id == "ben"


def test_a_face_from_before_a_pause_is_not_named_after_it(graph, bundle):
    _, behaviour = start(graph, bundle)
    faces = Faces(graph, {"anna": 0.25})
    graph.wait_for(behaviour, lambda each: each.speaker_id == "anna", "a face")
    assert graph.change_state("perception", "deactivate")
    faces.smiles.clear()
    assert graph.change_state("perception", "activate")
    del behaviour[:]
    assert graph.wait_for_more(behaviour, 10, "behaviour without a face")[-1].speaker_id == ""


def test_faces_that_no_topic_can_be_named_after_are_passed_over(graph, bundle):
    process, behaviour = start(graph, bundle)
    faces = Faces(graph, {"ben": 0.5})
    faces.others = ["a-b", "", "7", "a/b", "~", "{node}", "x" * 300]
    process.wait_for_line("a face cannot be called 'a-b'")
    seen = graph.wait_for(behaviour, lambda each: each.attributes_known, "a face")
    assert seen.speaker_id == "ben"
    assert "Traceback" not in process.output


@pytest.mark.parametrize(
    "parameter, value, said",
    [
        ("hri_face", "a-b", "parameter hri_face: a face cannot be called 'a-b'"),
        ("hri_faces", "/humans faces", "parameter hri_faces: Invalid topic name"),
    ],
)
def test_a_name_that_no_topic_can_have_is_refused(graph, bundle, parameter, value, said):
    process = graph.start(
        "perception", {"bundle": str(bundle), "analyzer": "hri", parameter: value}
    )
    process.wait_for_line(said)
    assert graph.state_of("perception") == "unconfigured"
