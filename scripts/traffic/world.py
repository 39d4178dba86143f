"""One world from its first request to its last: clients, their router, the regions."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from router.attempt import Trace
from router.balance.pool import EndpointPool
from router.call import Body, Call
from router.clock.clock import Clock
from router.clock.host import THIS_HOST
from router.clock.keeper import Keeper
from router.config.settings import Hedge, Limits
from router.desk import Desk
from router.endpoint import Endpoint
from router.errors import RouterError
from router.failover.budget import RetryBudget
from router.failover.hedging import Hedging
from router.failover.verdict import KNOWN
from router.flow import route
from router.geo.prior import Prior
from router.latency.probe import ProbeError
from router.limits.limiter import Limiter
from traffic.engine import Engine
from traffic.port import NO_ANSWER, REFUSED, Port
from traffic.result import FAILED, Result
from traffic.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traffic.scenario import Scenario
    from traffic.servers import Fate

__all__ = ["Policy", "World", "simulate"]

Policy = Callable[["World", int], Any]
"""Makes the pool of one client, or what has a pool's face."""

PRIOR_SIGMA = 0.2
PROBE_WORK = 0.002
BROKEN = 500
BETWEEN_COLLECTIONS = 2000
"""So many requests, at the usual rate."""

START = 1000.0
"""Monotonic seconds when the world begins: a clock that reads 0 hides mistakes."""


class World:
    """All parts of one run.

    Attributes:
        scenario: the kind of world.
        engine: its time.
        servers: its regions by name, the nearest first.
        result: what became of the requests so far.
    """

    def __init__(self, scenario: Scenario, *, seed: int, policy: Policy) -> None:
        self.scenario = scenario
        self.engine = Engine()
        self.result = Result()
        self._seed = seed
        self._policy = policy
        self.servers = {
            site.name: Server(site, self.random(f"server {site.name}")) for site in scenario.sites
        }
        self._numbers = {name: number for number, name in enumerate(self.servers)}

    def now(self) -> float:
        """Return the monotonic seconds that the code under test sees."""
        return START + self.engine.now

    def random(self, part: str) -> Random:
        """Return the stream of chance of one part of the world."""
        return Random(f"{self._seed} {part}")

    def live(self) -> Result:
        """Let everything happen."""
        for client in range(self.scenario.clients):
            desk = self._desk(self._policy(self, client), client)
            self.engine.start(self._client(client, desk))
        end = self.scenario.seconds + self.scenario.after
        with collecting_by_hand():
            while self.engine.now < end:
                pause = self.engine.now + BETWEEN_COLLECTIONS / self.scenario.rate
                self.engine.run(min(pause, end))
                gc.collect()
        self.engine.close()
        return self.result

    # -- what a policy may see of it

    def placed(self, client: int) -> dict[str, tuple[Endpoint, Prior]]:
        """Return the endpoints, with what geography tells one client of them."""
        chance = self.random(f"priors {client}")
        found = {}
        for site in self.scenario.sites:
            rtt = site.rtt * chance.lognormvariate(0.0, PRIOR_SIGMA)
            endpoint = Endpoint(name=site.name, url=f"https://{site.name}.example")
            found[site.name] = endpoint, Prior(rtt, PRIOR_SIGMA, None, "by geography")
        return found

    async def probe(self, name: str, *, timeout: float) -> tuple[float, float]:
        """Return seconds of a TCP connect and of a request on the warm connection.

        Raises:
            ProbeError: the region refuses or is silent.
        """
        self.result.probes += 1
        server, engine = self.servers[name], self.engine
        connect = server.way(engine.now)
        fault = server.fault(engine.now)
        if fault is not None and fault.refuses:
            await engine.sleep(connect)
            raise ProbeError(REFUSED)
        if fault is not None and fault.silent:
            await engine.sleep(timeout)
            raise ProbeError(NO_ANSWER)
        warm = server.way(engine.now) + PROBE_WORK
        await engine.sleep(2 * connect + warm)
        return connect, warm

    # -- requests

    def sent(self, name: str, work: float, *, client: int) -> Fate:
        """Take an attempt at a region; return what becomes of it."""
        now = self.engine.now
        self.result.sent(now, self._numbers[name], client)
        return self.servers[name].serve(now, work)

    def _desk(self, pool: Any, client: int) -> Desk:
        failover = self.scenario.failover
        ours = isinstance(pool, EndpointPool)  # the others have no budget by their rules
        budget = RetryBudget(failover.retry_budget if ours else math.inf)
        return Desk(
            pool=pool,
            limiter=Limiter(Limits()),
            tokens=None,
            keeper=Keeper(Clock(settle_within=0), host=THIS_HOST),
            failover=failover,
            chance=self.random(f"backoff {client}"),
            budget=budget,
            hedging=Hedging(failover.hedge or Hedge(), budget),
            verdicts=KNOWN,
        )

    async def _client(self, client: int, desk: Desk) -> None:
        port = Port(self, client)
        for moment, work in self._requests(client):
            await self.engine.sleep(moment - self.engine.now)
            self.engine.start(self._request(desk, port, work))

    def _requests(self, client: int) -> Iterator[tuple[float, float]]:
        """Yield when each request comes, and the seconds of work it needs."""
        arrivals, works = self.random(f"arrivals {client}"), self.random(f"works {client}")
        now, scenario = 0.0, self.scenario
        while True:
            now += arrivals.expovariate(scenario.rate_at(now) / scenario.clients)
            if now > scenario.seconds:
                return
            yield now, scenario.work(works)

    async def _request(self, desk: Desk, port: Port, work: float) -> None:
        began, served = self.engine.now, FAILED
        call = self._call(work)
        try:
            answer, lease = await route(call, desk, port)
        except RouterError:
            pass
        else:
            if lease is not None:
                lease.give_back()
            if answer.status < BROKEN:
                served = self._numbers[Trace(tuple(call.attempts)).endpoint]
        self.result.ended(began, self.engine.now, served)

    def _call(self, work: float) -> Call:
        failover = self.scenario.failover
        return Call(
            method="GET",
            path=b"/",
            headers=[],
            body=Body(b"", replayable=True),
            timeouts={},
            extensions={"work": work},
            started=self.now(),
            deadline=self.now() + failover.deadline,
            repeat=failover.repeat,
        )


@contextlib.contextmanager
def collecting_by_hand() -> Iterator[None]:
    """Leave cyclic garbage alone: with thousands of requests under way, looking for it is slow."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def simulate(scenario: Scenario, *, seed: int, policy: Policy) -> Result:
    """Return what one policy does in one world; the same for the same seed."""
    return World(scenario, seed=seed, policy=policy).live()
