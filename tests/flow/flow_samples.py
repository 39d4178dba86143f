"""A desk, a scripted port and calls over them, without a network and without waiting."""

from __future__ import annotations

import random
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import router
from router.auth.grant import Grant
from router.auth.token import TokenManager
from router.balance.pool import EndpointPool
from router.call import Answer, Body, Call
from router.clock.clock import Clock
from router.clock.host import THIS_HOST
from router.clock.keeper import Keeper
from router.desk import Desk
from router.failover.budget import RetryBudget
from router.failover.hedging import Hedging
from router.failover.verdict import verdicts
from router.flow import route
from router.geo.prior import Prior
from router.limits.limiter import Limiter
from router.ports import run
from router.testing import FakeClock, ScriptedPort
from router.testing.script import step_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from router.call import Outgoing
    from router.departure import Signer
    from router.failover.precondition import Began
    from router.testing.script import Step

TIER = 1
NAMES = ("near", "middle", "far")


def endpoint(name: str, **keys: Any) -> router.Endpoint:
    known: dict[str, Any] = {"url": f"https://{name}.example/v1", "name": name, "tags": ("eu",)}
    return router.Endpoint(**(known | keys))


def placed(*endpoints: router.Endpoint) -> dict[str, tuple[router.Endpoint, Prior]]:
    """Return endpoints whose priors say 10, 20, 30 … ms."""
    return {
        e.name: (e, Prior(place / 100, 0.2, None, "by decree"))
        for place, e in enumerate(endpoints, 1)
    }


def fails_at(fails: Mapping[str, str | int]) -> Callable[[Outgoing], str | int]:
    """Return a script of endpoints that answer 200, but for what fails at some of them."""
    return lambda request: fails.get(request.endpoint.name, 200)


class Stage:
    """A desk, a scripted port and one call; `takes`: seconds of an attempt, or those by name."""

    def __init__(
        self,
        script: Any,
        *,
        names: tuple[str, ...] = NAMES,
        endpoints: Iterable[router.Endpoint] = (),
        failover: router.Failover | None = None,
        limits: router.Limits | None = None,
        tokens: TokenManager | None = None,
        takes: float | Mapping[str, float] = 0.01,
        note: Callable[[str], None] = lambda _: None,
        began: Began | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.failover = failover or router.Failover(attempts=3)
        self.clock = FakeClock()
        if not isinstance(takes, float):
            script, takes = self.timed(script, takes), 0.0
        self.port = ScriptedPort(script, clock=self.clock, takes=takes)
        self.pool = EndpointPool(
            placed(*endpoints or map(endpoint, names)),
            self.failover,
            chance=random.Random(1),
            note=note,
            clock=self.clock,
            busy=lambda: 0.0,
        )
        self.budget = RetryBudget(self.failover.retry_budget)
        self.limiter = Limiter(limits or router.Limits())
        self.desk = Desk(
            pool=self.pool,
            limiter=self.limiter,
            tokens=tokens,
            keeper=Keeper(Clock(settle_within=0), host=THIS_HOST),
            failover=self.failover,
            chance=random.Random(1),
            budget=self.budget,
            hedging=Hedging(self.failover.hedge or router.Hedge(), self.budget),
            verdicts=verdicts(self.failover.statuses),
            began=began,
            signer=signer,
        )

    def timed(
        self, script: Callable[[Outgoing], Step], takes: Mapping[str, float]
    ) -> Callable[[Outgoing], Step]:
        """Return the same script, with times by the endpoint's name."""

        def step(request: Outgoing) -> Step:
            return replace(step_of(script(request)), takes=takes[request.endpoint.name])

        return step

    def call(
        self,
        method: str = "GET",
        *,
        body: Body | None = None,
        path: bytes = b"/things",
        options: router.Options = router.Options(),  # noqa: B008 - it is immutable
        keyed: bool = False,
        at_once: bool = False,
        headers: Iterable[tuple[bytes, bytes]] = ((b"X-Own", b"1"),),
    ) -> Call:
        return Call(
            method=method,
            path=path,
            headers=list(headers),
            body=body or Body(b"", replayable=True),
            timeouts={},
            extensions={},
            started=self.clock(),
            deadline=self.clock() + (options.deadline or self.failover.deadline),
            repeat=self.failover.repeat,
            options=options,
            keyed=keyed,
            at_once=at_once,
        )

    def play(self, call: Call) -> Answer:
        answer, lease = run(route(call, self.desk, self.port))
        if lease is not None:
            lease.give_back()
        return answer

    def ask(self, *, path: bytes = b"/things", **options: Any) -> int | str:
        """Play a GET with these options and return its status, or the name of its error."""
        try:
            return self.play(self.call(path=path, options=router.Options(**options))).status
        except router.RouterError as error:
            return type(error).__name__

    def health(self) -> dict[str, str]:
        return {ranked.name: ranked.health for ranked in self.pool.ranking(self.clock())}

    def tried(self) -> list[str]:
        return [sent.endpoint.name for sent in self.port.sent]

    def settled(self) -> bool:
        return self.limiter.in_use == 0 and not any(self.pool.in_flight().values())

    def teach(self, method: str = "GET", ratio: float = 2.0) -> None:
        """Have the answers of this method known to be late from so many times the expected on."""
        for _ in range(64):
            self.desk.hedging.learn((TIER, method), ratio, 1.0)


class Shop:
    """A token server in the flow's own thread; `lifetime` seconds a token."""

    def __init__(self, clock: FakeClock) -> None:
        self.sold = 0
        settings = router.TokenSettings(
            url="https://auth.example/token", client_id="me", client_secret=router.Secret("s")
        )
        self.manager = TokenManager(
            settings, fetch=self.fetch, spawn=self.spawn, random=random.Random(1), clock=clock
        )

    async def fetch(self, _: object) -> Grant:
        self.sold += 1
        return Grant(router.Secret(f"token-{self.sold}"), 3600.0, None)

    @staticmethod
    def spawn(coroutine: Any) -> Future[Grant]:
        future: Future[Grant] = Future()
        future.set_result(run(coroutine))
        return future
