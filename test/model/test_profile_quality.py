"""Verdicts on histories: each refusal says what would be right."""

import json

import numpy as np
import pytest

from perreactor_model.bundle.synthetic import LISTENERS, listener_history
from perreactor_model.contract import ATTRIBUTES
from perreactor_model.profiles import ListenerHistory, judge

NAN = np.float32(np.nan)


def history(
    frames: int = 600, person: np.ndarray | None = None, listener: str = "warm"
) -> ListenerHistory:
    given = listener_history(LISTENERS[listener], np.random.default_rng(0), frames)
    return ListenerHistory(given, {}, None if person is None else person.astype(np.int32))


def reasons(given: ListenerHistory) -> str:
    quality = judge(given)
    assert quality.verdict == "refused"
    return "; ".join(quality.reasons)


def test_twenty_seconds_of_a_moving_face_are_ok() -> None:
    quality = judge(history())
    assert (quality.verdict, quality.reasons, quality.notes) == ("ok", (), ())
    assert quality.seconds == quality.visible_s == 24.0
    assert quality.variation["AU12"] > quality.variation["AU4"]


def test_a_report_is_json() -> None:
    told = json.loads(json.dumps(judge(history()).to_dict()))
    assert told["verdict"] == "ok"
    assert told["people"] == {"1": 24.0}


def test_less_than_ten_seconds_are_refused_with_what_is_needed() -> None:
    assert "it lasts 6.2 s; at least 10 s are needed" in reasons(history(155))


def test_a_face_that_is_hidden_too_long_is_refused_with_the_seconds() -> None:
    given = history(350)
    given.rows[155:] = NAN
    assert reasons(given) == (
        "the face was visible 6.2 s of 14.0 s; at least 10 s are needed: record longer, nearer or "
        "with more light"
    )


def test_an_empty_history_and_one_without_a_face_are_refused() -> None:
    assert "it lasts 0.0 s" in reasons(ListenerHistory(np.empty((0, 31), np.float32)))
    nobody = ListenerHistory(np.full((500, 31), NAN))
    assert "the face was visible 0.0 s of 20.0 s" in reasons(nobody)


def test_between_ten_and_twenty_seconds_a_profile_is_weak() -> None:
    quality = judge(history(300))
    assert quality.verdict == "weak"
    assert "the face was visible 12.0 s; 19.2 s or more" in quality.reasons[0]


def test_a_face_in_pieces_is_weak_and_the_longest_gap_is_told() -> None:
    given = history(2000)
    given.rows[300:1500] = NAN
    given.rows[0:50] = NAN
    quality = judge(given)
    assert quality.verdict == "weak"
    assert quality.longest_gap_s == 48.0
    assert "in pieces" in quality.reasons[0]


def test_a_still_picture_is_refused() -> None:
    given = history()
    given.rows[:] = given.rows[0]
    assert "never moves" in reasons(given)


def test_a_mask_on_a_moving_head_is_refused() -> None:
    given = history()
    given.rows[:, :25] = given.rows[0, :25]
    assert "never moves" in reasons(given)


def test_a_face_that_hardly_moves_is_weak() -> None:
    quality = judge(history(listener="stoic"))
    assert quality.verdict == "weak"
    assert "no more than a calm one" in quality.reasons[0]


def test_two_people_are_refused_by_number_and_seconds() -> None:
    person = np.repeat([1, 2], [400, 200])
    told = reasons(history(person=person))
    assert "person 1 for 16.0 s, person 2 for 8.0 s" in told
    assert "--person" in told


def test_the_chosen_one_of_two_people_is_judged_alone() -> None:
    person = np.repeat([1, 2], [350, 250])
    quality = judge(history(person=person).of_people([1]))
    assert quality.verdict == "weak"
    assert quality.visible_s == 14.0


def test_somebody_who_passes_by_is_left_out_and_told() -> None:
    quality = judge(history(person=np.repeat([1, 2, 1], [300, 40, 260])))
    assert quality.verdict == "ok"
    assert quality.visible_s == 22.4
    assert "left out who was seen for less than a tenth of the time (person 2 for 1.6 s)" in (
        quality.notes
    )


def test_unknown_units_are_told_doubted_and_refused_as_they_get_more() -> None:
    for count, verdict in ((2, "ok"), (6, "weak"), (9, "refused")):
        given = history()
        given.rows[:, :count] = NAN
        quality = judge(given)
        assert quality.verdict == verdict
        assert quality.unknown == ATTRIBUTES[:count]
        assert "AU1, AU2" in "; ".join((*quality.reasons, *quality.notes))


def test_a_mouth_that_was_covered_for_half_the_time_is_told_or_doubted() -> None:
    one = history()
    one.rows[:150, ATTRIBUTES.index("AU12")] = NAN
    assert judge(one).verdict == "ok"
    assert "AU12 unknown for more than a fifth of the time" in "; ".join(judge(one).notes)
    mouth = history()
    mouth.rows[:300, 6:15] = NAN
    quality = judge(mouth)
    assert quality.verdict == "weak"
    assert "show the whole face, uncovered" in "; ".join(quality.reasons)


def test_intensities_on_a_scale_of_five_are_refused_with_the_remedy() -> None:
    given = history()
    given.rows[:, 7] *= 5
    told = reasons(given)
    assert "AU12 goes from" in told
    assert "divided by 5" in told


def test_an_unknown_head_is_told() -> None:
    given = history()
    given.rows[:, 25:] = NAN
    quality = judge(given)
    assert quality.verdict == "ok"
    assert not quality.head_known
    assert "head" in quality.notes[0]


def test_a_mouth_that_talks_is_told() -> None:
    given = history()
    talk = 0.5 + 0.5 * np.sin(np.arange(600) * 2 * np.pi / 6)
    given.rows[:, ATTRIBUTES.index("AU25")] = talk
    assert "as in speech" in judge(given).notes[0]


@pytest.mark.parametrize("listener", list(LISTENERS))
def test_listeners_who_do_not_talk_are_not_said_to(listener: str) -> None:
    assert not any("speech" in note for note in judge(history(listener=listener)).notes)


def test_a_head_measured_in_degrees_is_refused_with_the_remedy() -> None:
    given = history()
    given.rows[:, 25:28] *= 57.3
    assert "expected radians" in reasons(given)


def test_a_history_that_lacks_one_frame_is_not_told_to_have_them_all() -> None:
    assert "it lasts 9.9 s; at least 10 s" in reasons(history(249))
    assert judge(history(250)).verdict == "weak"
    assert "visible 19.1 s; 19.2 s or more" in judge(history(479)).reasons[0]
    assert judge(history(480)).verdict == "ok"
