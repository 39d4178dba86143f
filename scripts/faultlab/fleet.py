"""Routers that keep one limit together through a redis-server, and how a limit is judged.

Rule 1: what counts is when requests were admitted, in any stretch of time.
Rule 2: the server is a real one, behind a proxy that can break the way to it.
Rule 3: where redis-server is not installed a row says so, and is not met.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import router
from faultlab.clients import Tasks
from faultlab.lab import config_of
from faultlab.load import Done, Load
from faultlab.row import Row
from faultlab.waiting import until
from faultlab.world import World
from router.config.settings import ShareSettings
from router.secret import Secret
from router.testing import Proxy, RedisServer
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


__all__ = [
    "BURST",
    "LIMIT",
    "OF_THE_LIMIT",
    "PATIENCE",
    "Fleet",
    "Redis",
    "excess",
    "fleet",
    "missing",
    "most_in",
]

LIMIT, BURST = 100, 10
"""Requests a second, and at once after a pause, of all processes together."""
OF_THE_LIMIT = {"LimitError", "DeadlineError"}
"""What becomes of requests that the limit leaves no time for."""
PATIENCE: dict[str, Any] = {"attempt_timeout": 2.0, "connect_timeout": 2.0}
"""So that no attempt is given up on a busy machine: that is not what is looked at."""


def missing(fault: str, program: str) -> Row:
    """Return the line of what could not be seen."""
    return Row(fault, "lived through", f"SKIPPED: {program} is not installed", passed=False)


def excess(times: list[float], rate: float) -> float:
    """Return by how much any stretch of time had more than the rate allows without a burst."""
    least, most = 0.0, 0.0
    for number, at in enumerate(times):
        least = min(least, number - rate * at) if number else number - rate * at
        most = max(most, number + 1 - rate * at - least)
    return most


def most_in(times: list[float], seconds: float) -> int:
    """Return how many came in any stretch of so many seconds at most."""
    start, most = 0, 0
    for number, at in enumerate(times):
        while times[start] <= at - seconds:
            start += 1
        most = max(most, number - start + 1)
    return most


@dataclass
class Redis:
    """A redis-server, and the proxy through which the fleet sees it."""

    server: RedisServer
    proxy: Proxy

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Redis]:
        """Start both, and end them."""
        with (
            tempfile.TemporaryDirectory() as home,
            RedisServer(Path(home)) as server,
            Proxy("127.0.0.1", server.port) as proxy,
        ):
            yield cls(server, proxy)
            server.stop()

    @property
    def url(self) -> str:
        """Where the fleet finds it."""
        return f"redis://127.0.0.1:{self.proxy.port}/0"


@dataclass
class Fleet:
    """Clients with a router each, of which all keep one limit."""

    redis: Redis
    clients: list[Tasks]

    async def send(self, rate: float, seconds: float) -> list[Done]:
        """Send GETs from each, at `rate` a second, for so long."""
        load = Load("GET", round(rate * seconds), rate=rate)
        each = await asyncio.gather(*(client.send(load.numbered()) for client in self.clients))
        return [one for done in each for one in done]

    @property
    def alone(self) -> int:
        """How many go on with their share."""
        return sum(told["alone"] or not told["up"] for told in self._told())

    @property
    def knows_itself(self) -> bool:
        """Whether each is connected and knows of all others."""
        count = len(self.clients)
        return all(told["up"] and told["processes"] == count for told in self._told())

    def _told(self) -> list[dict[str, Any]]:
        return [client.shared.snapshot()["shared"] for client in self.clients]


@contextlib.asynccontextmanager
async def fleet(processes: int) -> AsyncIterator[Fleet]:
    """Set up a region, a redis-server, and so many routers that share a limit."""
    with Redis.running() as redis, World(a=0.0) as world:
        sections = {
            "limits": router.Limits(rate=Rate(LIMIT, 1), burst=BURST),
            "share": ShareSettings(url=Secret(redis.url)),
            "probe": router.Probe(enabled=False),
        }
        config = config_of(world, sections, **PATIENCE)
        made = Fleet(redis, [Tasks(config, router.AsyncClient) for _ in range(processes)])
        try:
            for client in made.clients:
                client.shared.start()
            await until(lambda: made.knows_itself)
            yield made
        finally:
            for client in made.clients:
                await client.close()
