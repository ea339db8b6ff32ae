"""Watching a person for a profile: what counts, what is left out, and when it is given up."""

import numpy as np
import pytest

from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT, FRAME_NS
from perreactor_model.profiles import judge
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_ros.enrolling import LOST_S, Enrolling, EnrolmentRefused, wanted_seconds

LOST = int(LOST_S * 25)


class Person:
    """Gives an Enrolling one frame after the other."""

    def __init__(self, seconds=10.0):
        self.enrolling = Enrolling(seconds)
        self.stamp_ns = 1_000_000_000_000
        self.epoch = self.index = 0

    def shows(self, frames, name="anna", known=True, face=True):
        for _ in range(frames):
            attributes = np.full(ATTRIBUTE_COUNT, np.nan, np.float32)
            coefficients = np.full(COEFFICIENT_COUNT, np.nan, np.float32)
            if known:
                attributes[:] = 0.5 + 0.5 * np.sin(self.stamp_ns / 1e9 + np.arange(25))
                coefficients[52:] = np.arange(6)
            self.enrolling.add(
                SpeakerFrame(
                    index=self.index,
                    epoch=self.epoch,
                    stamp_ns=self.stamp_ns,
                    token=None,
                    face_present=face,
                    voice_present=False,
                    speaker_id=name,
                    attributes=attributes,
                    coefficients=coefficients,
                )
            )
            self.stamp_ns += FRAME_NS
            self.index += 1
        return self


def test_it_is_complete_once_the_face_was_seen_for_as_long_as_asked():
    person = Person(10.0).shows(249)
    assert not person.enrolling.complete
    assert person.enrolling.seconds_recorded == pytest.approx(9.96)
    person.shows(1)
    assert person.enrolling.complete
    history = person.enrolling.history()
    assert history.rows.shape == (250, 31)
    assert history.rows.dtype == np.float32
    assert list(history.rows[3, 25:]) == [0, 1, 2, 3, 4, 5], "rotation, then translation"
    assert history.source["people"] == {"1": "anna"}
    assert judge(history).visible_s == 10.0


def test_frames_after_the_end_are_left_out():
    person = Person(10.0).shows(300)
    assert len(person.enrolling.history().rows) == 250


def test_time_without_the_face_does_not_count_and_is_told():
    person = Person().shows(100).shows(50, known=False, face=False)
    assert person.enrolling.remark == "no face is in view"
    assert person.enrolling.seconds_recorded == 4.0
    assert person.enrolling.face_visible == pytest.approx(100 / 150)
    person.shows(150)
    assert person.enrolling.complete
    history = person.enrolling.history()
    assert len(history.rows) == 300
    assert np.isnan(history.rows[100:150]).all()


def test_waiting_before_the_face_comes_is_no_part_of_the_history():
    person = Person().shows(60, known=False).shows(250)
    assert len(person.enrolling.history().rows) == 250


def test_lost_frames_are_gaps_and_repeated_ones_are_ignored():
    person = Person().shows(10)
    person.stamp_ns += 5 * FRAME_NS
    person.shows(10)
    person.stamp_ns -= 4 * FRAME_NS
    person.shows(4).shows(2)
    history = person.enrolling.history()
    assert len(history.rows) == 27
    assert np.flatnonzero(~history.visible).tolist() == list(range(10, 15))


@pytest.mark.parametrize("jump_s", [-500, 500])
def test_a_reset_or_a_clock_that_jumps_goes_on_with_the_same_person(jump_s):
    person = Person().shows(100)
    person.epoch += 1
    person.stamp_ns += jump_s * 1_000_000_000
    person.shows(150)
    assert person.enrolling.complete
    assert len(person.enrolling.history().rows) == 250


def test_perceptions_that_take_turns_are_refused():
    person = Person()
    with pytest.raises(EnrolmentRefused, match="let one perception publish it"):
        for epoch in (0, 7) * 10:
            person.epoch = epoch
            person.shows(1)


def test_a_long_silence_between_two_frames_is_refused_at_once():
    person = Person().shows(100)
    person.stamp_ns += 10**15
    with pytest.raises(EnrolmentRefused, match="away for 1000000 s"):
        person.shows(1)


def test_another_person_is_refused_with_both_names():
    person = Person().shows(100)
    with pytest.raises(EnrolmentRefused, match="changed from 'anna' to 'ben'"):
        person.shows(25, name="ben")


def test_somebody_who_passes_by_is_left_out():
    person = Person().shows(20, name="ben").shows(100)
    assert person.enrolling.speaker_id == "anna"
    assert person.enrolling.seconds_recorded == 4.0
    person.shows(1, name="carla")
    assert "somebody else is in view ('carla')" in person.enrolling.remark
    person.shows(150)
    quality = judge(person.enrolling.history())
    assert quality.visible_s == 10.0
    assert quality.verdict != "refused"


def test_a_person_whom_nobody_knows_by_name_is_one_person():
    assert Person().shows(250, name="").enrolling.complete
    person = Person().shows(50, name="").shows(100).shows(100, name="")
    assert person.enrolling.complete
    assert person.enrolling.speaker_id == "anna"


def test_a_face_without_attributes_tells_the_parameter_to_set():
    person = Person().shows(LOST - 1, known=False)
    assert "not measured (yet)" in person.enrolling.remark
    with pytest.raises(EnrolmentRefused, match="analyzer:=landmarks"):
        person.shows(1, known=False)


def test_nobody_in_front_of_the_camera_is_refused():
    with pytest.raises(EnrolmentRefused, match="no face was in view for 12 s"):
        Person().shows(LOST, known=False, face=False)


def test_a_face_that_is_lost_is_refused_with_the_reason():
    with pytest.raises(EnrolmentRefused, match="no face was in view"):
        Person().shows(100).shows(LOST, known=False, face=False)
    with pytest.raises(EnrolmentRefused, match="could not be measured for 12 s: uncover it"):
        Person().shows(100).shows(LOST, known=False)


def test_a_face_that_is_seldom_in_view_is_refused():
    person = Person()
    with pytest.raises(EnrolmentRefused, match="only .* s of 32 s"):
        for _ in range(100):
            person.shows(5).shows(20, known=False, face=False)


def test_numbers_that_are_no_numbers_are_unknown():
    enrolling = Enrolling(10.0)
    attributes = np.full(ATTRIBUTE_COUNT, 0.5, np.float32)
    attributes[3] = np.inf
    enrolling.add(SpeakerFrame(0, 0, 10**18, None, True, False, "anna", attributes))
    assert np.flatnonzero(np.isnan(enrolling.history().rows[0])).tolist() == [3, *range(25, 31)]


@pytest.mark.parametrize("asked", [-1.0, 0.1, 9.9, 601.0, float("nan"), float("inf")])
def test_seconds_out_of_range_are_refused_with_the_range(asked):
    with pytest.raises(EnrolmentRefused, match="10 to 600"):
        wanted_seconds(asked)


def test_no_seconds_are_the_usual_ones():
    assert wanted_seconds(0.0) == 20.0
    assert wanted_seconds(600.0) == 600.0


@pytest.mark.parametrize("epochs_before", [0, 3])
def test_a_perception_that_starts_anew_may_call_somebody_else_by_the_same_number(epochs_before):
    person = Person()
    person.epoch = epochs_before
    person.shows(100, name="face_1")
    person.epoch = person.index = 0
    with pytest.raises(EnrolmentRefused, match=r"started anew.*speaker_id"):
        person.shows(100, name="face_1")


def test_a_perception_that_starts_anew_knows_whom_it_was_told_the_name_of():
    person = Person().shows(100)
    person.index = 0
    person.shows(150)
    assert person.enrolling.complete
