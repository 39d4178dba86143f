"""A leased rate against a real server: how much, how soon, what comes back."""

from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING

import pytest
from redis_server import redis_server
from sharing_bench import Bench, bench, spend_for, until

from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def forked(work: Callable[[], bool]) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads are what this is about
        child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitpid(child, 0)[1] == 0


def tat(server: RedisServer) -> str:
    return server.cli("get", "router:v1:{rate:main}:tat")


def test_a_process_spends_the_rate_and_the_burst_and_no_more(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        spent = spend_for(rate, 1.0)
        assert 0.9 * 100 <= len(spent) <= 100 + 10
        assert made.notes == []


@pytest.mark.alone
def test_in_the_steady_state_no_request_waits(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(1000, 1), 100)
        made.start()
        spend_for(rate, 0.3)
        time.sleep(0.2)
        waited = 0
        for _ in range(200):  # at a fifth of the limit
            waited += rate.take(1, time.monotonic()) is None
            time.sleep(0.005)
        assert waited <= 4


@pytest.mark.alone
def test_the_first_request_after_a_pause_waits_for_one_exchange(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        assert rate.take(1, time.monotonic()) is None
        assert until(lambda: rate.take(1, time.monotonic()) is not None) < 0.05


def test_what_is_not_spent_goes_back(server: RedisServer) -> None:
    with bench(server.url) as made, bench(server.url) as other:
        rate, others = (b.sharing.rate(Rate(10, 60), 10) for b in (made, other))
        made.start()
        other.start()
        rate.take(8, time.monotonic())
        until(lambda: rate.left(time.monotonic()) >= 8)
        until(lambda: rate.left(time.monotonic()) == 0)
        others.take(8, time.monotonic())
        assert until(lambda: others.take(8, time.monotonic()) is not None) < 1.0


def test_a_stopped_process_returns_what_it_holds(server: RedisServer) -> None:
    first = Bench(server.url)
    rate = first.sharing.rate(Rate(10, 60), 10)
    first.start()
    rate.take(8, time.monotonic())
    until(lambda: rate.left(time.monotonic()) >= 8)
    first.background.stop()
    with bench(server.url) as second:
        rate = second.sharing.rate(Rate(10, 60), 10)
        second.start()
        assert until(lambda: rate.take(8, time.monotonic()) is not None) < 1.0


def test_a_dear_request_comes_in_its_turn_among_cheap_ones(server: RedisServer) -> None:
    with bench(server.url) as dear, bench(server.url) as cheap:
        rate, others = (b.sharing.rate(Rate(1000, 1), 100) for b in (dear, cheap))
        dear.start()
        cheap.start()
        spend_for(others, 0.3)
        began = time.monotonic()
        bought = False
        while time.monotonic() - began < 1.0 and not bought:
            spend_for(others, 0.005)
            now = time.monotonic()
            bought = rate.take(100, now) is not None
        assert bought


def test_dear_requests_spend_as_much_as_cheap_ones(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        spent = spend_for(rate, 1.0, cost=4.0)
        assert 0.75 * 100 <= 4 * len(spent) <= 100 + 15


def test_what_is_given_back_is_spent_again(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(10, 60), 10)
        made.start()
        rate.take(8, time.monotonic())
        until(lambda: rate.take(8, time.monotonic()) is not None)
        now = time.monotonic()
        assert rate.give_back(5, now, now) == 5
        assert rate.take(5, now) is not None


def test_what_has_drained_away_does_not_come_back(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        now = time.monotonic()
        assert rate.give_back(5, now - 10.0, now) == 0


def test_what_is_owed_is_paid_before_more_is_given(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        spend_for(rate, 0.2)
        rate.spend(20, time.monotonic())  # a fifth of a second
        assert len(spend_for(rate, 0.4)) <= 30


def test_the_keys_expire_and_lie_in_one_slot(server: RedisServer) -> None:
    with bench(server.url, name="shop") as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.sharing.permits(5).take(time.monotonic())
        made.start()
        spend_for(rate, 0.2)
        keys = server.cli("keys", "*").split()
        assert all(key.startswith("shop:v1:{") for key in keys)
        assert len({server.cli("cluster", "keyslot", k) for k in keys if "{rate:main}" in k}) == 1
        forever = "-1"  # -2: it is gone already
        assert all(server.cli("pttl", key) != forever for key in keys)


def test_a_server_whose_clock_was_set_back_locks_nobody_out(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        spend_for(rate, 0.2)
        far = str(int(float(tat(server))) + 3_600_000_000)
        server.cli("set", "router:v1:{rate:main}:tat", far)
        spend_for(rate, 0.6)
        assert len(spend_for(rate, 0.5)) > 25


def test_a_forked_child_leases_for_itself(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(100, 1), 10)
        made.start()
        spend_for(rate, 0.1)
        name = made.sharing.member.name

        def in_the_child() -> bool:
            made.sharing.reset_after_fork()
            fresh = rate.left(time.monotonic()) == 0 and made.sharing.member.name != name
            made.start()
            return fresh and len(spend_for(rate, 0.5)) > 10

        assert forked(in_the_child)
        assert len(spend_for(rate, 0.5)) > 10
