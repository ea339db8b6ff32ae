"""`report.json`: right, complete, free of NaN, the same for the same contents."""

import json

import numpy as np
import pytest

from perreactor_model.contract import ATTRIBUTES, FRAME_NS
from perreactor_model.report.analysis import analyse
from perreactor_model.report.contents import (
    LiveDifference,
    LiveTrack,
    RealTrack,
    SpeakerTrack,
)
from perreactor_model.report.numbers import report_numbers


def numbers_of(contents):
    return report_numbers(contents, analyse(contents))


def test_a_copy_of_the_real_reaction_has_concordance_one_and_no_lag(contents, reaction):
    track = reaction(frames=600)
    real = RealTrack("/listener", track.stamp_ns, track.attributes)
    numbers = numbers_of(contents(reactions=[track], real=real))
    attributes = numbers["robots"][0]["attributes"]
    for name in ATTRIBUTES:
        assert attributes[name]["concordance"] == pytest.approx(1.0, abs=1e-6)
        assert attributes[name]["lag_behind_real_s"] == 0.0
        assert attributes[name]["mean"] == pytest.approx(attributes[name]["real_mean"])
    assert numbers["lags"]["against"]["real"]["robot_a"]["median_s"] == 0.0


def test_a_reaction_that_comes_later_has_that_lag(contents, reaction):
    late = 10
    rng = np.random.default_rng(0)
    course = np.cumsum(rng.normal(0, 0.05, (760, 25)), axis=0)
    track = reaction(frames=750, attributes=course[:750])
    speaker = SpeakerTrack(
        track.stamp_ns, np.ones(750, bool), np.ones(750, bool), course[late : 750 + late]
    )
    numbers = numbers_of(contents(reactions=[track], speaker=speaker))
    told = numbers["lags"]["against"]["speaker"]["robot_a"]
    assert told["windows"] == 3
    assert told["median_s"] == pytest.approx(late / 25)
    assert sum(told["windows_per_bin"]) == 3
    assert numbers["robots"][0]["attributes"]["AU12"]["lag_behind_speaker_s"] == pytest.approx(0.4)


def test_a_real_listener_who_is_known_in_part_is_compared_in_that_part(contents, reaction):
    track = reaction(frames=300)
    attributes = track.attributes.copy()
    attributes[:, 15:] = np.nan
    real = RealTrack("/listener", track.stamp_ns, attributes)
    numbers = numbers_of(contents(reactions=[track], real=real))
    assert numbers["real"]["attributes_known"] == list(ATTRIBUTES[:15])
    assert numbers["real"]["rate_hz"] == pytest.approx(25.0)
    told = numbers["robots"][0]["attributes"]
    assert told["valence"]["concordance"] is None
    assert told["AU1"]["concordance"] == pytest.approx(1.0, abs=1e-6)


def test_why_there_is_no_lag_is_said(contents, reaction):
    numbers = numbers_of(contents(reactions=[reaction()]))
    assert set(numbers["lags"]["why_not"]) == {"speaker", "real"}
    short = reaction(frames=100)
    real = RealTrack("/listener", short.stamp_ns, short.attributes)
    numbers = numbers_of(contents(reactions=[short], real=real))
    assert "10 s" in numbers["lags"]["why_not"]["real"]


def test_windows_begin_where_both_faces_are_known(contents, reaction):
    track = reaction(frames=510)
    real = RealTrack("/listener", track.stamp_ns[10:], track.attributes[10:])
    told = numbers_of(contents(reactions=[track], real=real))["lags"]["against"]["real"]["robot_a"]
    assert (told["windows"], told["median_s"]) == (2, 0.0)


def test_movement_is_the_path_that_a_value_goes_in_a_second(contents, reaction):
    attributes = np.zeros((100, 25))
    attributes[1::2, 0] = 0.1
    numbers = numbers_of(contents(reactions=[reaction(attributes=attributes)]))
    told = numbers["robots"][0]["attributes"]
    assert told["AU1"]["movement"] == pytest.approx(2.5)
    assert told["AU2"]["movement"] == 0.0
    assert told["AU1"]["spread"] == pytest.approx(0.05)


def test_missing_frames_are_counted_within_epochs_only(contents, reaction):
    steps = np.array([1] * 20 + [4] + [1] * 20 + [500] + [1] * 57)
    stamps = reaction().stamp_ns[0] + np.concatenate([[0], np.cumsum(steps)]) * FRAME_NS
    epoch = (np.arange(100) > 41).astype(int)
    numbers = numbers_of(contents(reactions=[reaction(stamp_ns=stamps, epoch=epoch)]))
    robot = numbers["robots"][0]
    assert robot["epochs"] == 2
    assert robot["gaps"]["frames_missing"] == 3
    assert robot["gaps"]["longest"] == [{"after_s": pytest.approx(0.8), "frames_missing": 3}]


def test_latency_is_told_with_its_tail(contents, reaction):
    latency = np.arange(1, 101) / 1000
    latency[50] = np.nan
    live = LiveTrack(
        {"robot_a": latency},
        {"late_images": 2},
        {"robot_a": LiveDifference(0, 0.0, float("nan"), 1e-5, missing=3)},
    )
    numbers = numbers_of(contents(reactions=[reaction()], live=live))["live"]
    assert numbers["latency"]["robot_a"]["frames"] == 99
    assert numbers["latency"]["robot_a"]["median_ms"] == pytest.approx(50.0)
    assert numbers["latency"]["robot_a"]["largest_ms"] == pytest.approx(100.0)
    assert numbers["difference_from_offline"]["robot_a"]["largest_difference"] is None
    assert numbers["dropped"] == {"late_images": 2}


def test_nothing_undefined_reaches_the_file(contents, reaction):
    attributes = reaction().attributes.copy()
    attributes[:, 3] = np.nan
    speaker = SpeakerTrack(np.zeros(0), np.zeros(0), np.zeros(0))
    real = RealTrack("/listener", np.zeros(0), np.zeros((0, 25)))
    scores = {"robot_a": {"corrected": {"FRCorr": np.float32("nan"), "FRDist": np.float64(2)}}}
    told = numbers_of(
        contents(
            reactions=[reaction(attributes=attributes), reaction("robot_b", frames=0)],
            speaker=speaker,
            real=real,
            scores=scores,
        )
    )
    again = json.loads(json.dumps(told, allow_nan=False))
    assert again == told
    assert again["scores"]["robot_a"]["corrected"] == {"FRCorr": None, "FRDist": 2.0}
    assert again["robots"][0]["attributes"]["AU6"]["mean"] is None


def test_further_samples_are_counted_and_the_first_is_described(contents, reaction):
    tracks = [reaction(sample=2), reaction(sample=0), reaction(sample=1)]
    robot = numbers_of(contents(reactions=tracks))["robots"][0]
    assert robot["samples"] == 3
    expected = float(tracks[1].attributes[:, 0].mean())
    assert robot["attributes"]["AU1"]["mean"] == pytest.approx(expected, rel=1e-5)


def test_speed_is_the_recording_over_what_it_took(contents, reaction):
    assert numbers_of(contents(compute_s=0.5))["times_real_time"] == 8.0
    assert numbers_of(contents())["times_real_time"] is None
