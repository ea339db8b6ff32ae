"""`perreactor doctor` tells what is wrong, what to do, and nothing else."""

import json
import sys
from pathlib import Path

import pytest

from perreactor_model.cli import doctor
from perreactor_model.cli.doctor import OK, WARNING, WRONG, Finding, judge_gpu, judge_onnxruntime
from perreactor_model.cli.main import main
from perreactor_model.face_analysis.choice import landmarks_installed

CPU = ["CPUExecutionProvider"]
BOTH = ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_both_packages_of_onnxruntime_are_wrong() -> None:
    finding = judge_onnxruntime({"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.32.0"}, CPU)
    assert finding.status == WRONG
    assert "pip uninstall onnxruntime onnxruntime-gpu" in finding.advice


def test_no_onnxruntime_is_wrong() -> None:
    assert judge_onnxruntime({}, []).status == WRONG


def test_an_onnxruntime_that_does_not_load_is_wrong_and_says_why() -> None:
    finding = judge_onnxruntime({"onnxruntime": "1.32.0"}, "libfoo.so is missing")
    assert finding.status == WRONG
    assert "libfoo.so is missing" in finding.found


def test_a_sound_onnxruntime_lists_its_providers() -> None:
    finding = judge_onnxruntime({"onnxruntime": "1.32.0"}, CPU)
    assert finding == Finding("onnxruntime", OK, "onnxruntime 1.32.0: CPUExecutionProvider")


@pytest.mark.parametrize(
    ("gpus", "providers", "status"),
    [([], CPU, OK), ([], BOTH, WARNING), (["RTX"], CPU, WARNING), (["RTX"], BOTH, OK)],
)
def test_gpu_and_package_must_go_together(
    gpus: list[str], providers: list[str], status: str
) -> None:
    finding = judge_gpu(gpus, providers)
    assert finding.status == status
    assert bool(finding.advice) == (status != OK)


def test_packages_of_this_interpreter_are_complete() -> None:
    assert doctor.check_packages().status == OK
    assert doctor.check_face_detector().status == OK
    assert doctor.check_onnxruntime().status == OK


def test_packages_for_evaluation_may_be_missing_on_a_robot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor.check_evaluation().status == OK
    monkeypatch.setattr(doctor, "EVALUATION_MODULES", ("numba", "no_such_module"))
    finding = doctor.check_evaluation()
    assert finding.status == WARNING
    assert "no_such_module" in finding.found
    assert "evaluation.txt" in finding.advice


def test_a_missing_analyzer_is_a_warning_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)  # as if it were not installed
    finding = doctor.check_analyzer()
    assert finding.status == WARNING
    assert "pip install --no-deps -r requirements/analyzer.txt" in finding.advice


@pytest.mark.skipif(not landmarks_installed(), reason="the analyzer needs mediapipe")
def test_an_analyzer_that_opens_is_named_with_its_version() -> None:
    finding = doctor.check_analyzer()
    assert (finding.status, finding.found) == (OK, "mediapipe 0.10.21")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "RUNTIME_MODULES", ("numpy", "no_such_module"))
    finding = doctor.check_packages()
    assert finding.status == WRONG
    assert finding.found == "missing: no_such_module"


def test_a_missing_ros_is_a_warning_since_only_nodes_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert doctor.check_ros().status == WARNING
    assert doctor.check_messages().status == WARNING


def test_a_ros_without_our_messages_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(doctor, "_ask_child", lambda program: doctor._Answer(True, "no messages"))
    finding = doctor.check_messages()
    assert finding.status == WRONG
    assert "colcon build" in finding.advice


def test_a_bundle_that_does_not_exist_is_wrong() -> None:
    (finding,) = doctor.check_bundles("no_such_bundle")
    assert finding.status == WRONG
    assert "no_such_bundle" in finding.found


def test_a_log_folder_that_cannot_be_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_LOG_DIR", "ROS_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert doctor.check_log_folder().status == WRONG


def test_little_shared_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "SHARED_MEMORY_NEEDED", 1 << 60)
    assert doctor.check_shared_memory(tmp_path).status == WARNING


def findings(*statuses: str):
    return lambda bundle: iter([Finding(f"part {n}", s, "x") for n, s in enumerate(statuses)])


@pytest.mark.parametrize(("statuses", "exit_status"), [((OK, WARNING), 0), ((OK, WRONG), 1)])
def test_only_what_is_wrong_fails(
    statuses: tuple[str, ...],
    exit_status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "examine", findings(*statuses))
    assert main(["doctor"]) == exit_status
    assert main(["doctor", "--json"]) == exit_status
    report = json.loads(capsys.readouterr().out.split("warnings\n")[1])
    assert report["ok"] is (exit_status == 0)
    assert [check["status"] for check in report["checks"]] == list(statuses)
