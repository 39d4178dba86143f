"""Foreign and absurd values under our keys: what they touch goes on alone, all else is shared."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from redis_server import redis_server
from sharing_bench import bench, spend_for, takes, until
from test_shared_news import NAMES, Process

from router.errors import ConfigError
from router.secret import Secret
from router.shared.connect import check_url
from router.shared.news import LONGEST_COOLING, MOST_ENDPOINTS, MOST_TOLD, Opinions
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer


LIMIT, BURST, PERMITS = 100, 10, 4
KEYS = "router:v1:"
BOARD, TAT = KEYS + "{news}:board", KEYS + "{rate:main}:tat"
ENDS, HELD, THERE = KEYS + "{permits:main}:ends", KEYS + "{permits:main}:held", "{members}:there"
AN_HOUR = "3600000000"
NINES = "9" * 400
ANOTHERS = "redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'another')"
"""In one: between two commands a process would write its own again."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.mark.parametrize(
    ("poison", "notes"),
    [
        (("set", BOARD, "another's"), 1),
        (("hset", BOARD, "", "nan"), 0),
        (("hset", BOARD, "", "no number"), 0),
        (("hset", BOARD, "out\x1fx\x1fa", f"{'9' * 18} 1 {NINES} 1"), 0),
        (("hset", BOARD, "out\x1fx\x1fa", f"{'9' * 18} {NINES} {'9' * 18} 1"), 0),
    ],
)
def test_foreign_news_break_nothing_and_do_not_last(
    server: RedisServer, poison: tuple[str, ...], notes: int
) -> None:
    first, second = Process(server.url), Process(server.url)
    rate = first.bench.sharing.rate(Rate(LIMIT, 1), BURST, name="other")
    try:
        server.cli(*poison)
        if poison[0] == "hset" and poison[2]:
            server.cli("hset", BOARD, "", "1")  # so that it is looked at
        time.sleep(0.6)
        assert first.bench.sharing.store.up
        assert not rate.alone
        assert len(first.bench.notes) == notes, first.bench.notes
        if notes:
            assert "router:v1:{news}:board (WRONGTYPE)" in first.bench.notes[0]
            server.cli("del", BOARD)
        first.pool.cool(choice := first.send("b"), 30.0, now=time.monotonic())
        choice.give_back()
        until(lambda: second.health("b") == "cooling")
    finally:
        first.bench.background.stop()
        second.bench.background.stop()


FLOOD = """
local t = redis.call('TIME') local now = string.format('%.0f', t[1] * 1000000 + t[2])
for i = 1, 30000 do redis.call('HSET', KEYS[1], 'line' .. i, now .. ' 1 ' .. now * 2 .. ' 1') end
redis.call('HSET', KEYS[1], '', now)
"""


def test_a_board_that_is_flooded_is_wiped_and_news_go_on(server: RedisServer) -> None:
    first, second = Process(server.url), Process(server.url)
    try:
        server.cli("eval", FLOOD, "1", BOARD)
        until(lambda: int(server.cli("hlen", BOARD)) < 100)
        first.pool.cool(choice := first.send("b"), 30.0, now=time.monotonic())
        choice.give_back()
        until(lambda: second.health("b") == "cooling")
    finally:
        first.bench.background.stop()
        second.bench.background.stop()


def test_opinions_on_names_that_nobody_has_are_not_kept_for_ever() -> None:
    opinions = Opinions()
    for number in range(3 * MOST_ENDPOINTS):
        opinions.take(f"nosuch-{number}", "x", well=False, now=0.0)
    assert len(opinions._failed) <= MOST_ENDPOINTS + 1


def test_a_probe_of_an_endpoint_that_nobody_has_is_not_heard_of(server: RedisServer) -> None:
    first, second = Process(server.url), Process(server.url)
    heard: list[str] = []
    second.turns.heard = lambda name, _now: heard.append(name)
    try:
        for name in ("nosuch", "a"):
            first.turns._post(name, "1 0.01 0.01")
        until(lambda: heard)
        assert set(heard) == {"a"}
    finally:
        first.bench.background.stop()
        second.bench.background.stop()


@pytest.mark.parametrize("tat", ["nan", "inf", "-inf", "no number"])
def test_an_absurd_time_in_a_rates_key_stops_nobody(server: RedisServer, tat: str) -> None:
    with bench(server.url) as made:
        rate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        made.start()
        spend_for(rate, 0.3)
        server.cli("set", TAT, tat)
        assert 0.8 * LIMIT / 2 <= len(spend_for(rate, 0.8)) <= 0.8 * LIMIT + 2 * BURST
        assert not rate.alone


def test_a_rates_key_of_another_type_leaves_the_share_and_is_told_once(
    server: RedisServer,
) -> None:
    with bench(server.url) as made:
        rate, permits = made.sharing.rate(Rate(LIMIT, 1), BURST), made.sharing.permits(PERMITS)
        made.start()
        spend_for(rate, 0.3)
        server.cli("eval", ANOTHERS, "1", TAT)
        assert LIMIT / 2 <= len(spend_for(rate, 1.0)) <= LIMIT + 2 * BURST
        assert rate.alone
        until(lambda: takes(permits) and not permits.alone)
        assert len(made.notes) == 1, made.notes
        server.cli("del", TAT)
        until(lambda: rate.take(1.0, time.monotonic()) is not None and not rate.alone)


@pytest.mark.parametrize("held", ["4", "1000", "-1000", "no number", "nan", "inf"])
def test_permits_without_a_lease_are_nobodys(server: RedisServer, held: str) -> None:
    """As after an eviction that took the leases and left what was leased."""
    with bench(server.url) as made:
        permits = made.sharing.permits(PERMITS)
        made.start()
        server.cli("hset", HELD, "gone", held)
        until(lambda: takes(permits))
        taken = [permits.take(time.monotonic()) for _ in range(3)]
        until(lambda: permits.allowed >= PERMITS or permits.take(time.monotonic()) == 0)
        assert permits.allowed <= PERMITS, taken
        assert "gone" not in server.cli("hgetall", HELD)


def test_who_was_there_when_the_servers_clock_was_set_back_is_forgotten_after_a_lease(
    server: RedisServer,
) -> None:
    seconds, micros = server.cli("time").split()
    far = str(int(seconds) * 10**6 + int(micros) + int(AN_HOUR))
    server.cli("zadd", ENDS, far, "gone")
    server.cli("hset", HELD, "gone", str(PERMITS))
    server.cli("zadd", KEYS + THERE, far, "gone")
    with bench(server.url, lease=0.3) as made:
        permits = made.sharing.permits(PERMITS)
        made.start()
        assert until(lambda: takes(permits) and not permits.alone) < 3.0
        assert until(lambda: made.sharing.member.count == 1) < 3.0


def test_one_process_stops_no_fleet_by_saying_that_all_want_to_be_left_alone(
    server: RedisServer,
) -> None:
    first, second = Process(server.url), Process(server.url)
    try:
        now = time.monotonic()
        for name in NAMES:
            first.pool.cool(choice := first.send(name), LONGEST_COOLING, now=now)
            choice.give_back()
        until(lambda: all(second.health(name) == "cooling" for name in NAMES))
        assert second.pool.all_cool_until(now) < now + MOST_TOLD + 2.0
    finally:
        first.bench.background.stop()
        second.bench.background.stop()


def test_decoded_answers_are_refused() -> None:
    with pytest.raises(ConfigError, match="decode_responses"):
        check_url(Secret("redis://127.0.0.1/0?decode_responses=1"))
