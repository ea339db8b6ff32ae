"""`perreactor metrics` in a terminal and in a script."""

import importlib.util
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("numba") is None:
    pytest.skip("the metrics need numba", allow_module_level=True)

from perreactor_model.cli.main import main
from perreactor_model.metrics import evaluation
from perreactor_model.metrics.anchors import ANCHORS

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.npz"


def command(*words) -> int:
    return main(["metrics", *map(str, words)])


def told(capsys, *words) -> dict:
    assert command(*words, "--json") == 0

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def made(path: Path, **changes) -> Path:
    draw = np.random.default_rng(0)
    arrays = {
        "prediction": draw.random((4, 2, 60, 25), np.float32),
        "listener": draw.random((4, 60, 25), np.float32),
        "speaker": draw.random((4, 60, 25), np.float32),
        "appropriate": np.eye(4, dtype=bool),
        "identity": np.array([0, 0, 1, 1]),
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_json_holds_the_modes_that_were_asked_for(tmp_path, capsys):
    path = made(tmp_path / "predictions.npz")
    both = told(capsys, path)
    assert set(both) == {"reference", "corrected"}
    assert set(both["reference"]["PMAFRG"]) == {"FRCorr", "FRDist"}
    assert told(capsys, path, "--mode", "both") == both
    assert told(capsys, path, "--mode", "reference") == {"reference": both["reference"]}
    assert told(capsys, path, "--mode", "corrected") == {"corrected": both["corrected"]}


def test_predictions_of_another_length_than_the_real_reactions_are_remarked_on(tmp_path, capsys):
    swapped = np.random.default_rng(1).random((4, 60, 2, 25), np.float32)
    path = made(tmp_path / "predictions.npz", prediction=swapped)
    assert command(path, "--metrics", "FRCorr", "--json") == 0
    printed = capsys.readouterr()
    assert "clip 0 has 2 frames in prediction and 60 in listener (4 clips differ)" in printed.err
    assert set(json.loads(printed.out)) == {"reference", "corrected"}
    assert command(made(tmp_path / "equal.npz"), "--metrics", "FRCorr", "--json") == 0
    assert "note" not in capsys.readouterr().err


def test_attributes_on_another_scale_are_remarked_on(tmp_path, capsys):
    reactions = np.random.default_rng(1).random((4, 60, 25), np.float32)
    reactions[2, :, 3] *= 5
    assert command(made(tmp_path / "predictions.npz", listener=reactions)) == 0
    notes = capsys.readouterr().err
    assert "listener holds AU6 from" in notes and "(clip 2), outside 0 to 1" in notes
    assert "speaker holds" not in notes


def test_a_folder_is_refused_by_name(tmp_path, capsys):
    assert command(tmp_path) == 2
    assert f"{tmp_path} is a folder: give the .npz file itself" in capsys.readouterr().err


def test_the_command_prints_what_evaluate_gives(capsys):
    figures = told(capsys, GOLDEN, "--mode", "reference")["reference"]
    with np.load(GOLDEN, allow_pickle=False) as golden:
        assert figures["FRSyn"] == float(golden["FRSyn"])
        assert figures["FRCorr"] == pytest.approx(float(golden["FRCorr"]), rel=1e-6)


def test_anchors_stand_beside_the_figures(tmp_path, capsys):
    path = made(tmp_path / "predictions.npz")
    result = told(capsys, path, "--anchors", "--metrics", "FRCorr,FRDist", "--mode", "corrected")
    assert tuple(result["anchors"]) == ANCHORS
    assert result["anchors"]["ground_truth"]["corrected"]["FRCorr"] == 1.0
    assert set(result["corrected"]) == {"FRCorr", "FRCorr_undefined", "FRDist", "PMAFRG"}


def test_people_get_a_table_with_direction_and_best_value(tmp_path, capsys):
    assert command(made(tmp_path / "predictions.npz"), "--mode", "reference") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(
        "4 clips, 2 reactions of 60 frames to each, 1.0 fitting real reactions a clip, 2 listeners"
    )
    head = next(line for line in lines if "PMAFRG" in line)
    row = next(line for line in lines if line.split()[:1] == ["FRCorr"])
    assert row.split()[3:5] == ["2", "higher"], "two perfect samples sum to 2"
    figure = row.split()[2]
    assert head.index("PMAFRG") + len("PMAFRG") == row.rindex(figure) + len(figure)


def test_the_table_has_a_column_for_each_anchor_and_says_what_is_undefined(tmp_path, capsys):
    path = made(tmp_path / "predictions.npz")
    assert command(path, "--anchors", "--mode", "corrected") == 0
    out = capsys.readouterr().out
    assert "ground truth" in out and "nearest neighbour" in out
    assert "mean frame FRSyn, mean frame FRSyn_absolute: no attribute moves" in out
    assert "Trivial answers are shown for MAFRG" in out
    assert max(len(line) for line in out.splitlines() if line.startswith("  FR")) < 140


def test_what_is_left_out_is_said(tmp_path, capsys):
    known = np.arange(25) < 20
    path = made(tmp_path / "some.npz", speaker=None, identity=None, channels=known)
    assert command(path) == 0
    out = capsys.readouterr().out
    assert "FRSyn and lag_error are left out: the file has no array 'speaker'" in out
    assert "PMAFRG and personalisation are left out" in out
    assert "5 of 25 attributes are unknown" in out
    assert "reference:" not in out


def test_the_joints_of_a_stream_are_judged_where_their_step_is_given(tmp_path, capsys):
    path = made(tmp_path / "predictions.npz")
    assert told(capsys, path, "--seam-step", 8)["corrected"]["seams"]["ratio"] > 0


def test_pictures_add_frrea_to_every_mode(tmp_path, capsys, monkeypatch):
    fid = importlib.import_module("perreactor_model.metrics.fid")
    asked = []

    def measured(*where) -> dict:
        asked.append(where)
        return {"distance": 12.5, "rendered_pictures": 3, "real_pictures": 3, "warning": "too few"}

    monkeypatch.setattr(fid, "frechet_inception_distance", measured)
    path = made(tmp_path / "predictions.npz")
    words = ["--rendered", "a", "--real", "b", "--inception", "c.pth", "--metrics", "FRRea,FRVar"]
    result = told(capsys, path, *words)
    assert result["reference"]["FRRea"] == result["corrected"]["FRRea"] == 12.5
    assert asked == [(Path("a"), Path("b"), Path("c.pth"), "auto")]


def test_progress_is_shown_where_it_is_asked_for(tmp_path, capsys):
    path = made(tmp_path / "predictions.npz")
    assert command(path, "--metrics", "FRVar") == 0
    assert capsys.readouterr().err == ""
    assert command(path, "--metrics", "FRVar", "--progress") == 0
    assert " left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told_why"),
    [
        (["--metrics", "FRCor"], "did you mean FRCorr?"),
        (["--rendered", "a"], "FRRea needs all three of --rendered, --real and --inception"),
        (["--processes", "0"], "processes must be 1 or more"),
        (["--metrics", "seams"], "(--seam-step)"),
        (["--mode", "reference", "--metrics", "lag_error"], "needs the corrected mode"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, capsys, words, told_why):
    assert command(made(tmp_path / "predictions.npz"), *words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("perreactor: error: ") and told_why in error
    assert "\n" not in error


def test_a_faulty_file_is_told_in_one_line(tmp_path, capsys):
    empty = np.eye(4, dtype=bool)
    empty[2] = False
    assert command(made(tmp_path / "predictions.npz", appropriate=empty)) == 2
    assert "row 2 of appropriate is empty" in capsys.readouterr().err
    assert command(tmp_path / "nowhere.npz") == 2
    assert "there is no file" in capsys.readouterr().err


def test_without_numba_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "numba" else found(name)
    )
    assert command(made(tmp_path / "predictions.npz")) == 2
    assert "needs numba" in capsys.readouterr().err


def test_large_work_is_spread_over_the_cores_and_small_work_is_not(tmp_path, monkeypatch, capsys):
    asked = []
    evaluate = evaluation.evaluate

    def watched(predictions, modes, metrics, anchors, processes, *rest, **more):
        asked.append(processes)
        return evaluate(predictions, modes, metrics, anchors, 1, *rest, **more)

    monkeypatch.setattr(evaluation, "evaluate", watched)
    metrics = importlib.import_module("perreactor_model.cli.metrics")
    monkeypatch.setattr(metrics.os, "sched_getaffinity", lambda _: set(range(3)))
    path = made(tmp_path / "predictions.npz")
    command(path, "--metrics", "FRVar")
    monkeypatch.setattr(metrics, "_WORTH_PROCESSES", 100)
    command(path, "--metrics", "FRVar")
    assert asked == [1, 3]


def test_a_command_that_is_told_to_end_leaves_as_after_ctrl_c(tmp_path, monkeypatch):
    def interrupted(*words, **more) -> dict:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it went on")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(evaluation, "evaluate", interrupted)
    with pytest.raises(SystemExit) as left:
        command(made(tmp_path / "predictions.npz"))
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
