"""Where moments lie on the axis, what is joined by a line, what is worth a closer look."""

import numpy as np
import pytest

from perreactor_model.contract import FRAME_NS
from perreactor_model.report.contents import RealTrack
from perreactor_model.report.curves import clock, presence_bars, thinned
from perreactor_model.report.matching import attributes_at, rows_at
from perreactor_model.report.timeline import CUT_S, Timeline, choose_excerpt, joined_to_next

SECOND = 1_000_000_000


def test_the_axis_begins_with_the_recording_and_runs_in_seconds(contents, reaction):
    track = reaction()
    timeline = Timeline.of(contents(reactions=[track]))
    assert timeline.length_s == pytest.approx(4.0)
    np.testing.assert_allclose(timeline.seconds(track.stamp_ns), np.arange(100) / 25)
    assert timeline.stamp(2.0) == track.stamp_ns[50]


def test_a_clock_that_jumps_by_years_is_cut_out_of_the_axis(contents, reaction):
    stamps = reaction().stamp_ns.copy()
    stamps[50:] += 10**17
    track = reaction(stamp_ns=stamps, epoch=np.arange(100) // 50)
    timeline = Timeline.of(contents(reactions=[track], end_ns=int(stamps[49])))
    assert timeline.jumps_s == pytest.approx([1e8], rel=1e-3)
    assert timeline.length_s < 4.0 + CUT_S + 0.1
    assert timeline.seconds(stamps)[-1] == pytest.approx(timeline.length_s)
    assert timeline.stamp(timeline.length_s) == stamps[-1]


def test_a_pause_within_a_long_conversation_is_no_jump(contents, reaction):
    stamps = reaction(frames=5000).stamp_ns.copy()
    stamps[2500:] += 90 * SECOND
    track = reaction(frames=5000, stamp_ns=stamps)
    assert Timeline.of(contents(reactions=[track])).jumps_s == []


def test_a_recording_without_any_frame_has_an_axis(contents):
    timeline = Timeline.of(contents(begin_ns=7, end_ns=7))
    assert timeline.length_s == 0.0
    assert timeline.seconds(np.array([7])).tolist() == [0.0]
    assert timeline.stamp(0.0) == 7


def test_a_short_recording_is_shown_whole(contents, reaction):
    track = reaction()
    excerpt = choose_excerpt(Timeline.of(contents(reactions=[track])), [track])
    assert excerpt.why == "the whole recording"
    assert excerpt.seconds == pytest.approx(4.0)


def test_of_a_long_recording_the_liveliest_stretch_is_taken(contents, reaction):
    frames = 100 * 25
    attributes = np.full((frames, 25), 0.5)
    attributes[60 * 25 : 80 * 25 : 2] = 0.6
    track = reaction(frames=frames, attributes=attributes)
    whole = contents(reactions=[track], end_ns=int(track.stamp_ns[-1]))
    excerpt = choose_excerpt(Timeline.of(whole), [track])
    assert excerpt.begin_s <= 60.0 and excerpt.end_s >= 80.0
    assert excerpt.seconds == pytest.approx(30.0)
    assert "move most" in excerpt.why


def test_faces_that_stand_still_are_shown_from_the_beginning(contents, reaction):
    frames = 100 * 25
    track = reaction(frames=frames, attributes=np.full((frames, 25), 0.5))
    whole = contents(reactions=[track], end_ns=int(track.stamp_ns[-1]))
    excerpt = choose_excerpt(Timeline.of(whole), [track])
    assert (excerpt.begin_s, excerpt.why) == (0.0, "its beginning")


def test_the_excerpt_never_runs_over_a_jump_of_the_clock(contents, reaction):
    stamps = reaction(frames=500).stamp_ns.copy()
    stamps[200:] += 10**17
    track = reaction(frames=500, stamp_ns=stamps)
    excerpt = choose_excerpt(Timeline.of(contents(reactions=[track])), [track])
    assert excerpt.begin_ns == stamps[200]
    assert excerpt.seconds == pytest.approx(299 / 25, abs=0.01)


def test_lines_are_lifted_over_holes_new_epochs_and_steps_back():
    stamps = np.array([0, 1, 2, 9, 10, 8, 9]) * FRAME_NS
    epoch = np.array([0, 0, 1, 1, 1, 1, 1])
    assert joined_to_next(stamps, epoch).tolist() == [True, False, False, True, False, True]


def test_a_thinned_curve_keeps_its_highest_and_lowest_values():
    values = np.sin(np.arange(10_000) / 300.0)
    values[4321], values[8765] = 7.0, -9.0
    values[6000:6100] = np.nan
    seconds, kept = thinned(np.arange(10_000) / 25, values, 200)
    assert len(kept) <= 400
    assert np.nanmax(kept) == 7.0 and np.nanmin(kept) == -9.0
    assert np.isnan(kept).any()
    assert np.all(np.diff(seconds) > 0)


def test_presence_is_drawn_as_stretches_without_a_hole(contents, reaction):
    track = reaction(frames=10)
    timeline = Timeline.of(contents(reactions=[track]))
    present = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0, 1], bool)
    bars = presence_bars(track.stamp_ns, present, timeline)
    np.testing.assert_allclose(bars, [(0.0, 0.08), (0.16, 0.12), (0.36, 0.04)], atol=1e-9)


def test_a_slow_track_answers_the_frames_between_its_rows():
    five_hertz = np.arange(6) * 200_000_000
    frames = np.arange(26) * FRAME_NS
    assert (rows_at(five_hertz, frames) >= 0).all()
    assert rows_at(five_hertz, np.array([3 * SECOND])).tolist() == [-1]


def test_where_nothing_is_near_attributes_are_unknown():
    real = RealTrack("/listener", np.array([0, FRAME_NS]), np.ones((2, 25)))
    found = attributes_at(real.stamp_ns, real.attributes, np.array([0, FRAME_NS, SECOND]))
    assert np.isfinite(found).all(axis=1).tolist() == [True, True, False]
    assert np.isnan(attributes_at(np.zeros(0), np.zeros((0, 25)), np.array([0]))).all()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0:00"), (7.5, "0:07.5"), (187.0, "3:07"), (3723.0, "1:02:03"), (59.99, "1:00")],
)
def test_times_read_like_a_clock(seconds, shown):
    assert clock(seconds) == shown
