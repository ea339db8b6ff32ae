"""Generated against real reactions: how the two are laid on each other, and what is judged."""

from types import SimpleNamespace

import numpy as np
import pytest
from perreactor_ros.msg import SpeakerBehaviour

from perreactor_model.contract import ATTRIBUTES, FRAME_NS
from perreactor_model.report.contents import ReactionTrack, RealTrack, SpeakerTrack
from perreactor_ros.hri_messages import action_unit_attributes
from perreactor_ros.replay.scoring import CLIP_FRAMES, clip_spans, on_grid, score
from perreactor_ros.replay.tracks import RealRows

BEGIN_NS = 1_700_000_000_000_000_000
UNITS = slice(0, 15)


def stamps(frames: int, begin: int = 0) -> np.ndarray:
    return BEGIN_NS + (np.arange(frames, dtype=np.int64) + begin) * FRAME_NS


def faces(frames: int, seed: int = 0) -> np.ndarray:
    """Smooth attributes (frames, 25) within their ranges, all of them in motion."""
    random = np.random.default_rng(seed)
    times = np.arange(frames)[:, None] / 25
    rate, phase = random.uniform(0.3, 1.5, 25), random.uniform(0, 6, 25)
    values = 0.5 + 0.3 * np.sin(2 * np.pi * rate * times + phase)
    values[:, 17:] /= values[:, 17:].sum(axis=1, keepdims=True)
    return values.astype(np.float32)


def reacts(attributes: np.ndarray, robot: str = "robot_a", profile: str = "warm", sample: int = 0):
    frames = len(attributes)
    return ReactionTrack(
        robot=robot,
        profile=profile,
        sample=sample,
        stamp_ns=stamps(frames),
        attributes=attributes,
        coefficients=np.zeros((frames, 58), np.float32),
        epoch=np.zeros(frames, np.int64),
        confidence=np.ones(frames, np.float32),
    )


def speaks(attributes: np.ndarray | None, frames: int) -> SpeakerTrack:
    present = np.ones(frames, bool)
    return SpeakerTrack(stamps(frames), present, present, attributes)


def real(attributes: np.ndarray, stamp_ns: np.ndarray | None = None) -> RealTrack:
    return RealTrack("/listener", stamps(len(attributes)) if stamp_ns is None else stamp_ns,
                     attributes)  # fmt: skip


def test_a_reaction_equal_to_the_real_one_scores_perfectly():
    truth = faces(300)
    scores = score([reacts(truth)], speaks(faces(300, 1), 300), real(truth))
    corrected = scores.robots["robot_a"]["corrected"]
    assert corrected["FRCorr"] == pytest.approx(1.0)
    assert corrected["FRDist"] == pytest.approx(0.0, abs=1e-6)
    assert corrected["lag_error"] == pytest.approx(0.0, abs=1e-9)
    assert set(scores.robots["robot_a"]) == {"reference", "corrected", "anchors"}
    assert scores.seconds == 12.0
    assert not scores.notes


def test_the_profile_that_fits_better_scores_better():
    truth = faces(300)
    near = truth + np.float32(0.02)
    far = faces(300, seed=7)
    scores = score([reacts(near), reacts(far, "robot_b", "stoic")], None, real(truth)).robots
    fit, misfit = (scores[robot]["corrected"] for robot in ("robot_a", "robot_b"))
    assert fit["FRCorr"] > misfit["FRCorr"]
    assert fit["FRDist"] < misfit["FRDist"]


def test_trivial_answers_are_scored_once_beside_the_first_robot():
    truth = faces(300)
    both = [reacts(truth), reacts(faces(300, seed=7), "robot_b", "stoic")]
    scores = score(both, speaks(faces(300, 1), 300), real(truth)).robots
    assert "anchors" not in scores["robot_b"]
    anchors = scores["robot_a"]["anchors"]
    assert set(anchors) == {"ground_truth", "random", "mime", "mean_frame"}
    assert anchors["ground_truth"]["corrected"]["FRCorr"] == pytest.approx(1.0)
    assert anchors["mean_frame"]["corrected"]["FRCorr"] == pytest.approx(0.0)


def test_all_samples_of_a_robot_are_judged_together():
    truth = faces(300)
    samples = [reacts(faces(300, seed), sample=seed) for seed in range(3)]
    corrected = score(samples, None, real(truth)).robots["robot_a"]["corrected"]
    assert corrected["FRDiv"] > 0.0
    alone = score(samples[:1], None, real(truth)).robots["robot_a"]["corrected"]
    assert not alone.get("FRDiv")


def test_real_reactions_at_another_rate_are_interpolated():
    times = np.arange(0, 10 * FRAME_NS, FRAME_NS // 2 + 1)
    values = np.repeat(np.arange(len(times), dtype=np.float32)[:, None], 25, axis=1)
    laid = on_grid(RealTrack("r", BEGIN_NS + times, values), stamps(8))
    expected = np.arange(8) * FRAME_NS / (FRAME_NS // 2 + 1)
    assert laid == pytest.approx(np.repeat(expected[:, None], 25, axis=1), abs=1e-5)


def test_real_reactions_are_not_made_up_where_there_are_none():
    stamp_ns = np.concatenate([stamps(10), stamps(10, begin=20)])
    laid = on_grid(RealTrack("r", stamp_ns, np.ones((20, 25), np.float32)), stamps(40))
    known = np.isfinite(laid[:, 0])
    assert known.tolist() == [True] * 10 + [False] * 10 + [True] * 10 + [False] * 10
    assert not np.isfinite(on_grid(RealTrack("r", stamps(0), np.empty((0, 25))), stamps(5))).any()


def test_an_unknown_attribute_stays_unknown_between_its_neighbours():
    values = np.ones((10, 25), np.float32)
    values[4, 3] = np.nan
    laid = on_grid(RealTrack("r", stamps(10) + 1000, values), stamps(10))
    assert np.flatnonzero(np.isnan(laid[1:, 3])).tolist() == [3, 4]
    assert np.isfinite(laid[1:, 2]).all()


def test_clips_break_at_epochs_gaps_and_unknown_frames():
    stamp_ns = stamps(1000)
    stamp_ns[300:] += 5 * FRAME_NS
    epoch = np.zeros(1000, np.int64)
    epoch[500:] = 1
    known = np.ones(1000, bool)
    known[700] = False
    known[790:800] = False
    spans = [(span.start, span.stop) for span in clip_spans(stamp_ns, epoch, known)]
    assert spans == [(0, 300), (300, 500), (500, 700), (800, 1000)]


def test_a_long_stretch_becomes_clips_of_the_fields_length():
    frames = 2 * CLIP_FRAMES + 120
    spans = clip_spans(stamps(frames), np.zeros(frames), np.ones(frames, bool))
    assert [span.stop - span.start for span in spans] == [CLIP_FRAMES, CLIP_FRAMES, 120]
    spans = clip_spans(stamps(frames - 30), np.zeros(frames - 30), np.ones(frames - 30, bool))
    assert len(spans) == 2, "a rest of under four seconds is no clip"


def test_attributes_that_are_not_known_are_not_judged():
    truth = faces(300)
    known = truth.copy()
    known[:, 15:] = np.nan
    wrong = truth.copy()
    wrong[:, 15:] = 0.0
    scores = score([reacts(wrong)], speaks(faces(300, 1), 300), real(known))
    assert scores.channels == ATTRIBUTES[:15]
    assert set(scores.robots["robot_a"]) == {"corrected", "anchors"}
    assert scores.robots["robot_a"]["corrected"]["FRCorr"] == pytest.approx(1.0)
    assert "15 of 25 attributes" in scores.notes[0]


def test_without_the_speakers_attributes_synchrony_is_left_out_with_the_reason():
    truth = faces(300)
    scores = score([reacts(truth)], speaks(None, 300), real(truth))
    assert "FRSyn" not in scores.robots["robot_a"]["corrected"]
    assert "not known" in scores.notes[0]


def test_what_cannot_be_scored_says_why():
    truth = faces(300)
    assert "no real reactions" in score([reacts(truth)], None, None).why_not
    later = real(truth, stamps(300, begin=100_000))
    assert "same clock" in score([reacts(truth)], None, later).why_not
    short = real(truth[:60], stamps(60))
    assert "4 s" in score([reacts(truth)], None, short).why_not
    unknown = real(np.full((300, 25), np.nan, np.float32))
    assert score([reacts(truth)], None, unknown).why_not


def units_message(intensity, confidence=()) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=10, nanosec=5)
    header = SimpleNamespace(stamp=stamp, frame_id="")
    return SimpleNamespace(header=header, intensity=intensity, confidence=confidence)


def test_action_units_are_found_by_their_number():
    intensity = np.arange(99) / 100
    attributes = action_unit_attributes(units_message(intensity))
    numbers = [int(name[2:]) for name in ATTRIBUTES[UNITS]]
    assert attributes[UNITS] == pytest.approx(np.array(numbers) / 100)
    assert np.isnan(attributes[15:]).all()


def test_action_units_without_value_or_confidence_are_unknown():
    intensity = np.full(99, 0.5)
    intensity[[1, 2]] = np.nan, -1.0
    confidence = np.ones(99)
    confidence[4] = 0.0
    attributes = action_unit_attributes(units_message(intensity, confidence))
    assert np.isnan(attributes[:3]).all()
    assert (attributes[3:15] == 0.5).all()
    nobody_says = action_unit_attributes(units_message(np.full(99, 0.5), np.zeros(99)))
    assert (nobody_says[UNITS] == 0.5).all()
    short = action_unit_attributes(units_message([0.0, 0.3]))
    assert short[0] == np.float32(0.3)
    assert np.isnan(short[1:]).all()


def test_a_real_track_is_in_order_of_stamps():
    rows = RealRows("/face")
    for second in (3, 1, 2, 2, 0):
        message = units_message(np.full(99, second / 10))
        message.header.stamp.sec, message.header.stamp.nanosec = second, 0
        rows.add(message, 7_000_000_000)
    track = rows.track()
    assert (track.stamp_ns / 1e9).tolist() == [1, 2, 3, 7], "without a stamp: when it was recorded"
    assert track.attributes[:, 0] == pytest.approx([0.1, 0.2, 0.3, 0.0])


def test_a_real_track_takes_the_behaviour_of_a_perception_as_far_as_it_is_known():
    rows = RealRows("/listener/speaker/behaviour")
    for second, known in enumerate((True, False), 1):
        message = SpeakerBehaviour(attributes_known=known)
        message.header.stamp.sec = second
        message.attributes = np.full(25, 0.25, np.float32)
        rows.add(message, 0)
    track = rows.track()
    assert (track.attributes[0] == 0.25).all()
    assert np.isnan(track.attributes[1]).all()
