"""`evaluate`: the published figures, what known answers score, and what must not matter."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.metrics.evaluation import METRICS, EvaluationError, evaluate
from perreactor_model.metrics.predictions import Predictions

GOLDEN = Path(__file__).parents[1] / "golden"
BOTH = ("reference", "corrected")
PUBLISHED = ("FRCorr", "FRDist", "FRDiv", "FRVar", "FRDvs")
SYNCHRONY = ("FRSyn", "FRSyn_first_sample_only")
SIX = (*PUBLISHED, "FRSyn")


def arrays(clips: int = 5, samples: int = 3, frames: int = 60, seed: int = 0) -> dict:
    draw = np.random.default_rng(seed)
    return {
        "prediction": draw.random((clips, samples, frames, 25), np.float32),
        "listener": draw.random((clips, frames, 25), np.float32),
        "speaker": draw.random((clips, frames, 25), np.float32),
        "appropriate": np.eye(clips, dtype=bool) | (draw.random((clips, clips)) < 0.4),
        "identity": np.arange(clips) % 2,
    }


def scored(given: dict, mode: str = "corrected", **options) -> dict:
    return evaluate(Predictions.from_arrays(**given), (mode,), **options)[mode]


def flat(table: dict, prefix: str = "") -> dict[str, float]:
    """All figures of a table that are numbers."""
    found: dict[str, float] = {}
    for name, value in table.items():
        if isinstance(value, dict) and name != "undefined":
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            found[prefix + name] = value
    return found


def test_the_reference_mode_agrees_with_the_published_code():
    path = GOLDEN / "metrics.npz"
    told = evaluate(Predictions.from_file(path), ("reference",))["reference"]
    with np.load(path, allow_pickle=False) as golden:
        for name in PUBLISHED:
            assert told[name] == pytest.approx(float(golden[name]), rel=1e-6), name
        for name in SYNCHRONY:
            assert told[name] == float(golden[name]), name


@pytest.mark.parametrize(
    "case",
    ["periodic", "still", "nearly_still", "short", "one_frame_over", "one_sample", "double"],
)
def test_it_agrees_at_hard_places_too(case):
    with np.load(GOLDEN / "metrics_cases.npz", allow_pickle=False) as cases:
        golden = {
            name.removeprefix(f"{case}/"): cases[name]
            for name in cases.files
            if name.startswith(f"{case}/")
        }
    figures = {name: float(golden.pop(name)) for name in list(golden) if golden[name].ndim == 0}
    told = scored(golden, "reference", metrics=SIX)
    for name in PUBLISHED:
        assert told[name] == pytest.approx(figures[name], rel=2e-6, abs=1e-9), name
    for name in SYNCHRONY:
        assert told[name] == figures[name], name
    for name in ("FRCorr", "FRDist"):
        personal = figures[f"PMAFRG_{name}"]
        assert told["PMAFRG"][name] == pytest.approx(personal, rel=2e-6, abs=1e-9), name


def test_ground_truth_scores_the_best_there_is_though_a_channel_stands_still():
    given = arrays()
    given["listener"][1, :, 6] = 0.0
    given["prediction"] = np.stack([given["listener"]] * 3, axis=1)
    told = scored(given)
    assert (told["FRCorr"], told["FRDist"], told["lag_error"]) == (1.0, 0.0, 0.0)
    assert told["FRRea-motion"] == pytest.approx(0.0, abs=1e-12)
    assert told["PMAFRG"] == {"FRCorr": 1.0, "FRCorr_undefined": 0.0, "FRDist": 0.0}
    published = scored(given, "reference")
    assert published["FRCorr"] < 3 - 0.02
    assert published["FRDist"] == 0.0


def test_a_listener_who_never_moves_does_not_keep_ground_truth_from_the_maximum():
    given = arrays(clips=4)
    given["listener"][1] = 0.25
    given["appropriate"][:] = True
    given["prediction"] = np.repeat(given["listener"][:, None], 3, axis=1)
    told = scored(given)
    assert told["FRCorr"] == 1.0
    assert told["FRCorr_undefined"] == 0.25


def test_published_figures_are_sums_over_samples_and_corrected_ones_means():
    given = arrays(samples=4)
    published, told = scored(given, "reference"), scored(given)
    assert published["FRDist"] == pytest.approx(4 * told["FRDist"])
    assert published["FRCorr"] == pytest.approx(4 * told["FRCorr"], rel=1e-4)
    for name in ("FRDiv", "FRVar", "FRDvs"):
        assert published[name] == told[name]


@pytest.mark.parametrize("frames", [-11, 0, 4])
def test_the_corrected_lag_is_signed_and_of_all_samples(frames):
    given = arrays()
    said = given["speaker"]
    given["prediction"] = np.stack([np.roll(said, n, axis=1) for n in (frames, frames + 2)], axis=1)
    told = scored(given)
    assert told["FRSyn"] == pytest.approx((frames + 1) / 25)
    published = scored(given, "reference")
    assert published["FRSyn"] == (abs(frames) + abs(frames + 2)) / 2
    assert published["FRSyn_first_sample_only"] == abs(frames)


def test_the_own_listener_is_found_among_the_neighbours_and_others_are_not_asked():
    given = arrays(clips=4, samples=1)
    given["appropriate"] = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]], bool)
    given["identity"] = np.array([0, 1, 2, 2])
    given["prediction"] = given["listener"][[1, 1, 3, 2]][:, None]
    told = scored(given, metrics=("FRCorr", "FRDist"))
    # Clips 0, 1 and 2 repeat a fitting reaction; of those, 0's is another person's; 3's fits not.
    assert 0.75 < told["FRCorr"] < 0.85
    assert told["PMAFRG"]["FRCorr"] == pytest.approx(told["FRCorr"] - 0.25, abs=0.05)
    assert told["PMAFRG"]["FRDist"] > told["FRDist"] > 0


def test_the_rows_of_the_matrix_are_the_speakers():
    given = arrays(clips=2, samples=1)
    given["prediction"] = given["listener"][[1, 0]][:, None]
    given["appropriate"] = np.array([[True, True], [False, True]])
    told = scored(given, metrics=("FRDist",))
    one_way = told["FRDist"]
    given["appropriate"] = given["appropriate"].T
    assert one_way > 0
    assert scored(given, metrics=("FRDist",))["FRDist"] == pytest.approx(one_way, rel=1e-6)
    given["appropriate"] = np.ones((2, 2), bool)
    assert scored(given, metrics=("FRDist",))["FRDist"] == 0.0


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_clips_and_of_samples_does_not_matter(seed):
    given, draw = arrays(seed=seed), np.random.default_rng(seed)
    clips, samples = draw.permutation(5), draw.permutation(3)
    turned = {name: given[name][clips] for name in ("listener", "speaker", "identity")}
    turned["prediction"] = given["prediction"][clips][:, samples]
    turned["appropriate"] = given["appropriate"][np.ix_(clips, clips)]
    first = {mode: flat(scored(given, mode)) for mode in BOTH}
    second = {mode: flat(scored(turned, mode)) for mode in BOTH}
    first["reference"].pop("FRSyn_first_sample_only")
    second["reference"].pop("FRSyn_first_sample_only")
    for mode in BOTH:
        assert second[mode] == pytest.approx(first[mode], rel=1e-9, abs=1e-12)


def test_a_further_fitting_reaction_can_only_help():
    given = arrays()
    before = scored(given, metrics=("FRCorr", "FRDist"))
    given["appropriate"] = np.ones((5, 5), bool)
    after = scored(given, metrics=("FRCorr", "FRDist"))
    assert after["FRCorr"] >= before["FRCorr"]
    assert after["FRDist"] <= before["FRDist"]


def test_clips_may_differ_in_length():
    given = arrays()
    lengths = (60, 12, 47, 30, 55)
    padded = evaluate(Predictions.from_arrays(**given, frames=list(lengths)), BOTH)
    for name in ("prediction", "listener", "speaker"):
        cut = zip(given[name], lengths, strict=True)
        given[name] = [clip[..., :length, :] for clip, length in cut]
    assert evaluate(Predictions.from_arrays(**given), BOTH) == padded
    json.dumps(padded, allow_nan=False)
    given["listener"] = [clip[: max(1, len(clip) - 5)] for clip in given["listener"]]
    told = scored(given)
    assert 0 < told["FRDist"] < 20


@pytest.mark.parametrize(
    ("clips", "samples", "frames"), [(1, 1, 1), (1, 2, 3), (2, 1, 2), (7, 1, 55)]
)
def test_any_sizes_give_figures_or_reasons(clips, samples, frames):
    told = evaluate(Predictions.from_arrays(**arrays(clips, samples, frames)), BOTH, anchors=True)
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == told
    for mode in BOTH:
        reasons = told[mode].get("undefined", {})
        assert {name for name, value in told[mode].items() if value is None} <= set(reasons)


def test_the_diversity_of_one_sample_is_published_as_zero_and_corrected_to_undefined():
    given = arrays(samples=1)
    assert scored(given, "reference")["FRDiv"] == 0.0
    told = scored(given)
    assert told["FRDiv"] is None
    assert "M must be 2 or more" in told["undefined"]["FRDiv"]


def test_reactions_that_never_move_have_no_lag_and_the_share_is_told():
    given = arrays(clips=4, samples=2)
    given["prediction"][:, 1] = 0.5
    told = scored(given)
    assert told["FRSyn_undefined"] == told["lag_error_undefined"] == 0.5
    given["listener"][2] = 0.5
    given["appropriate"] = np.eye(4, dtype=bool)
    assert scored(given)["FRCorr_undefined"] == 0.25


def test_processes_change_no_digit(tmp_path):
    given = arrays(clips=6, samples=2)
    predictions = Predictions.from_arrays(**given)
    alone = evaluate(predictions, BOTH, anchors=True)
    assert evaluate(predictions, BOTH, anchors=True, processes=2) == alone
    np.savez(tmp_path / "predictions.npz", **given)
    mapped = Predictions.from_file(tmp_path / "predictions.npz")
    assert evaluate(mapped, BOTH, anchors=True, processes=2) == alone


def test_progress_is_told_after_every_job():
    told: list[tuple[int, int]] = []
    predictions = Predictions.from_arrays(**arrays())
    evaluate(predictions, metrics=("FRDvs", "FRDiv"), progress=lambda *step: told.append(step))
    assert told == [(done, 6) for done in range(1, 7)]


def test_only_what_was_asked_for_is_there():
    predictions = Predictions.from_arrays(**arrays())
    assert set(evaluate(predictions, ("reference",), ("FRVar",))) == {"reference"}
    assert set(evaluate(predictions, BOTH, ("FRVar",))["corrected"]) == {"FRVar"}
    assert set(evaluate(predictions, BOTH, ("FRDist",))["reference"]) == {"FRDist", "PMAFRG"}
    given = arrays()
    del given["identity"]
    given["speaker"] = None
    told = scored(given)
    assert not {"PMAFRG", "FRSyn", "lag_error", "personalisation"} & set(told)


def test_unknown_channels_are_left_out_of_every_corrected_metric():
    known = np.ones(25, bool)
    known[[2, 16, 20]] = False
    given = arrays() | {"channels": known}
    told = flat(scored(given))
    for name in ("prediction", "listener", "speaker"):
        given[name][..., ~known] = np.nan
    assert flat(scored(given)) == told
    with pytest.raises(EvaluationError, match="unknown here: AU4, arousal, surprise"):
        scored(given, "reference")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"modes": ("best",)}, "there is no mode 'best'"),
        ({"modes": ()}, "no mode is asked for"),
        ({"metrics": ("FRCor",)}, "there is no metric 'FRCor': did you mean FRCorr?"),
        ({"metrics": ("FRRea",)}, "FRRea needs rendered and real pictures"),
        ({"metrics": ("seams",)}, "seams needs the step of the stream"),
        ({"modes": ("reference",), "metrics": ("calibration",)}, "needs the corrected mode"),
        ({"processes": 0}, "processes must be 1 or more"),
        ({"seam_step": 0}, "must be 1 frame or more"),
    ],
)
def test_a_question_without_an_answer_is_refused(options, told):
    with pytest.raises(EvaluationError) as error:
        evaluate(Predictions.from_arrays(**arrays()), **options)
    assert told in str(error.value)


def test_a_metric_that_lacks_an_array_is_refused_where_it_is_asked_for():
    given = arrays() | {"speaker": None, "identity": None}
    for metric in ("FRSyn", "lag_error", "personalisation"):
        with pytest.raises(EvaluationError, match=f"{metric} needs .*array"):
            scored(given, metrics=(metric,))


def test_everything_at_once_can_be_asked_for():
    told = scored(arrays(), seam_step=8)
    assert told["seams"]["ratio"] > 0
    assert set(METRICS) - {"FRRea"} <= set(told)
