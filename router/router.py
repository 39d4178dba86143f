"""Router: wires the parts together and runs what goes on behind the requests.

Rule 1: it wires and delegates; no decision is made here.
Rule 2: making one opens no socket and starts no thread; the first request, `rank()` or `with` does.
Rule 3: a new configuration is checked as a whole before anything of the old one is let go; parts
        whose section did not change live on with all they have learnt.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from router.addressing import Addresses
from router.auth.given import checked_hook, checked_signer, checked_source
from router.auth.shelf import OWN
from router.auth.signers import Signers
from router.auth.sources import settings_for, source_of
from router.background import Background
from router.balance.pool import Cooling, EndpointPool
from router.balance.ranking import seen_from
from router.config.settings import Config, Hedge
from router.desk import Desk
from router.errors import ClosedError, LimitError, RetryLaterError
from router.failover.budget import RetryBudget
from router.failover.hedging import Hedging
from router.failover.verdict import verdicts
from router.forks import register
from router.journal import Journal
from router.latency.prober import Prober, probe_all
from router.limits.limiter import Limiter
from router.limits.outlook import standing
from router.options import NO_OPTIONS
from router.placing import Places
from router.revision import refuse_what_is_missing, refuse_what_needs_a_new_router, unmoved
from router.snapshot import describe
from router.streams.stall import Gaps
from router.timekeeping import timekeeping
from router.tls import TlsContext
from router.wellformed import Sieve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Self

    from router.auth.static import TokenSource
    from router.auth.token import TokenManager
    from router.balance.decision import Decision
    from router.balance.ranking import Ranked
    from router.departure import Signer
    from router.failover.precondition import Began
    from router.latency.prober import Turns
    from router.limits.outlook import Outlook
    from router.limits.usage import Usage
    from router.options import Options
    from router.shared.sharing import Sharing

__all__ = ["Router"]

LOOK_AGAIN = 0.01
RERANK_EVERY = 0.5
NS = 1e9


class Router:
    """One configuration at work: shared by any number of clients, threads and event loops."""

    def __init__(
        self,
        config: str | Path | Config,
        *,
        signer: Signer | None = None,
        token: TokenSource | None = None,
        conversation_began: Began | None = None,
        used: Usage | None = None,
    ) -> None:
        """Take a Config, or the path of a YAML file.

        Args:
            config: what to route among, and how.
            signer: makes the headers that prove a request; it runs for each attempt when its
                headers leave, so that a signature covers the same time that they carry. It takes
                the place of the `sign:` section.
            token: returns the access token, and takes the place of the `token:` section; it runs
                behind the requests, see `auth.static`.
            conversation_began: tells when the conversation of a request began that was answered
                with 428, for callers that do not say so in their Options.
            used: tells what a request cost in the end, from an answer that was read at once, such
                as `limits.usage.tokens_used`; the limiter gets the rest back.

        Raises:
            ConfigError: the configuration is wrong; nothing was started.
        """
        loaded = config if isinstance(config, Config) else _load(config)
        refuse_what_is_missing(loaded)
        self._chance = random.Random()
        self._signer = checked_signer(signer)
        self._token_source = checked_source(token)
        self._began = checked_hook("conversation_began", conversation_began)
        self._used = checked_hook("used", used)
        self._closed = False
        self._lock = threading.Lock()
        self._background = Background(self._jobs)
        self._journal = Journal()
        self._assemble(loaded)
        self._finalizer = weakref.finalize(self, self._background.stop)
        register(self)

    @classmethod
    def from_yaml(
        cls,
        path: str | Path,
        *,
        signer: Signer | None = None,
        token: TokenSource | None = None,
        conversation_began: Began | None = None,
        used: Usage | None = None,
    ) -> Self:
        """Return a Router configured by a YAML file; arguments and errors as for Router."""
        return cls(
            _load(path),
            signer=signer,
            token=token,
            conversation_began=conversation_began,
            used=used,
        )

    # -- wiring

    def _assemble(self, config: Config) -> None:
        self._signers = Signers(self._signer, config.sign)
        self.tls = TlsContext(config.tls)
        self.wire_tls = TlsContext(config.tls) if config.http2 else self.tls  # ALPN differs
        self.places = Places(config.geo)
        placed = self.places.placed(config.endpoints)
        self.pool = EndpointPool(
            placed,
            config.failover,
            chance=self._chance,
            note=self._journal.note,
            allow=config.allow.options(),
            busy=self._background.busy,
        )
        self.sharing = self._sharing(config)
        self.limiter = self._limiter(config)
        self.gaps = Gaps()
        self.tokens = self._token_manager(config)
        self.keeper, self._synchroniser = timekeeping(
            config.clock,
            chance=self._chance,
            note=self._journal.note,
            told=self.pool.set_skew,
            signed=self._signers.sign is not None,
        )
        self.clock = self.keeper.clock
        self.budget = RetryBudget(config.failover.retry_budget)
        self._hedging = Hedging(config.failover.hedge or Hedge(), self.budget)
        self._adopt(config)

    def _sharing(self, config: Config) -> Sharing | None:
        self._turns: Turns | None = None
        if config.shared is None:
            return None
        from router.shared.sharing import Sharing  # noqa: PLC0415 - loaded when used

        here = config.geo.here
        place = None if here is None else str(here)
        sharing = Sharing(config.shared, place=place, note=self._journal.note)
        hold = weakref.WeakMethod(self._hold)

        def cooled() -> None:
            if (found := hold()) is not None:
                found()

        sharing.gossip(self.pool, cooled=cooled)
        self._turns = sharing.turns(self.pool) if config.probe.enabled else None
        return sharing

    def _limiter(self, config: Config) -> Limiter:
        limits, sharing = config.limits, self.sharing
        if sharing is None:
            return Limiter(limits)
        slots = None if limits.concurrency is None else sharing.permits(limits.concurrency)
        limiter = Limiter(limits, quota=sharing.quota, slots=slots)
        sharing.when_more_came(limiter.replenished)
        return limiter

    def _adopt(self, config: Config) -> None:
        """Make `config` the one that new requests see."""
        self._renew_hedging(config.failover.hedge or Hedge())
        self.budget.resize(config.failover.retry_budget)
        self.verdicts = verdicts(config.failover.statuses)
        self.config = config
        self.addresses = Addresses(config.endpoints, config.hosts)
        anew = {b"host"}
        if self.tokens is not None:
            anew.add(b"authorization")
        if config.clock is not None and config.clock.header is not None:
            anew.add(config.clock.header.lower().encode("ascii"))
        if config.failover.deadline_header is not None:
            anew.add(config.failover.deadline_header.lower().encode("ascii"))
        self.sieve = Sieve(anew)
        self._desk = Desk(
            pool=self.pool,
            limiter=self.limiter,
            tokens=self.tokens,
            keeper=self.keeper,
            failover=config.failover,
            chance=self._chance,
            budget=self.budget,
            hedging=self._hedging,
            verdicts=self.verdicts,
            signer=self._signers.sign,
            unready=self._signers.unready,
            apart=any(endpoint.reach != OWN for endpoint in config.endpoints),
            began=self._began,
            used=self._used,
            gaps=self.gaps,
        )

    def _renew_hedging(self, settings: Hedge) -> None:
        """Keep what was learnt of lateness, unless its settings change."""
        if self._hedging.settings != settings:
            self._hedging = Hedging(settings, self.budget)

    def _token_manager(self, config: Config) -> TokenManager | None:
        settings = settings_for(config.token, self._token_source, config.sign)
        if settings is None:
            return None
        from router.auth.token import TokenManager  # noqa: PLC0415 - loaded when used

        fetch = source_of(
            settings,
            self._token_source,
            tls=self.tls,
            wall=lambda: self.clock.time_ns() / NS,
        )
        shared = None if self.sharing is None else self.sharing.token(settings)
        return TokenManager(
            settings,
            fetch=fetch,
            spawn=self._background.spawn,
            random=self._chance,
            exchange=shared,
        )

    def reset_after_fork(self) -> None:
        """Let go of what belongs to the parent process; the parts' knowledge stays."""
        self._lock = threading.Lock()
        self.pool.reset_after_fork()
        self.limiter.reset_after_fork()
        self.budget.reset_after_fork()
        self._hedging.reset_after_fork()
        if self.sharing is not None:
            self.sharing.reset_after_fork()
        if self.tokens is not None:
            self.tokens.reset_after_fork()

    # -- running

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        config = self.config
        jobs = [
            self._journal.run(),
            self.places.resolve(self.pool, config.endpoints),
            _rerank(self.pool, self.budget),
        ]
        if config.probe.enabled:
            jobs.append(self._prober(config).run())
        jobs += self._signers.jobs()
        if self.sharing is not None:
            jobs.append(self.sharing.run())
        if self._synchroniser is not None:
            jobs.append(self._synchroniser.run())
        return jobs

    def _prober(self, config: Config) -> Prober:
        return Prober(
            self.pool,
            config.probe,
            tls=self.tls,
            chance=self._chance,
            times=self.keeper,
            turns=self._turns,
        )

    def start(self) -> Router:
        """Start probes and clock synchronisation, unless they run; requests do this themselves."""
        if self._closed:
            raise ClosedError("this Router is closed: make a new one")
        self._background.start()
        return self

    def desk(self) -> Desk:
        """Return what a request needs, with everything behind it running."""
        if self._closed or not self._background.runs:  # a look without calls, for every request
            self.start()
        return self._desk

    def wait_until_measured(self, timeout: float = 2.0) -> bool:
        """Wait until every endpoint was probed, or is known to be down; return whether so."""
        self.start()
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            views = self.pool.probe_views(self.now()).values()
            if all(view.samples or view.down for view in views):
                return True
            time.sleep(LOOK_AGAIN)
        return False

    def close(self) -> None:
        """Stop what runs behind the requests; later ones, and those that wait, get ClosedError."""
        self._closed = True
        self._finalizer()
        self.limiter.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lost(self) -> float:
        """Return the seconds so far for which this process could not look at what came in."""
        return self._background.lost()

    now = staticmethod(time.monotonic)
    """Return the monotonic seconds that all parts count in."""

    # -- asking and steering

    def rank(self, client_ip: str | None = None) -> list[Ranked]:
        """Return all endpoints, best first.

        Args:
            client_ip: rank for an end user at this address, by geography alone, rather than for
                this host; an address without a known place is ranked as this host.

        Raises:
            GeoError: the address is no IP address, or the database cannot be read.
        """
        self.start()
        if client_ip is not None and self.places.locator.locate(client_ip) is not None:
            return self.outlook(client_ip)
        return list(self.pool.ranking(self.now()))

    def outlook(self, client_ip: str | None = None) -> list[Ranked]:
        """Return all endpoints as geography alone ranks them; nothing is started or sent.

        Raises:
            GeoError: the address is no IP address.
        """
        ranking = self.pool.ranking(self.now())
        priors = self.places.seen_from(client_ip, [ranked.endpoint for ranked in ranking])
        return seen_from(priors, ranking)

    def explain(self, options: Options = NO_OPTIONS) -> Decision:
        """Return where one more request would go now, and why; nothing is started or sent.

        Args:
            options: the request's constraints, its deadline and its affinity.

        Raises:
            OptionsError: they name what no endpoint has.
            NoEndpointError: they leave no endpoint, or only drained ones.
            DeadlineError: no endpoint is near enough for the deadline.
            RetryLaterError: every endpoint that they leave asked to be left alone.
            LimitError: every endpoint that they leave is at its own limit.
        """
        now = self.now()
        self.pool.check(options)
        within = options.deadline or self.config.failover.deadline
        try:
            return self.pool.explain(options, now=now, within=within)
        except Cooling as cooling:
            wait = max(0.0, cooling.until - now)
            if cooling.full:
                raise LimitError(
                    f"every endpoint is at its own limit for {wait:.3g} s more", retry_after=wait
                ) from None
            raise RetryLaterError(
                f"every endpoint asked to be left alone for {wait:.1f} s more", retry_after=wait
            ) from None

    def peek(self, options: Options = NO_OPTIONS) -> Outlook:
        """Return what a request would meet at the limiter now; nothing is taken.

        Raises:
            OptionsError: its cost is above the burst.
        """
        return self.limiter.peek(
            self.now(), cost=options.cost, costs=options.costs, priority=options.priority
        )

    async def measure(
        self, count: int = 5, *, told: Callable[[str, bool], None] = lambda *_: None
    ) -> list[Ranked]:
        """Probe every endpoint `count` times now, whatever the background does, and rank.

        Args:
            count: probes of each endpoint, 100 ms apart.
            told: hears the endpoint's name and whether it answered, after each probe.

        Raises:
            ConfigError: a file of `tls:` cannot be read.
        """
        await asyncio.gather(
            probe_all(
                self.pool,
                self.config.probe,
                tls=self.tls,
                count=count,
                told=told,
                times=self.keeper,
            ),
            self.places.resolve(self.pool, self.config.endpoints),
        )
        self.keeper.reckon()
        return list(self.pool.ranking(self.now()))

    def drain(self, name: str) -> None:
        """Send nothing new to an endpoint; what is under way ends in peace."""
        self.pool.set_drained(name, drained=True)

    def undrain(self, name: str) -> None:
        """Send to a drained endpoint again."""
        self.pool.set_drained(name, drained=False)
        self._hold()

    def _hold(self) -> None:
        """Admit requests as soon as somebody may be asked, of the endpoints as they are now."""
        self.limiter.hold(self.pool.all_cool_until(self.now()))

    def reload(self, config: str | Path | Config) -> None:
        """Take a new configuration while requests are under way.

        Raises:
            ConfigError: it is wrong, or changes what only a new Router can change; the old one
                serves on.
        """
        loaded = config if isinstance(config, Config) else _load(config)
        refuse_what_is_missing(loaded)
        refuse_what_needs_a_new_router(self.config, loaded)
        with self._lock:
            placed = self.places.placed(loaded.endpoints)
            self.pool.update(placed, loaded.failover, allow=loaded.allow.options())
            kept = unmoved(self.config.endpoints, loaded.endpoints)
            names = {endpoint.name for endpoint in self.config.endpoints}
            gone = names - {endpoint.name for endpoint in loaded.endpoints}
            self.keeper.retain(kept, gone=gone)
            self._adopt(loaded)
            self._hold()

    def snapshot(self) -> dict[str, Any]:
        """Return the present state as plain data, without secrets."""
        return describe(
            ranking=self.pool.ranking(self.now()),
            keeper=self.keeper,
            limiter=self.limiter,
            limits=standing(self.limiter, self.now()),
            budget=self.budget,
            token=None if self.tokens is None else self.tokens.describe(self.now()),
            shared=None if self.sharing is None else self.sharing.describe(),
        )


def _load(path: str | Path) -> Config:
    from router.config.loader import load  # noqa: PLC0415 - a Config made in code needs none

    return load(path)


async def _rerank(pool: EndpointPool, budget: RetryBudget) -> None:
    """Keep many endpoints in order and the budget's size right, off the path of requests."""
    while True:
        await asyncio.sleep(RERANK_EVERY)
        now = time.monotonic()
        pool.rerank(now)
        budget.reckon(now)
