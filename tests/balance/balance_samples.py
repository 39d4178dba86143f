"""Pools and their parts, made by hand; instants begin at 1000 s."""

from __future__ import annotations

import random
from typing import Any

from router.balance.pool import Choice, EndpointPool
from router.config.settings import Failover
from router.endpoint import Endpoint
from router.geo.prior import Prior
from router.options import NO_OPTIONS, Options

START = 1000.0


def expected(rtt: float = 0.1, *, floor: float = 0.0) -> Prior:
    """Return a prior at `rtt` seconds."""
    return Prior(rtt, 0.25, 6200.0, "6 200 km away", floor)


def endpoint(name: str, **keys: Any) -> Endpoint:
    return Endpoint(name=name, url=f"https://{name}.example.com", **keys)


def pool_of(
    *endpoints: Endpoint | str, seed: int = 1, failover: Failover | None = None
) -> EndpointPool:
    """Return a pool of endpoints 10, 20, 30 … ms away, in the order given."""
    return EndpointPool(placed(*endpoints), failover or Failover(), chance=random.Random(seed))


def placed(*endpoints: Endpoint | str) -> dict[str, tuple[Endpoint, Prior]]:
    known = [endpoint(e) if isinstance(e, str) else e for e in endpoints]
    return {e.name: (e, expected(0.01 * place)) for place, e in enumerate(known, 1)}


def choose(
    pool: EndpointPool,
    *tried: str,
    now: float = START,
    options: Options = NO_OPTIONS,
) -> Choice:
    return pool.choose(options, tried=tried, now=now)


def fail(
    pool: EndpointPool, name: str, times: int = 1, *, now: float = START, reached: bool = True
) -> None:
    """Have so many requests fail at one endpoint."""
    for _ in range(times):
        choice = choose(pool, now=now, options=Options(regions=name))
        pool.failed(choice, "answered 503", reached=reached, now=now)
        choice.give_back()


def succeed(pool: EndpointPool, name: str, *, now: float = START, elapsed: float = 0.01) -> None:
    choice = choose(pool, now=now, options=Options(regions=name))
    pool.answered(choice, elapsed, now=now)
    choice.give_back()


def health(pool: EndpointPool, now: float = START) -> dict[str, str]:
    return {ranked.name: ranked.health for ranked in pool.ranking(now)}


def names(pool: EndpointPool, now: float = START) -> list[str]:
    return [ranked.name for ranked in pool.ranking(now)]
