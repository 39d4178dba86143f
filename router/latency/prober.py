"""The loop that measures endpoints, on the background thread, for sync and async clients alike.

Rule: it reads views from the pool and hands results back to it, and Dates to whoever keeps the
      time; it decides nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from router.errors import ConfigError
from router.latency.probe import ProbeError, measure
from router.latency.schedule import due_at, first_due, jitter

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Callable, Container

    from router.balance.pool import EndpointPool
    from router.config.settings import Probe
    from router.endpoint import Endpoint

__all__ = ["Prober", "Times", "probe_all", "probe_once"]

logger = logging.getLogger("router.latency")

LONGEST_NAP = 1.0
SHORTEST_NAP = 0.01
MOST_AT_ONCE = 64
APART = 0.1


class Times(Protocol):
    """Who learns the time from probes, and may have them aimed."""

    def dated(self, name: str, date: float, *, asked: float, received: float) -> None:
        """Take the Date of an endpoint's answer, in Unix seconds, made between two boot times."""

    def aim(self, name: str) -> Callable[[float], float] | None:
        """Return what tells how long to wait before asking, as for `measure`; None: not at all."""


@dataclass(slots=True)
class Plan:
    """When one endpoint is due; `last` is None until its first probe ended."""

    first: float
    last: float | None = None
    factor: float = 1.0
    busy: bool = False


class Prober:
    """Probes the pool's endpoints as `schedule` says."""

    def __init__(
        self,
        pool: EndpointPool,
        settings: Probe,
        *,
        tls: Callable[[], ssl.SSLContext],
        chance: random.Random,
        times: Times | None = None,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._tls = tls
        self._chance = chance
        self._times = times
        self._plans: dict[str, Plan] = {}
        self._ended = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Probe until cancelled."""
        self._ended = asyncio.Event()
        while True:
            now = time.monotonic()
            nap = max(self._start_due(now) - now, SHORTEST_NAP)
            self._ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), nap)

    def _start_due(self, now: float) -> float:
        views = self._pool.probe_views()
        self._forget(views.keys())
        wake = now + LONGEST_NAP
        for rank, (name, (endpoint, view)) in enumerate(views.items()):
            plan = self._plans.get(name)
            if plan is None:
                wait = first_due(rank, every=self._settings.every, chance=self._chance)
                plan = self._plans[name] = Plan(now + wait)
            if plan.busy:
                continue
            due = plan.first
            if plan.last is not None:
                due = due_at(view, last=plan.last, every=self._settings.every, factor=plan.factor)
            if due <= now and len(self._running) < MOST_AT_ONCE:
                self._start(endpoint, plan)
            else:
                wake = min(wake, due)
        return wake

    def _forget(self, known: Container[str]) -> None:
        for name in [name for name in self._plans if name not in known]:
            del self._plans[name]

    def _start(self, endpoint: Endpoint, plan: Plan) -> None:
        plan.busy = True
        task = asyncio.get_running_loop().create_task(self._probe(endpoint, plan))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _probe(self, endpoint: Endpoint, plan: Plan) -> None:
        try:
            await probe_once(self._pool, endpoint, self._settings, tls=self._tls, times=self._times)
        except ConfigError as error:  # a file of `tls:`; the next probe looks again
            self._pool.probe_failed(endpoint.name, str(error), now=time.monotonic())
        finally:
            plan.last = time.monotonic()
            plan.factor = jitter(self._chance)
            plan.busy = False
            self._ended.set()


async def probe_once(
    pool: EndpointPool,
    endpoint: Endpoint,
    settings: Probe,
    *,
    tls: Callable[[], ssl.SSLContext],
    times: Times | None = None,
) -> bool:
    """Probe one endpoint, tell the pool and `times`, and return whether it answered."""
    name = endpoint.name
    try:
        context = tls() if endpoint.origin.scheme == "https" else None
        aim = times.aim(name) if times is not None else None
        measured = await measure(endpoint, settings, tls=context, aim=aim)
    except ProbeError as error:
        now = time.monotonic()
        pool.probe_failed(name, str(error), reached=error.reached, now=now)
        return False
    pool.probed(name, connect=measured.connect, warm=measured.warm, now=time.monotonic())
    if times is not None and measured.date is not None:
        times.dated(name, measured.date, asked=measured.asked, received=measured.heard)
    return True


async def probe_all(
    pool: EndpointPool,
    settings: Probe,
    *,
    tls: Callable[[], ssl.SSLContext],
    count: int,
    told: Callable[[str, bool], None],
    times: Times | None = None,
) -> None:
    """Probe every endpoint `count` times, 100 ms apart; `told` hears each name and outcome.

    Raises:
        ConfigError: a file of `tls:` cannot be read.
    """
    endpoints = [endpoint for endpoint, _ in pool.probe_views().values()]
    gate = asyncio.Semaphore(MOST_AT_ONCE)

    async def probe(place: int, endpoint: Endpoint) -> None:
        await asyncio.sleep(APART * place / len(endpoints))  # a handshake delays others' timing
        for left in reversed(range(count)):
            async with gate:
                answered = await probe_once(pool, endpoint, settings, tls=tls, times=times)
                told(endpoint.name, answered)
            await asyncio.sleep(APART if left else 0)

    await asyncio.gather(*(probe(place, endpoint) for place, endpoint in enumerate(endpoints)))
