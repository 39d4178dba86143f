"""Endpoints all over the catalogue of regions, seen from one of them, and how they answer."""

from __future__ import annotations

import random
import time
from itertools import islice
from typing import TYPE_CHECKING

from router.balance.pool import EndpointPool
from router.config.settings import Failover, GeoSettings
from router.endpoint import Endpoint
from router.geo.regions import codes
from router.placing import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from router.geo.prior import Prior

    Placed = Mapping[str, tuple[Endpoint, Prior]]

__all__ = ["ELAPSED", "HERE", "Probes", "endpoints", "new_pool", "placed"]

HERE = "aws:eu-central-1"
ELAPSED = 0.05
"""Seconds that every answer takes."""
SERVICE = 0.04
UNLIKE, RESTLESS = 0.2, 0.03
"""Deviations of ln(RTT): of an endpoint from its prior, and of one probe from the next."""


def endpoints(count: int) -> tuple[Endpoint, ...]:
    """Return so many endpoints, spread over all regions."""
    regions = codes()
    return tuple(
        Endpoint(
            name=f"e{number}",
            url=f"https://e{number}.api.example.com/v1",
            region=regions[number % len(regions)],
        )
        for number in range(count)
    )


def placed(count: int) -> Placed:
    """Return so many endpoints with their priors."""
    return Places(GeoSettings(here=HERE)).placed(endpoints(count))


def new_pool(known: Placed) -> EndpointPool:
    """Return a pool that has learnt nothing yet."""
    return EndpointPool(known, Failover(), chance=random.Random(1))


class Probes:
    """Probes of a pool's endpoints as they come in: one of each, and again, for ever."""

    def __init__(self, pool: EndpointPool, known: Placed) -> None:
        self._pool = pool
        self._chance = random.Random(2)
        self._coming = self._figures(known)

    def _figures(self, known: Placed) -> Iterator[tuple[str, float]]:
        """Yield names and connects."""
        gauss, wander = self._chance.gauss, self._chance.lognormvariate
        true = {name: prior.rtt * wander(0.0, UNLIKE) for name, (_, prior) in known.items()}
        while True:
            for name, rtt in true.items():
                yield name, rtt * (1 + gauss(0.0, RESTLESS))

    def feed(self, instants: Iterable[float]) -> float:
        """Hand the pool one probe at each instant; return the seconds that it took for that."""
        probed = self._pool.probed
        taken = 0.0
        for now, (name, connect) in zip(instants, self._coming, strict=False):
            began = time.perf_counter()
            probed(name, connect=connect, warm=connect + SERVICE, now=now)
            taken += time.perf_counter() - began
        return taken

    def feed_until(self, instants: Iterator[float], count: int, patience: float) -> int:
        """Hand over up to `count` probes in up to so many seconds; return how many it were."""
        until = time.perf_counter() + patience
        for fed in range(count):
            if time.perf_counter() > until:
                return fed
            self.feed(islice(instants, 1))
        return count
