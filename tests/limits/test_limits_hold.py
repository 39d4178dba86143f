"""While every endpoint wants to be left alone, nobody is admitted, and nothing is spent."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from turns import acquire

import router
from router.errors import LimitError, RetryLaterError
from router.limits.limiter import Limiter, Permit, Ticket
from router.ports import BlockingPort, run
from router.testing import Regions, Reply

KINDS: list[dict[str, Any]] = [
    {},
    {"concurrency": 2},
    {"rate": router.Rate(10, 1.0), "burst": 2},
    {"concurrency": 2, "rate": router.Rate(10, 1.0), "burst": 2},
]


def make(**limits: Any) -> Limiter:
    return Limiter(router.Limits(**limits))


@pytest.mark.parametrize("limits", KINDS)
def test_who_comes_during_a_hold_waits_until_its_end(limits: dict[str, Any]) -> None:
    limiter = make(**limits)
    limiter.hold(5.0)
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    assert ticket.poll(1.0) is None
    assert ticket.wait(1.0) == pytest.approx(4.0)
    assert ticket.poll(4.9) is None
    permit = ticket.poll(5.0)
    assert isinstance(permit, Permit)
    assert isinstance(limiter.admit(5.0), Permit)
    permit.give_back()
    assert limiter.waiting == 0


@pytest.mark.parametrize("limits", KINDS)
def test_who_has_no_time_for_it_hears_at_once_when_to_come_back(limits: dict[str, Any]) -> None:
    limiter = make(**limits)
    limiter.hold(5.0)
    with pytest.raises(RetryLaterError) as caught:
        limiter.admit(1.0, deadline=3.0)
    assert caught.value.retry_after == pytest.approx(4.0)
    assert limiter.waiting == 0


def test_the_rate_is_not_spent_during_a_hold() -> None:
    limiter = make(rate=router.Rate(1, 10.0), burst=1)
    limiter.hold(5.0)
    for _ in range(10):
        with pytest.raises(RetryLaterError):
            limiter.admit(1.0, deadline=3.0)
    assert isinstance(limiter.admit(5.0), Permit)
    with pytest.raises(LimitError, match="admits this request in 10 s"):
        limiter.admit(5.0, deadline=6.0)


def test_a_wait_for_the_rate_that_goes_beyond_the_hold_is_the_limits() -> None:
    limiter = make(rate=router.Rate(1, 10.0), burst=1)
    limiter.admit(0.0)
    limiter.hold(5.0)
    with pytest.raises(LimitError):
        limiter.admit(1.0, deadline=8.0)


def test_the_last_word_on_a_hold_counts() -> None:
    limiter = make()
    limiter.hold(50.0)
    limiter.hold(5.0)
    assert isinstance(limiter.admit(5.0), Permit)
    limiter.hold(50.0)
    limiter.hold(-math.inf)
    assert isinstance(limiter.admit(5.0), Permit)


@pytest.mark.parametrize("limits", KINDS)
def test_a_hold_that_is_lifted_wakes_who_waits(limits: dict[str, Any]) -> None:
    limiter, port = make(**limits), BlockingPort(None)  # type: ignore[arg-type]
    limiter.hold(time.monotonic() + 60.0)
    with ThreadPoolExecutor(2) as pool:
        waiting = [
            pool.submit(lambda: run(acquire(limiter, port, time.monotonic() + 100.0)))
            for _ in range(2)
        ]
        until = time.monotonic() + 5.0
        while limiter.waiting < 2 and time.monotonic() < until:
            time.sleep(0.001)
        limiter.hold(-math.inf)
        for permit in waiting:
            assert isinstance(permit.result(5.0), Permit)


def test_a_hold_that_grows_keeps_the_head_waiting() -> None:
    limiter = make(concurrency=1)
    limiter.hold(5.0)
    ticket = limiter.admit(1.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(1.0) == pytest.approx(4.0)
    limiter.hold(9.0)
    assert ticket.poll(5.0) is None
    assert ticket.wait(5.0) == pytest.approx(4.0)
    assert isinstance(ticket.poll(9.0), Permit)


def test_a_new_endpoint_or_one_that_is_undrained_ends_a_hold() -> None:
    with Regions(near=0.0, far=0.0) as regions:
        regions["near"].respond = lambda _: Reply(status=429, headers=[("Retry-After", "3600")])
        alone = router.Config(endpoints=regions.endpoints()[:1], probe=router.Probe(enabled=False))
        both = router.Config(endpoints=regions.endpoints(), probe=router.Probe(enabled=False))
        with router.Client(alone) as client:
            assert client.get("/").status_code == 429
            with pytest.raises(router.RetryLaterError):
                client.get("/")
            client.router.reload(both)
            assert client.get("/").status_code == 200
            client.router.drain("far")
            with pytest.raises(router.RetryLaterError):
                client.get("/")
            client.router.undrain("far")
            assert client.get("/").status_code == 200
    assert threading.active_count() < 50
