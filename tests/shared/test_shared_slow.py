"""A slow Redis: the bound holds whatever an answer takes, and a short deadline is waited out."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, TypeVar

import pytest
from redis_server import redis_server
from sharing_bench import Bench, bench, nap, spend_for, until, worst_term
from turns import acquire

from router.config.settings import Limits
from router.errors import LimitError
from router.limits.limiter import Limiter
from router.limits.permit import Permit
from router.ports import run
from router.testing import Proxy
from router.testing.answer_faults import Delay, Silent
from router.units import Rate, parse_rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from redis_server import RedisServer

T = TypeVar("T")

LIMIT, BURST = 100, 10
SECONDS = 0.8
NO_OUTAGE = 5.0
"""Seconds to wait for Redis: so the share never serves, and all comes from leases."""
SOON = 0.3
"""Seconds: less than a request may wait for Redis."""


class Threaded:
    """Waits by blocking the thread."""

    now = staticmethod(time.monotonic)

    async def wait(self, future: Future[T], timeout: float) -> T:
        return future.result(timeout)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@contextlib.contextmanager
def delayed(server: RedisServer, seconds: float, timeout: float) -> Iterator[Bench]:
    """A Sharing to which each answer comes so much later."""
    with Proxy("127.0.0.1", server.port) as proxy:
        proxy.fault = Delay(seconds)
        with bench(f"redis://127.0.0.1:{proxy.port}", timeout=timeout) as made:
            yield made


@pytest.mark.parametrize("cost", [1.0, 4.0])
@pytest.mark.parametrize("seconds", [0.005, 0.02, 0.035])
def test_the_bound_holds_however_late_the_answers(
    server: RedisServer, seconds: float, cost: float
) -> None:
    with delayed(server, seconds, NO_OUTAGE) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        spent = spend_for(rate, SECONDS, cost=cost)
        assert worst_term(spent, LIMIT, cost) <= BURST + 1e-6
        assert len(spent) * cost >= LIMIT / 4


def test_answers_that_come_too_late_leave_it_to_the_share(server: RedisServer) -> None:
    with delayed(server, 0.07, 0.5) as made:  # units are stale after 0.05 s
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        spent = spend_for(rate, 2.5)
        assert rate.alone
        assert worst_term(spent, LIMIT) <= 2 * BURST
        assert len(spent) >= LIMIT
        assert made.notes == []


def test_a_deadline_shorter_than_the_wait_for_redis_is_no_refusal(server: RedisServer) -> None:
    with bench(server.url, timeout=1.0) as made:
        limiter = limited(made)
        made.start()
        permit = run(acquire(limiter, Threaded(), time.monotonic() + SOON))
        assert permit.charges == (1.0,)


def test_a_redis_that_is_silent_is_waited_for_as_long_as_the_deadline_permits(
    server: RedisServer,
) -> None:
    with (
        Proxy("127.0.0.1", server.port) as proxy,
        bench(f"redis://127.0.0.1:{proxy.port}", timeout=1.0) as made,
    ):
        limiter = limited(made)
        made.start()
        proxy.fault = Silent()
        began = time.monotonic()
        with pytest.raises(LimitError):
            run(acquire(limiter, Threaded(), began + SOON))
        assert SOON - 0.005 <= time.monotonic() - began < 1.0


def test_a_limit_that_is_used_up_refuses_a_short_deadline_at_once(server: RedisServer) -> None:
    with bench(server.url, timeout=1.0) as made:
        limits = Limits(rate=parse_rate("30/minute"), burst=1)
        limiter = limited(made, limits)
        made.start()
        until(lambda: _admits(limiter))
        nap(0.02)
        with pytest.raises(LimitError) as caught:
            until(lambda: _admits(limiter), 0.3)
        assert caught.value.retry_after is not None


def limited(made: Bench, limits: Limits | None = None) -> Limiter:
    limits = limits or Limits(rate=parse_rate(f"{LIMIT}/s"), burst=BURST)
    limiter = Limiter(limits, quota=made.sharing.quota)
    made.sharing.when_more_came(limiter.replenished)
    return limiter


def _admits(limiter: Limiter) -> bool:
    now = time.monotonic()
    admitted = limiter.admit(now, deadline=now + SOON)
    if isinstance(admitted, Permit):
        return True
    nap(0.005)
    got = admitted.poll(time.monotonic())
    if got is None:
        admitted.leave()
    return got is not None
