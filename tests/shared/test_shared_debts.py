"""What processes spent in an outage: charged to the time in which the rate had room for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from redis_server import redis_server
from sharing_bench import bench, spend_for, until

from router.shared.lease_rate import Answer, Wish, exchange
from router.shared.stock import terms
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer
    from sharing_bench import Bench

LIMIT, BURST = 100, 10
TERMS = terms(1 / LIMIT, BURST, 0.1)
TAT, IDLE = "router:v1:{rate:main}:tat", "router:v1:{rate:main}:idle"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def idle_since(server: RedisServer, seconds: float) -> None:
    """Have the rate stand still for so long: nobody could reach the server."""
    whole, micros = map(int, server.cli("time").split())
    server.cli("set", TAT, str(whole * 10**6 + micros - int(seconds * 1e6)))


def asks(made: Bench, who: str, *, want: float = 1, debt: float = 0, change: float = 0) -> Answer:
    keys, store = made.sharing.keys.rate("main"), made.sharing.store
    wish = Wish(want, 0, change, debt, known=True)
    return made.background.spawn(exchange(store, keys, who, TERMS, wish)).result(20)


def test_debts_that_the_rate_had_room_for_keep_nobody_waiting(server: RedisServer) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        idle_since(server, 4.0)
        for who in "abcd":  # each spent a tenth of the limit
            answer = asks(made, who, debt=0.1 * LIMIT * 4.0)
            assert (answer.granted, answer.wait) == (1, 0)
            assert answer.first <= 0.05


def test_debts_of_a_share_that_was_all_spent_leave_no_new_burst(server: RedisServer) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        idle_since(server, 4.0)
        for who in "abcd":
            asks(made, who, debt=LIMIT * 4.0 / 4 + BURST / 4)
        assert asks(made, "a", want=100).granted <= BURST + TERMS.ahead * LIMIT / 2


def test_debts_beyond_the_room_are_paid_and_two_bursts_at_most(server: RedisServer) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        idle_since(server, 0.0)
        answer = asks(made, "a", want=100, debt=1000)
        assert 0 < answer.first <= 2 * BURST / LIMIT


def test_what_was_used_beyond_what_was_taken_is_not_charged_to_the_past(
    server: RedisServer,
) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        idle_since(server, 4.0)
        assert asks(made, "a").wait == 0
        answer = asks(made, "b", want=100, change=2 * BURST)
        assert answer.granted == 0
        assert answer.wait > 0


def test_idle_time_is_forgotten(server: RedisServer) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        idle_since(server, 4.0)
        asks(made, "a")
        assert 0 < int(server.cli("pttl", IDLE)) <= 5000
        asks(made, "b", debt=1.0)
        assert 0 < int(server.cli("pttl", IDLE)) <= 5000
        assert 3.8e6 < float(server.cli("get", IDLE)) < 4.2e6


def test_a_restart_that_lost_everything_leaves_debts_unpaid_and_gives_no_new_burst(
    server: RedisServer,
) -> None:
    with bench(server.url, timeout=5.0) as made:
        made.start()
        for who in "abcd":
            answer = asks(made, who, want=1, debt=100)
            assert answer.granted == 1
            assert answer.first <= TERMS.ahead


@pytest.mark.parametrize("what", ["held", "ends"])
def test_anothers_value_where_lookers_look_does_not_concern_the_rate(
    server: RedisServer, what: str
) -> None:
    with bench(server.url, timeout=5.0) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        key = f"router:v1:{{rate:main}}:{what}"
        server.cli("set", key, "another's")
        made.start()
        assert len(spend_for(rate, 1.0)) > LIMIT / 2
        until(lambda: rate.take(1, time.monotonic()) is not None)
        assert not rate.alone
        assert made.notes == []
        assert server.cli("get", key).strip() == "another's"
