"""What a report is made of is checked once, with words that name the part."""

import numpy as np
import pytest

from perreactor_model.report.contents import RealTrack, ReportError, SpeakerTrack


def test_a_track_of_the_wrong_shape_is_refused_by_name(reaction):
    with pytest.raises(ReportError, match=r"coefficients of robot_b, sample 2 .*\(100, 58\)"):
        reaction("robot_b", sample=2, coefficients=np.zeros((100, 25)))


def test_a_negative_sample_is_refused(reaction):
    with pytest.raises(ReportError, match="sample of robot_a must be 0 or more"):
        reaction(sample=-1)


def test_real_reactions_must_have_the_25_attributes():
    with pytest.raises(ReportError, match="real reactions from /listener"):
        RealTrack("/listener", np.arange(3), np.zeros((3, 15)))


def test_presence_must_be_told_for_every_frame_of_the_speaker():
    with pytest.raises(ReportError, match="voice_present of the speaker"):
        SpeakerTrack(np.arange(3), np.ones(3, bool), np.ones(2, bool))


def test_a_sample_comes_once(contents, reaction):
    with pytest.raises(ReportError, match="once"):
        contents(reactions=[reaction(), reaction()])


def test_scores_need_a_track_of_their_robot(contents, reaction):
    with pytest.raises(ReportError, match="robot_z"):
        contents(reactions=[reaction()], scores={"robot_z": {}})


def test_a_recording_does_not_end_before_it_begins(contents):
    with pytest.raises(ReportError, match="before"):
        contents(begin_ns=5, end_ns=4)


def test_robots_keep_their_order_whatever_the_samples(contents, reaction):
    tracks = [reaction("robot_b", sample=1), reaction("robot_b"), reaction("robot_a")]
    assert list(contents(reactions=tracks).robots) == ["robot_b", "robot_a"]
