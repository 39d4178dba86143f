"""F41: whatever befalls Redis, each of four routers goes on with its share, and comes back.

Rule 1: what is added is seen at a pace below every limit, as the time that a request waits before
        it is sent; what is admitted beyond the limit, while much more is asked for than it allows.
        Both are what the router's trace says: where it is late to arrive is the machine's affair.
Rule 2: a lost script is no outage: it is sent again, and nobody goes alone.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from faultlab.fleet import BURST, LIMIT, OF_THE_LIMIT, Redis, excess, fleet, missing
from faultlab.row import Row, all_of, at_most
from faultlab.waiting import until
from router.testing import RedisServer
from router.testing.faults import Delay, HangConnect, Refuse, Silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultlab.fleet import Fleet
    from faultlab.lab import Lab
    from faultlab.load import Done
    from router.testing.faults import Fault

__all__ = ["store_fails"]

PROCESSES = 4
SLOWLY, GREEDILY = 10.0, 60.0
"""Requests a second of each: below its share of the limit, and far above."""
WARM_UP = 0.5
ADDED_ONCE = 0.05
LATE = 0.025
SLACK = 2
"""Requests: the time of a permit is known but for the steps between it and its request."""
GRACE = 0.01
RECOVERED_WITHIN = 5.0
SERVED = 0.8
SLOW_ANSWERS = 0.2
KEYS = 20_000
LOADED_SLOWLY = ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
PASSWORD = "planted"  # noqa: S105 - made up
LOGGED_IN = ("--no-auth-warning", "-a", PASSWORD)


class Outage(NamedTuple):
    """What begins it, what heals it, and whether the routers go on alone."""

    begin: Callable[[Redis], object]
    heal: Callable[[Redis], object]
    alone: bool = True


def _broken(fault: Fault) -> Outage:
    def begin(redis: Redis) -> None:
        redis.proxy.fault = fault

    def heal(redis: Redis) -> None:
        redis.proxy.fault = None

    return Outage(begin, heal)


def _become_replica(redis: Redis) -> None:
    redis.server.cli("replicaof", "127.0.0.1", "1")


def _become_master(redis: Redis) -> None:
    redis.server.cli("replicaof", "no", "one")


def _load(redis: Redis) -> None:
    """Restart with data that take long to load."""
    server = redis.server
    server.cli("eval", f"for i = 1, {KEYS} do redis.call('set', i, i) end", "0")
    server.cli("save")
    server.stop()
    server.options = LOADED_SLOWLY
    server.start()


def _be_loaded(redis: Redis) -> None:
    redis.server.cli("config", "set", "key-load-delay", "0")


def _ask_for_password(redis: Redis) -> None:
    redis.server.cli("config", "set", "requirepass", PASSWORD)
    redis.server.cli(*LOGGED_IN, "client", "kill", "type", "normal")


def _ask_for_none(redis: Redis) -> None:
    redis.server.cli(*LOGGED_IN, "config", "set", "requirepass", "")


def _lose_scripts(redis: Redis) -> None:
    redis.server.cli("script", "flush")


OUTAGES = {
    "refused": _broken(Refuse()),
    "silent": _broken(Silent()),
    "connects hang": _broken(HangConnect()),
    "slow": _broken(Delay(SLOW_ANSWERS)),
    "READONLY": Outage(_become_replica, _become_master),
    "LOADING": Outage(_load, _be_loaded),
    "NOSCRIPT": Outage(_lose_scripts, _lose_scripts, alone=False),
    "NOAUTH": Outage(_ask_for_password, _ask_for_none),
}


class Seen(NamedTuple):
    """One outage: what was sent, when it broke and was healed, who was alone, the way back."""

    done: list[Done]
    broke: float
    healed: float
    alone: int
    back: float

    @property
    def held(self) -> float:
        """Seconds for which it held."""
        return self.healed - self.broke


async def store_fails(lab: Lab) -> list[Row]:
    """F41: each outage twice, under little traffic and under much."""
    if lab.peer is not None:
        return []
    if not RedisServer.is_installed():
        return [missing("F41 Redis", "redis-server")]
    rows = []
    for name, outage in lab.some(OUTAGES.items()):
        async with fleet(PROCESSES) as four:
            hold = lab.seconds(4.0, 0.8)
            await four.send(SLOWLY, WARM_UP)
            little = await _lived(four, outage, SLOWLY, hold)
            much = await _lived(four, outage, GREEDILY, hold)
        rows += _little(f"F41 {name}", outage, little) + _much(f"F41 {name}", much)
    return rows


async def _lived(four: Fleet, outage: Outage, rate: float, hold: float) -> Seen:
    """Let it hold in the middle of three stretches of traffic."""
    sending = asyncio.create_task(four.send(rate, 3 * hold))
    await asyncio.sleep(hold)
    broke = time.monotonic()
    await asyncio.to_thread(outage.begin, four.redis)
    await asyncio.sleep(hold)
    alone, healed = four.alone, time.monotonic()
    await asyncio.to_thread(outage.heal, four.redis)
    back = await until(lambda: not four.alone)
    return Seen(await sending, broke, healed, alone, back)


def _little(fault: str, outage: Outage, seen: Seen) -> list[Row]:
    """Return the lines of requests that wait for no limit."""
    usual = max(one.waited for one in seen.done if one.at < seen.broke - ADDED_ONCE)
    during = [one.waited - usual for one in seen.done if seen.broke <= one.at < seen.healed]
    after = [one.waited - usual for one in seen.done if one.at >= seen.healed]
    late = sum(added > LATE for added in during)
    expected, most = PROCESSES if outage.alone else 0, (ADDED_ONCE + GRACE) * 1e3
    return [
        all_of(fault, "all answered", sum(one.good for one in seen.done), len(seen.done)),
        all_of(fault, f"{expected} go on alone", seen.alone, expected),
        at_most(fault, "added to a request", max(during) * 1e3, most, " ms"),
        at_most(fault, f"requests of {len(during)} delayed", late, PROCESSES),
        at_most(fault, "added after the heal", max(after) * 1e3, most, " ms"),
        at_most(fault, "back after", seen.back, RECOVERED_WITHIN, " s"),
    ]


def _much(fault: str, seen: Seen) -> list[Row]:
    """Return the lines of more requests than the limit allows."""
    times, hold = sorted(one.at + one.waited for one in seen.done if one.good), seen.held
    share = sum(seen.broke <= at < seen.healed for at in times) / (LIMIT * hold)
    other = {one.error for one in seen.done if not one.good} - OF_THE_LIMIT
    words = ", ".join(sorted(map(str, other))) or "none"
    return [
        at_most(fault, "more than rate x time", excess(times, LIMIT), 2 * BURST + SLACK),
        Row(fault, "at least 80 % of the limit served", f"{share:.0%}", share >= SERVED),
        Row(fault, "errors, other than of the limit: none", words, not other),
        at_most(fault, "under much traffic back after", seen.back, RECOVERED_WITHIN, " s"),
    ]
