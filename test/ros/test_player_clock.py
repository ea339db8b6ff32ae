"""The player's clock: stamps and waits, by a clock that may jump."""

import threading

import pytest
from rclpy.clock import ROSClock
from rclpy.time import Time

from perreactor_ros.play_clock import PlayClock

SECOND = 1_000_000_000


@pytest.fixture
def clock():
    """A node's clock in simulated time, which stands at 100 s until it is set."""
    simulated = ROSClock()
    simulated._set_ros_time_is_active(True)
    set_time(simulated, 100 * SECOND)
    return simulated


def set_time(clock: ROSClock, time_ns: int) -> None:
    clock.set_ros_time_override(Time(nanoseconds=time_ns, clock_type=clock.clock_type))


def test_what_is_due_is_not_waited_for_and_stamped_by_its_own_time(clock):
    playing = PlayClock(clock, 1.0, threading.Event())
    assert playing.begin()
    set_time(clock, 100 * SECOND + SECOND // 2)
    assert playing.wait_for(SECOND // 4)
    assert playing.stamp_of(SECOND // 4) == 100 * SECOND + SECOND // 4
    assert playing.slips == 0


def test_what_comes_much_too_late_shifts_all_that_follows_to_now(clock):
    playing = PlayClock(clock, 1.0, threading.Event())
    assert playing.begin()
    for now in (101, 102, 103):
        set_time(clock, now * SECOND)
        playing.wait_for(0)
    assert playing.slips >= 1
    assert 102 * SECOND <= playing.stamp_of(0) <= 103 * SECOND


@pytest.mark.parametrize("now", [20, 4000])
def test_stamps_follow_a_jump_of_the_clock(clock, now):
    playing = PlayClock(clock, 1.0, threading.Event())
    assert playing.begin()
    set_time(clock, now * SECOND)
    assert playing.wait_for(0)
    assert playing.stamp_of(0) == now * SECOND


def test_a_stop_ends_every_wait(clock):
    stopping = threading.Event()
    playing = PlayClock(clock, 1.0, stopping)
    assert playing.begin()
    results = []
    waiting = threading.Thread(target=lambda: results.append(playing.wait_for(3600 * SECOND)))
    waiting.start()
    stopping.set()
    waiting.join(10)
    assert results == [False]


def test_simulated_time_must_begin_before_playing_does(clock):
    set_time(clock, 0)
    stopping = threading.Event()
    playing = PlayClock(clock, 1.0, stopping)
    stopping.set()
    assert not playing.begin()
