"""What a history is, who is in it, and how it is filled before a pattern is made of it."""

import numpy as np
import pytest

from perreactor_model.bundle.synthetic import LISTENERS, listener_history
from perreactor_model.contract import ATTRIBUTES, EXPRESSION_SLICE
from perreactor_model.profiles import ListenerHistory, ProfileError
from perreactor_model.profiles.filling import filled_rows

NAN = np.float32(np.nan)
AU12 = ATTRIBUTES.index("AU12")


def rows(frames: int = 500) -> np.ndarray:
    return listener_history(LISTENERS["warm"], np.random.default_rng(0), frames)


def test_a_history_of_another_shape_or_type_is_refused() -> None:
    for wrong in (np.zeros((5, 30), np.float32), np.zeros(31, np.float32), np.zeros((5, 31))):
        with pytest.raises(ProfileError, match="history of"):
            ListenerHistory(wrong)
    with pytest.raises(ProfileError, match="infinite"):
        ListenerHistory(np.full((5, 31), np.inf, np.float32))
    with pytest.raises(ProfileError, match="one for each frame"):
        ListenerHistory(rows(5), {}, np.ones(4, np.int32))


def test_attributes_alone_leave_the_head_unknown() -> None:
    history = ListenerHistory.from_columns(rows()[:, :25])
    assert history.rows.shape == (500, 31)
    assert np.isnan(history.rows[:, 25:]).all()
    assert history.visible.all()


def test_a_history_survives_a_file_of_attributes() -> None:
    given = rows()
    given[100:130] = NAN
    history = ListenerHistory(given, {"file": "alice.mp4"})
    again = ListenerHistory.from_track(history.to_track(), {})
    assert again.rows.tobytes() == given.tobytes()
    assert history.to_track().source == "alice.mp4"


def test_people_are_counted_by_the_seconds_of_their_face() -> None:
    person = np.repeat([1, 2, 0], [300, 100, 100]).astype(np.int32)
    given = rows()
    given[person == 0] = NAN
    history = ListenerHistory(given, {"people": {"2": "bob"}}, person)
    assert history.people() == {1: 12.0, 2: 4.0}
    assert history.called(2) == "person 2 ('bob')"
    bob = history.of_people([2])
    assert np.flatnonzero(bob.visible).tolist() == list(range(300, 400))
    assert history.of_people([1, 2]).visible.sum() == 400
    with pytest.raises(ProfileError, match="no person 7 .* person 1 for 12.0 s, person 2 "):
        history.of_people([7])


def test_nothing_known_stays_as_it_is() -> None:
    given = rows()
    assert np.allclose(filled_rows(ListenerHistory(given)), given, atol=1e-6)


def test_short_gaps_are_bridged_and_long_ones_cut() -> None:
    given = rows()
    given[100:110] = NAN
    given[200:250] = NAN
    filled = filled_rows(ListenerHistory(given))
    assert len(filled) == 450
    assert np.isfinite(filled).all()
    middle = 0.5 * (given[99, 30] + given[110, 30])
    assert (
        min(given[99, 30], given[110, 30]) <= filled[105, 30] <= max(given[99, 30], given[110, 30])
    )
    assert filled[104:106, 30].mean() == pytest.approx(middle, abs=1e-3)
    assert np.allclose(filled[200:], given[250:], atol=1e-6)


def test_the_beginning_and_the_end_without_a_face_are_cut() -> None:
    given = rows()
    given[:5] = given[-5:] = NAN
    assert len(filled_rows(ListenerHistory(given))) == 490


def test_a_covered_mouth_is_bridged_if_short_and_else_what_it_mostly_is() -> None:
    given = rows()
    given[100:110, AU12] = NAN
    given[200:300, AU12] = NAN
    filled = filled_rows(ListenerHistory(given))
    assert len(filled) == 500
    assert filled[100:110, AU12].min() >= min(given[99, AU12], given[110, AU12])
    assert np.allclose(filled[200:300, AU12], np.nanmedian(given[:, AU12]), atol=1e-6)


def test_a_unit_that_is_hardly_ever_known_is_at_rest() -> None:
    given = rows()
    given[60:, AU12] = NAN
    assert not filled_rows(ListenerHistory(given))[:, AU12].any()


def test_an_unknown_head_is_straight_and_unknown_expressions_are_neutral() -> None:
    given = rows()
    given[:, 25:] = NAN
    given[:, EXPRESSION_SLICE] = NAN
    filled = filled_rows(ListenerHistory(given))
    assert not filled[:, 25:].any()
    assert (filled[:, EXPRESSION_SLICE] == np.eye(8)[0]).all()


def test_expressions_sum_to_one_also_where_some_were_bridged() -> None:
    given = rows()
    given[100:108, EXPRESSION_SLICE.start + 1] = NAN
    filled = filled_rows(ListenerHistory(given))
    assert np.allclose(filled[:, EXPRESSION_SLICE].sum(axis=1), 1.0, atol=1e-5)
