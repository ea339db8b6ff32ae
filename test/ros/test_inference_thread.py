"""The inference thread: the newest wins, what is discarded is never used, errors have a budget."""

import threading

import pytest

from perreactor_ros.worker import ERROR_BUDGET, InferenceThread

PATIENCE = 30.0


class Work:
    """Work that a test can hold up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.outdated: list[bool] = []
        self.thread = InferenceThread("test", self.work, print, capacity=5)

    def work(self, items: list[int]) -> None:
        self.entered.release()
        assert self.may_end.acquire(timeout=PATIENCE)
        self.outdated.append(self.thread.outdated)
        self.batches.append(items)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE)

    def let_run(self, times: int = 1) -> None:
        for _ in range(times):
            self.may_end.release()


@pytest.fixture
def work():
    work = Work()
    yield work
    work.let_run(1000)
    work.thread.stop()


def test_what_comes_while_it_works_waits_and_comes_in_order(work):
    work.thread.put(1)
    work.wait_entered()
    work.thread.put(2)
    work.thread.put(3)
    work.let_run()
    work.wait_entered()
    work.let_run()
    work.thread.call(lambda: work.let_run())
    assert work.batches[:2] == [[1], [2, 3]]


def test_the_oldest_make_room_and_are_counted(work):
    work.thread.put(0)
    work.wait_entered()
    for item in range(1, 9):
        work.thread.put(item)
    work.let_run()
    work.wait_entered()
    work.let_run()
    work.thread.call(lambda: work.let_run())
    assert work.batches[1] == [4, 5, 6, 7, 8]
    assert work.thread.dropped == 3


def test_what_was_discarded_is_not_worked_on_and_work_in_progress_learns_of_it(work):
    work.thread.put(1)
    work.wait_entered()
    work.thread.put(2)
    work.thread.discard()
    work.thread.put(3)
    work.let_run()
    work.wait_entered()
    work.let_run()
    work.thread.call(lambda: work.let_run())
    assert work.batches[:2] == [[1], [3]]
    assert work.outdated[:2] == [True, False]


def test_a_call_returns_or_raises_what_the_job_does(work):
    work.let_run(10)
    assert work.thread.call(lambda: threading.current_thread().name) == "test"
    with pytest.raises(ZeroDivisionError):
        work.thread.call(lambda: 1 / 0)
    assert work.thread.call(lambda: 42) == 42


class Planned:
    """Work that fails when it is planned to, and succeeds from the end of the plan on."""

    def __init__(self, failures: list[bool]) -> None:
        self.failures = failures
        self.calls = 0
        self.reports: list[str] = []
        self.thread = InferenceThread("test", self.work, self.reports.append)

    def work(self, items: list[int]) -> None:
        self.calls += 1
        if self.failures and self.failures.pop(0):
            raise ValueError("broken model")

    def run_until(self, condition) -> None:
        while not condition():
            self.thread.call(lambda: None)  # each call is followed by one of `work`


def test_after_too_many_failures_in_a_row_it_gives_up_until_it_is_restarted():
    planned = Planned([True] * (ERROR_BUDGET + 5))
    planned.run_until(lambda: planned.thread.failed)
    assert planned.calls == ERROR_BUDGET
    assert len(planned.reports) == 1, "said once, not once a frame"
    assert "broken model" in planned.reports[0]
    planned.thread.put(1)
    planned.thread.call(lambda: None)
    assert planned.calls == ERROR_BUDGET
    assert planned.thread.dropped == 1
    planned.thread.restart()
    planned.run_until(lambda: planned.calls > ERROR_BUDGET + 5)
    assert not planned.thread.failed
    planned.thread.stop()


def test_a_success_in_between_forgives():
    planned = Planned(([True] * (ERROR_BUDGET - 1) + [False]) * 3)
    planned.run_until(lambda: not planned.failures)
    planned.thread.call(lambda: None)
    assert not planned.thread.failed
    assert len(planned.reports) == 3
    planned.thread.stop()


def test_nothing_can_be_asked_of_a_thread_that_was_stopped(work):
    work.let_run(10)
    work.thread.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        work.thread.call(lambda: None)
