"""The router's own pool, and the prober that keeps it informed, in virtual time.

Rule: what to probe and when is decided by `latency.agenda`, as on the background thread; only the
      waiting and the network are other ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.pool import EndpointPool
from router.config.settings import Probe
from router.latency.agenda import Agenda
from router.latency.probe import ProbeError
from traffic.result import Favourite

if TYPE_CHECKING:
    from traffic.world import World

__all__ = ["ours"]

SHORTEST_NAP = 0.01
LOOK_EVERY = 5.0


def ours(world: World, client: int) -> EndpointPool:
    """Return the pool of one client, and start its prober."""
    chance = world.random(f"pool {client}")
    pool = EndpointPool(
        world.placed(client),
        world.scenario.failover,
        chance=chance,
        clock=world.now,
        busy=lambda: 0.0,
    )
    world.engine.start(Prober(world, pool, client).run())
    world.engine.start(watch(world, pool, client))
    return pool


class Prober:
    """Probes the pool's endpoints as the agenda says."""

    def __init__(self, world: World, pool: EndpointPool, client: int) -> None:
        self._world = world
        self._pool = pool
        self._timeout = Probe().timeout
        self._agenda = Agenda(every=Probe().every, chance=world.random(f"probing {client}"))

    async def run(self) -> None:
        """Probe until the end of the world."""
        while True:
            now = self._world.now()
            views, names = self._pool.probe_views(now), self._pool.names()
            due, wake = self._agenda.due(views, names, now)
            for name in due:
                self._agenda.began(name, now)
                self._world.engine.start(self._probe(name))
            await self._world.engine.sleep(max(wake - now, SHORTEST_NAP))

    async def _probe(self, name: str) -> None:
        try:
            connect, warm = await self._world.probe(name, timeout=self._timeout)
        except ProbeError as error:
            now = self._world.now()
            self._pool.probe_failed(name, str(error), reached=error.reached, now=now)
        else:
            self._pool.probed(name, connect=connect, warm=warm, now=self._world.now())
        self._agenda.ended(name, self._world.now())


async def watch(world: World, pool: EndpointPool, client: int) -> None:
    """Note whenever another region stands first in the pool's ranking."""
    first = None
    while True:
        best = pool.ranking(world.now())[0].name
        if best != first:
            first = best
            world.result.favourites.append(Favourite(world.engine.now, client, best))
        await world.engine.sleep(LOOK_EVERY)
