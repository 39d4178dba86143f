"""What a request may wait, asked anew at each wait."""

from __future__ import annotations

import time

import pytest

from router.call import Remaining, Timeouts
from router.net.limit import LONGEST, LateError, end_of, timeouts_of
from router.testing import FakeClock

LEAST = 0.01


def made(clock: FakeClock, **limits: float) -> Timeouts:
    return Timeouts(limits, clock() + 2.0, pause=10.0, now=clock)


def test_what_is_left_is_asked_anew_at_each_wait() -> None:
    clock = FakeClock()
    read = made(clock, read=1.5).get("read")
    assert read == read.now() == 1.5
    clock.advance(1.0)
    assert read == 1.5
    assert read.now() == pytest.approx(1.0)


def test_once_the_head_came_a_wait_is_bounded_by_its_own_limit_and_the_bodys_end() -> None:
    clock = FakeClock()
    timeouts = made(clock, read=1.5)
    read = timeouts.get("read")
    clock.advance(5.0)
    timeouts.until_head = None
    assert read.now() == 1.5
    timeouts.until_body_end = clock() + 1.0
    assert read.now() == pytest.approx(1.0)
    clock.advance(0.8)
    assert read.now() == pytest.approx(0.2)


def test_name_connection_and_handshake_share_one_connect_timeout() -> None:
    clock = FakeClock()
    connect = made(clock, connect=1.5).get("connect")
    clock.advance(1.0)
    assert connect.now() == pytest.approx(0.5)


def test_when_time_is_up_there_is_one_last_look() -> None:
    clock = FakeClock()
    timeouts = made(clock)
    read = timeouts.get("read")
    clock.advance(3.0)
    assert 0 < read.now() < LEAST
    assert read.now() == 0.0
    with pytest.raises(LateError):
        end_of(read)
    timeouts.rebudget(1.0)
    assert read.now() == pytest.approx(1.0)


def test_an_abandoned_request_has_no_time() -> None:
    timeouts = made(FakeClock(), read=1.5)
    read = timeouts.get("read")
    timeouts.abandon()
    assert read.now() == 0.0
    assert timeouts.get("write") < LEAST
    assert timeouts.left is None


def test_plain_numbers_mean_what_they_say() -> None:
    assert end_of(None) is None
    assert end_of(float("inf")) == pytest.approx(time.monotonic() + LONGEST, abs=1.0)
    assert timeouts_of(1.0) is timeouts_of(None) is None
    with pytest.raises(LateError):
        end_of(0.0)


def test_a_timeout_is_a_number_too() -> None:
    read = made(FakeClock(), read=1.5).get("read")
    assert isinstance(read, Remaining)
    assert read + 1 == 2.5
