"""The loop that measures endpoints, on the background thread, for sync and async clients alike.

Rule: it reads views from the pool and hands results back to it, and Dates to whoever keeps the
      time; it decides nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol

from router.errors import ConfigError
from router.latency.agenda import Agenda
from router.latency.probe import ProbeError, measure

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Callable

    from router.balance.pool import EndpointPool
    from router.config.settings import Probe
    from router.endpoint import Endpoint

__all__ = ["Prober", "Times", "probe_all", "probe_once"]

logger = logging.getLogger("router.latency")

SHORTEST_NAP = 0.01
MOST_AT_ONCE = 64
APART = 0.1


class Times(Protocol):
    """Who learns the time from probes, and may have them aimed."""

    def dated(self, name: str, date: float, *, asked: float, received: float) -> None:
        """Take the Date of an endpoint's answer, in Unix seconds, made between two boot times."""

    def aim(self, name: str) -> Callable[[float], float] | None:
        """Return what tells how long to wait before asking, as for `measure`; None: not at all."""


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
        self._agenda = Agenda(every=settings.every, chance=chance)
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
        views, names = self._pool.probe_views(now), self._pool.names()
        due, wake = self._agenda.due(views, names, now)
        for name in due[: MOST_AT_ONCE - len(self._running)]:
            self._start(name, now)
        return wake

    def _start(self, name: str, now: float) -> None:
        endpoint = self._pool.endpoint(name)
        if endpoint is not None:
            self._agenda.began(name, now)
            task = asyncio.get_running_loop().create_task(self._probe(endpoint))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _probe(self, endpoint: Endpoint) -> None:
        try:
            await probe_once(self._pool, endpoint, self._settings, tls=self._tls, times=self._times)
        except ConfigError as error:  # a file of `tls:`; the next probe looks again
            self._pool.probe_failed(endpoint.name, str(error), now=time.monotonic())
        finally:
            self._agenda.ended(endpoint.name, time.monotonic())
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
    endpoints = pool.endpoints()
    gate = asyncio.Semaphore(MOST_AT_ONCE)

    async def probe(place: int, endpoint: Endpoint) -> None:
        await asyncio.sleep(APART * place / len(endpoints))  # a handshake delays others' timing
        for left in reversed(range(count)):
            async with gate:
                answered = await probe_once(pool, endpoint, settings, tls=tls, times=times)
                told(endpoint.name, answered)
            await asyncio.sleep(APART if left else 0)

    await asyncio.gather(*(probe(place, endpoint) for place, endpoint in enumerate(endpoints)))
