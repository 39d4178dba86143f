"""The one thread that rings for all blocking races."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from router.racing import Alarm
from router.racing import alarm as alarms

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    made = Alarm()
    yield made
    made.close()


def test_it_rings_in_the_order_of_time_whatever_the_order_of_setting(alarm: Alarm) -> None:
    rung: list[int] = []
    done = threading.Event()
    for seconds, number in [(0.06, 3), (0.02, 1), (0.04, 2)]:
        alarm.set(seconds, lambda number=number: rung.append(number))  # type: ignore[misc]
    alarm.set(0.08, done.set)
    assert done.wait(5)
    assert rung == [1, 2, 3]


def test_what_is_cancelled_does_not_ring_and_keeps_nobody_from_ringing(alarm: Alarm) -> None:
    rung: list[str] = []
    done = threading.Event()
    first = alarm.set(0.02, lambda: rung.append("cancelled"))
    alarm.set(0.04, done.set)
    alarm.cancel(first)
    assert done.wait(5)
    assert rung == []


def test_it_rings_no_sooner_than_it_is_told(alarm: Alarm) -> None:
    began, rung = time.monotonic(), threading.Event()
    alarm.set(0.03, rung.set)
    assert rung.wait(5)
    assert time.monotonic() - began >= 0.03


def test_a_sooner_one_is_not_kept_waiting_by_a_later_one(alarm: Alarm) -> None:
    soon = threading.Event()
    alarm.set(60.0, lambda: None)
    time.sleep(0.01)
    alarm.set(0.01, soon.set)
    assert soon.wait(5)


def test_it_has_no_thread_before_it_is_set_and_none_after_it_is_closed() -> None:
    alarm = Alarm()
    assert vars(alarm)["_thread"] is None
    alarm.set(60.0, lambda: None)
    thread = alarm._thread
    assert thread is not None
    alarm.close()
    thread.join(5)
    assert not thread.is_alive()
    alarm.set(0.0, lambda: None)
    assert alarm._thread is thread, "what is closed starts nothing"


def test_its_thread_ends_when_nothing_was_set_for_long(
    alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "LINGERS", 0.02)
    for _ in range(2):
        rung = threading.Event()
        alarm.set(0.01, rung.set)
        thread = alarm._thread
        assert thread is not None
        assert rung.wait(5)
        thread.join(5)
        assert not thread.is_alive()


def test_a_child_of_a_fork_has_an_alarm_of_its_own(alarm: Alarm) -> None:
    alarm.set(60.0, lambda: None)
    child = os.fork()
    if child == 0:
        rung = threading.Event()
        alarm.set(0.01, rung.set)
        os._exit(0 if rung.wait(5) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def no_thread(_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_is_left_it_rings_when_there_is_one_again(alarm: Alarm) -> None:
    rung = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        alarm.set(0.01, rung.set)
    alarm.set(0.01, lambda: None)
    assert rung.wait(5)
