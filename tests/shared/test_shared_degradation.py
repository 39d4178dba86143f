"""F41: whatever befalls Redis, each process goes on with its share, and comes back by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import RedisServer, redis_server
from sharing_bench import bench, nap, spend_for, until

from router.secret import Secret
from router.shared.scripts import HELLO
from router.testing import Proxy
from router.testing.answer_faults import Silent
from router.testing.connect_faults import HangConnect, Refuse
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sharing_bench import Bench

    from router.shared.rate import SharedRate

LIMIT, BURST, PROCESSES = 100, 10, 4
HOLD = 0.7
RECOVERED_WITHIN = 5.0
ADDED_ONCE = 0.05
OFTEN = ("--loading-process-events-interval-bytes", "1024")
"""A server that loads looks at its clients so often."""
LATE = 0.1
"""What a busy machine adds to any wait."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def survive(
    made: Bench, rate: SharedRate, *, begin: Callable[[], Any], heal: Callable[[], Any]
) -> None:
    """Spend before, while and after it is broken, and look at what the issue promises."""
    made.sharing.member.count = PROCESSES  # as the store would tell
    spend_for(rate, 0.3)
    made.sharing.member.count = PROCESSES
    begin()
    spent = spend_for(rate, HOLD)
    share = LIMIT / PROCESSES
    assert len(spent) >= 0.7 * share * (HOLD - ADDED_ONCE) - 1
    assert len(spent) <= share * HOLD + 2 * BURST  # one window: of a burst, and what was leased
    first_alone = spent[0] if spent else HOLD
    assert first_alone <= ADDED_ONCE + LATE + 1 / share
    assert rate.alone
    heal()
    assert until(lambda: _spends(rate), RECOVERED_WITHIN) < RECOVERED_WITHIN
    assert len([note for note in made.notes if "fails" in note]) == 1, made.notes
    after = spend_for(rate, 0.6)
    assert 0.4 * LIMIT <= len(after) <= 0.6 * LIMIT + 2 * BURST
    until(lambda: any("back" in note for note in made.notes))


def _spends(rate: SharedRate) -> bool:
    rate.take(1, time.monotonic())
    return not rate.alone


def through_a_proxy(server: RedisServer, fault: Any) -> None:
    with Proxy("127.0.0.1", server.port) as proxy, bench(f"redis://127.0.0.1:{proxy.port}") as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()

        def begin() -> None:
            proxy.fault = fault

        def heal() -> None:
            proxy.fault = None

        survive(made, rate, begin=begin, heal=heal)


def test_refused(server: RedisServer) -> None:
    through_a_proxy(server, Refuse())


def test_hanging_before_the_first_byte(server: RedisServer) -> None:
    through_a_proxy(server, HangConnect())


def test_hanging_after_the_question(server: RedisServer) -> None:
    through_a_proxy(server, Silent())


def test_killed_and_restarted(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        survive(made, rate, begin=server.stop, heal=server.start)


def test_an_outage_has_one_line_and_its_end_another_however_many_connections_there_were(
    server: RedisServer,
) -> None:
    with bench(server.url) as made:
        made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        store, spawn = made.sharing.store, made.background.spawn
        calls = [store.call(HELLO, [f"key-{n}"], ["x", 1e6], timeout=5.0) for n in range(20)]
        for call in [spawn(call) for call in calls]:
            call.result(10)
        server.stop()
        until(lambda: made.notes)
        server.start()
        until(lambda: len(made.notes) > 1)
        nap(1.5)
        assert ["fails" in note for note in made.notes] == [True, False], made.notes


def test_a_replica_that_may_not_be_written(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        begin = ("replicaof", "127.0.0.1", "1")
        survive(
            made,
            rate,
            begin=lambda: server.cli(*begin),
            heal=lambda: server.cli("replicaof", "no", "one"),
        )
        assert "READONLY" in made.notes[0]


def test_a_password_that_changed(server: RedisServer) -> None:
    def begin() -> None:
        server.cli("acl", "setuser", "router", "resetpass", ">another")
        server.cli("client", "kill", "user", "router")

    def heal() -> None:
        server.cli("acl", "setuser", "router", "resetpass", ">planted-password")

    server.cli("acl", "setuser", "router", "on", ">planted-password", "~*", "+@all")
    url = f"redis://router:planted-password@127.0.0.1:{server.port}"
    with bench(url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        survive(made, rate, begin=begin, heal=heal)
        assert "planted" not in repr(made.notes)
        assert "planted" not in repr(vars(made.sharing.store))


def test_rights_that_were_taken(server: RedisServer) -> None:
    server.cli("acl", "setuser", "router", "on", ">p", "~*", "+@all")
    with bench(f"redis://router:p@127.0.0.1:{server.port}") as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        survive(
            made,
            rate,
            begin=lambda: server.cli("acl", "setuser", "router", "-@all"),
            heal=lambda: server.cli("acl", "setuser", "router", "+@all"),
        )
        assert "NOPERM" in made.notes[0]
        assert f"127.0.0.1:{server.port}" in made.notes[0]
        assert "give its user the rights" in made.notes[0]


def test_nobody_logged_in_where_a_password_is_asked_for(server: RedisServer) -> None:
    server.cli("config", "set", "requirepass", "secret")
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start(wait=False)
        until(lambda: made.notes)
        assert spend_for(rate, 0.2)
        assert rate.alone
        assert len(made.notes) == 1
        assert "Auth" in made.notes[0] or "NOAUTH" in made.notes[0]


def test_loading_its_data(tmp_path: Path) -> None:
    home = tmp_path / "loading"
    with redis_server(home) as server:
        server.cli("eval", "for i = 1, 4000 do redis.call('set', i, i) end", "0")
        server.cli("save")
        server.stop()
        slow = RedisServer(home, "--key-load-delay", "1000", *OFTEN, port=server.port)
        slow.start()
        try:
            with bench(slow.url) as made:
                rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
                made.start(wait=False)
                assert spend_for(rate, 0.2)
                until(lambda: made.notes)
                assert "LOADING" in made.notes[0]
                until(lambda: _spends(rate))
                assert [note for note in made.notes if "fails" in note] == made.notes[:1]
        finally:
            slow.stop()


def test_scripts_that_were_flushed_are_sent_again_and_nobody_notices(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        spend_for(rate, 0.3)
        server.cli("script", "flush")
        spent = spend_for(rate, 1.0)
        assert 0.9 * LIMIT <= len(spent) <= LIMIT + BURST
        assert made.notes == []


def test_data_that_was_flushed_costs_no_burst(server: RedisServer) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        spend_for(rate, 0.5)
        server.cli("flushall")
        spent = spend_for(rate, 1.0)
        assert 0.85 * LIMIT <= len(spent) <= LIMIT + BURST
        assert made.notes == []


def test_a_slow_store_is_waited_for_once_and_not_at_every_request(server: RedisServer) -> None:
    with bench(server.url, timeout=0.05) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        made.sharing.member.count = PROCESSES
        spend_for(rate, 0.2)
        until(lambda: rate.left(time.monotonic()) == 0)
        with _slow(server):
            waits = [_wait(rate) for _ in range(5)]
        assert waits[0] <= ADDED_ONCE + LATE
        assert sum(waits[1:]) <= LATE + 4 * PROCESSES / LIMIT
    assert Secret(server.url).reveal() not in repr(made.notes)


def _wait(rate: SharedRate) -> float:
    began = time.monotonic()
    while rate.take(1, time.monotonic()) is None:
        nap(min(rate.wait(1, time.monotonic()), 0.005))
    return time.monotonic() - began


class _slow:  # noqa: N801 - reads as a phrase
    """The server does nothing else for half a second, again and again."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._server.cli("client", "pause", "600", "all")

    def __exit__(self, *_: object) -> None:
        self._server.cli("client", "unpause")


def test_permits_fall_back_to_a_share_once_their_lease_is_over(server: RedisServer) -> None:
    with bench(server.url, lease=0.5) as made:
        permits = made.sharing.permits(8)
        made.start()
        for _ in range(8):
            until(lambda: permits.take(time.monotonic(), waiting=8) == 0)
        for _ in range(8):
            permits.give_back()
        made.sharing.member.count = PROCESSES
        server.stop()
        nap(0.8)
        got = sum(permits.take(time.monotonic()) == 0 for _ in range(8))
        assert got == 8 // PROCESSES
        assert len(made.notes) == 1
