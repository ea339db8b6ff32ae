"""A run does not go wrong silently."""

import io
import json
from pathlib import Path

import pytest

from perreactor_model.training.progress import Progress, duration, read_log
from perreactor_model.training.watch import (
    JudgeWatch,
    TrainingStopped,
    accuracies,
    refuse_nonfinite,
)


def told(real: float, generated: float, judge: str = "realism") -> dict[str, float]:
    return {f"{judge}_real": real, f"{judge}_generated": generated}


def test_nan_stops_with_the_step_the_loss_and_advice() -> None:
    with pytest.raises(TrainingStopped) as caught:
        refuse_nonfinite(17, {"realism": 0.5, "diversity": float("nan")}, "bf16")
    text = str(caught.value)
    for part in ("step 17", "diversity is nan", "optimiser.lr", "loop.precision=32", "--resume"):
        assert part in text
    assert "realism is" not in text


def test_finite_losses_pass() -> None:
    refuse_nonfinite(1, {"realism": 0.5, "diversity": 0.0}, "32")


def test_a_judge_that_knows_everything_is_warned_of_once() -> None:
    watch = JudgeWatch(lines=3)
    found = [watch.look(told(1.0, 0.99)) for _ in range(8)]
    assert [len(warnings) for warnings in found] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert "D_R" in found[2][0]
    assert "instance_noise" in found[2][0]


def test_a_judge_that_knows_nothing_is_warned_of() -> None:
    watch = JudgeWatch(lines=2)
    watch.look(told(1.0, 0.0, "appropriate"))
    (warning,) = watch.look(told(1.0, 0.0, "appropriate"))
    assert "D_A" in warning
    assert "50 %" in warning
    assert "discriminator_lr higher" in warning


def test_a_judge_at_work_is_not_warned_of() -> None:
    watch = JudgeWatch(lines=1)
    assert not watch.look({**told(0.8, 0.7), **told(0.6, 0.7, "appropriate")})


def test_a_short_spell_is_no_collapse() -> None:
    watch = JudgeWatch(lines=3)
    for shares in ((1, 1), (1, 1), (0.7, 0.7), (1, 1), (1, 1)):
        assert not watch.look(told(*shares))


def test_a_resumed_watch_goes_on_counting() -> None:
    first = JudgeWatch(lines=3)
    first.look(told(1, 1))
    first.look(told(1, 1))
    second = JudgeWatch(lines=3)
    second.load(first.state())
    assert second.look(told(1, 1))


def test_accuracy_counts_real_and_generated_alike() -> None:
    assert accuracies(told(1.0, 0.5)) == {"D_R": 0.75}
    assert accuracies({}) == {}


def test_where_nobody_looks_at_a_bar_lines_tell_losses_and_time_left(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(tmp_path, 0, 100, stream=stream)
    for step in range(1, 101):
        progress.step()
        if step % 10 == 0:
            progress.line(step, {"realism": 0.7, "judge_realism": 1.3, **told(0.8, 0.6)})
    progress.say("done")
    progress.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3, "the first, then none for ten seconds, the last, and what was said"
    assert lines[0].startswith("step 10/100 (10.0 %)")
    for part in ("realism 0.7", "D_R 70 %", "ms/step", "left"):
        assert part in lines[0]
    assert [line["step"] for line in read_log(tmp_path)] == list(range(10, 101, 10))


def test_other_processes_say_nothing(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = Progress(tmp_path, 0, 10, speaks=False, stream=stream)
    progress.line(10, {"realism": 0.7})
    progress.say("done")
    assert not stream.getvalue()
    assert not list(tmp_path.iterdir())


def test_lines_after_the_checkpoint_of_an_interrupted_run_are_dropped(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "realism": 1.0}) for step in (5, 10, 15)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + '\n{"step": 2')
    Progress(tmp_path, 10, 100, stream=io.StringIO())
    assert [line["step"] for line in read_log(tmp_path)] == [5, 10]


def test_durations_are_told_as_people_do() -> None:
    assert duration(59.9) == "0:59"
    assert duration(3723) == "1:02:03"
