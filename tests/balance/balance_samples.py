"""Pools and their parts, made by hand; instants begin at 1000 s."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from router.balance.pool import Choice, EndpointPool
from router.balance.state import State
from router.balance.way import Way
from router.config.settings import Failover
from router.endpoint import Endpoint
from router.geo.prior import Prior
from router.options import NO_OPTIONS, Options
from router.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

START = 1000.0
FAILOVER = Failover()


def expected(rtt: float = 0.1, *, floor: float = 0.0) -> Prior:
    """Return a prior at `rtt` seconds."""
    return Prior(rtt, 0.25, 6200.0, "6 200 km away", floor)


def endpoint(name: str, **keys: Any) -> Endpoint:
    return Endpoint(name=name, url=f"https://{name}.example.com", **keys)


def state(name: str = "a", rtt: float = 0.1, *, floor: float = 0.0, **keys: Any) -> State:
    return State(endpoint(name, **keys), Way(expected(rtt, floor=floor)))


def pool_of(
    *endpoints: Endpoint | str,
    seed: int = 1,
    failover: Failover = FAILOVER,
    note: Callable[[str], None] = lambda _: None,
    allow: Options = NO_OPTIONS,
    clock: FakeClock | None = None,
    busy: Callable[[], float] = lambda: 0.0,
) -> EndpointPool:
    """Return a pool of endpoints 10, 20, 30 … ms away, in the order given."""
    return EndpointPool(
        placed(*endpoints),
        failover,
        chance=random.Random(seed),
        note=note,
        allow=allow,
        clock=clock or FakeClock(START),
        busy=busy,
    )


def placed(*endpoints: Endpoint | str) -> dict[str, tuple[Endpoint, Prior]]:
    known = [endpoint(e) if isinstance(e, str) else e for e in endpoints]
    return {e.name: (e, expected(0.01 * place)) for place, e in enumerate(known, 1)}


def choose(
    pool: EndpointPool,
    *tried: str,
    now: float = START,
    options: Options = NO_OPTIONS,
    within: float = math.inf,
) -> Choice:
    return pool.choose(options, tried=tried, now=now, within=within)


def chosen(pool: EndpointPool, *tried: str, **keys: Any) -> str:
    """Return the name of who is chosen, and give the attempt back."""
    choice = choose(pool, *tried, **keys)
    choice.give_back()
    return choice.endpoint.name


def fail(
    pool: EndpointPool,
    name: str,
    times: int = 1,
    *,
    now: float = START,
    reached: bool = True,
    words: str = "answered 503",
) -> None:
    """Have so many requests fail at one endpoint."""
    for _ in range(times):
        choice = choose(pool, now=now, options=Options(regions=name))
        pool.failed(choice, words, reached=reached, now=now)
        choice.give_back()


def eject(
    pool: EndpointPool, names: Iterable[str], *, now: float = START, reached: bool = True
) -> None:
    """Have each endpoint fail in a way of its own until it is out."""
    for name in names:
        fail(pool, name, 5, now=now, reached=reached, words=f"{name} fails")


def succeed(pool: EndpointPool, name: str, *, now: float = START, elapsed: float = 0.01) -> None:
    """Have one request answered by one endpoint."""
    choice = choose(pool, now=now, options=Options(regions=name))
    pool.answered(choice, elapsed, now=now)
    choice.give_back()


def measure(pool: EndpointPool, name: str, rtt: float, *, now: float = START) -> None:
    """Have so many probes end well that the estimate is measured."""
    for _ in range(8):
        pool.probed(name, connect=rtt, warm=rtt, now=now)


def health(pool: EndpointPool, now: float = START) -> dict[str, str]:
    return {ranked.name: ranked.health for ranked in pool.ranking(now)}


def names(pool: EndpointPool, now: float = START) -> list[str]:
    return [ranked.name for ranked in pool.ranking(now)]
